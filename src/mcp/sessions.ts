import { EVERYTHING } from "../core/channel.ts";
import type { Principal } from "../core/principal.ts";
import type { Subscription } from "../core/subscription.ts";
import { kindOf } from "./era.ts";
import { SentEvents } from "./legacy-events.ts";
import { cancelledBy, checkPost, error, idOf, idsOf } from "./legacy-posts.ts";
import { HttpTransport } from "./legacy-transport.ts";
import { LegacySession } from "./legacy.ts";
import type { McpContext } from "./modern.ts";
import { CODES, isObject } from "./protocol.ts";
import { Updates } from "./updates.ts";

export interface SessionsOptions {
  /** Sessions at once. */
  readonly most: number;
  /** Milliseconds without a request or an open stream after which a session is over. */
  readonly idle: number;
  /** Milliseconds between comments on a silent stream. */
  readonly keepAlive: number;
  /** Told of errors that no client can have caused. */
  readonly report: (error: unknown) => void;
}

/** Bytes that all sessions together keep of what they sent, for clients that come back. */
const SENT_BYTES = 16 * 1024 * 1024;
/** Milliseconds after which a client whose stream was ended comes back. */
const RETRY = 1000;
/** Codes of the official SDK for what HTTP refuses in a session. */
const REFUSED = -32000;
const NO_SESSION = -32001;

interface Entry {
  readonly id: string;
  readonly session: LegacySession;
  readonly transport: HttpTransport;
  readonly forget: () => void;
  /** Requests that are being answered. */
  open: number;
  /** Milliseconds of `performance.now()`. */
  used: number;
}

/** An answer; `release` says that it has been read to its end, or never will be. */
export interface Released {
  readonly response: Response;
  readonly release: () => void;
}

/** The sessions of the initialize era over Streamable HTTP: at most so many, each ended when nobody uses it any more. */
export class Sessions {
  readonly #context: McpContext;
  readonly #options: SessionsOptions;
  readonly #sent = new SentEvents(SENT_BYTES);
  /** The one used longest ago comes first. */
  readonly #byId = new Map<string, Entry>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #unfollow: (() => void) | undefined;
  #channels: Subscription | undefined;
  #channelCount = 0;
  #closed = false;

  constructor(context: McpContext, options: SessionsOptions) {
    this.#context = context;
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(options.idle / 2, 30_000));
    this.#unfollow = context.offer.changes?.follow((list) => this.#tellAll(`${list}/list_changed`));
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Answers one HTTP request of that era; `body` is the JSON of a POST. */
  async handle(request: Request, body: unknown, principal: Principal): Promise<Released> {
    const asked = request.headers.get("mcp-session-id");
    if (asked === null) return request.method === "POST" ? this.#open(request, body, principal) : refused(notAllowed());
    const entry = this.#byId.get(asked);
    // Nobody learns of sessions that are not theirs.
    if (entry === undefined || entry.session.principal.subject !== principal.subject) {
      return refused(
        error(404, NO_SESSION, "Session not found: it has ended or never was; initialize again", idOf(body)),
      );
    }
    const wrong =
      request.method === "POST" ? checkPost(body, entry.session.version, entry.transport.answering) : undefined;
    return wrong === undefined ? this.#pass(entry, request, body) : refused(wrong);
  }

