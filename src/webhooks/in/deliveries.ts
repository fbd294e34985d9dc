/** The result of a delivery. */
export const VERDICTS = [
  "accepted",
  "repeated",
  "filtered",
  "loop",
  "handshake",
  "refused",
  "limited",
  "invalid",
  "failed",
] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What is remembered of a delivery: nothing of its body, and no secret. */
export interface DeliveryRecord {
  readonly hook: string;
  /** In ISO 8601. */
  readonly time: string;
  readonly verdict: Verdict;
  /** Of HTTP. */
  readonly status: number;
  readonly milliseconds: number;
  readonly bytes: number;
  readonly address: string;
  readonly event?: string | undefined;
  /** Of the message. */
  readonly id?: string | undefined;
  /** Which of several secrets proved it, from 1. */
  readonly secret?: number | undefined;
  /** Why it was not published, for the operator. */
  readonly reason?: string | undefined;
}

/** Deliveries of one hook that are remembered. */
const KEPT = 50;

/** The last deliveries of each hook at this node, and counts of all of them by verdict. */
export class Deliveries {
  readonly #last = new Map<string, DeliveryRecord[]>();
  readonly #counts = new Map<string, Map<Verdict, number>>();
  #listener: (record: DeliveryRecord) => void = () => {};

  /** Calls back with each one from now on. */
  listen(listener: (record: DeliveryRecord) => void): void {
    this.#listener = listener;
  }

  add(record: DeliveryRecord): void {
    const { hook, verdict } = record;
    const last = this.#last.get(hook) ?? [];
    last.push(record);
    if (last.length > KEPT) last.shift();
    this.#last.set(hook, last);
    const counts = this.#counts.get(hook) ?? new Map<Verdict, number>();
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    this.#counts.set(hook, counts);
    this.#listener(record);
  }

  /** The last deliveries of a hook, the newest first. */
  of(hook: string): readonly DeliveryRecord[] {
    return (this.#last.get(hook) ?? []).toReversed();
  }

  /** How many deliveries of each hook came to each verdict. */
  *counts(): IterableIterator<{ readonly hook: string; readonly verdict: Verdict; readonly count: number }> {
    for (const [hook, counts] of this.#counts) for (const [verdict, count] of counts) yield { hook, verdict, count };
  }

  /** Forgets the hooks that are not among these; their counts go on, as counters must. */
  keep(hooks: ReadonlySet<string>): void {
    for (const hook of this.#last.keys()) if (!hooks.has(hook)) this.#last.delete(hook);
  }
}
