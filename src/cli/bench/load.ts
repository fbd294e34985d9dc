import { Agent } from "node:http";
import { Agent as SecureAgent } from "node:https";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { routeUrl } from "../usage.ts";
import { ReaderCheck, stampReader, type Faults } from "./check.ts";
import type { Options } from "./options.ts";
import { Publisher, type Schedule } from "./publisher.ts";
import { Reader } from "./reader.ts";

/** Readers that connect at a time. */
const AT_ONCE = 50;
/** Milliseconds after which a message that is due is no longer sent. */
const GRACE = 250;
/** Milliseconds without a delivery after which nothing more is expected. */
const PATIENCE = 3000;
const LOOK = 20;
/** Milliseconds for which repetitions are waited for when all has been received. */
const QUIET = 500;
/** Troubles, and readers with faults, that are told. */
const MOST_TOLD = 5;

/** Milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** A reader that did not get every message once and in order. */
export interface FaultyReader extends Faults {
  readonly reader: number;
  readonly trouble: string | undefined;
}

/** What a run has shown; what `--json` prints. */
export interface Result {
  readonly connects: {
    readonly wanted: number;
    readonly connected: number;
    readonly seconds: number;
    readonly perSecond: number;
    readonly troubles: readonly string[];
  };
  readonly publishes: {
    readonly answered: number;
    readonly failed: number;
    readonly trouble: string | undefined;
    /** Messages that the rate asked for and that were never sent. */
    readonly behind: number;
    readonly perSecond: number;
    readonly latency: Percentiles;
  };
  readonly deliveries: {
    readonly expected: number;
    readonly delivered: number;
    readonly lost: number;
    readonly duplicated: number;
    readonly disordered: number;
    readonly damaged: number;
    readonly perSecond: number;
    readonly latency: Percentiles;
    readonly faultyReaders: number;
    /** The first of them. */
    readonly readers: readonly FaultyReader[];
  };
  readonly load: {
    /** The part of its time for which the process of the load worked while it published, 0 to 1. */
    readonly busy: number;
  };
}

/** Readers and publishers of one channel, all in this process. */
export class Load implements Disposable {
  readonly #options: Options;
  readonly #checks: ReaderCheck[] = [];
  readonly #readers: Reader[] = [];
  readonly #publishers: Publisher[];
  readonly #agent: Agent;
  readonly #publishing = createHistogram();
  readonly #delivery = createHistogram();
  readonly #stampOf: ReturnType<typeof stampReader>;
  readonly #mark: string;
  readonly #subscribe: URL;
  /** When the last message was received. */
  #last = 0;
  #connecting = 0;

