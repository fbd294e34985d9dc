import type { Transport } from "@modelcontextprotocol/server";
import { EVERYTHING } from "../../protocol/channel.ts";
import { HubError } from "../../core/errors.ts";
import type { Principal } from "../../core/principal.ts";
import type { Subscription } from "../../core/subscription.ts";
import type { RpcId } from "../../protocol/jsonrpc.ts";
import { LegacySession, type ChangedList, type SessionContext } from "./session.ts";
import type { McpContext } from "../modern/handler.ts";
import { ChangeNotifier } from "../change-notifier.ts";

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

/** What a session is spoken over. */
export interface SessionTransport extends Transport {
  /** Requests being answered. */
  readonly atWork: number;
  /** Whether a request has this id, so that another one must not. */
  isInUse(id: RpcId): boolean;
}

/** A session among the others. */
export interface Entry<Kind extends SessionTransport = SessionTransport> {
  readonly id: string;
  readonly session: LegacySession;
  readonly transport: Kind;
  /** Requests and streams that are open. */
  open: number;
  /** Milliseconds of `performance.now()`. */
  used: number;
}

/** The sessions of the initialize era: at most so many, each ended when nobody uses it any more. */
export class Sessions {
  readonly options: SessionsOptions;
  /** Sessions ended so far to make room for others. */
  evicted = 0;
  readonly #context: McpContext;
  /** The one used longest ago comes first. */
  readonly #byId = new Map<string, Entry>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #unfollow: (() => void) | undefined;
  #channels: Subscription | undefined;
  #channelsKnown = 0;
  #isDraining = false;

  constructor(context: McpContext, options: SessionsOptions) {
    this.#context = context;
    this.options = options;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(options.idle / 2, 30_000));
    this.#unfollow = context.catalog.changes?.follow((list) => this.#tellAll(list));
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Begins a session. Throws `SHUTTING_DOWN`, or `TOO_MANY_CONNECTIONS` where all there may be are in use. */
  async begin<Kind extends SessionTransport>(
    principal: Principal,
    transportOf: (id: string, ended: () => void) => Kind,
    stay: SessionContext["stay"] = () => () => {},
  ): Promise<Entry<Kind>> {
    if (this.#isDraining) throw new HubError("SHUTTING_DOWN", "The server is stopping; come back in a few seconds");
    this.#makeRoom();
    const id = crypto.randomUUID();
    const session = new LegacySession({ ...this.#context, stay }, principal, this.options.report);
    const transport = transportOf(id, () => this.end(entry));
    const entry: Entry<Kind> = { id, session, transport, open: 0, used: performance.now() };
    // Before anything is awaited, so that it is counted.
    this.#byId.set(id, entry);
    this.#followChannels();
    await session.connect(transport);
    return entry;
  }

  /** The session with this id that is spoken over such a transport; nobody learns of sessions that are not theirs. */
  find<Kind extends SessionTransport>(
    id: string,
    principal: Principal,
    kind: abstract new (...args: never) => Kind,
  ): Entry<Kind> | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined || entry.session.principal.subject !== principal.subject) return undefined;
    return entry.transport instanceof kind ? (entry as Entry<Kind>) : undefined;
  }

  /** Notes that a session is in use, until the function returned is called. */
  use(entry: Entry): () => void {
    const touch = (): void => {
      entry.used = performance.now();
      if (this.#byId.delete(entry.id)) this.#byId.set(entry.id, entry);
    };
    touch();
    entry.open++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      entry.open--;
      touch();
    };
  }

  end(entry: Entry): void {
    if (!this.#byId.delete(entry.id)) return;
    void entry.session.close();
    if (this.#byId.size === 0 && this.#channels !== undefined) {
      this.#context.hub.unsubscribe(this.#channels);
      this.#channels = undefined;
    }
  }

  /** Begins no more sessions. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Ends every session. */
  async close(): Promise<void> {
    this.drain();
    clearInterval(this.#sweeper);
    this.#unfollow?.();
    for (const entry of this.#byId.values()) this.end(entry);
  }

  /** Ends the session that was used longest ago, and is not in use, where there are as many as may be. */
  #makeRoom(): void {
    const { most } = this.options;
    if (this.#byId.size < most) return;
    for (const entry of this.#byId.values()) {
      if (entry.open > 0) continue;
      this.evicted++;
      return this.end(entry);
    }
    throw new HubError("TOO_MANY_CONNECTIONS", `${most} sessions are open and in use, the limit; come back later`);
  }

  #sweep(): void {
    const before = performance.now() - this.options.idle;
    for (const entry of this.#byId.values()) {
      if (entry.used > before) break;
      // A client may come back for the answer to a request whose stream broke.
      if (entry.open === 0 && entry.transport.atWork === 0) this.end(entry);
    }
  }

  /** Tells the sessions when there is a new channel, for as long as there are sessions. */
  #followChannels(): void {
    if (this.#channels !== undefined) return;
    const { hub } = this.#context;
    this.#channelsKnown = hub.log.size().channelsCreated;
    const updates = new ChangeNotifier({
      pending: 0,
      isLagging: false,
      changed: () => {
        const { channelsCreated } = hub.log.size();
        if (channelsCreated !== this.#channelsKnown) this.#tellAll("resources");
        this.#channelsKnown = channelsCreated;
      },
      keepAlive: () => {},
      drained: () => Promise.resolve(),
      ended: () => {},
    });
    updates.watch("", [EVERYTHING]);
    this.#channels = hub.subscribe({ channels: updates.channels }, updates);
  }

  #tellAll(list: ChangedList): void {
    for (const { session } of this.#byId.values()) session.changed(list);
  }
}
