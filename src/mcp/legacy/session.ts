import type { Correlation } from "../../core/trace.ts";
import { isId, rpcError, rpcResult } from "../../protocol/jsonrpc.ts";
import type { RequestContext } from "../../tools/index.ts";
import type { McpContext } from "../catalog.ts";
import { kindOf } from "../classify.ts";
import { asMcpError, isObject, type JsonObject } from "../errors.ts";
import type { RequestId } from "../request-context.ts";
import { OWN_STREAM, type EventRing, type SentEvent } from "./event-ring.ts";
import { performInSession } from "./session-methods.ts";
import { SessionRequest } from "./session-request.ts";
import { SessionState, type SessionClient } from "./session-state.ts";
import { SessionStream, type SessionConnection } from "./session-stream.ts";
import { SessionSubscriptions } from "./session-subscriptions.ts";

const CANCELLED = "notifications/cancelled";

/** Who sends a message of a session, and what counts their calls. */
type SessionActor = Pick<RequestContext, "principal" | "stay" | "admit" | "correlation">;

export interface SessionOptions {
  /** Identifies the session; unlike `id`, it does not give access to it. */
  readonly name: string;
  readonly principal: RequestContext["principal"];
  /** What the client declared in `initialize`; absent before that. */
  readonly client?: SessionClient | undefined;
  /** Counts the waiting calls of this session. */
  readonly stay: RequestContext["stay"];
  readonly admit?: RequestContext["admit"];
  /** As whose it is counted, if it is. */
  readonly holder?: string | undefined;
  /** Keeps events for clients that resume; absent if they cannot. */
  readonly ring?: EventRing | undefined;
  /** Whether its client's next request may come to another node. */
  readonly isShared?: boolean;
  /** Called with internal errors, which clients cannot cause. */
  readonly report: (error: unknown, correlation?: Correlation) => void;
}

/** One session of the legacy era: receives messages, runs the shared methods and answers on its streams. */
export class LegacySession {
  readonly name: string;
  readonly holder: string | undefined;
  /** The `Mcp-Session-Id` that its client sends with each request. */
  id: string;
  /** The stream for messages that belong to no request. */
  readonly own: SessionStream;
  /** Sends change notifications on its own stream. */
  readonly subscriptions: SessionSubscriptions;
  /** Open requests and streams, counted by the session store. */
  open = 0;
  /** When it was last used: milliseconds of `performance.now()`. */
  used: number = performance.now();
  readonly #context: McpContext;
  readonly state: SessionState;
  readonly #ring: EventRing | undefined;
  readonly #report: SessionOptions["report"];
  /** The streams of POSTs that have not been answered yet. */
  readonly #streams = new Map<string, SessionStream>();
  /** POSTs by the ids of their requests, until the last of these is answered. */
  readonly #posts = new Map<RequestId, Post>();
  #streamCount = 0;
  #atWork = 0;
  #isOver = false;

  constructor(context: McpContext, options: SessionOptions) {
    const { name, holder, client, ring, report, isShared = false } = options;
    this.#context = context;
    this.name = name;
    this.holder = holder;
    this.id = name;
    this.#ring = ring;
    this.#report = report;
    this.own = new SessionStream(OWN_STREAM, ring);
    this.subscriptions = new SessionSubscriptions(context, (message) => this.own.send(message));
    const isResumable = ring !== undefined;
    const { participants } = context;
    this.state = new SessionState(options, client, this.subscriptions, { isResumable, isShared, participants });
  }

  get principal(): RequestContext["principal"] {
    return this.state.principal;
  }

  /** Goes on with a newer credential of its principal, and drops the subscriptions that it does not grant. */
  actAs({ principal, stay, admit, correlation }: SessionActor): void {
    this.state.stay = stay;
    this.state.admit = admit;
    this.state.correlation = correlation;
    const before = this.state.principal;
    this.state.principal = principal;
    if (!readsTheSame(before, principal)) this.subscriptions.restrictTo(principal);
  }

  /** The revision agreed on; undefined before `initialize`. */
  get version(): string | undefined {
    return this.state.client?.version;
  }

  /** Whether its streams can be resumed on another connection. */
  get isResumable(): boolean {
    return this.state.isResumable;
  }

  /** Whether the client accepts an event without data. */
  get isPrimed(): boolean {
    return this.state.isPrimed;
  }

