import type { Message } from "../../core/message.ts";
import type { RedisConnection } from "./connection.ts";
import { PAGE, type EngineState, type RedisEngine } from "./engine.ts";
import { HeldTurns } from "./held-turns.ts";
import type { Mirror } from "./mirror.ts";
import { announced, type Turn } from "./record.ts";
import { reasonOf } from "../sqlite/errors.ts";
import { Runs } from "./runs.ts";

export interface FollowerOptions {
  readonly engine: RedisEngine;
  readonly mirror: Mirror;
  readonly connection: RedisConnection;
  readonly node: string;
  readonly report: (sentence: string) => void;
}

/** Milliseconds between two looks at the engine. */
const LOOK = 1000;
/** Milliseconds between two looks while the nodes agree on a new run. */
const WAIT = 100;
/** Milliseconds that what comes before a turn may be on its way. */
const ON_ITS_WAY = 100;
/** Milliseconds without an announcement after which someone asks for one, and those that one may take. */
const SILENT = 900;
const DEAF = 900;
/** Milliseconds that a turn of this node may wait for what comes before it. */
const PATIENCE = 2500;

/**
 * Hands on what any node appends: in order, once, none left out. Announcements may be lost or late; the offsets show it,
 * and what is missing is read from the engine.
 */
export class RedisFollower {
  /** Called with what is new, after the mirror has it. */
  onMessages: (messages: readonly Message[]) => void = () => {};
  /** Called with the offset to go on from, if messages are missing. */
  onReset: (head: number) => void = () => {};
  readonly #options: FollowerOptions;
  readonly #held = new HeldTurns();
  #runs = new Runs();
  #repair: NodeJS.Timeout | undefined;
  #catchingUp: Promise<boolean> | undefined;
  #isDraining = false;
  /** Whether the nodes have yet to agree on a new run. */
  #isUndecided = false;
  #isClosed = false;
  /** When an announcement came last, and since when one is waited for. */
  #heard = performance.now();
  #asked: number | undefined;
  /** The furthest place that was handed on. */
  #reached = -1;
  /** Whether readers have yet to be told that something is missing. */
  #mustReset = false;
  /** What the mirror could not take. */
  #failure: unknown;
  /** Turns of this node that wait to be handed on, and since when. */
  readonly #waiting = new Map<Turn, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#tend(), LOOK);
  }

  /** Begins to listen, and resolves once the mirror has all that is kept. Rejects with `LOG_UNAVAILABLE`. */
  async open(): Promise<void> {
    const { connection, mirror, engine } = this.#options;
    const found = await engine.glance();
    const known = new Runs(found?.runs);
    // A mirror of another log, or of one that was flushed since.
    if (found === undefined || mirror.head < 0 || known.at(mirror.head) !== mirror.epoch) mirror.clear(-1, 0, []);
    else this.#runs = known;
    await connection.listen("live", (bytes) => this.#announced(bytes));
    for (const start = performance.now(); !(await this.catchUp());) {
      if (performance.now() - start > 4 * PATIENCE) throw connection.away(undecided());
      await new Promise((resolve) => setTimeout(resolve, WAIT));
    }
    connection.onBack = () => void this.catchUp().catch(() => {});
  }

  get runs(): Runs {
    return this.#runs;
  }

  /** Why nothing can be handed on now; undefined if it can. */
  get problem(): string | undefined {
    if (this.#failure !== undefined) return `this node's copy of the log cannot be written: ${reasonOf(this.#failure)}`;
    if (performance.now() - this.#heard > LOOK + SILENT + DEAF) return "announcements of Redis do not arrive";
    return undefined;
  }

  /** Hands on a turn, now or after what comes before it. */
  take(turn: Turn): void {
    this.#held.add(turn);
    if (turn.settle !== undefined) this.#waiting.set(turn, performance.now());
    this.#drain();
  }

  /**
   * Looks at the engine and hands on all that there is; false if the nodes do not agree yet on what there is. Rejects
   * with `LOG_UNAVAILABLE`.
   */
  catchUp(): Promise<boolean> {
    return (this.#catchingUp ??= this.#catchUp().finally(() => {
      this.#catchingUp = undefined;
      this.#drain();
    }));
  }

  /** How far the log is; rejects with `LOG_UNAVAILABLE`, also while the nodes do not agree on that. */
  async look(): Promise<EngineState> {
    const state = await this.#look();
    if (state === undefined) throw this.#options.connection.away(undecided());
    return state;
  }

  #look(): Promise<EngineState | undefined> {
    const { engine, mirror } = this.#options;
    const place = Math.max(mirror.head, this.#reached);
    return engine.look(place, place < 0 ? "" : this.#runs.at(place));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#repair);
    for (const turn of this.#held.all()) this.#settle(turn, false);
  }

  #announced(bytes: Buffer): void {
    this.#heard = performance.now();
    this.#asked = undefined;
    let turn: Turn | readonly string[];
    try {
      turn = announced(bytes, this.#options.node);
    } catch (error) {
      this.#options.report(`an announcement of Redis could not be read: ${String(error)}`);
      return;
    }
    if ("messages" in turn) {
      this.#held.add(turn);
      if (this.#isDraining) return;
      // All that came in one piece is handed on together.
      this.#isDraining = true;
      queueMicrotask(() => {
        this.#isDraining = false;
        this.#drain();
      });
      return;
    }
    if (turn[0] === "run" && turn[1] !== this.#runs.epoch) void this.catchUp().catch(() => {});
  }

  /** Hands on the turns that follow what was handed on. */
  #drain(): void {
    if (this.#catchingUp !== undefined || this.#isClosed) return;
    const { mirror } = this.#options;
    const { turns, messages, head, floor } = this.#held.following(this.#runs.epoch, mirror.head, mirror.floor);
    if (turns.length > 0 && this.#handOn(messages, head, floor)) {
      this.#held.remove(turns);
      for (const turn of turns) this.#settle(turn, true);
    }
    if (this.#held.size > 0) this.#repairSoon();
  }

  #handOn(messages: readonly Message[], head: number, floor: number): boolean {
    const kept = messages.filter(({ ephemeral }) => !ephemeral);
    try {
      if (kept.length > 0 || floor > this.#options.mirror.floor) this.#keep(kept, head, floor);
    } catch {
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
      this.#failure = error;
      throw error;
    }
  }

  #repairSoon(): void {
    if (this.#isClosed) return;
    this.#repair ??= setTimeout(() => {
      this.#repair = undefined;
      if (this.#held.size > 0 || this.#isUndecided) void this.catchUp().catch(() => {});
    }, ON_ITS_WAY);
  }

  async #catchUp(): Promise<boolean> {
    const { mirror, engine } = this.#options;
    const state = await this.#look();
    this.#isUndecided = state === undefined;
    if (state === undefined) {
      this.#repairSoon();
      return false;
    }
    // Announced before that, so what is of another run is in the log by now, or lost.
    const before = this.#held.all();
    const isBehind = mirror.head < state.floor;
    const isCleared = mirror.head < 0 || isBehind;
    const dropped = isCleared ? await engine.dropped() : [];
    // From here to where the mirror agrees with them, nothing may be awaited: a read would give old messages new ids.
    if (state.runs.length > 0) this.#runs = new Runs(state.runs);
    const hole = this.#runs.holeAfter(mirror.head);
    if (isCleared) mirror.clear(state.floor, state.channelFloor, dropped);
    else if (hole !== undefined) mirror.cut(hole.after);
    // Then readers have to be told that something is missing, in its place: they read it from the mirror.
    this.#mustReset ||= isBehind || hole !== undefined;
    if (!(await this.#fill(state.floor))) return this.#catchUp();
    if (this.#mustReset) this.onReset(mirror.head);
    this.#mustReset = false;
    this.#reached = Math.max(this.#reached, mirror.head);
    const old = before.filter(({ epoch }) => epoch !== this.#runs.epoch);
    this.#held.remove(old);
    for (const turn of old) {
      const last = turn.messages.findLast(({ ephemeral }) => !ephemeral)?.offset ?? turn.before;
      this.#settle(turn, last <= mirror.head && this.#runs.at(last) === turn.epoch);
    }
    return true;
  }

  /**
   * Reads what the mirror lacks, and hands it on unless readers have to read it from there. False if messages that it
   * lacks were dropped meanwhile.
   */
  async #fill(floor: number): Promise<boolean> {
    const { mirror, engine } = this.#options;
    for (;;) {
      const messages = await engine.read(mirror.head);
      if ((messages[0]?.offset ?? 0) > this.#runs.endOfHoles(mirror.head) + 1) return false;
      const isAll = messages.length < PAGE;
      const head = Math.max(messages.at(-1)?.offset ?? mirror.head, isAll ? this.#runs.holeEnd : -1);
      this.#keep(messages, head, floor);
      if (messages.length > 0 && !this.#mustReset) {
        this.#reached = Math.max(this.#reached, head);
        this.onMessages(messages);
      }
      if (isAll) return true;
    }
  }

  #settle(turn: Turn, isDelivered: boolean): void {
    this.#waiting.delete(turn);
    turn.settle?.(isDelivered);
  }

  /** Runs once a second. */
  async #tend(): Promise<void> {
    const { connection, engine, mirror, report } = this.#options;
    const now = performance.now();
    for (const [turn, since] of this.#waiting) if (now - since > PATIENCE) this.#settle(turn, false);
    if (!connection.isReady) return;
    try {
      // What came while this process did not run is heard first.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#asked !== undefined && now - this.#asked > DEAF) {
        this.#asked = undefined;
        report("announcements of Redis do not arrive: subscribing again");
        connection.remakeSubscription();
      } else if (this.#asked === undefined && now - this.#heard > SILENT) {
        await engine.ping();
        this.#asked = now;
      }
      const state = await this.look();
      const isOther = state.epoch !== this.#runs.epoch;
      if (isOther || this.#failure !== undefined) await this.catchUp();
      if (state.floor > mirror.floor && state.floor <= mirror.head) this.#handOn([], mirror.head, state.floor);
      if (state.head <= mirror.head) return;
      await new Promise((resolve) => setTimeout(resolve, ON_ITS_WAY));
      if (state.head > mirror.head) await this.catchUp();
    } catch {
      // The connection says so, and the next second tries again.
    }
  }
}

function undecided(): Error {
  return new Error("its state after a failover is not clear yet");
}
