import { HubError } from "../../core/errors.ts";
import type { Subscription } from "../../core/subscription.ts";
import { EVERYTHING } from "../../protocol/channel.ts";
import type { ToolContext } from "../../tools/index.ts";
import type { McpContext } from "../catalog.ts";
import { ChangeNotifier } from "../change-notifier.ts";
import { EventRings } from "./event-ring.ts";
import type { SessionClient } from "./session-state.ts";
import type { ChangedList } from "./session-subscriptions.ts";
import { LegacySession } from "./session.ts";

export interface SessionStoreOptions {
  /** Sessions at once. */
  readonly most: number;
  /** Milliseconds without a request or an open stream after which a session is over. */
  readonly idle: number;
  /** Told of errors that no client can have caused. */
  readonly report: (error: unknown) => void;
}

/** Whose session it is, and what counts its calls that wait. */
export interface SessionOwner extends Pick<ToolContext, "principal" | "stay"> {}

/** Bytes that all sessions together keep of what they sent, for clients that come back. */
const SENT_BYTES = 16 * 1024 * 1024;

/** The sessions of the initialize era: at most so many, each ended when it has been idle for too long. */
export class SessionStore {
  /** Sessions ended so far to make room for others. */
  evicted = 0;
  readonly #context: McpContext;
  readonly #options: SessionStoreOptions;
  readonly #rings = new EventRings(SENT_BYTES);
  /** The one used longest ago comes first. */
  readonly #byId = new Map<string, LegacySession>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #unfollow: (() => void) | undefined;
  #channels: Subscription | undefined;
  #channelsKnown = 0;
  #isDraining = false;

  constructor(context: McpContext, options: SessionStoreOptions) {
    this.#context = context;
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(options.idle / 2, 30_000));
    this.#unfollow = context.catalog.changes?.follow((list) => this.#tellAll(list));
  }

  get size(): number {
    return this.#byId.size;
  }

  /**
   * Begins a session, whose streams can be resumed; it is in use until `leave` is called. Throws `SHUTTING_DOWN`, or
   * `TOO_MANY_CONNECTIONS` if all there may be are in use.
   */
  begin(owner: SessionOwner, client: SessionClient): LegacySession {
    return this.#add(owner, client);
  }

  /** Begins a session that lasts as long as its only connection, which is not there yet. Throws as `begin` does. */
  beginOnConnection(owner: SessionOwner): LegacySession {
    return this.#add(owner);
  }

  /** The session with this id, if it belongs to who asks and can be resumed or not as asked. */
  find(id: string, { principal }: SessionOwner, isResumable: boolean): LegacySession | undefined {
    const session = this.#byId.get(id);
    if (session === undefined || session.principal.subject !== principal.subject) return undefined;
    return session.isResumable === isResumable ? session : undefined;
  }

  /** Notes that a session is in use, until the function returned is called. */
  use(session: LegacySession): () => void {
    const touch = (): void => {
      session.used = performance.now();
      if (this.#byId.delete(session.id)) this.#byId.set(session.id, session);
    };
    touch();
    session.open++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      session.open--;
      touch();
    };
  }

  end(session: LegacySession): void {
    if (!this.#byId.delete(session.id)) return;
    session.close();
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
  close(): void {
    this.drain();
    clearInterval(this.#sweeper);
    this.#unfollow?.();
    for (const session of this.#byId.values()) this.end(session);
  }

  #add({ principal, stay }: SessionOwner, client?: SessionClient): LegacySession {
    if (this.#isDraining) throw new HubError("SHUTTING_DOWN", "The server is stopping; come back in a few seconds");
    this.#makeRoom();
    const { report } = this.#options;
    const ring = client === undefined ? undefined : this.#rings.ring();
    const session = new LegacySession(this.#context, {
      id: crypto.randomUUID(),
      principal,
      client,
      stay,
      ring,
      report,
    });
    this.#byId.set(session.id, session);
    this.#followChannels();
    return session;
  }

  /** Ends the session that was used longest ago, and is not in use, if there are as many as may be. */
  #makeRoom(): void {
    const { most } = this.#options;
    if (this.#byId.size < most) return;
    for (const session of this.#byId.values()) {
      if (session.open > 0) continue;
      this.evicted++;
      return this.end(session);
    }
    throw new HubError("TOO_MANY_CONNECTIONS", `${most} sessions are open and in use, the limit; come back later`);
  }

  #sweep(): void {
    const before = performance.now() - this.#options.idle;
    for (const session of this.#byId.values()) {
      if (session.used > before) break;
      // A client may come back for the answer to a request whose stream broke.
      if (session.open === 0 && session.atWork === 0) this.end(session);
    }
  }

  /** Tells the sessions when there is a new channel, for as long as there are sessions. */
  #followChannels(): void {
    if (this.#channels !== undefined) return;
    const { hub } = this.#context;
    this.#channelsKnown = hub.log.size().channelsCreated;
    const notifier = new ChangeNotifier({
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
    notifier.watch("", [EVERYTHING]);
    this.#channels = hub.subscribe({ channels: notifier.channels }, notifier);
  }

  #tellAll(list: ChangedList): void {
    for (const { subscriptions } of this.#byId.values()) subscriptions.changed(list);
  }
}
