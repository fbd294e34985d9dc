import type { Correlation } from "../../core/trace.ts";
import { HubError } from "../../core/errors.ts";
import type { SharedStore } from "../../core/shared-store.ts";
import type { RequestContext } from "../../tools/index.ts";
import type { McpContext } from "../catalog.ts";
import type { Sealer } from "../../core/seal.ts";
import type { JsonObject } from "../errors.ts";
import { EventRings } from "./event-ring.ts";
import { LiveSessions } from "./live-sessions.ts";
import { NewChannels } from "./new-channels.ts";
import { SessionRelay, type SessionNews } from "./session-relay.ts";
import { sweepInterval, unlessAway, type SessionRecord, type SessionRecords } from "./session-records.ts";
import type { StateChange } from "./stored-state.ts";
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
  /** Stores sessions for a restart, or for other nodes; without it they end with the process. */
  readonly records?: SessionRecords | undefined;
  /** What the nodes share, if there are several. */
  readonly shared?: SharedStore | undefined;
  /** Called with internal errors, which clients cannot cause. */
  readonly report: (error: unknown, correlation?: Correlation) => void;
}

/** The owner of a session, and the counter of its waiting calls. */
export interface SessionOwner extends Pick<RequestContext, "principal" | "stay" | "admit" | "correlation"> {
  /** Who may hold no more than a share of all sessions; undefined for callers of this machine without a credential. */
  readonly holder?: string | undefined;
}

/** Characters of the name, with which an id begins. */
const NAME = crypto.randomUUID().length;
/** Characters of an id at most. */
const MAX_ID = 1023;
/** Bytes of sent events that all sessions together keep for clients that resume. */
const SENT_BYTES = 16 * 1024 * 1024;

/** The sessions of the legacy era: bounded in number, and each ended when it has been idle for too long. */
export class SessionStore {
  /** Number of sessions that were ended to make room for others. */
  evicted = 0;
  readonly #context: McpContext;
  readonly #options: SessionStoreOptions;
  readonly #rings = new EventRings(SENT_BYTES);
  readonly #live: LiveSessions;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #unfollow: (() => void) | undefined;
  readonly #channels: NewChannels;
  readonly #relay: SessionRelay | undefined;
  /** When the use of sessions was noted last: milliseconds of `performance.now()`. */
  #noted = performance.now();
  #isDraining = false;

  constructor(context: McpContext, options: SessionStoreOptions) {
    const { idle, shared } = options;
    this.#context = context;
    this.#options = options;
    this.#live = new LiveSessions(options.most);
    this.#sweeper = setInterval(() => this.#sweep(), sweepInterval(idle)).unref();
    this.#unfollow = context.catalog.changes?.follow((list) => this.#tellAll(list));
    this.#channels = new NewChannels(context.hub, () => this.#tellAll("resources"));
    if (shared !== undefined) this.#relay = new SessionRelay(shared, (news) => this.#receive(news));
  }

  get size(): number {
    return this.#live.size;
  }

