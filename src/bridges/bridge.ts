import { LeaseHolder, type Lease } from "../core/lease.ts";
import { CONNECT_TIMEOUT, MissingError, type Bus, type BusKind, type Source } from "./bus.ts";
import type { BridgeConfig } from "./config.ts";
import { newCounters, type BridgeContext, type BridgeWork } from "./context.ts";
import type { Origin } from "./incoming.ts";
import { receive, StoppedError } from "./receive.ts";
import type { InRule, OutRule } from "./rules.ts";
import { beginAt, send } from "./send.ts";
import { oneLine } from "../protocol/text.ts";
import { withTimeOut } from "./time-out.ts";
import type { BridgeCounters, BridgeState, BridgeStatus } from "../protocol/bridge-status.ts";

/** Milliseconds before it reconnects at most: doubled after each failure. It waits for half of that to all of it. */
const MIN_BACKOFF = 500;
const MAX_BACKOFF = 30_000;
/** Milliseconds after which another node takes over from one that died. */
const LEASE = 10_000;
/** Milliseconds between two measurements of the lag. */
const LAG_INTERVAL = 5000;
/** Characters of a sentence about a message, or of a bus. */
const MAX_SENTENCE = 1000;
/** Notices that are logged in one second; more are dropped. */
const MAX_NOTICES = 5;

type Fields = OutRule & Readonly<Record<string, unknown>>;

/** Connects channels to one bus, and reconnects whenever the connection is lost, until it is closed. */
export class Bridge {
  readonly name: string;
  readonly counters: BridgeCounters = newCounters();
  readonly #config: BridgeConfig;
  readonly #kind: BusKind<unknown, InRule, OutRule>;
  readonly #work: BridgeWork;
  readonly #end = new AbortController();
  readonly #sources = new Set<Source>();
  /** The `in` rules, by index, for which this bridge has found the bus ready, or their stream or topic missing. */
  readonly #probed = new Set<number>();
  /** What each `out` rule had refused when the connection was lost: a page of messages at most. */
  readonly #refused: Map<string, Error>[] = [];
  #state: BridgeState = "connecting";
  #error: { readonly sentence: string; readonly time: string } | undefined;
  #isBehind = false;
  #wasLost = false;
  #lag: number | null = null;
  #noticed = { second: 0, count: 0 };
  #running: Promise<void> = Promise.resolve();
  #lease: Lease | undefined;
  #onLease: () => void = () => {};

  constructor(config: BridgeConfig, kind: BusKind<unknown, InRule, OutRule>, context: BridgeContext) {
    this.name = config.name;
    this.#config = config;
    this.#kind = kind;
    const notice = (sentence: string): void => this.#notice(sentence);
    this.#work = { ...context, bridge: config.name, counters: this.counters, notice };
  }

  get status(): BridgeStatus {
    return {
      name: this.name,
      kind: this.#config.kind,
      state: this.#state,
      lag: this.#lag,
      isBehind: this.#isBehind,
      error: this.#error?.sentence ?? null,
      errorTime: this.#error?.time ?? null,
      required: this.#config.required,
      ...this.counters,
    };
  }

  /** Connects, again and again. If the bridge is new, it sends what is published from now on. */
  start(): void {
    this.#running = this.#run(this.#work.hub.cursor());
  }

