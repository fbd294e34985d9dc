import type { Message } from "../../core/message.ts";
import { AnnouncementWatch } from "./announcement-watch.ts";
import type { RedisConnection } from "./connection.ts";
import { PAGE, type EngineState, type RedisEngine } from "./engine.ts";
import { EarlyBatches } from "./early-batches.ts";
import type { Mirror } from "./mirror.ts";
import { announced, type Batch } from "./record.ts";
import { reasonOf } from "../sqlite/errors.ts";
import { Runs, undecided } from "./runs.ts";

export interface FollowerOptions {
  readonly engine: RedisEngine;
  readonly mirror: Mirror;
  readonly connection: RedisConnection;
  readonly node: string;
  readonly report: (sentence: string) => void;
}

/** Milliseconds between two checks with the engine, and while the nodes agree on a new run. */
const CHECK_INTERVAL = 1000;
const VOTE_POLL = 100;
/** How long a batch may wait for those before it, in milliseconds, before they are read from the stream. */
const REORDER_WAIT = 100;
/** Milliseconds after which the publishers of a batch are told that it cannot be confirmed. */
const DELIVERY_TIMEOUT = 2500;

/**
 * Hands on what any node appends: in order, once, none left out. Announcements may be lost or late; the offsets show it,
 * and what is missing is read from the engine.
 */
