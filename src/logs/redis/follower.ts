import type { Message } from "../../core/message.ts";
import type { RedisConnection } from "./connection.ts";
import { PAGE, type EngineState, type RedisEngine } from "./engine.ts";
import type { Mirror } from "./mirror.ts";
import { announced, type Turn } from "./record.ts";
import { HeldTurns } from "./held-turns.ts";
import { reasonOf } from "../sqlite/errors.ts";
import { Runs, undecided } from "./runs.ts";

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
/** Milliseconds without an announcement after which the subscription is made anew. */
const DEAF = 2000;
/** Milliseconds that a turn of this node may wait for what comes before it. */
const PATIENCE = 2500;

/**
 * Hands on what any node appends: in order, once, none left out. Announcements may be lost or late; the offsets show it,
 * and what is missing is read from the engine.
 */
export class RedisFollower {
  /** Called with what is new, after the mirror has it. */
  onMessages: (messages: readonly Message[]) => void = () => {};
  /** Called with the offset to go on from, if messages are missing, and the last one up to which all were handed on. */
  onReset: (head: number, valid?: number) => void = () => {};
  /** Times that the subscription was made anew because nothing came. */
  remade = 0;
  readonly #options: FollowerOptions;
  readonly #held = new HeldTurns();
  #runs = new Runs();
  #repair: NodeJS.Timeout | undefined;
  #catchingUp: Promise<boolean> | undefined;
  #isDraining = false;
  /** Whether the nodes have yet to agree on a new run. */
  #isUndecided = false;
  #isClosed = false;
  /** When an announcement came last. */
  #heard = performance.now();
  /** What the mirror could not take. */
  #failure: Error | undefined;
  /** Set until readers are told that messages are missing: nothing is handed on before. */
  #missing: { readonly valid: number } | undefined;
  #waiting = new Map<Turn, number>();
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

  /** Why the mirror takes nothing now; undefined if it does. */
  get mirrorProblem(): string | undefined {
    return this.#failure && `this node's copy of the log cannot be written: ${reasonOf(this.#failure)}`;
  }

  /** Why nothing can be handed on now; undefined if it can. */
  get problem(): string | undefined {
    const isDeaf = performance.now() - this.#heard > DEAF + LOOK;
    return this.mirrorProblem ?? (isDeaf ? "announcements of Redis do not arrive" : undefined);
  }

