import * as http from "node:http";
import * as https from "node:https";
import type { SecureContextOptions } from "node:tls";
import { buffer } from "node:stream/consumers";

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  readonly agent?: http.Agent;
  readonly tls?: SecureContextOptions;
  /** The address it comes from. */
  readonly localAddress?: string;
}

/** A whole response. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** The body as it came. */
  readonly bytes: Buffer;
  readonly text: string;
  json(): unknown;
}

/** One request with exactly these headers, which `fetch` would not send: Host and Origin among them. */
export async function request(url: string, options: RequestOptions = {}): Promise<Answer> {
  const { method = "GET", headers = {}, body, agent, tls, localAddress } = options;
  const from = localAddress === undefined ? {} : { localAddress, family: 4 };
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const outgoing = (url.startsWith("https:") ? https : http).request(
      url,
      { method, headers, agent: agent ?? false, signal: AbortSignal.timeout(30_000), ...from, ...tls },
      resolve,
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
  const bytes = await buffer(response);
  const text = bytes.toString();
  const { statusCode: status = 0, headers: received } = response;
  return { status, headers: received, bytes, text, json: () => JSON.parse(text) as unknown };
}