  /** Number of requests that have not been answered yet, without streams of events. */
  get atWork(): number {
    return this.#atWork;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether an open request has this id, so that a new one must not. */
  isInUse(id: RequestId): boolean {
    return this.#posts.has(id);
  }

  /** Makes a stream for the answers to one POST; `isPrimed`: the client is sent an id to resume it from. */
  stream(connection: SessionConnection | undefined, isPrimed: boolean = this.isPrimed): SessionStream {
    const stream = new SessionStream(String(++this.#streamCount), this.#ring);
    stream.connection = connection;
    if (isPrimed) stream.prime();
    return stream;
  }

  /**
   * Handles the messages of one POST, which are valid; the requests among them are answered on the stream. Returns the
   * responses and cancellations that match no request of this node.
   */
  receive(
    messages: readonly JsonObject[],
    owner: SessionActor,
    stream: SessionStream = this.own,
  ): readonly JsonObject[] {
    // Another request may have come since this one was let in, with another credential.
    this.actAs(owner);
    const requests = messages.filter((message) => kindOf(message) === "request");
    const ids = requests.map((message) => message["id"] as RequestId);
    const post: Post = { ids, waiting: new Map(), stream };
    for (const id of ids) this.#posts.set(id, post);
    if (ids.length > 0 && stream !== this.own) this.#streams.set(stream.name, stream);
    // Before any of them runs, so that the first answer does not end the stream.
    for (const message of requests) {
      const request = new SessionRequest(message, stream, this.state);
      post.waiting.set(request.id, request);
      if (request.isCounted) this.#atWork++;
    }
    const unclaimed: JsonObject[] = [];
    for (const message of messages) {
      const kind = kindOf(message);
      if (kind === "request") void this.#answer(post.waiting.get(message["id"] as RequestId), post);
      else if (kind === "response" || message["method"] === CANCELLED) {
        if (!this.claim(message)) unclaimed.push(message);
      }
      // With HTTP+SSE this is the only sign that the client is ready.
      else if (message["method"] === "notifications/initialized" && !this.isResumable)
        this.subscriptions.listening(true);
    }
    return unclaimed;
  }

  /** Handles a response or a cancellation, if it is of a request of this node. */
  claim(message: JsonObject): boolean {
    if (kindOf(message) === "response") return this.state.asked.settle(message);
    return message["method"] === CANCELLED && this.#cancel(message["params"]);
  }

  /** The stream of an event; undefined if there is no such event, or it was dropped. */
  streamOf(eventId: string): string | undefined {
    return this.#ring?.streamOf(eventId);
  }

  /** Whether the event was on the session's own stream, and was dropped. */
  isForgotten(eventId: string): boolean {
    return this.#ring?.isForgotten(eventId) === true;
  }

  /** The current connection of a stream. */
  connectionOf(stream: string): SessionConnection | undefined {
    return this.#stream(stream)?.connection;
  }

  /** Moves a stream to another connection, sends what came after an event, and ends it if the stream has ended. */
  resume(name: string, connection: SessionConnection, eventId: string): void {
    const stream = this.#stream(name);
    const missed: readonly SentEvent[] = this.#ring?.after(eventId) ?? [];
    for (const { message, id, isAnswer } of missed) connection.write(message, id, isAnswer);
    if (stream === undefined) return connection.end();
    if (stream !== this.own) stream.connection = connection;
    else this.#listen(connection);
  }

  /** Ends the connection of its own stream, whose client has come to another node. */
  closeOwnStream(): void {
    const { connection } = this.own;
    if (connection === undefined) return;
    this.detach(OWN_STREAM, connection);
    connection.cut();
  }

  /** Attaches a connection to the session's own stream, without earlier events. */
  listen(connection: SessionConnection): void {
    if (this.#isOver) return connection.end();
    this.#listen(connection);
    if (this.isPrimed) this.own.prime();
  }

  /** Detaches a connection that was closed. */
  detach(name: string, connection: SessionConnection): void {
    const stream = this.#stream(name);
    if (stream?.connection !== connection) return;
    stream.connection = undefined;
    if (stream === this.own) this.subscriptions.listening(false);
  }

  close(): void {
    this.#isOver = true;
    this.subscriptions.close();
    this.state.asked.close();
    for (const { waiting } of this.#posts.values()) for (const request of waiting.values()) request.end();
    for (const stream of [...this.#streams.values(), this.own]) stream.pause();
    this.#posts.clear();
    this.#streams.clear();
    this.#atWork = 0;
    this.#ring?.forget();
  }

  /** A stream that has not ended. */
  #stream(name: string): SessionStream | undefined {
    if (this.#isOver) return undefined;
    return name === OWN_STREAM ? this.own : this.#streams.get(name);
  }

  #listen(connection: SessionConnection): void {
    this.own.connection?.cut();
    this.own.connection = connection;
    this.subscriptions.listening(true);
  }

  async #answer(request: SessionRequest | undefined, post: Post): Promise<void> {
    // A request that is cancelled in the same turn, or whose session ends in it, must not run.
    await Promise.resolve();
    if (request === undefined || request.isOver) return;
    const { id } = request;
    let answer: string;
    try {
      answer = rpcResult(id, await performInSession(request, this.state, this.#context));
    } catch (error) {
      const { code, message, data, cause } = asMcpError(error);
      if (cause !== undefined && !request.isOver) this.#report(cause, request.correlation);
      answer = rpcError(id, { code, message, ...(data === undefined ? {} : { data }) });
    }
    if (request.isOver) return;
    request.end(true);
    post.stream.send(answer, true);
    this.#settle(id, post);
  }

  /** Removes a request that was answered or cancelled. */
  #settle(id: RequestId, post: Post): void {
    const request = post.waiting.get(id);
    if (request === undefined || !post.waiting.delete(id)) return;
    if (request.isCounted) this.#atWork--;
    if (post.waiting.size > 0) return;
    for (const one of post.ids) this.#posts.delete(one);
    if (post.stream === this.own) return;
    this.#streams.delete(post.stream.name);
    post.stream.pause();
  }

  /** False if there is no such request here. */
  #cancel(params: unknown): boolean {
    const { requestId, reason } = isObject(params) ? params : {};
    if (!isId(requestId) || (reason !== undefined && typeof reason !== "string")) return false;
    const post = this.#posts.get(requestId);
    if (post === undefined) return false;
    post.waiting.get(requestId)?.end();
    this.#settle(requestId, post);
    return true;
  }
}

/** The requests of one POST, which share a stream that ends when the last of them is answered or cancelled. */
interface Post {
  readonly ids: readonly RequestId[];
  readonly waiting: Map<RequestId, SessionRequest>;
  readonly stream: SessionStream;
}

/** Whether two credentials of a principal grant it to read the same. */
function readsTheSame(one: RequestContext["principal"], other: RequestContext["principal"]): boolean {
  return one === other || (one.admin === other.admin && one.subscribe.join() === other.subscribe.join());
}
