import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { broken, Failure } from "./failure.ts";

/** Milliseconds of silence after which the system asks whether the hub is still there. */
const PROBE = 15_000;
const ACCEPT = "application/json, text/event-stream";
/** What the system says of a connection that was there and is no more. */
const BROKEN = new Set(["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE"]);

/** The hub, as HTTP reaches it. */
export class Upstream {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;

  /** `headers` go with every request. */
  constructor(url: URL, headers: Readonly<Record<string, string>>) {
    this.#url = url;
    this.#headers = headers;
    const isSecure = url.protocol === "https:";
    // A connection kept from before may be closed by a hub that stops just when it is used again, and then nobody knows
    // whether the request was done.
    const options = { keepAlive: false };
    // Not fetch: it gives up on an answer that takes five minutes to begin.
    this.#agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options);
    this.#request = isSecure ? httpsRequest : httpRequest;
  }

  /** The address without what may be a secret. */
  get address(): string {
    return `${this.#url.origin}${this.#url.pathname}`;
  }

  /** Posts one message; resolves when the answer begins. Throws `Failure`. */
  post(text: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    const body = Buffer.from(text);
    const about = { "content-type": "application/json", "content-length": body.length, accept: ACCEPT };
    return this.#send("POST", { ...headers, ...about }, signal, body);
  }

  /** Opens the stream of a session. Throws `Failure`. */
  get(headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#send("GET", { ...headers, accept: "text/event-stream, application/problem+json" }, signal);
  }

  /** Ends a session. Throws `Failure`. */
  async delete(headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<void> {
    const answer = await this.#send("DELETE", headers, signal);
    discard(answer);
  }

  /** Lets go of every connection. */
  close(): void {
    this.#agent.destroy();
  }

  #send(
    method: string,
    headers: OutgoingHttpHeaders,
    signal: AbortSignal,
    body?: Uint8Array,
  ): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const options = { method, agent: this.#agent, signal, headers: { ...this.#headers, ...headers } };
    try {
      const request = this.#request(this.#url, options)
        .once("response", resolve)
        // Once there is an answer its reader learns of the error.
        .on("error", (error) => reject(this.#failure(error)))
        // An upgrade that nobody asked for is no error to Node, and no answer.
        .once("close", () => reject(broken()));
      request.setSocketKeepAlive(true, PROBE);
      request.end(body);
    } catch (cause) {
      // Such as a header with characters that none may have.
      reject(new Failure(400, `This cannot be sent to the hub: ${(cause as Error).message}`, { cause }));
    }
    return promise;
  }

  #failure(cause: NodeJS.ErrnoException): Failure {
    const { code = cause.message } = cause;
    if (BROKEN.has(code)) return broken(cause);
    return new Failure(
      503,
      `No hub answers at ${this.address} (${code}); start one with sse-mcp-server, or check --url`,
    );
  }
}

/** Lets an answer pass that nobody reads. */
export function discard(answer: IncomingMessage): void {
  answer.on("error", () => {}).resume();
}
