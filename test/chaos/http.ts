import * as http from "node:http";
import { text as wholeText } from "node:stream/consumers";
import type { RawData } from "ws";

/** Milliseconds after which a client takes a request for lost. */
const TIMEOUT = 4000;

export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
  readonly agent?: http.Agent;
  readonly signal?: AbortSignal;
  /** Milliseconds. */
  readonly patience?: number;
}

/** One request, whose whole answer must come in time. */
export async function ask(url: string, options: AskOptions = {}): Promise<Reply> {
  const { method = "GET", headers = {}, body, agent, signal, patience = TIMEOUT } = options;
  const late = AbortSignal.timeout(patience);
  const ends = signal === undefined ? late : AbortSignal.any([late, signal]);
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: agent ?? false, signal: ends }, resolve);
    request.on("error", reject);
    request.end(body);
  });
  return { status: response.statusCode ?? 0, headers: response.headers, text: await wholeText(response) };
}

/** What came over a WebSocket whose binary type is the usual one. */
export function textOf(data: RawData): string {
  return (data as Buffer).toString();
}