  /**
   * Begins a session whose streams can be resumed; it is in use until `leave` is called. Rejects with `SHUTTING_DOWN`,
   * with `LOG_UNAVAILABLE` if it cannot be stored, or with `TOO_MANY_CONNECTIONS` if the limit is reached and every
   * session is in use.
   */
  async begin(
    owner: SessionOwner,
    client: SessionClient,
  ): Promise<{ readonly session: LegacySession; readonly leave: () => void }> {
    const session = this.#add(owner, crypto.randomUUID(), client);
    const { name, state } = session;
    const leave = this.use(session);
    const { sealer, records } = this.#options;
    const id = `${name}.${await sealer.seal(client, scopeOf(name, owner))}`;
    const storing = session.isOver ? undefined : records?.begin(name, state.toStore);
    storing?.catch(() => this.#closeHere(session));
    state.record = await storing;
    session.id = id;
    return { session, leave };
  }

  /** Begins a session that lasts as long as its only connection, to be attached later. Throws as `begin` rejects. */
  beginOnConnection(owner: SessionOwner): LegacySession {
    return this.#add(owner, crypto.randomUUID());
  }

  /**
   * The resumable session with this id, if it belongs to `owner`; restores it if it was stored before a restart, or by
   * another node. Rejects as `begin` does if there is no room for it, or if it is not known whether it has ended.
   */
  async find(id: string, owner: SessionOwner): Promise<LegacySession | undefined> {
    const session = this.#found(id, owner, true);
    if (session === undefined) return this.#restore(id, owner);
    const { records } = this.#options;
    if (records?.isShared !== true) return session;
    const adopt = (record: SessionRecord | undefined): void => this.#adopt(session, record);
    await records.get(session.name).then(adopt).catch(unlessAway);
    return session.isOver ? this.#restore(id, owner) : session;
  }

  /** The session with this id that lasts as long as its connection, if it belongs to `owner`. */
  findOnConnection(id: string, owner: SessionOwner): LegacySession | undefined {
    return this.#found(id, owner, false);
  }

  /** Marks a session as in use until the returned function is called. */
  use(session: LegacySession): () => void {
    return this.#live.use(session);
  }

  /** Ends a session on all nodes. Rejects with `LOG_UNAVAILABLE`, and then it goes on. */
  async end(session: LegacySession): Promise<void> {
    if (session.isResumable) await this.#options.records?.delete(session.name);
    this.#closeHere(session);
    if (session.isResumable) this.#relay?.send({ kind: "ended", name: session.name });
  }

  /** Passes on what matches no request of this node to the one that waits for it. Rejects if that is not possible. */
  async forward(session: LegacySession, unclaimed: readonly JsonObject[]): Promise<void> {
    await Promise.all(unclaimed.map(async (message) => this.#relay?.forward(session, message)));
  }

  /** Records that the client of a session has the session's own stream on this node from now on, and on no other. */
  recordStreamNode(session: LegacySession): void {
    const { shared, report } = this.#options;
    if (shared === undefined) return;
    this.#change(session, (stored) => ({ ...stored, streamNode: shared.node }))
      .catch(unlessAway)
      .catch(report);
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
    this.#relay?.close();
    void this.#touch();
    for (const session of this.#live) this.#closeHere(session);
  }

  #found(id: string, owner: SessionOwner, isResumable: boolean): LegacySession | undefined {
    const session = this.#live.get(id.slice(0, NAME));
    if (session?.id !== id || session.principal.id !== owner.principal.id) return undefined;
    session.actAs(owner);
    return session.isResumable === isResumable ? session : undefined;
  }

  async #restore(id: string, owner: SessionOwner): Promise<LegacySession | undefined> {
    const { sealer, records } = this.#options;
    const name = id.slice(0, NAME);
    if (records === undefined || id.length > MAX_ID) return undefined;
    const sealed = await sealer.open(id.slice(NAME + 1), scopeOf(name, owner));
    if (sealed === undefined) return undefined;
    const record = await records.get(name);
    // Another request may have restored it while this one waited.
    if (this.#live.get(name) !== undefined) return this.#found(id, owner, true);
    if (record === undefined) return undefined;
    const session = this.#add(owner, name, sealed.payload as SessionClient, true);
    session.id = id;
    session.state.follow(record);
    // The client may have missed anything meanwhile.
    session.subscriptions.allChanged();
    if (records.isShared) void this.#touch([session]);
    return session;
  }

  /** Goes on with what is stored of a session by now; closes it here if it has ended. */
  #adopt(session: LegacySession, record: SessionRecord | undefined): void {
    const { name, state } = session;
    const { records, shared, report } = this.#options;
    if (session.isOver || state.record === undefined) return;
    if (record === undefined) return this.#closeHere(session);
    // The engine lost its last changes, or this is older than what is known here.
    if (record.version < state.record.version) records?.repair(name, state.record).catch(unlessAway).catch(report);
    if (record.version <= state.record.version) return;
    const { streamNode } = state.follow(record);
    if (streamNode !== undefined && streamNode !== shared?.node) session.closeOwnStream();
  }

  async #change(session: LegacySession, change: StateChange): Promise<void> {
    const { name, state } = session;
    const { records } = this.#options;
    if (records === undefined || session.isOver) return;
    try {
      const record = await records.change(name, change, state.toStore);
      // Other nodes may have made changes before this one.
      if (records.isShared) this.#adopt(session, record);
      if (record !== undefined) this.#relay?.send({ kind: "changed", name, record });
    } catch (error) {
      if (state.record !== undefined) state.follow(state.record);
      throw error;
    }
  }

  /** Takes what another node sent of a session; returns whether a message was for a request of this node. */
  #receive(news: SessionNews): boolean {
    const session = this.#live.get(news.name);
    if (session?.isResumable !== true) return false;
    if (news.kind === "message") return news.principal === session.principal.id && session.claim(news.message);
    if (news.kind === "ended") this.#closeHere(session);
    else this.#adopt(session, news.record);
    return false;
  }

