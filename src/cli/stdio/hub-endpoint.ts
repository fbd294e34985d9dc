import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Credentials } from "../credentials.ts";
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
  readonly #credentials: Credentials;
  readonly #output: Output;

  /** What it answers is read as fast as `output` is. */
  constructor(url: URL, credentials: Credentials, output: Output) {
    this.url = url;
    this.#credentials = credentials;
    this.#output = output;
  }

  /** The address without what may be a secret. */
  get address(): string {
    return `${this.url.origin}${this.url.pathname}`;
  }

  /**
   * Unlike the global one it waits for hours, bounds what it reads, and keeps no connection that may be stale. `refused` is
   * told of an answer that is too long, of which a reader of the SDK only knows that it broke. A credential that the hub
   * does not take is asked for again, once.
   */
  readonly fetch = async (
    url: string | URL,
    init: RequestInit = {},
    refused?: (failure: Failure) => void,
  ): Promise<Response> => {
    const used = this.#credentials.headers();
    const answer = await this.#send(url, init, used);
    if (answer.statusCode !== 401 || !this.#credentials.isRenewable) return this.#response(answer, refused);
    const renewed = this.#credentials.headers();
    if (renewed["authorization"] === used["authorization"]) return this.#response(answer, refused);
    answer.destroy();
    return this.#response(await this.#send(url, init, renewed), refused);
  };

  async #send(
    url: string | URL,
    init: RequestInit,
    credentials: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    const { method = "GET", headers, signal } = init;
    const all = { ...Object.fromEntries(new Headers(headers)), ...credentials };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const send = new URL(url).protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(url, {
      method,
      agent: false,
      headers: all,
      ...(signal ? { signal } : {}),
    })
      .once("response", resolve)
      .on("error", (error) => reject(this.#failure(error)))
      // An upgrade that was not asked for is neither an error to Node nor an answer.
      .once("close", () => reject(broken()));
    request.setSocketKeepAlive(true, PROBE);
    request.end(init.body);
    return promise;
  }

  #response(answer: IncomingMessage, refused: ((failure: Failure) => void) | undefined): Response {
    const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
    const body = BODILESS.has(status) ? answer.resume() && null : ReadableStream.from(this.#read(answer, refused));
    // The transport would look for scopes to ask for, but the bridge has only the credential it is given.
    const { "www-authenticate": _, ...known } = answer.headers;
    return new Response(body, { status, statusText, headers: known as Record<string, string> });
  }

  /** A stream by its lines, anything else as a whole. */
  async *#read(answer: IncomingMessage, refused: ((failure: Failure) => void) | undefined): AsyncGenerator<Uint8Array> {
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
