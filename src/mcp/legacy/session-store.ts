import { HubError } from "../../core/errors.ts";
import type { Subscription } from "../../core/subscription.ts";
import { EVERYTHING } from "../../protocol/channel.ts";
import type { RequestContext } from "../../tools/index.ts";
import type { McpContext } from "../catalog.ts";
import { ChangeNotifier } from "../change-notifier.ts";
import type { Sealer } from "../../core/seal.ts";
import { EventRings } from "./event-ring.ts";
import type { SessionClient } from "./session-state.ts";
import type { ChangedList } from "./session-subscriptions.ts";
import { LegacySession } from "./session.ts";

export interface SessionStoreOptions {
  /** Sessions at the same time. */
  readonly most: number;
  /** Milliseconds without a request or an open stream after which a session ends. */
  readonly idle: number;
  /** Signs session ids. */
  readonly sealer: Sealer;
  /** Stores sessions for a restart; without it they end with the process. */
  readonly records?: SessionRecords | undefined;
  /** Called with internal errors, which clients cannot cause. */
  readonly report: (error: unknown) => void;
}

/** Stores the part of sessions that survives a restart, by their names. Never throws. */
interface SessionRecords {
  get(name: string): SessionRecord | undefined;
  put(name: string, record: SessionRecord): void;
  /** Notes when sessions were used last. */
  touch(used: ReadonlyMap<string, number>): void;
  delete(name: string): void;
  /** Deletes sessions that were not used since `before`, and of the others all but the `most` last used. */
  trim(before: number, most: number): void;
}

interface SessionRecord {
  /** When it was last used, approximately: milliseconds since 1970. */
  readonly used: number;
  readonly state: string;
}

/** The owner of a session, and the counter of its waiting calls. */
export interface SessionOwner extends Pick<RequestContext, "principal" | "stay" | "admit"> {
  /** Who may hold no more than a share of all sessions; undefined for callers of this machine without a credential. */
  readonly holder?: string | undefined;
}

/** Characters of the name, with which an id begins. */
const NAME = crypto.randomUUID().length;
/** Characters of an id at most. */
const MAX_ID = 1023;
/** The share of all sessions that one holder may have. */
const SHARE = 0.5;
/** Bytes of sent events that all sessions together keep for clients that resume. */
const SENT_BYTES = 16 * 1024 * 1024;