  /** Stops receiving and sending, and disconnects. The bus delivers what was not acknowledged again later. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
    this.#state = "closed";
  }

  async #run(began: string): Promise<void> {
    const { signal } = this.#end;
    const holder = this.#isExclusive ? this.#holder() : undefined;
    const timer = setInterval(() => void this.#measureLag(), LAG_INTERVAL).unref();
    for (let failures = 0; !signal.aborted;) {
      const start = performance.now();
      try {
        if (this.#config.out.length > 0) await beginAt(began, this.#work);
        await this.#connectAndWork();
      } catch (error) {
        if (signal.aborted) break;
        this.#failed(error as Error);
        if (error instanceof StoppedError) break;
        // A connection that lasted is not part of a series of failures.
        failures = performance.now() - start > MAX_BACKOFF ? 1 : failures + 1;
        const most = Math.min(MIN_BACKOFF * 2 ** (failures - 1), MAX_BACKOFF);
        await this.#work.wait(most * (0.5 + Math.random() / 2), signal);
      }
    }
    clearInterval(timer);
    await holder?.close();
  }

  /** Connects, and works until the connection is lost; rejects then. */
  async #connectAndWork(): Promise<void> {
    this.#state = "connecting";
    const { shared, log } = this.#work;
    const report = (sentence: string): void => log.warn(`bridge ${this.name}: ${sentence}`);
    const client = { bridge: this.name, node: shared.node, report };
    const connecting = this.#kind.connect(this.#config.connection, client);
    const bus = await withTimeOut(connecting, 2 * CONNECT_TIMEOUT, "the bus did not answer in time");
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#end.signal]);
    try {
      const work = [this.#receiveShared(bus, signal), this.#whileLeased(bus, signal)];
      if (this.#state === "connecting") this.#state = "running";
      await Promise.race([bus.lost, Promise.all(work)]);
    } finally {
      stop.abort();
      await Promise.allSettled([...this.#sources].map((source) => source.close()));
      this.#sources.clear();
      await bus.close().catch(() => {});
      this.#lag = null;
    }
  }

  /** Receives for the rules that all nodes serve at the same time. */
  async #receiveShared(bus: Bus<InRule, OutRule>, signal: AbortSignal): Promise<void> {
    await this.#receive(bus, (rule) => !this.#kind.isExclusive(rule), signal);
  }

  /** Whenever this node holds the lease: receives for the rules that one node serves at a time, and sends. */
  async #whileLeased(bus: Bus<InRule, OutRule>, signal: AbortSignal): Promise<void> {
    if (!this.#isExclusive) return;
    while (!signal.aborted) {
      const lease = this.#lease;
      if (lease === undefined || lease.signal.aborted) {
        this.#state = "standby";
        await this.#leaseOrAbort(signal);
        continue;
      }
      this.#state = "running";
      const both = AbortSignal.any([signal, lease.signal]);
      await Promise.all([this.#receive(bus, (rule) => this.#kind.isExclusive(rule), both), this.#send(bus, both)]);
    }
  }

  async #receive(bus: Bus<InRule, OutRule>, isWanted: (rule: InRule) => boolean, signal: AbortSignal): Promise<void> {
    const { hubId: hub, maxBytes } = this.#work;
    const { prefixes } = this.#kind;
    await Promise.all(
      this.#config.in.map(async (rule, index) => {
        if (!isWanted(rule)) return;
        const source = await this.#source(bus, rule, index);
        this.#sources.add(source);
        const close = (): void => void source.close().catch(() => {});
        if (signal.aborted) close();
        signal.addEventListener("abort", close);
        try {
          const origin: Origin = { bridge: this.name, kind: this.#config.kind, rule: index, prefixes, hub, maxBytes };
          await receive(source, rule, origin, this.#work, signal);
          if (!signal.aborted) throw new Error("the bus ended what it was delivering");
        } finally {
          signal.removeEventListener("abort", close);
          this.#sources.delete(source);
          await source.close().catch(() => {});
        }
      }),
    );
  }

  /**
   * Opens the source of a rule. If the bus has no position for the rule although it was probed before, its stream or topic
   * was created since then: it is read from its beginning.
   */
  async #source(bus: Bus<InRule, OutRule>, rule: InRule, index: number): Promise<Source> {
    try {
      const source = await bus.source(this.#probed.has(index) ? { ...rule, ...this.#kind.fromBeginning } : rule);
      this.#probed.add(index);
      this.#noteRecovery();
      return source;
    } catch (error) {
      if (error instanceof MissingError) this.#probed.add(index);
      throw error;
    }
  }

  async #send(bus: Bus<InRule, OutRule>, signal: AbortSignal): Promise<void> {
    if (this.#config.out.length === 0) return untilAborted(signal);
    const { destination, prefixes } = this.#kind;
    const sendings = await Promise.all(
      this.#config.out.map(async (rule, index) => {
        const refused = this.#refused[index] ?? new Map<string, Error>();
        this.#refused[index] = refused;
        const isByChannel = String((rule as Fields)[destination]).includes("${channel}");
        return { rule, isByChannel, refused, target: await bus.target(rule) };
      }),
    );
    this.#noteRecovery();
    try {
      await send(sendings, prefixes[0] ?? "", this.#work, signal, (isBehind) => (this.#isBehind = isBehind));
    } finally {
      await Promise.allSettled(sendings.map(({ target }) => target.close()));
    }
  }

  get #isExclusive(): boolean {
    return this.#config.out.length > 0 || this.#config.in.some((rule) => this.#kind.isExclusive(rule));
  }

  #holder(): LeaseHolder {
    const onHeld = (lease: Lease): void => {
      this.#lease = lease;
      this.#onLease();
    };
    return new LeaseHolder({ store: this.#work.shared, name: `bridge:${this.name}`, lifetime: LEASE, onHeld });
  }

  /** Resolves when this node acquires the lease, or the signal is aborted. */
  #leaseOrAbort(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#onLease = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted || this.#lease?.signal.aborted === false) resolve();
    });
  }

  async #measureLag(): Promise<void> {
    const lags = await Promise.all([...this.#sources].map(async (source) => source.lag?.().catch(() => undefined)));
    const known = lags.filter((lag) => lag !== undefined);
    this.#lag = known.length === 0 ? null : known.reduce((sum, lag) => sum + lag, 0);
  }

  #failed(error: Error): void {
    this.counters.failures++;
    const isStopped = error instanceof StoppedError;
    this.#state = isStopped ? "stopped" : "connecting";
    this.#wasLost = true;
    const before = this.#error?.sentence;
    const sentence = briefLine(error.message);
    this.#error = { sentence, time: new Date().toISOString() };
    // Only once for the same error, however often it reconnects.
    if (isStopped || before !== sentence) this.#work.log.warn(`bridge ${this.name}: ${sentence}`);
  }

  #noteRecovery(): void {
    if (this.#wasLost) this.#work.log.info(`bridge ${this.name}: running again`);
    this.#wasLost = false;
  }

  /** Logs a notice, unless there are too many. */
  #notice(text: string): void {
    const sentence = briefLine(text);
    this.#error = { sentence, time: new Date().toISOString() };
    const second = Math.floor(Date.now() / 1000);
    if (this.#noticed.second !== second) this.#noticed = { second, count: 0 };
    if (this.#noticed.count++ < MAX_NOTICES) this.#work.log.warn(`bridge ${this.name}: ${sentence}`);
  }
}

/** What strangers and buses write, on one line and not longer than a line may be. */
function briefLine(text: string): string {
  return oneLine(text.length > MAX_SENTENCE ? `${text.slice(0, MAX_SENTENCE).toWellFormed()}…` : text);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
