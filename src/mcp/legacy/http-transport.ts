import {
  WebStandardStreamableHTTPServerTransport,
  type JSONRPCMessage,
  type RequestId,
  type TransportSendOptions,
} from "@modelcontextprotocol/server";
import type { RpcId } from "../../protocol/jsonrpc.ts";
import type { SessionEvents } from "./event-store.ts";
import { CODES } from "../errors.ts";
import type { SessionTransport } from "./session-store.ts";

/** The SDK's name for the stream of a session that no request belongs to. */
export const OWN_STREAM = "_GET_stream";
/** Milliseconds after which a client whose stream was ended comes back. */
export const RETRY = 1000;

/** The requests of one POST: they share a stream, which ends when none of them is waited for. */
interface Post {
  readonly ids: readonly RequestId[];
  readonly waiting: Set<RequestId>;
  readonly cancelled: Set<RequestId>;
}

export interface HttpTransportOptions {
  readonly id: string;
  readonly sent: SessionEvents;
  /** Milliseconds between comments on a silent stream. */
  readonly keepAlive: number;
  /** Told once when it is over. */
  readonly ended: () => void;
}

/** The SDK's transport, which also knows which requests it is answering. */
export class HttpTransport extends WebStandardStreamableHTTPServerTransport implements SessionTransport {
  readonly sent: SessionEvents;
  /** By id; one POST stands under each of its ids. */
  readonly #posts = new Map<RpcId, Post>();
  readonly #ended: () => void;
  #atWork = 0;

  constructor({ id, sent, keepAlive, ended }: HttpTransportOptions) {
    super({
      sessionIdGenerator: () => id,
      eventStore: sent.store,
      retryInterval: RETRY,
      keepAliveMs: keepAlive,
    });
    this.sent = sent;
    this.#ended = ended;
  }

  get atWork(): number {
    return this.#atWork;
  }

  /** The ids of one POST are in use together, until the last of its requests is answered. */
  isInUse(id: RpcId): boolean {
    return this.#posts.has(id);
  }

  /** Notes the requests of a POST that the SDK is about to be given. */
  begin(ids: readonly RequestId[]): void {
    const post = { ids, waiting: new Set(ids), cancelled: new Set<RequestId>() };
    for (const id of ids) this.#posts.set(id, post);
    this.#atWork += ids.length;
  }

  /** Takes back what `begin` noted: the SDK refused the POST, or failed at it. */
  forgo(ids: readonly RequestId[]): void {
    for (const id of ids) {
      if (this.#posts.get(id)?.waiting.delete(id) === true) this.#atWork--;
      this.#posts.delete(id);
    }
  }

  /** Waits no longer for a request that was cancelled: it is never answered. */
  async retire(id: RpcId): Promise<void> {
    const post = this.#posts.get(id);
    if (post === undefined || id === null || !post.waiting.delete(id)) return;
    this.#atWork--;
    post.cancelled.add(id);
    await this.#settle(post);
  }

  /** The requests that are answered on a stream. */
  requestsOn(stream: string): readonly RequestId[] {
    // Nothing but the SDK knows which stream it gave a request.
    const { _requestToStreamMapping: streams } = this as unknown as {
      _requestToStreamMapping: ReadonlyMap<RequestId, string>;
    };
    return [...streams].flatMap(([id, name]) => (name === stream ? [id] : []));
  }

  /** Ends the connection that a stream has, for a client that comes back for it on another. */
  detach(stream: string): void {
    if (stream === OWN_STREAM) this.closeStandaloneSSEStream();
    const [id] = this.requestsOn(stream);
    if (id !== undefined) this.closeSSEStream(id);
  }

  override async close(): Promise<void> {
    await super.close();
    this.sent.forget();
    this.#ended();
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    await super.send(message, options);
    if ("method" in message || message.id === undefined) return;
    const post = this.#posts.get(message.id);
    if (post === undefined || !post.waiting.delete(message.id)) return;
    this.#atWork--;
    await this.#settle(post);
  }

  async #settle(post: Post): Promise<void> {
    if (post.waiting.size > 0) return;
    for (const id of post.cancelled) {
      this.closeSSEStream(id);
      // It only makes the SDK let go of the request: its stream is closed.
      await super.send({ jsonrpc: "2.0", id, error: { code: CODES.internal, message: "Cancelled" } });
    }
    for (const id of post.ids) this.#posts.delete(id);
  }
}
