import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Failure, broken } from "./failure.ts";
import { markNumbers, markNumbersInEvents } from "./exact-numbers.ts";
import type { Output } from "./output.ts";

/** Milliseconds of silence after which the system asks whether the hub is still there. */
const PROBE = 15_000;
/** Bytes of one answer, or of one event of a stream. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Error codes of the system for a connection that was open and has been lost. */
const BROKEN = new Set(["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE"]);
/** Statuses of answers that have no body. */
const BODILESS = new Set([204, 205, 304]);
const EMPTY_LINE = /^[\r\n]|\n[\r\n]|\r\r/;

/** Where the hub speaks MCP, and how HTTP gets there. */
export class HubEndpoint {
  readonly url: URL;
  /** What goes with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly #output: Output;

  /** What it answers is read as fast as `output` is. */
  constructor(url: URL, headers: Readonly<Record<string, string>>, output: Output) {
    this.url = url;
    this.headers = headers;
    this.#output = output;
  }

  /** The address without what may be a secret. */
  get address(): string {
    return `${this.url.origin}${this.url.pathname}`;
  }

  /**
   * Unlike the global one it waits for hours, bounds what it reads, and keeps no connection that may be stale. `refused` is
   * told of an answer that is too long, of which a reader of the SDK only knows that it broke.
   */
  readonly fetch = async (
    url: string | URL,
    init: RequestInit = {},
    refused?: (failure: Failure) => void,
  ): Promise<Response> => {
    const { method = "GET", headers, signal } = init;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const send = new URL(url).protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(url, {
      method,
      agent: false,
      headers: Object.fromEntries(new Headers(headers)),
      ...(signal ? { signal } : {}),
    })
      .once("response", resolve)
      .on("error", (error) => reject(this.#failure(error)))
      // An upgrade that was not asked for is neither an error to Node nor an answer.
      .once("close", () => reject(broken()));
    request.setSocketKeepAlive(true, PROBE);
    request.end(init.body);
    const answer = await promise;
    const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
    const body = BODILESS.has(status) ? answer.resume() && null : ReadableStream.from(this.#read(answer, refused));
    // The transport would look for scopes to ask for, but the bridge has only what --header says.
    const { "www-authenticate": _, ...known } = answer.headers;
    return new Response(body, { status, statusText, headers: known as Record<string, string> });
  };

  /** A stream by its lines, anything else as a whole. */
  async *#read(answer: IncomingMessage, refused?: (failure: Failure) => void): AsyncGenerator<Uint8Array> {
    const isStream = answer.headers["content-type"]?.startsWith("text/event-stream") === true;
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let bytes = 0;
    let parts: string[] = [];
    try {
      for await (const chunk of answer as AsyncIterable<Uint8Array>) {
        await this.#output.ready();
        bytes += chunk.length;
        if (bytes > MAX_BYTES) {
          const tooLong = new Failure(502, `The hub sent more than ${MAX_BYTES} bytes in one message`);
          refused?.(tooLong);
          throw tooLong;
        }
        const text = decoder.decode(chunk, { stream: true });
        const end = isStream ? Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) + 1 : 0;
        if (end === 0) {
          parts.push(text);
          continue;
        }
        const lines = parts.join("") + text.slice(0, end);
        parts = [text.slice(end)];
        if (EMPTY_LINE.test(lines)) bytes = chunk.length;
        yield Buffer.from(markNumbersInEvents(lines));
      }
    } catch (error) {
      throw error instanceof Failure ? error : broken(error);
    } finally {
      answer.destroy();
    }
    const rest = parts.join("") + decoder.decode();
    yield Buffer.from(isStream ? markNumbersInEvents(rest) : markNumbers(rest));
  }

  #failure(cause: NodeJS.ErrnoException): Failure {
    const { code = cause.message } = cause;
    if (BROKEN.has(code)) return broken(cause);
    const sentence = `No hub answers at ${this.address} (${code}); start one with sse-mcp-server, or check --url`;
    return new Failure(503, sentence, { cause });
  }
}
