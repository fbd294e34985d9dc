import { isId, rpcError, rpcResult } from "../../protocol/jsonrpc.ts";
import { oneLine } from "../../protocol/text.ts";
import type { ToolContext } from "../../tools/index.ts";
import type { McpContext } from "../catalog.ts";
import { kindOf } from "../classify.ts";
import type { InputRequired } from "../definitions.ts";
import {
  asMcpError,
  CODES,
  invalidParams,
  isObject,
  LOG_LEVELS,
  McpError,
  type JsonObject,
  type LogLevel,
} from "../errors.ts";
import { checkInputRequests } from "../input-requests.ts";
import { capabilities, isInputRequired, METHODS, type Result } from "../methods.ts";
import { RequestContext, type RequestId } from "../request-context.ts";
import { ClientRequests } from "./client-requests.ts";
import { OWN_STREAM, type EventRing, type SentEvent } from "./event-ring.ts";
import { clientOf, type SessionClient } from "./session-client.ts";
import { SessionRequest, type FromSession } from "./session-request.ts";
import { SessionStream, type SessionConnection } from "./session-stream.ts";
import { SessionSubscriptions } from "./session-subscriptions.ts";

/** Times in a row that one request may ask for input. */
const MAX_ROUNDS = 8;
const MODERN_ONLY: ReadonlySet<string> = new Set(["server/discover", "subscriptions/listen"]);
/** From this revision on clients understand an event without data, which gives them a place to come back to. */
const FIRST_PRIMED = "2025-11-25";

export interface SessionOptions {
  readonly id: string;
  readonly principal: ToolContext["principal"];
  /** What the client said of itself; absent before `initialize`. */
  readonly client?: SessionClient | undefined;
  /** Counts the calls of this session that wait. */
  readonly stay: ToolContext["stay"];
  /** For clients that come back; absent if they cannot. */
  readonly ring?: EventRing | undefined;
  /** Told of errors that no client can have caused. */
  readonly report: (error: unknown) => void;
}

/** One session of the initialize era: requests come in, streams go out, the shared methods do the work. */
export class LegacySession {
  id: string;
  readonly principal: ToolContext["principal"];
  /** What no request belongs to goes here. */
  readonly own: SessionStream;
  /** What it is told of on its own stream. */
  readonly subscriptions: SessionSubscriptions;
  /** Requests and streams that are open, as the session store counts them. */
  open = 0;
  /** When it was used last: milliseconds of `performance.now()`. */
  used: number = performance.now();
  readonly #context: McpContext;
  /** What its requests have from it. */
  readonly #requests: FromSession;
  readonly #ring: EventRing | undefined;
  readonly #report: (error: unknown) => void;
  readonly #asked = new ClientRequests();
  /** The streams of POSTs that are not answered yet. */
  readonly #streams = new Map<string, SessionStream>();
  /** By each id of a POST, until the last of its requests is answered. */
  readonly #posts = new Map<RequestId, Post>();
  #client: SessionClient | undefined;
  #streamCount = 0;
  #atWork = 0;
  #isOver = false;
  #logLevel: LogLevel = "debug";

  constructor(context: McpContext, { id, principal, client, stay, ring, report }: SessionOptions) {
    this.#context = context;
    this.id = id;
    this.principal = principal;
    this.#client = client;
    this.#ring = ring;
    this.#report = report;
    this.own = new SessionStream(OWN_STREAM, ring);
    this.subscriptions = new SessionSubscriptions(context, (message) => this.own.send(message));
    const current = (): ReturnType<FromSession["current"]> => ({
      client: this.#client,
      logLevel: this.#logLevel,
      mayPause: this.isResumable && this.isPrimed,
    });
    this.#requests = { principal, stay, asked: this.#asked, current };
  }

  /** The revision agreed on; undefined before `initialize`. */
  get version(): string | undefined {
    return this.#client?.version;
  }

  /** Whether its streams can be taken up again on another connection. */
  get isResumable(): boolean {
    return this.#ring !== undefined;
  }

  /** Whether the client understands an event without data. */
  get isPrimed(): boolean {
    return (this.version ?? "") >= FIRST_PRIMED;
  }

  /** Requests that are not answered yet. */
  get atWork(): number {
    return this.#atWork;
  }

  /** Whether a request has this id, so that another one must not. */
  isInUse(id: RequestId): boolean {
    return this.#posts.has(id);
  }

