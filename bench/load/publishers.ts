import { setTimeout as pause } from "node:timers/promises";
import { micros } from "./clock.ts";
import { Histogram } from "./histogram.ts";
import type { ConnectReport, PublishReport } from "./orders.ts";
import type { Plan } from "./plan.ts";
import { Publisher } from "./publisher.ts";

const ANSWER_WAIT = 10_000;
const SECOND = 1e6;

/** All publishers of a run, in a closed loop or at a rate. */
export class Publishers {
  readonly #plan: Plan;
  readonly #latencies = new Histogram();
  readonly #publishers: Publisher[] = [];
  /** Messages due by the rate that their publisher could not send yet. */
  readonly #owed: Uint32Array;
  #due = 0;
  #open = false;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#owed = new Uint32Array(plan.publishers);
    for (let index = 0; index < plan.publishers; index += 1) {
      this.#publishers.push(new Publisher(plan, index, this.#latencies, () => this.#next(index)));
    }
  }

  /** Messages the server has taken. */
  get answered(): number {
    return this.#publishers.reduce((sum, { answered }) => sum + answered, 0);
  }

  async connect(): Promise<ConnectReport> {
    const start = micros();
    const reasons = await Promise.all(this.#publishers.map((publisher) => publisher.open()));
    const troubles = reasons.filter((reason) => reason !== undefined);
    const connected = reasons.length - troubles.length;
    return { kind: "connected", connected, seconds: (micros() - start) / SECOND, troubles: [...new Set(troubles)] };
  }

  /** Publishes for as long as planned, and waits for the last answers. */
  async run(): Promise<PublishReport> {
    const start = micros();
    this.#open = true;
    if (this.#plan.rate > 0) await this.#keepRate(start);
    else await this.#closedLoop();
    this.#open = false;
    const seconds = (micros() - start) / SECOND;
    const deadline = micros() + ANSWER_WAIT * 1e3;
    while (this.#publishers.some(({ busy }) => busy) && micros() < deadline) await pause(5);
    for (const publisher of this.#publishers) publisher.close();
    return {
      kind: "published",
      counts: Uint32Array.from(this.#publishers, ({ sent }) => sent),
      unanswered: this.#publishers.flatMap(({ unanswered }) => unanswered),
      answered: this.answered,
      behind: this.#owed.reduce((sum, owed) => sum + owed, 0),
      seconds,
      start,
      latencies: this.#latencies.counts(),
      trouble: this.#publishers.find(({ trouble }) => trouble !== undefined)?.trouble,
    };
  }

  async #closedLoop(): Promise<void> {
    for (const publisher of this.#publishers) publisher.publish();
    await pause(this.#plan.seconds * 1e3);
  }

  async #keepRate(start: number): Promise<void> {
    const { rate, seconds } = this.#plan;
    const interval = SECOND / rate;
    const end = start + seconds * SECOND;
    for (let now = micros(); now < end; now = micros()) {
      for (; start + this.#due * interval <= now; this.#due += 1) this.#owe(this.#due % this.#publishers.length);
      const wait = start + this.#due * interval - micros();
      await pause(Math.max(1, Math.floor(wait / 1e3)));
    }
  }

  #owe(index: number): void {
    this.#owed[index] = (this.#owed[index] ?? 0) + 1;
    if (this.#publishers[index]?.busy === false) this.#next(index);
  }

  #next(index: number): void {
    if (!this.#open) return;
    if (this.#plan.rate > 0) {
      const owed = this.#owed[index] ?? 0;
      if (owed === 0) return;
      this.#owed[index] = owed - 1;
    }
    this.#publishers[index]?.publish();
  }
}