/** The sessions of the legacy era: bounded in number, and each ended when it has been idle for too long. */
export class SessionStore {
  /** Number of sessions that were ended to make room for others. */
  evicted = 0;
  readonly #context: McpContext;
  readonly #options: SessionStoreOptions;
  readonly #rings = new EventRings(SENT_BYTES);
  /** The least recently used session comes first. */
  readonly #byName = new Map<string, LegacySession>();
  readonly #byHolder = new Map<string, number>();
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
    return this.#byName.size;
  }

  /**
   * Begins a session whose streams can be resumed; it is in use until `leave` is called. Rejects with `SHUTTING_DOWN`,
   * or with `TOO_MANY_CONNECTIONS` if the limit is reached and every session is in use.
   */
  async begin(
    owner: SessionOwner,
    client: SessionClient,
  ): Promise<{ readonly session: LegacySession; readonly leave: () => void }> {
    const session = this.#add(owner, crypto.randomUUID(), client);
    const leave = this.use(session);
    const { sealer, records } = this.#options;
    session.id = `${session.name}.${await sealer.seal(client, scopeOf(session.name, owner))}`;
    if (!session.isOver) records?.put(session.name, { used: Date.now(), state: session.state.kept });
    return { session, leave };
  }

  /** Begins a session that lasts as long as its only connection, to be attached later. Throws as `begin` rejects. */
  beginOnConnection(owner: SessionOwner): LegacySession {
    return this.#add(owner, crypto.randomUUID());
  }

  /**
   * The resumable session with this id, if it belongs to `owner`; restores it if it was stored before a restart.
   * Rejects as `begin` does if there is no room for it.
   */
  async find(id: string, owner: SessionOwner): Promise<LegacySession | undefined> {
    return this.#found(id, owner, true) ?? (await this.#restore(id, owner));
  }

  /** The session with this id that lasts as long as its connection, if it belongs to `owner`. */
  findOnConnection(id: string, owner: SessionOwner): LegacySession | undefined {
    return this.#found(id, owner, false);
  }

  /** Marks a session as in use until the returned function is called. */
  use(session: LegacySession): () => void {
    const touch = (): void => {
      session.used = performance.now();
      if (this.#byName.delete(session.name)) this.#byName.set(session.name, session);
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
    if (!this.#byName.delete(session.name)) return;
    session.close();
    this.#hold(session.holder, -1);
    this.#options.records?.delete(session.name);
    if (this.#byName.size === 0) this.#unfollowChannels();
  }

  /** Refuses new sessions from now on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Ends every session; those that are stored continue after a restart. */
  close(): void {
    this.drain();
    clearInterval(this.#sweeper);
    this.#unfollow?.();
    this.#touch();
    for (const session of this.#byName.values()) session.close();
    this.#byName.clear();
    this.#byHolder.clear();
    this.#unfollowChannels();
  }

  #found(id: string, owner: SessionOwner, isResumable: boolean): LegacySession | undefined {
    const session = this.#byName.get(id.slice(0, NAME));
    if (session?.id !== id || session.principal.id !== owner.principal.id) return undefined;
    session.actAs(owner);
    return session.isResumable === isResumable ? session : undefined;
  }

  async #restore(id: string, owner: SessionOwner): Promise<LegacySession | undefined> {
    const { sealer, records, idle } = this.#options;
    const name = id.slice(0, NAME);
    if (records === undefined || id.length > MAX_ID) return undefined;
    const sealed = await sealer.open(id.slice(NAME + 1), scopeOf(name, owner));
    if (sealed === undefined) return undefined;
    const record = records.get(name);
    // Another request may have restored it while this one waited.
    if (this.#byName.has(name)) return this.#found(id, owner, true);
    if (record === undefined || record.used + idle < Date.now()) return undefined;
    const session = this.#add(owner, name, sealed.payload as SessionClient, true);
    session.id = id;
    session.state.restore(record.state);
    return session;
  }

  #add(owner: SessionOwner, name: string, client?: SessionClient, isRestored = false): LegacySession {
    if (this.#isDraining) throw new HubError("SHUTTING_DOWN", "The server is stopping; come back in a few seconds");
    this.#makeRoom(owner.holder);
    const { report, records } = this.#options;
    const ring = client === undefined ? undefined : this.#rings.ring(isRestored);
    const session = new LegacySession(this.#context, { name, ...owner, client, ring, report });
    if (session.isResumable)
      session.state.onChange = () => records?.put(name, { used: Date.now(), state: session.state.kept });
    this.#byName.set(name, session);
    this.#hold(owner.holder, 1);
    this.#followChannels();
    return session;
  }

  /**
   * If the limit is reached, ends the least recently used session that is not in use: one of the same holder if that
   * has its share, so that no one pushes out the sessions of others.
   */
  #makeRoom(holder: string | undefined): void {
    const { most } = this.#options;
    const share = Math.ceil(most * SHARE);
    const isOwn = holder !== undefined && (this.#byHolder.get(holder) ?? 0) >= share;
    if (!isOwn && this.#byName.size < most) return;
    for (const session of this.#byName.values()) {
      if (session.open > 0 || (isOwn && session.holder !== holder)) continue;
      this.evicted++;
      return this.end(session);
    }
    const full = isOwn
      ? `${share} sessions of this credential or address are open and in use, the limit: half of MAX_SESSIONS; end one of them`
      : `${most} sessions are open and in use, the limit; come back later`;
    throw new HubError("TOO_MANY_CONNECTIONS", full);
  }

  #hold(holder: string | undefined, more: 1 | -1): void {
    if (holder === undefined) return;
    const count = (this.#byHolder.get(holder) ?? 0) + more;
    if (count > 0) this.#byHolder.set(holder, count);
    else this.#byHolder.delete(holder);
  }

  #sweep(): void {
    const before = performance.now() - this.#options.idle;
    for (const session of this.#byName.values()) {
      if (session.used > before) break;
      // A client may reconnect for the answer to a request whose stream broke.
      if (session.open === 0 && session.atWork === 0) this.end(session);
    }
    this.#touch();
    this.#options.records?.trim(Date.now() - this.#options.idle, this.#options.most);
  }

  /** Stores when sessions were last used, for a restart. */
  #touch(): void {
    const since = Date.now() - performance.now();
    const used = [...this.#byName.values()].map(({ name, open, atWork, used: last }): [string, number] => [
      name,
      Math.round(open > 0 || atWork > 0 ? Date.now() : since + last),
    ]);
    this.#options.records?.touch(new Map(used));
  }

  /** Notifies the sessions of new channels, for as long as there are sessions. */
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

  #unfollowChannels(): void {
    if (this.#channels !== undefined) this.#context.hub.unsubscribe(this.#channels);
    this.#channels = undefined;
  }

  #tellAll(list: ChangedList): void {
    for (const { subscriptions } of this.#byName.values()) subscriptions.changed(list);
  }
}

/** The scope that an id is sealed for. */
function scopeOf(name: string, { principal }: SessionOwner): unknown {
  return ["session", name, principal.id];
}
