import type { JSONRPCMessage, RequestId, Transport } from "@modelcontextprotocol/server";
import type { Principal } from "../../core/principal.ts";
import type { RpcId } from "../../protocol/jsonrpc.ts";
import { kindOf } from "../classify.ts";
import {
  cancelledBy,
  checkInitialize,
  checkPost,
  error,
  essential,
  idOf,
  idsOf,
  NO_SESSION,
  REFUSED,
} from "./validate.ts";
import type { SessionContext } from "./session.ts";
import { CODES, isObject } from "../errors.ts";
import type { Sessions, SessionTransport } from "./session-store.ts";

/** Where everything goes that a session says. */
export interface MessageStream {
  /** Sends one JSON-RPC message as text; never waits, never throws. */
  write(message: string): void;
  end(): void;
}

/** Methods that may come before `initialize` (2024-11-05, "Lifecycle"). */
const EARLY: ReadonlySet<unknown> = new Set(["initialize", "ping"]);

/** The transport of 2024-11-05 for the SDK: what goes goes down one stream, what comes is posted. */
class SseTransport implements Transport, SessionTransport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #stream: MessageStream;
  readonly #ended: () => void;
  readonly #working = new Set<RpcId>();
  #isOver = false;

  constructor(stream: MessageStream, ended: () => void) {
    this.#stream = stream;
    this.#ended = ended;
  }

  get atWork(): number {
    return this.#working.size;
  }

  isInUse(id: RpcId): boolean {
    return this.#working.has(id);
  }

  async start(): Promise<void> {}

  async send(message: JSONRPCMessage): Promise<void> {
    if (!("method" in message)) this.#working.delete(message.id ?? null);
    this.#stream.write(JSON.stringify(message));
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.end();
    this.onclose?.();
    this.#ended();
  }

  /** Takes messages that were found to be right. */
  receive(messages: readonly JSONRPCMessage[], ids: readonly RequestId[], cancelled: readonly RpcId[]): void {
    for (const id of ids) this.#working.add(id);
    for (const message of messages) this.onmessage?.(message);
    // What was cancelled is never answered.
    for (const id of cancelled) this.#working.delete(id);
  }
}

/** Sessions over HTTP+SSE (2024-11-05, "Transports"): a stream for what is said, and an address to post to. */
export class SseSessions {
  readonly #sessions: Sessions;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** Begins a session that lasts as long as its stream; `end` says that the stream is over. Rejects as `Sessions` does. */
  async begin(
    principal: Principal,
    stream: MessageStream,
    stay: SessionContext["stay"],
  ): Promise<{ readonly id: string; readonly end: () => void }> {
    const entry = await this.#sessions.begin(principal, (_, ended) => new SseTransport(stream, ended), stay);
    // Never ended to make room for others: it could not be resumed.
    this.#sessions.use(entry);
    return { id: entry.id, end: () => this.#sessions.end(entry) };
  }

  /** Takes what was posted to a session; its answers go down the stream. */
  async receive(id: string | null, body: unknown, principal: Principal): Promise<Response> {
    if (id === null || id === "") {
      const sentence = "sessionId is missing; post to the address that the endpoint event of GET /sse names";
      return error(400, REFUSED, sentence, idOf(body));
    }
    const entry = this.#sessions.find(id, principal, SseTransport);
    if (entry === undefined) {
      const sentence = "Session not found: its stream has ended or never was; open another with GET /sse";
      return error(404, NO_SESSION, sentence, idOf(body));
    }
    const { session, transport } = entry;
    const wrong = checkPost(body, session.version, transport);
    if (wrong !== undefined) return wrong;
    if (session.version === undefined && isObject(body) && kindOf(body) === "request") {
      if (!EARLY.has(body["method"])) {
        return error(400, CODES.invalidRequest, "Send initialize first", idOf(body));
      }
      const malformed = body["method"] === "initialize" ? checkInitialize(body) : undefined;
      if (malformed !== undefined) return malformed;
    }
    const isInitialize = isObject(body) && body["method"] === "initialize";
    const messages = [isInitialize ? essential(body) : body].flat() as JSONRPCMessage[];
    transport.receive(messages, idsOf(body), cancelledBy(body));
    if (messages.some((message) => "method" in message && message.method === "notifications/initialized"))
      session.listening(true);
    return new Response(null, { status: 202 });
  }
}
