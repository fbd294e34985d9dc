import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { CommandFailed, routeUrl } from "../usage.ts";
import { answer, Reader } from "./connections.ts";
import { stamped, stampReader, type DeliveryCheck } from "./delivery-check.ts";

/** Readers that connect at a time. */
const AT_ONCE = 50;
/** Milliseconds for an answer. */
const REQUEST_TIMEOUT = 30_000;
/** Milliseconds after which a message that is due is no longer sent. */
const GRACE = 250;
/** Milliseconds to wait after a publish that failed: the next would fail as well. */
const AFTER_FAILURE = 20;
/** Milliseconds without a delivery after which nothing more is expected. */
const SILENCE = 3000;
/** Milliseconds for which repetitions are waited for when all has been received. */
const QUIET = 500;
const CHECK_INTERVAL = 20;
/** Errors of this machine, which say nothing about the server. */
const OWN_LIMIT = /\b(?:EMFILE|ENFILE|ENOBUFS|EADDRNOTAVAIL)\b/;

export interface Options {
  readonly url: URL;
  readonly door: "sse" | "ws";
  readonly channel: string;
  readonly readers: number;
  readonly publishers: number;
  /** Publishes per second in total; 0: each publisher goes on when it is answered. */
  readonly rate: number;
  readonly seconds: number;
  /** Characters of a payload. */
  readonly size: number;
}

/** Readers and publishers of one channel, all in this process. */
export class Load implements Disposable {
  readonly options: Options;
  readonly readers: readonly Reader[];
  /** By publisher. */
  readonly sent: readonly { count: number; readonly failed: Set<number> }[];
  /** Why the first publish that failed did. */
  failure: string | undefined;
  /** Microseconds from the request to its answer, and to a reader. */
  readonly publishLatency: RecordableHistogram = createHistogram();
  readonly deliveryLatency: RecordableHistogram = createHistogram();
  readonly seconds = { connecting: 0, publishing: 0, delivering: 0 };
  /** The part of its time for which this process worked while it published, 0 to 1. */
  busy = 0;
  readonly #run: string;
  /** For every request. */
  readonly #headers: Readonly<Record<string, string>>;
  readonly #stampOf: ReturnType<typeof stampReader>;
  /** Where messages are posted. */
  readonly #address: URL;
  /** When the last message was received. */
  #last = 0;

  /** `run` is six letters and digits that tell the messages of this run from others; `headers` go with every request. */
  constructor(options: Options, run: string, headers: Readonly<Record<string, string>> = {}) {
    this.options = options;
    this.readers = Array.from({ length: options.readers }, () => new Reader());
    this.sent = Array.from({ length: options.publishers }, () => ({ count: 0, failed: new Set() }));
    this.#run = run;
    this.#headers = headers;
    this.#stampOf = stampReader(run, options.size);
    this.#address = routeUrl(options.url, `channels/${options.channel}/messages`);
  }

  /** Opens the readers. Throws `CommandFailed` if none can be. */
  async connect(): Promise<void> {
    const { url, door, channel } = this.options;
    const address = routeUrl(url, `${door === "sse" ? "events" : "ws"}?channel=${channel}`);
    if (door === "ws") address.protocol = url.protocol.replace("http", "ws");
    const start = performance.now();
    for (let first = 0; first < this.readers.length; first += AT_ONCE) {
      const some = this.readers.slice(first, first + AT_ONCE);
      const open = (reader: Reader): Promise<void> =>
        reader.open(address, this.#headers, (text) => this.#received(reader.check, text));
      await Promise.all(some.map(open));
      if (!some.some(({ isConnected }) => isConnected)) break;
    }
    this.seconds.connecting = secondsSince(start);
    const troubles = this.readers.map(({ trouble }) => trouble);
    checkOwnLimit(troubles);
    if (!this.readers.some(({ isConnected }) => isConnected))
      throw new CommandFailed(`No reader could connect: ${troubles[0]}`);
  }

  /** Publishes, and waits for the deliveries. */
  async run(): Promise<void> {
    const start = performance.now();
    const before = performance.eventLoopUtilization();
    await Promise.all(this.sent.map((_, publisher) => this.#publishAll(publisher, start)));
    this.busy = performance.eventLoopUtilization(before).utilization;
    this.seconds.publishing = secondsSince(start);
    checkOwnLimit([this.failure]);
    await this.#drain();
    this.seconds.delivering = Math.max(0, this.#last - start) / 1000;
  }

  [Symbol.dispose](): void {
    for (const reader of this.readers) reader.close();
  }

  #received(check: DeliveryCheck, text: string): void {
    const stamp = this.#stampOf(text);
    if (stamp === undefined || stamp.sequence >= (this.sent[stamp.publisher]?.count ?? 0)) {
      // Others may publish on this channel, too.
      if (text.includes(`~b${this.#run}.`)) check.damaged++;
    } else if (check.take(stamp)) {
      this.#last = performance.now();
      record(this.deliveryLatency, this.#last * 1000 - stamp.sent);
    }
  }

  /** The messages of the whole rate are dealt out to all publishers in turn; each waits for its answers. */
  async #publishAll(publisher: number, start: number): Promise<void> {
    const { rate, seconds, publishers } = this.options;
    const end = start + seconds * 1000;
    if (rate === 0) while (performance.now() < end) await this.#publish(publisher);
    for (let message = publisher; message < rate * seconds; message += publishers) {
      const wait = start + (message * 1000) / rate - performance.now();
      if (wait > 0) await pause(wait);
      if (performance.now() > end + GRACE) return;
      await this.#publish(publisher);
    }
  }

  async #publish(publisher: number): Promise<void> {
    const { size } = this.options;
    const sent = this.sent[publisher] as { count: number; readonly failed: Set<number> };
    const sequence = sent.count++;
    const start = performance.now();
    const text = stamped(this.#run, { publisher, sequence, sent: Math.round(start * 1000) }, size);
    const body = JSON.stringify(text);
    const headers = {
      ...this.#headers,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    };
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT);
    try {
      const response = await answer(this.#address, { method: "POST", headers, signal }, body);
      // To its end: an answer that is cut off does not count.
      for await (const _ of response);
      record(this.publishLatency, (performance.now() - start) * 1000);
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      sent.failed.add(sequence);
      this.failure ??= signal.aborted ? `no answer within ${REQUEST_TIMEOUT / 1000} s` : message || code;
      await pause(AFTER_FAILURE);
    }
  }

  async #drain(): Promise<void> {
    const answered = this.publishLatency.count;
    const since = performance.now();
    const isMissing = ({ isConnected, trouble, check }: Reader): boolean =>
      isConnected && trouble === undefined && (check.received < answered || check.faults(this.sent).lost > 0);
    while (this.readers.some(isMissing) && performance.now() - Math.max(this.#last, since) < SILENCE)
      await pause(CHECK_INTERVAL);
    await pause(QUIET);
  }
}

/** Throws if this machine could not open a connection. */
function checkOwnLimit(troubles: readonly (string | undefined)[]): void {
  const trouble = troubles.find((one) => one !== undefined && OWN_LIMIT.test(one));
  if (trouble === undefined) return;
  throw new CommandFailed(
    `Not judged: this machine cannot open that many connections (${trouble}); raise ulimit -n, or use fewer --readers`,
  );
}

function record(histogram: RecordableHistogram, micros: number): void {
  histogram.record(Math.max(1, Math.round(micros)));
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