  #add(owner: SessionOwner, name: string, client?: SessionClient, isOld = false): LegacySession {
    if (this.#isDraining) throw new HubError("SHUTTING_DOWN", "The server is stopping; come back in a few seconds");
    const toEvict = this.#live.sessionToEvict(owner.holder);
    if (toEvict !== undefined) this.#evict(toEvict);
    const { report, records } = this.#options;
    const isShared = records?.isShared === true;
    const ring = client === undefined ? undefined : this.#rings.ring(isOld || isShared);
    const session = new LegacySession(this.#context, { name, ...owner, client, ring, report, isShared });
    if (session.isResumable) session.state.store = (change) => this.#change(session, change);
    this.#live.add(session);
    this.#channels.follow();
    return session;
  }

  #evict(session: LegacySession): void {
    this.evicted++;
    this.#closeHere(session);
    const { records, report } = this.#options;
    if (session.isResumable) records?.evict(session.name).catch(unlessAway).catch(report);
  }

  #sweep(): void {
    const { records, idle, report } = this.#options;
    const before = performance.now() - idle;
    for (const session of this.#live) {
      if (session.used > before) break;
      // A client may reconnect for the answer to a request whose stream broke.
      if (session.open > 0 || session.atWork > 0) continue;
      // Other nodes may have used it: its record is gone when none has.
      if (records?.isShared === true) this.#closeHere(session);
      else void this.end(session).catch(report);
    }
    void this.#touch();
  }

  /** Ends a session on this node. */
  #closeHere(session: LegacySession): void {
    if (!this.#live.delete(session)) return;
    session.close();
    if (this.#live.size === 0) this.#channels.unfollow();
  }

  /** Notes which sessions were used since the last time, or that these are, and goes on with what is stored of them. */
  async #touch(sessions?: readonly LegacySession[]): Promise<void> {
    const { records, report } = this.#options;
    const now = performance.now();
    const used = new Map<string, number>();
    for (const { name, open, atWork, used: last, state } of sessions ?? this.#live) {
      const age = open > 0 || atWork > 0 ? 0 : now - last;
      if (state.record !== undefined && now - age >= this.#noted) used.set(name, Math.round(Date.now() - age));
    }
    const stored = await records?.touch(used).catch(unlessAway).catch(report);
    if (stored === undefined) return;
    if (sessions === undefined) this.#noted = now;
    for (const session of this.#live) if (stored.has(session.name)) this.#adopt(session, stored.get(session.name));
  }

  #tellAll(list: ChangedList): void {
    for (const { subscriptions } of this.#live) subscriptions.changed(list);
  }
}

/** The scope that an id is sealed for. */
function scopeOf(name: string, { principal }: SessionOwner): unknown {
  return ["session", name, principal.id];
}