  /** A stream for the answers to one POST, which may be told how to come back for them. */
  stream(connection: SessionConnection | undefined, isPrimed: boolean = this.isPrimed): SessionStream {
    const stream = new SessionStream(String(++this.#streamCount), this.#ring);
    stream.connection = connection;
    if (isPrimed) stream.prime();
    return stream;
  }

  /** Takes the messages of one POST, which were checked; its requests are answered on the stream. */
  receive(messages: readonly JsonObject[], stream: SessionStream = this.own): void {
    const requests = messages.filter((message) => kindOf(message) === "request");
    const ids = requests.map((message) => message["id"] as RequestId);
    const post: Post = { ids, waiting: new Map(), stream };
    for (const id of ids) this.#posts.set(id, post);
    this.#atWork += ids.length;
    if (ids.length > 0 && stream !== this.own) this.#streams.set(stream.name, stream);
    // Before any of them is at work, so that the first answer does not end the stream.
    for (const message of requests) {
      const request = new SessionRequest(message, stream, this.#requests);
      post.waiting.set(request.id, request);
    }
    for (const message of messages) {
      const kind = kindOf(message);
      if (kind === "request") void this.#answer(post.waiting.get(message["id"] as RequestId), post);
      else if (kind === "response") this.#asked.settle(message);
      else if (message["method"] === "notifications/cancelled") this.#cancel(message["params"]);
      // With HTTP+SSE there is no other sign that the client is ready.
      else if (message["method"] === "notifications/initialized" && !this.isResumable)
        this.subscriptions.listening(true);
    }
  }

  /** The stream that an event was on; undefined if there is no such event, or none any more. */
  streamOf(eventId: string): string | undefined {
    return this.#ring?.streamOf(eventId);
  }

  /** Whether the event was on the session's own stream, and is not kept any more. */
  isForgotten(eventId: string): boolean {
    return this.#ring?.isForgotten(eventId) === true;
  }

  /** The connection that a stream has now. */
  connectionOf(stream: string): SessionConnection | undefined {
    return this.#stream(stream)?.connection;
  }

  /** Gives a stream another connection, and sends on it what came after an event. A stream that is over ends it. */
  resume(name: string, connection: SessionConnection, eventId: string): void {
    const stream = this.#stream(name);
    const missed: readonly SentEvent[] = this.#ring?.after(eventId) ?? [];
    for (const { message, id, isAnswer } of missed) connection.write(message, id, isAnswer);
    if (stream === undefined) return connection.end();
    if (stream !== this.own) stream.connection = connection;
    else this.#listen(connection);
  }

  /** Gives the session's own stream a connection that begins now. */
  listen(connection: SessionConnection): void {
    if (this.#isOver) return connection.end();
    this.#listen(connection);
    if (this.isPrimed) this.own.prime();
  }

  /** A connection is gone. */
  detach(name: string, connection: SessionConnection): void {
    const stream = this.#stream(name);
    if (stream?.connection !== connection) return;
    stream.connection = undefined;
    if (stream === this.own) this.subscriptions.listening(false);
  }

  close(): void {
    this.#isOver = true;
    this.subscriptions.close();
    this.#asked.close();
    for (const { waiting } of this.#posts.values()) for (const request of waiting.values()) request.end();
    for (const stream of [...this.#streams.values(), this.own]) stream.pause();
    this.#posts.clear();
    this.#streams.clear();
    this.#atWork = 0;
    this.#ring?.forget();
  }

  /** A stream that may still be written to. */
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
    // What is cancelled at once, or belongs to a session that ends at once, does no work.
    await Promise.resolve();
    if (request === undefined || request.isOver) return;
    const { id } = request;
    let answer: string;
    try {
      answer = rpcResult(id, await this.#perform(request));
    } catch (error) {
      const { code, message, data, cause } = asMcpError(error);
      if (cause !== undefined && !request.isOver) this.#report(cause);
      answer = rpcError(id, { code, message, ...(data === undefined ? {} : { data }) });
    }
    if (request.isOver) return;
    request.end(true);
    post.stream.send(answer, true);
    this.#settle(id, post);
  }

  /** A request is answered, or never will be. */
  #settle(id: RequestId, post: Post): void {
    if (!post.waiting.delete(id)) return;
    this.#atWork--;
    if (post.waiting.size > 0) return;
    for (const one of post.ids) this.#posts.delete(one);
    if (post.stream === this.own) return;
    this.#streams.delete(post.stream.name);
    post.stream.pause();
  }

  #cancel(params: unknown): void {
    const { requestId, reason } = isObject(params) ? params : {};
    if (!isId(requestId) || (reason !== undefined && typeof reason !== "string")) return;
    const post = this.#posts.get(requestId);
    post?.waiting.get(requestId)?.end();
    if (post !== undefined) this.#settle(requestId, post);
  }

  async #perform(request: SessionRequest): Promise<Result> {
    const { method, params } = request;
    if (method === "ping") return {};
    if (method === "initialize") return this.#initialize(params);
    if (method === "resources/subscribe") return this.subscriptions.add(params);
    if (method === "resources/unsubscribe") return this.subscriptions.remove(params);
    if (method === "logging/setLevel") return this.#setLogLevel(params);
    const perform = MODERN_ONLY.has(method) ? undefined : METHODS.get(method);
    if (perform === undefined)
      throw new McpError(CODES.methodNotFound, `Method not found: ${oneLine(method.slice(0, 100))}`);
    const context = new RequestContext(this.#context, request);
    for (let round = 0; round <= MAX_ROUNDS; round++) {
      const result = await perform(params, context, this.#context.catalog);
      if (!isInputRequired(result)) return result;
      await askFor(result, context);
    }
    throw new McpError(CODES.internal, `Input was asked for ${MAX_ROUNDS} times in a row`);
  }

  #initialize(params: JsonObject): Result {
    this.#client ??= clientOf(params);
    const { catalog, serverInfo } = this.#context;
    return {
      protocolVersion: this.#client.version,
      capabilities: { ...capabilities(catalog), logging: {} },
      serverInfo,
      instructions: catalog.instructions,
    };
  }

  #setLogLevel({ level }: JsonObject): JsonObject {
    const known = LOG_LEVELS.find((name) => name === level);
    if (known === undefined) throw invalidParams(`level must be one of ${LOG_LEVELS.join(", ")}`);
    this.#logLevel = known;
    return {};
  }
}

/** The requests of one POST: they share a stream, which ends when the last of them is answered or cancelled. */
interface Post {
  readonly ids: readonly RequestId[];
  readonly waiting: Map<RequestId, SessionRequest>;
  readonly stream: SessionStream;
}

/** Asks the client, while its request is open, what a modern client would be sent away to find out. */
async function askFor(result: InputRequired, context: RequestContext): Promise<void> {
  checkInputRequests(result, context);
  const answers = await Promise.all(
    Object.entries(result.inputRequests ?? {}).map(async ([name, { method, params = {} }]) => [
      name,
      await context.ask?.(method, params),
    ]),
  );
  await context.resume(Object.fromEntries(answers) as JsonObject, result.requestState);
}
