import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a double answers: a status, and JSON or a text of a registry that is out of its mind. */
export interface DoubleAnswer {
  readonly status: number;
  readonly json?: object;
  readonly text?: string;
}

export interface DoubleRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** Undefined without a body. */
  readonly json: unknown;
}

/** How a registry fails: it answers 500, with garbage, with too much, never, or hangs up. */
export type Failure = "500" | "garbage" | "flood" | "never" | "reset";

/** A registry on loopback that answers as the real one, is strict with what it is sent, and fails on command. */
export abstract class RegistryDouble implements AsyncDisposable {
  /** The first request that the real one would not have taken so; a test asserts that there is none. */
  complaint: string | undefined;
  /** Each request it got, such as `PUT /v1/agent/service/register`. */
  readonly requests: string[] = [];
  /** Undefined while it is well. */
  failure: Failure | undefined;
  readonly #server: Server = createServer(
    { keepAliveTimeout: 600_000 },
    (request, response) => void this.#serve(request, response),
  );

  protected abstract answer(request: DoubleRequest): DoubleAnswer;

  /** Forgets everything, as one that was restarted. */
  abstract forget(): void;

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** How many requests it got that begin like this. */
  count(request: string): number {
    return this.requests.filter((one) => one.startsWith(request)).length;
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** Is gone, and forgets nothing. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk as string;
    const { pathname, searchParams } = new URL(url, "http://registry");
    this.requests.push(`${method} ${pathname}`);
    switch (this.failure) {
      case "never":
        return;
      case "reset":
        request.socket.resetAndDestroy();
        return;
      case "500":
        response.writeHead(500, { "content-type": "text/html" }).end("<h1>Internal Server Error</h1>");
        return;
      case "garbage":
        response.writeHead(200, { "content-type": "text/html" }).end("<h1>It works!</h1>");
        return;
      case "flood":
        response.writeHead(200).end("x".repeat(4 * 1024 * 1024));
        return;
    }
    const isJson = headers["content-type"] === "application/json";
    if (body !== "" && !isJson) this.complaint ??= `${method} ${pathname} has a body that is not said to be JSON`;
    const json: unknown = body === "" ? undefined : JSON.parse(body);
    const answer = this.answer({ method, path: pathname, query: searchParams, headers, json });
    const text = answer.json === undefined ? (answer.text ?? "") : JSON.stringify(answer.json);
    const type = answer.json === undefined ? {} : { "content-type": "application/json" };
    response.writeHead(answer.status, type).end(text);
  }
}

/** What is wrong with the fields of an object: each must have its type, and no other may be there. */
export function fieldFaults(
  given: unknown,
  types: Readonly<Record<string, string>>,
  optional: readonly string[] = [],
): string[] {
  if (typeof given !== "object" || given === null) return ["it is not an object"];
  const fields = given as Record<string, unknown>;
  const unknown = Object.keys(fields).filter((name) => types[name] === undefined);
  const wrong = Object.entries(types).filter(([name, type]) => {
    const value = fields[name];
    if (value === undefined) return !optional.includes(name);
    return (Array.isArray(value) ? "array" : typeof value) !== type;
  });
  return [...unknown.map((name) => `it has ${name}`), ...wrong.map(([name, type]) => `${name} is not a ${type}`)];
}
