import * as http from "node:http";
import * as https from "node:https";
import { WebSocket } from "ws";
import { SseParser } from "../../protocol/sse.ts";
import { jsonObject, refusal, textOf } from "../usage.ts";
import { DeliveryCheck } from "./delivery-check.ts";

/** Milliseconds to connect in. */
const CONNECT_TIMEOUT = 30_000;
const CLOSED = "the server closed the connection";

/** A connection that reads a channel. */
export class Reader {
  readonly check: DeliveryCheck = new DeliveryCheck();
  isConnected = false;
  /** Why it does not read, or has stopped; undefined while it reads. */
  trouble: string | undefined;
  readonly #end = new AbortController();

  /** Resolves when it reads, or has failed to. `received` gets the data of each message. */
  async open(url: URL, headers: Readonly<Record<string, string>>, received: (text: string) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const opened = (): void => {
      this.isConnected = true;
      resolve();
    };
    const late = setTimeout(() => this.close(`no answer within ${CONNECT_TIMEOUT / 1000} s`), CONNECT_TIMEOUT);
    const read = url.protocol.startsWith("ws") ? readSocket : readStream;
    read({ url, headers, signal: this.#end.signal }, opened, received)
      // A name with several addresses fails with an error whose own message is empty.
      .catch(({ message, code }: NodeJS.ErrnoException) => this.close(message || code))
      .finally(resolve);
    await promise;
    clearTimeout(late);
  }

  close(trouble = "closed"): void {
    this.trouble ??= trouble;
    this.#end.abort();
  }
}

interface Source {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Reads until the connection ends, and rejects with the reason. */
type Read = (source: Source, opened: () => void, received: (text: string) => void) => Promise<never>;

const readStream: Read = async ({ url, headers: given, signal }, opened, received) => {
  // A client that accepts events alone is told to come back later as if it were connected.
  const headers = { ...given, accept: "text/event-stream, application/problem+json" };
  const response = await answer(url, { agent: false, headers, signal });
  opened();
  const { promise, reject } = Promise.withResolvers<never>();
  const parser = new SseParser(({ data }) => received(data));
  response.setEncoding("utf8").on("data", (text: string) => {
    try {
      parser.feed(text);
    } catch (error) {
      reject(error);
    }
  });
  response.on("error", () => {}).on("close", () => reject(new Error(CLOSED)));
  return promise;
};

const readSocket: Read = ({ url, headers, signal }, opened, received) => {
  const { promise, reject } = Promise.withResolvers<never>();
  const socket = new WebSocket(url, { headers, perMessageDeflate: false });
  signal.addEventListener("abort", () => socket.terminate());
  socket.on("message", (bytes: Buffer) => {
    const { type, data } = jsonObject(bytes.toString());
    if (type === "welcome") opened();
    else if (type === "message" && typeof data === "string") received(data);
  });
  socket.on("unexpected-response", (_, response) => void refusalOf(response).then(reject, reject));
  socket.on("error", reject);
  socket.on("close", (code, reason) => reject(new Error(`${CLOSED}: ${code} ${reason.toString()}`.trim())));
  return promise;
};

/**
 * The answer to a request; rejects with an `Error` that says why if it is a refusal. `fetch` would take more than twice
 * the CPU.
 */
export async function answer(url: URL, options: http.RequestOptions, body?: string): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const { request } = url.protocol === "https:" ? https : http;
  request(url, options, resolve).on("error", reject).end(body);
  const response = await promise;
  if (response.statusCode === 200 || response.statusCode === 201) return response;
  throw await refusalOf(response);
}

async function refusalOf(response: http.IncomingMessage): Promise<Error> {
  return refusal(response.statusCode ?? 0, await textOf(response));
}
