import { request as plain, type Agent, type IncomingMessage } from "node:http";
import { request as secure } from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import { stamped, type Sent } from "./check.ts";
import { refusal } from "./reader.ts";

/** Milliseconds to wait after a publish that failed: the next would fail as well. */
const AFTER_FAILURE = 20;
/** Milliseconds for an answer. */
const PATIENCE = 30_000;

export interface PublisherOptions {
  /** Where messages are posted. */
  readonly url: URL;
  readonly agent: Agent;
  readonly run: string;
  /** Characters of a payload. */
  readonly size: number;
  /** Called with the microseconds from request to answer. */
  readonly answered: (micros: number) => void;
}

/** When to publish, in milliseconds of `performance.now()`. */
export interface Schedule {
  readonly first: number;
  readonly interval: number;
  readonly total: number;
}

/** Publishes one message after the other, each when the one before is answered. */
export class Publisher implements Sent {
  count = 0;
  answered = 0;
  readonly failed: Set<number> = new Set();
  /** Messages that were due and have not been sent. */
  behind = 0;
  /** Why the first publish that failed did. */
  trouble: string | undefined;
  readonly #number: number;
  readonly #options: PublisherOptions;

  constructor(number: number, options: PublisherOptions) {
    this.#number = number;
    this.#options = options;
  }

  /** Publishes until `end`, as fast as it is answered. Times are of `performance.now()`. */
  async asAnswered(end: number): Promise<void> {
    while (performance.now() < end) await this.#publish();
  }

  /** Publishes at the times of a schedule, or as soon after each as the one before is answered, until `end`. */
  async atTimes({ first, interval, total }: Schedule, end: number): Promise<void> {
    for (let index = 0; index < total; index++) {
      const wait = first + index * interval - performance.now();
      if (wait > 0) await pause(wait);
      if (performance.now() > end) {
        this.behind = total - index;
        return;
      }
      await this.#publish();
    }
  }

  async #publish(): Promise<void> {
    const { run, size, answered } = this.#options;
    const sequence = this.count++;
    const start = performance.now();
    const stamp = { publisher: this.#number, sequence, sent: Math.round(start * 1000) };
    try {
      await this.#post(JSON.stringify(stamped(run, stamp, size)));
      this.answered++;
      answered((performance.now() - start) * 1000);
    } catch (error) {
      this.failed.add(sequence);
      this.trouble ??= (error as Error).message;
      await pause(AFTER_FAILURE);
    }
  }

  async #post(body: string): Promise<void> {
    const { url, agent } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const signal = AbortSignal.timeout(PATIENCE);
    const options = { method: "POST", agent, headers, signal };
    const request = (url.protocol === "https:" ? secure : plain)(url, options, resolve);
    request.on("error", (error) => {
      reject(signal.aborted ? new Error(`no answer within ${PATIENCE / 1000} s`, { cause: error }) : error);
    });
    request.end(body);
    const response = await promise;
    if (response.statusCode !== 200 && response.statusCode !== 201) throw new Error(await refusal(response));
    // To its end: an answer that is cut off does not count.
    for await (const _ of response);
  }
}