export class RedisFollower {
  /** Called with what is new, after the mirror has it. */
  onMessages: (messages: readonly Message[]) => void = () => {};
  /** Called with the offset to go on from, if messages are missing, and the last one up to which all were handed on. */
  onReset: (head: number, valid?: number) => void = () => {};
  readonly #options: FollowerOptions;
  readonly #early = new EarlyBatches();
  #runs = new Runs();
  #repair: NodeJS.Timeout | undefined;
  #catchingUp: Promise<boolean> | undefined;
  #isScheduled = false;
  /** Whether the nodes have yet to agree on a new run. */
  #isUndecided = false;
  #isClosed = false;
  readonly #watch: AnnouncementWatch;
  /** The furthest place that was handed on. */
  #reached = -1;
  /** Set until readers are told that messages are missing: nothing is handed on before. */
  #missing: { readonly valid: number } | undefined;
  /** What the mirror could not take. */
  #failure: Error | undefined;
  /** Batches of this node that wait to be handed on, and since when. */
  readonly #waiting = new Map<Batch, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#watch = new AnnouncementWatch(options);
    this.#timer = setInterval(() => void this.#tend(), CHECK_INTERVAL).unref();
  }

  /** Begins to listen, and resolves once the mirror has all that is kept. Rejects with `LOG_UNAVAILABLE`. */
  async open(): Promise<void> {
    const { connection, mirror, engine } = this.#options;
    const known = new Runs(await engine.peek());
    // A mirror of another log, or of one that was flushed since.
    if (mirror.head < 0 || known.at(mirror.head) !== mirror.epoch) mirror.clear(-1, 0, []);
    else this.#runs = known;
    await connection.listen("live", (bytes) => this.#announced(bytes));
    for (const start = performance.now(); !(await this.catchUp());) {
      if (performance.now() - start > 4 * DELIVERY_TIMEOUT) throw connection.unavailable(undecided());
      await new Promise((resolve) => setTimeout(resolve, VOTE_POLL));
    }
    connection.onReconnect = () => void this.catchUp().catch(() => {});
  }

  get runs(): Runs {
    return this.#runs;
  }

  /** Why the mirror takes nothing now; undefined if it does. */
  get mirrorProblem(): string | undefined {
    return this.#failure && `this node's copy of the log cannot be written: ${reasonOf(this.#failure)}`;
  }

  /** Why nothing can be handed on now; undefined if it can. */
  get problem(): string | undefined {
    if (this.#failure !== undefined) return this.mirrorProblem;
    return this.#watch.isBroken ? "announcements of Redis do not arrive" : undefined;
  }

  /** Hands on a batch, now or after what comes before it. */
  deliver(batch: Batch): void {
    this.#early.add(batch);
    if (batch.settle !== undefined) this.#waiting.set(batch, performance.now());
    this.#drain();
  }

  /**
   * Checks in with the engine and hands on all that is new; false if the nodes do not agree yet on what there is. Rejects
   * with `LOG_UNAVAILABLE`.
   */
  catchUp(): Promise<boolean> {
    return (this.#catchingUp ??= this.#catchUp().finally(() => {
      this.#catchingUp = undefined;
      this.#drain();
    }));
  }

  /** How far the log is; rejects with `LOG_UNAVAILABLE`, also while the nodes do not agree on that. */
  async checkIn(): Promise<EngineState> {
    const state = await this.#checkIn();
    if (state === undefined) throw this.#options.connection.unavailable(undecided());
    return state;
  }

  #checkIn(): Promise<EngineState | undefined> {
    const { engine, mirror } = this.#options;
    const nodeHead = Math.max(mirror.head, this.#reached);
    return engine.checkIn(nodeHead, nodeHead < 0 ? "" : this.#runs.at(nodeHead));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#repair);
    for (const batch of this.#early.all()) this.#settle(batch, false);
  }

  #announced(bytes: Buffer): void {
    this.#watch.heard();
    let found: Batch | readonly string[];
    try {
      found = announced(bytes, this.#options.node);
    } catch (error) {
      this.#options.report(`an announcement of Redis could not be read: ${String(error)}`);
      return;
    }
    if ("messages" in found) {
      this.#early.add(found);
      if (this.#isScheduled) return;
      // All that came in one piece is handed on together.
      this.#isScheduled = true;
      queueMicrotask(() => {
        this.#isScheduled = false;
        this.#drain();
      });
      return;
    }
    if (found[0] === "purge" || (found[0] === "run" && found[1] !== this.#runs.epoch))
      void this.catchUp().catch(() => {});
  }

  /** Hands on the batches that follow what was handed on. */
  #drain(): void {
    if (this.#catchingUp !== undefined || this.#isClosed) return;
    if (this.#missing !== undefined) return this.#repairSoon();
    const { mirror } = this.#options;
    const { batches, messages, head, floor } = this.#early.following(this.#runs.epoch, mirror.head, mirror.floor);
    if (batches.length > 0 && this.#handOn(messages, head, floor)) {
      this.#early.remove(batches);
      for (const batch of batches) this.#settle(batch, true);
    }
    if (this.#early.size > 0) this.#repairSoon();
  }

  #handOn(messages: readonly Message[], head: number, floor: number): boolean {
    const kept = messages.filter(({ ephemeral }) => !ephemeral);
    try {
      if (kept.length > 0 || floor > this.#options.mirror.floor) this.#keep(kept, head, floor);
    } catch {
      // It is read again with what comes after it.
      this.#early.remove(this.#early.all().filter(({ settle }) => settle === undefined));
      return false;
    }
    this.#reached = Math.max(this.#reached, head);
    if (messages.length > 0) this.onMessages(messages);
    return true;
  }

  /** Writes to the mirror; throws if that fails. */
  #keep(messages: readonly Message[], head: number, floor: number): void {
    try {
      this.#options.mirror.apply(messages, { head, floor, epoch: this.#runs.at(head) });
      this.#failure = undefined;
    } catch (error) {
      const { report } = this.#options;
      if (this.#failure === undefined) report(`the copy of the log cannot be written: ${reasonOf(error)}`);
      this.#failure = error as Error;
      throw error;
    }
  }

  #repairSoon(): void {
    if (this.#isClosed) return;
    this.#repair ??= setTimeout(() => {
      this.#repair = undefined;
      if (this.#early.size > 0 || this.#isUndecided || this.#missing !== undefined) void this.catchUp().catch(() => {});
    }, REORDER_WAIT);
  }

  async #catchUp(): Promise<boolean> {
    const { mirror, engine } = this.#options;
    const state = await this.#checkIn();
    this.#isUndecided = state === undefined;
    if (state === undefined) {
      this.#repairSoon();
      return false;
    }
    // These were announced before the engine answered: a batch of another run is by now in the log, or lost.
    const announcedBefore = this.#early.all();
    const runs = state.runs.length > 0 ? new Runs(state.runs) : this.#runs;
    const hole = runs.holeAfter(mirror.head);
    // After that offset, the log has other messages by now than this node has.
    const shared = this.#runs.sharedWith(runs);
    const good = Math.min(shared, hole?.after ?? Infinity);
    const isBehind = mirror.head < state.floor;
    const isCleared = isBehind || good < 0;
    const dropped = isCleared ? await engine.dropped() : [];
    const purged = isCleared || state.purges !== mirror.purges ? await engine.purged() : undefined;
    // From here to where the mirror agrees with them, nothing may be awaited: a read would give old messages new ids.
    if (isBehind || hole !== undefined || shared < mirror.head) {
      // Then readers must be told what is missing, in its place: they read it from the mirror.
      const valid = shared < mirror.head && shared !== hole?.after ? Math.max(shared, 0) : Infinity;
      this.#missing = { valid: Math.min(valid, this.#missing?.valid ?? Infinity) };
    }
    this.#runs = runs;
    if (isCleared) mirror.clear(state.floor, state.channelFloor, dropped);
    else if (good < mirror.head) mirror.truncate(good);
    if (purged !== undefined) mirror.purge(purged, state.purges);
    if (!(await this.#fill(state))) return this.#catchUp();
    if (this.#missing !== undefined) {
      const { valid } = this.#missing;
      this.#missing = undefined;
      this.onReset(mirror.head, valid);
    }
    this.#reached = Math.max(this.#reached, mirror.head);
    const old = announcedBefore.filter(({ epoch }) => epoch !== this.#runs.epoch);
    this.#early.remove(old);
    for (const batch of old) {
      const last = batch.messages.findLast(({ ephemeral }) => !ephemeral)?.offset ?? batch.before;
      this.#settle(batch, last <= mirror.head && this.#runs.at(last) === batch.epoch);
    }
    return true;
  }

  /**
   * Reads what the mirror lacks, and hands it on unless readers have to read it from there. False if messages that it
   * lacks were dropped meanwhile.
   */
  async #fill({ head: known, floor }: EngineState): Promise<boolean> {
    const { mirror, engine } = this.#options;
    for (;;) {
      const messages = await engine.read(mirror.head);
      const next = this.#runs.endOfHoles(mirror.head) + 1;
      const isMissing = (messages[0]?.offset ?? (next <= known ? Infinity : 0)) > next;
      // What is missing and was not dropped was purged.
      if (isMissing && (await engine.floor()) >= next) return false;
      const isAll = messages.length < PAGE;
      const head = Math.max(messages.at(-1)?.offset ?? mirror.head, ...(isAll ? [known, this.#runs.holeEnd] : []));
      this.#keep(messages, head, floor);
      if (messages.length > 0 && this.#missing === undefined) {
        this.#reached = Math.max(this.#reached, head);
        this.onMessages(messages);
      }
      if (isAll) return true;
    }
  }

  #settle(batch: Batch, isDelivered: boolean): void {
    this.#waiting.delete(batch);
    batch.settle?.(isDelivered);
  }

  /** Runs once a second. */
  async #tend(): Promise<void> {
    const { connection, mirror } = this.#options;
    const now = performance.now();
    for (const [batch, since] of this.#waiting) {
      if (now - since <= DELIVERY_TIMEOUT) continue;
      this.#settle(batch, false);
      // What was kept of it is read from the engine.
      this.#early.remove([batch]);
    }
    if (!connection.isReady) return;
    try {
      await this.#watch.check();
      const state = await this.checkIn();
      const isOther = state.epoch !== this.#runs.epoch;
      const isPurged = state.purges !== mirror.purges;
      if (isOther || isPurged || this.#failure !== undefined || this.#missing !== undefined) await this.catchUp();
      if (state.floor > mirror.floor && state.floor <= mirror.head) this.#handOn([], mirror.head, state.floor);
      if (state.head <= mirror.head) return;
      await new Promise((resolve) => setTimeout(resolve, REORDER_WAIT));
      if (state.head > mirror.head) await this.catchUp();
    } catch {
      // The connection has reported it; the next second tries again.
    }
  }
}
