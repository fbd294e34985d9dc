import { EventReader } from "./event-reader.ts";
import type { Answer } from "./request.ts";
import type { TestServer } from "./server.ts";

/** As much of a server as a client needs. */
type Reached = Pick<TestServer, "url" | "request">;

/** A JSON-RPC message as it came. */
export interface RpcMessage {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Record<string, unknown> };
}

/** What both kinds of answers must be acceptable as. */
export const ACCEPT = "application/json, text/event-stream";

/** A session of the initialize era, spoken by hand: it sends what a test says, right or wrong. */
export class LegacyClient {
  readonly server: Reached;
  readonly session: string;
  readonly version: string;
  #count = 100;

  constructor(server: Reached, session: string, version: string) {
    this.server = server;
    this.session = session;
    this.version = version;
  }

  /** Sends `initialize` and `initialized`. */
  static async open(
    server: Reached,
    { version = "2025-11-25", capabilities = {} }: { version?: string; capabilities?: object } = {},
  ): Promise<LegacyClient> {
    const answer = await initialize(server, { protocolVersion: version, capabilities });
    if (answer.status !== 200) throw new Error(`no session: ${answer.status} ${answer.text}`);
    const client = new LegacyClient(server, answer.headers["mcp-session-id"] as string, version);
    await client.post({ method: "notifications/initialized" });
    return client;
  }

  get headers(): Record<string, string> {
    return { "mcp-session-id": this.session, "mcp-protocol-version": this.version, accept: ACCEPT };
  }

  /** Posts a message, or several, and resolves when its answer is over. */
  post(message: object | readonly object[], headers: Record<string, string> = {}): Promise<Answer> {
    return this.server.request("/mcp", {
      method: "POST",
      headers: { ...this.headers, ...headers },
      body: rpc(message),
    });
  }

  /** Posts a request with an id of its own; resolves with its response. */
  async ask(method: string, params?: object): Promise<RpcMessage> {
    const id = ++this.#count;
    const answer = await this.post({ id, method, ...(params === undefined ? {} : { params }) });
    const response = messagesOf(answer).find((message) => message.id === id && message.method === undefined);
    if (response === undefined) throw new Error(`no response: ${answer.status} ${answer.text}`);
    return response;
  }

  /** Posts a message and reads its answer as it comes. */
  stream(message: object | readonly object[]): Promise<EventReader> {
    return EventReader.open(`${this.server.url}/mcp`, { headers: this.headers, body: rpc(message) });
  }

  /** Opens the stream of what the server says by itself, or another one again. */
  listen(lastEventId?: string): Promise<EventReader> {
    return EventReader.open(`${this.server.url}/mcp`, {
      headers: this.headers,
      ...(lastEventId === undefined ? {} : { lastEventId }),
    });
  }

  end(headers: Record<string, string> = {}): Promise<Answer> {
    return this.server.request("/mcp", { method: "DELETE", headers: { ...this.headers, ...headers } });
  }
}

/** Posts `initialize` with these params, complete or not. */
export function initialize(server: Reached, params: object, headers: Record<string, string> = {}): Promise<Answer> {
  return server.request("/mcp", {
    method: "POST",
    headers: { accept: ACCEPT, ...headers },
    body: rpc({ id: 0, method: "initialize", params: { ...params, clientInfo: { name: "test", version: "0" } } }),
  });
}

/** The messages of an answer, whether it was JSON or a stream that has ended. */
export function messagesOf({ headers, text }: Answer): RpcMessage[] {
  if (headers["content-type"]?.startsWith("application/json")) return [JSON.parse(text) as RpcMessage].flat();
  return text
    .split("\n")
    .filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice("data: ".length)) as RpcMessage);
}

/** Messages as the body of a POST. */
export function rpc(message: object | readonly object[]): string {
  const whole = (one: object): object => ({ jsonrpc: "2.0", ...one });
  return JSON.stringify(Array.isArray(message) ? message.map(whole) : whole(message));
}