  /** Hands on a turn, now or after what comes before it. */
  take(turn: Turn): void {
    this.#held.insert(turn);
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
    const place = mirror.head;
    return engine.look(place, place < 0 ? "" : this.#runs.at(place));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#repair);
    for (const turn of this.#held.all) this.#settle(turn, false);
  }

  #announced(bytes: Buffer): void {
    this.#heard = performance.now();
    let turn: Turn | readonly string[];
    try {
      turn = announced(bytes, this.#options.node);
    } catch (error) {
      this.#options.report(`an announcement of Redis could not be read: ${String(error)}`);
      return;
    }
    if ("messages" in turn) {
      this.#held.push(turn);
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
    if (this.#missing !== undefined) return this.#repairSoon();
    const { mirror } = this.#options;
    const messages: Message[] = [];
    const done = new Set<Turn>();
    let { head, floor } = mirror;
    for (const turn of this.#held.all) {
      if (turn.epoch !== this.#runs.epoch || turn.before > head) break;
      for (const message of turn.messages) {
        if (message.ephemeral) messages.push({ ...message, offset: head });
        else if (message.offset > head) {
          messages.push(message);
          head = message.offset;
        }
      }
      floor = Math.max(floor, turn.floor);
      done.add(turn);
    }
    if (done.size > 0 && this.#handOn(messages, head, floor)) {
      this.#held.remove((turn) => done.has(turn));
      for (const turn of done) this.#settle(turn, true);
    }
    if (this.#held.size > 0) this.#repairSoon();
  }

  #handOn(messages: readonly Message[], head: number, floor: number): boolean {
    const kept = messages.filter(({ ephemeral }) => !ephemeral);
    try {
      if (kept.length > 0 || floor > this.#options.mirror.floor) this.#write(kept, head, floor);
    } catch {
      // It is read again with what comes after it.
      this.#held.remove(({ settle }) => settle === undefined);
      return false;
    }
    if (messages.length > 0) this.onMessages(messages);
    return true;
  }

  #write(messages: readonly Message[], head: number, floor: number): void {
    const { mirror, report } = this.#options;
    try {
      mirror.apply(messages, { head, floor, epoch: this.#runs.at(head) });
      this.#failure = undefined;
    } catch (error) {
      if (this.#failure === undefined) report(`the copy of the log cannot be written: ${reasonOf(error)}`);
      this.#failure = error as Error;
      throw error;
    }
  }

  #repairSoon(): void {
    if (this.#isClosed) return;
    this.#repair ??= setTimeout(() => {
      this.#repair = undefined;
      if (this.#held.size > 0 || this.#isUndecided || this.#missing !== undefined) void this.catchUp().catch(() => {});
    }, ON_ITS_WAY);
  }

  async #catchUp(): Promise<boolean> {
    const { mirror, engine } = this.#options;
    const state = await this.#look();
    this.#isUndecided = state === undefined;
    if (state === undefined) this.#repairSoon();
    if (state === undefined) return false;
    // Announced before that, so what is of another run is in the log by now, or lost.
    const before = new Set(this.#held.all);
    const runs = state.runs.length > 0 ? new Runs(state.runs) : this.#runs;
    const hole = runs.holeAfter(mirror.head);
    const shared = this.#runs.sharedWith(runs);
    const isBehind = mirror.head < state.floor;
    // Then readers have to be told that something is missing, in its place: they read it from the mirror.
    if (isBehind || hole !== undefined || shared < mirror.head) {
      // Where no hole says so, what was handed on after that is not what the log has in its place.
      const valid = shared < mirror.head && shared !== hole?.after ? Math.max(shared, 0) : Infinity;
      this.#missing = { valid: Math.min(valid, this.#missing?.valid ?? Infinity) };
    }
    const good = Math.min(shared, hole?.after ?? Infinity);
    if (isBehind || good < 0) mirror.clear(state.floor, state.channelFloor, await engine.dropped());
    else if (good < mirror.head) mirror.cut(good);
    this.#runs = runs;
    const isFilled = await this.#fill(state.floor);
    if (this.#missing !== undefined) {
      const { valid } = this.#missing;
      this.#missing = undefined;
      this.onReset(mirror.head, valid);
    }
    if (!isFilled) return this.#catchUp();
    const other = this.#held.all.filter((turn) => before.has(turn) && turn.epoch !== runs.epoch);
    for (const turn of other) {
      const last = turn.messages.findLast(({ ephemeral }) => !ephemeral)?.offset ?? turn.before;
      this.#settle(turn, last <= mirror.head && runs.at(last) === turn.epoch);
    }
    this.#held.remove((turn) => other.includes(turn));
    return true;
  }

  /** Reads what the mirror lacks, and hands it on. False if messages that it lacks were dropped meanwhile. */
  async #fill(floor: number): Promise<boolean> {
    const { mirror, engine } = this.#options;
    for (;;) {
      const messages = await engine.read(mirror.head);
      if ((messages[0]?.offset ?? 0) > this.#runs.endOfHoles(mirror.head) + 1) return false;
      const isAll = messages.length < PAGE;
      const head = Math.max(messages.at(-1)?.offset ?? mirror.head, isAll ? this.#runs.holeEnd : -1);
      this.#write(messages, head, floor);
      if (messages.length > 0 && this.#missing === undefined) this.onMessages(messages);
      if (isAll) return true;
    }
  }

  #settle(turn: Turn, isDelivered: boolean): void {
    this.#waiting.delete(turn);
    turn.settle?.(isDelivered);
  }

  /** Runs once a second. */
  async #tend(): Promise<void> {
    const { connection, engine, mirror } = this.#options;
    const now = performance.now();
    for (const [turn, since] of this.#waiting) {
      if (now - since <= PATIENCE) continue;
      this.#settle(turn, false);
      // What was kept of it is read from the engine.
      this.#held.remove((one) => one === turn);
    }
    if (!connection.isReady) return;
    try {
      if (now - this.#heard > DEAF) {
        this.remade++;
        this.#heard = now;
        connection.remakeSubscription();
      } else if (now - this.#heard > LOOK * 0.9) await engine.ping();
      const state = await this.look();
      const isOther = state.epoch !== this.#runs.epoch;
      if (isOther || this.#failure !== undefined || this.#missing !== undefined) await this.catchUp();
      if (state.floor > mirror.floor && state.floor <= mirror.head) this.#handOn([], mirror.head, state.floor);
      if (state.head <= mirror.head) return;
      await new Promise((resolve) => setTimeout(resolve, ON_ITS_WAY));
      if (state.head > mirror.head) await this.catchUp();
    } catch {
      // The connection says so, and the next second tries again.
    }
  }
}
