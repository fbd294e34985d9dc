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
  /** Sessions at once. */
  readonly most: number;
  /** Milliseconds without a request or an open stream after which a session is over. */
  readonly idle: number;
  /** Makes ids that no one else can. */
  readonly sealer: Sealer;
  /** Where sessions are kept for a restart; without it they end with the process. */
  readonly records?: SessionRecords | undefined;
  /** Told of errors that no client can have caused. */
  readonly report: (error: unknown) => void;
}

/** Keeps what of a session outlives the process, by its name. Never throws. */
interface SessionRecords {
  get(name: string): SessionRecord | undefined;
  put(name: string, record: SessionRecord): void;
  /** Notes when sessions were used last. */
  touch(used: ReadonlyMap<string, number>): void;
  delete(name: string): void;
  /** Forgets what was not used since `before`, and of the others all but the `most` used last. */
  trim(before: number, most: number): void;
}

interface SessionRecord {
  /** When it was used last, about: milliseconds since 1970. */
  readonly used: number;
  readonly state: string;
}

/** Whose session it is, and what counts its calls that wait. */
export type SessionOwner = Pick<RequestContext, "principal" | "stay" | "admit">;

/** Characters of a name, which an id begins with. */
const NAME = crypto.randomUUID().length;
/** Characters of an id. */
const MAX_ID = 1023;
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
  readonly #byName = new Map<string, LegacySession>();
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
   * Begins a session, whose streams can be resumed; it is in use until `leave` is called. Rejects with `SHUTTING_DOWN`,
   * or `TOO_MANY_CONNECTIONS` if all there may be are in use.
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

  /** Begins a session that lasts as long as its only connection, which is not there yet. Throws as `begin` rejects. */
  beginOnConnection(owner: SessionOwner): LegacySession {
    return this.#add(owner, crypto.randomUUID());
  }

  /**
   * The session with this id that can be resumed, if it belongs to who asks; one that outlived a restart goes on.
   * Rejects as `begin` does if there is no room for it.
   */
  async find(id: string, owner: SessionOwner): Promise<LegacySession | undefined> {
    return this.#found(id, owner, true) ?? (await this.#restore(id, owner));
  }

  /** The session with this id that lasts as long as its connection, if it belongs to who asks. */
  findOnConnection(id: string, owner: SessionOwner): LegacySession | undefined {
    return this.#found(id, owner, false);
  }

  /** Notes that a session is in use, until the function returned is called. */
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
    this.#options.records?.delete(session.name);
    if (this.#byName.size === 0) this.#unfollowChannels();
  }

  /** Begins no more sessions. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Ends every session; those that are kept go on after a restart. */
  close(): void {
    this.drain();
    clearInterval(this.#sweeper);
    this.#unfollow?.();
    this.#touch();
    for (const session of this.#byName.values()) session.close();
    this.#byName.clear();
    this.#unfollowChannels();
  }

  #found(id: string, { principal }: SessionOwner, isResumable: boolean): LegacySession | undefined {
    const session = this.#byName.get(id.slice(0, NAME));
    if (session?.id !== id || session.principal.subject !== principal.subject) return undefined;
    return session.isResumable === isResumable ? session : undefined;
  }

  async #restore(id: string, owner: SessionOwner): Promise<LegacySession | undefined> {
    const { sealer, records, idle } = this.#options;
    const name = id.slice(0, NAME);
    if (records === undefined || id.length > MAX_ID) return undefined;
    const sealed = await sealer.open(id.slice(NAME + 1), scopeOf(name, owner));
    if (sealed === undefined) return undefined;
    const record = records.get(name);
    // Several requests may have come at once.
    if (this.#byName.has(name)) return this.#found(id, owner, true);
    if (record === undefined || record.used + idle < Date.now()) return undefined;
    const session = this.#add(owner, name, sealed.payload as SessionClient, true);
    session.id = id;
    session.state.restore(record.state);
    return session;
  }

  #add(owner: SessionOwner, name: string, client?: SessionClient, isRestored = false): LegacySession {
    if (this.#isDraining) throw new HubError("SHUTTING_DOWN", "The server is stopping; come back in a few seconds");
    this.#makeRoom();
    const { report, records } = this.#options;
    const ring = client === undefined ? undefined : this.#rings.ring(isRestored);
    const session = new LegacySession(this.#context, { name, ...owner, client, ring, report });
    if (session.isResumable)
      session.state.onChange = () => records?.put(name, { used: Date.now(), state: session.state.kept });
    this.#byName.set(name, session);
    this.#followChannels();
    return session;
  }

  /** Ends the session that was used longest ago, and is not in use, if there are as many as may be. */
  #makeRoom(): void {
    const { most } = this.#options;
    if (this.#byName.size < most) return;
    for (const session of this.#byName.values()) {
      if (session.open > 0) continue;
      this.evicted++;
      return this.end(session);
    }
    throw new HubError("TOO_MANY_CONNECTIONS", `${most} sessions are open and in use, the limit; come back later`);
  }

  #sweep(): void {
    const before = performance.now() - this.#options.idle;
    for (const session of this.#byName.values()) {
      if (session.used > before) break;
      // A client may come back for the answer to a request whose stream broke.
      if (session.open === 0 && session.atWork === 0) this.end(session);
    }
    this.#touch();
    this.#options.records?.trim(Date.now() - this.#options.idle, this.#options.most);
  }

  /** Notes when sessions were used last, for a restart. */
  #touch(): void {
    const since = Date.now() - performance.now();
    const used = [...this.#byName.values()].map(({ name, open, atWork, used: last }): [string, number] => [
      name,
      Math.round(open > 0 || atWork > 0 ? Date.now() : since + last),
    ]);
    this.#options.records?.touch(new Map(used));
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

  #unfollowChannels(): void {
    if (this.#channels !== undefined) this.#context.hub.unsubscribe(this.#channels);
    this.#channels = undefined;
  }

  #tellAll(list: ChangedList): void {
    for (const { subscriptions } of this.#byName.values()) subscriptions.changed(list);
  }
}

/** What an id is sealed for. */
function scopeOf(name: string, { principal }: SessionOwner): unknown {
  return ["session", name, principal.subject];
}