  /** `run` is six letters and digits that tell this run from others. */
  constructor(options: Options, channel: string, run: string) {
    this.#options = options;
    const { url, door, publishers, size } = options;
    this.#stampOf = stampReader(run, size);
    this.#mark = `~b${run}.`;
    this.#subscribe = routeUrl(url, `${door === "sse" ? "events" : "ws"}?channel=${channel}`);
    if (door === "ws") this.#subscribe.protocol = url.protocol.replace("http", "ws");
    const sockets = { keepAlive: true, maxSockets: publishers };
    this.#agent = url.protocol === "https:" ? new SecureAgent(sockets) : new Agent(sockets);
    const answered = (micros: number): void => record(this.#publishing, micros);
    const post = { url: routeUrl(url, `channels/${channel}/messages`), agent: this.#agent, run, size, answered };
    this.#publishers = Array.from({ length: publishers }, (_, number) => new Publisher(number, post));
  }

  /** Messages so far. */
  get progress(): { readonly published: number; readonly delivered: number } {
    return { published: sum(this.#publishers, answeredOf), delivered: sum(this.#checks, ({ received }) => received) };
  }

  /** Opens the readers. Throws if none can be. */
  async connect(): Promise<void> {
    const start = performance.now();
    while (this.#readers.length < this.#options.readers) {
      const some = Array.from({ length: Math.min(AT_ONCE, this.#options.readers - this.#readers.length) }, () => {
        const check = new ReaderCheck();
        this.#checks.push(check);
        return new Reader(this.#subscribe, (text) => this.#received(check, text));
      });
      this.#readers.push(...some);
      await Promise.all(some.map(({ ready }) => ready));
    }
    this.#connecting = (performance.now() - start) / 1000;
    if (this.#connected.length === 0) throw new Error(`No reader could connect: ${this.#troubles.join("; ")}`);
  }

  /** Publishes, waits for the deliveries, and says how it went. */
  async run(): Promise<Result> {
    const { rate, seconds } = this.#options;
    const start = performance.now();
    const before = performance.eventLoopUtilization();
    const end = start + seconds * 1000;
    await Promise.all(
      this.#publishers.map((publisher, number) =>
        rate === 0 ? publisher.asAnswered(end) : publisher.atTimes(this.#schedule(number, start), end + GRACE),
      ),
    );
    const { utilization } = performance.eventLoopUtilization(before);
    const publishing = (performance.now() - start) / 1000;
    await this.#drain();
    return this.#result(publishing, (this.#last - start) / 1000, utilization);
  }

  [Symbol.dispose](): void {
    for (const reader of this.#readers) reader.close();
    this.#agent.destroy();
  }

  #received(check: ReaderCheck, text: string): void {
    const stamp = this.#stampOf(text);
    if (stamp === undefined || stamp.sequence >= (this.#publishers[stamp.publisher]?.count ?? 0)) {
      // Others may publish on this channel, too.
      if (text.includes(this.#mark)) check.damaged++;
      return;
    }
    if (!check.take(stamp)) return;
    this.#last = performance.now();
    record(this.#delivery, this.#last * 1000 - stamp.sent);
  }

  /** When a publisher sends: the messages of the whole rate are dealt out to all in turn. */
  #schedule(publisher: number, start: number): Schedule {
    const { rate, seconds, publishers } = this.#options;
    const apart = 1000 / rate;
    return {
      first: start + publisher * apart,
      interval: publishers * apart,
      total: Math.ceil((rate * seconds - publisher) / publishers),
    };
  }

  async #drain(): Promise<void> {
    const due = sum(this.#publishers, answeredOf);
    const since = performance.now();
    const isMissing = ({ isConnected, trouble }: Reader, index: number): boolean => {
      const check = this.#checks[index];
      if (!isConnected || trouble !== undefined || check === undefined) return false;
      return check.received < due || check.faults(this.#publishers).lost > 0;
    };
    while (this.#readers.some(isMissing) && performance.now() - Math.max(this.#last, since) < PATIENCE)
      await pause(LOOK);
    await pause(QUIET);
  }

  get #connected(): readonly Reader[] {
    return this.#readers.filter(({ isConnected }) => isConnected);
  }

  get #troubles(): readonly string[] {
    const troubles = this.#readers.flatMap(({ isConnected, trouble }) => (isConnected ? [] : (trouble ?? [])));
    return [...new Set(troubles)].slice(0, MOST_TOLD);
  }

  #result(publishing: number, delivering: number, busy: number): Result {
    const answered = sum(this.#publishers, answeredOf);
    const connected = this.#connected.length;
    const found = this.#readers.flatMap((reader, index): FaultyReader[] =>
      reader.isConnected
        ? [{ reader: index, trouble: reader.trouble, ...(this.#checks[index] as ReaderCheck).faults(this.#publishers) }]
        : [],
    );
    const faulty = found.filter(
      (one) => one.lost + one.duplicated + one.disordered + one.damaged > 0 || one.trouble !== undefined,
    );
    const lost = sum(faulty, (one) => one.lost);
    const delivered = answered * connected - lost;
    return {
      connects: {
        wanted: this.#options.readers,
        connected,
        seconds: this.#connecting,
        perSecond: connected / this.#connecting,
        troubles: this.#troubles,
      },
      publishes: {
        answered,
        failed: sum(this.#publishers, ({ failed }) => failed.size),
        trouble: this.#publishers.find(({ trouble }) => trouble !== undefined)?.trouble,
        behind: sum(this.#publishers, ({ behind }) => behind),
        perSecond: answered / publishing,
        latency: percentiles(this.#publishing),
      },
      deliveries: {
        expected: answered * connected,
        delivered,
        lost,
        duplicated: sum(faulty, (one) => one.duplicated),
        disordered: sum(faulty, (one) => one.disordered),
        damaged: sum(faulty, (one) => one.damaged),
        perSecond: delivered === 0 ? 0 : delivered / delivering,
        latency: percentiles(this.#delivery),
        faultyReaders: faulty.length,
        readers: faulty.slice(0, MOST_TOLD),
      },
      load: { busy },
    };
  }
}

function answeredOf({ answered }: Publisher): number {
  return answered;
}

function record(histogram: RecordableHistogram, micros: number): void {
  histogram.record(Math.max(1, Math.round(micros)));
}

function percentiles(histogram: RecordableHistogram): Percentiles {
  const at = (percent: number): number => (histogram.count === 0 ? 0 : histogram.percentile(percent) / 1000);
  return { p50: at(50), p90: at(90), p99: at(99), max: histogram.count === 0 ? 0 : histogram.max / 1000 };
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
