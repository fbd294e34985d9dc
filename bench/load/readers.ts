import { setTimeout as pause } from "node:timers/promises";
import { micros } from "./clock.ts";
import type { Published } from "./faults.ts";
import { Histogram } from "./histogram.ts";
import type { ConnectReport, DrainReport, FaultyReader } from "./orders.ts";
import type { Plan } from "./plan.ts";
import { Reader } from "./reader.ts";
import { Verifier } from "./verifier.ts";

const CONNECTING = 64;
const LOOK = 20;
const TIMEOUT = 5e6;
const LONGEST_DRAIN = 60e6;
const NAMED = 20;
const TROUBLES = 5;

/** The readers of one process. */
export class Readers {
  readonly #first: number;
  readonly #latencies = new Histogram();
  readonly #verifier: Verifier;
  readonly #readers: Reader[] = [];

  constructor(plan: Plan, first: number, count: number) {
    const { target, run, size, publishers } = plan;
    this.#first = first;
    this.#verifier = new Verifier({ format: target.format, run, size, publishers, latencies: this.#latencies });
    for (let index = 0; index < count; index += 1) this.#readers.push(new Reader(plan, first + index, this.#verifier));
  }

  /** Messages that have arrived. */
  get delivered(): number {
    return this.#verifier.delivered;
  }

  async connect(): Promise<ConnectReport> {
    const start = micros();
    const waiting = this.#readers.values();
    const connectInTurn = async (): Promise<void> => {
      for (const reader of waiting) await reader.open();
    };
    await Promise.all(Array.from({ length: CONNECTING }, connectInTurn));
    const seconds = (micros() - start) / 1e6;
    const troubles = new Set(this.#readers.map(({ trouble }) => trouble).filter((trouble) => trouble !== undefined));
    const connected = this.#readers.filter((reader) => reader.connected).length;
    return { kind: "connected", connected, seconds, troubles: [...troubles].slice(0, TROUBLES) };
  }

  /** Waits until all that was published has arrived, or nothing more comes; then says what each reader got. */
  async drain(published: Published): Promise<DrainReport> {
    const deadline = micros() + LONGEST_DRAIN;
    let progress = micros();
    let delivered = this.delivered;
    while (!this.#complete(published) && micros() < Math.min(deadline, progress + TIMEOUT)) {
      await pause(LOOK);
      if (this.delivered !== delivered) progress = micros();
      delivered = this.delivered;
    }
    return this.#report(published);
  }

  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  #complete(published: Published): boolean {
    const { counts, unanswered } = published;
    const sent = counts.reduce((sum, count) => sum + count, 0);
    const unsure = unanswered.reduce((sum, { from, to }) => sum + to - from, 0);
    const alive = this.#readers.filter((reader) => reader.connected && reader.trouble === undefined);
    // The exact question is asked only when the sum allows a yes.
    if (this.delivered < alive.length * (sent - unsure)) return false;
    return alive.every(({ track }) => this.#verifier.outcome(track, published).lost === 0);
  }

  #report(published: Published): DrainReport {
    const readers: FaultyReader[] = [];
    const sum = { delivered: 0, lost: 0, duplicated: 0, disordered: 0, faulty: 0, end: 0 };
    for (const [index, { track, connected, trouble, arrived }] of this.#readers.entries()) {
      if (!connected) continue;
      const outcome = this.#verifier.outcome(track, published);
      sum.delivered += track.messages - outcome.duplicated;
      sum.lost += outcome.lost;
      sum.duplicated += outcome.duplicated;
      sum.disordered += outcome.disordered;
      sum.end = Math.max(sum.end, arrived);
      if (trouble === undefined && outcome.lost + outcome.duplicated + outcome.disordered === 0) continue;
      sum.faulty += 1;
      if (readers.length < NAMED)
        readers.push({ reader: this.#first + index, trouble, ...outcome, gaps: outcome.gaps.slice(0, 3) });
    }
    return { kind: "drained", ...sum, readers, latencies: this.#latencies.counts() };
  }
}