  /** Ends every session. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#unfollow?.();
    for (const entry of this.#byId.values()) this.#end(entry);
  }

  async #open(request: Request, body: unknown, principal: Principal): Promise<Released> {
    if (!isObject(body) || body["method"] !== "initialize" || kindOf(body) !== "request") {
      return refused(error(400, REFUSED, NO_ERA, idOf(body)));
    }
    if (this.#closed) return refused(error(503, 503, "The server is stopping; come back in a few seconds", idOf(body)));
    if (!this.#makeRoom()) {
      const sentence = `${this.#options.most} sessions are open and in use, the limit; come back later`;
      return refused(error(503, 503, sentence, idOf(body)));
    }
    const session = new LegacySession(this.#context, principal, this.#options.report);
    const { store, forget } = this.#sent.session();
    let entry: Entry | undefined;
    const transport = new HttpTransport(
      {
        sessionIdGenerator: () => crypto.randomUUID(),
        eventStore: store,
        retryInterval: RETRY,
        keepAliveMs: this.#options.keepAlive,
      },
      {
        begins: (id) => {
          entry = { id, session, transport, forget, open: 0, used: performance.now() };
          this.#byId.set(id, entry);
          this.#followChannels();
        },
        ends: () => {
          if (entry !== undefined) this.#end(entry);
        },
      },
    );
    await session.connect(transport);
    const response = await transport.handleRequest(request, { parsedBody: body });
    if (entry === undefined) void session.close();
    return { response, release: () => {} };
  }

  async #pass(entry: Entry, request: Request, body: unknown): Promise<Released> {
    this.#use(entry);
    entry.open++;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      entry.open--;
      this.#use(entry);
    };
    try {
      const response = await entry.transport.handleRequest(request, { parsedBody: body });
      if (response.status >= 400) for (const id of idsOf(body)) entry.transport.answering.delete(id);
      else for (const id of cancelledBy(body)) await entry.transport.retire(id);
      return { response, release };
    } catch (failure) {
      release();
      throw failure;
    }
  }

  #use(entry: Entry): void {
    entry.used = performance.now();
    if (this.#byId.delete(entry.id)) this.#byId.set(entry.id, entry);
  }

  /** Ends the session that was used longest ago, and is not in use, where there are as many as may be. */
  #makeRoom(): boolean {
    if (this.#byId.size < this.#options.most) return true;
    for (const entry of this.#byId.values()) {
      if (entry.open > 0) continue;
      this.#end(entry);
      return true;
    }
    return false;
  }

  #sweep(): void {
    const before = performance.now() - this.#options.idle;
    for (const entry of this.#byId.values()) {
      if (entry.used > before) break;
      if (entry.open === 0) this.#end(entry);
    }
  }

  #end(entry: Entry): void {
    if (!this.#byId.delete(entry.id)) return;
    entry.forget();
    void entry.session.close();
    if (this.#byId.size === 0 && this.#channels !== undefined) {
      this.#context.hub.unsubscribe(this.#channels);
      this.#channels = undefined;
    }
  }

  /** Tells the sessions when there is a new channel, for as long as there are sessions. */
  #followChannels(): void {
    if (this.#channels !== undefined) return;
    const { hub } = this.#context;
    this.#channelCount = hub.log.size().channels;
    const updates = new Updates({
      pending: 0,
      isLagging: false,
      changed: () => {
        const { channels } = hub.log.size();
        if (channels !== this.#channelCount) this.#tellAll("resources/list_changed");
        this.#channelCount = channels;
      },
      keepAlive: () => {},
      drained: () => Promise.resolve(),
      ended: () => {},
    });
    updates.watch("", [EVERYTHING]);
    this.#channels = hub.subscribe({ channels: updates.channels }, updates);
  }

  #tellAll(news: string): void {
    // Where nobody listens it would only be kept.
    for (const { session, open } of this.#byId.values()) if (open > 0) session.notify(news);
  }
}

const NO_ERA =
  "Say which protocol this is: send initialize to open a session and its Mcp-Session-Id from then on, or the " +
  "MCP-Protocol-Version header and params._meta of revision 2026-07-28. Plain JSON-RPC without either is answered at " +
  "/mcp/tools/list and /mcp/tools/call";

function refused(response: Response): Released {
  return { response, release: () => {} };
}

function notAllowed(): Response {
  const sentence = "GET and DELETE belong to a session; send its Mcp-Session-Id, or use POST";
  return error(405, CODES.invalidRequest, sentence, null, { allow: "POST" });
}
