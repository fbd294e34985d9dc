import { ChainCheck } from "./chain-check.ts";
import type { Entry } from "./record.ts";
import { inOneOrder } from "./one-order.ts";
import { Truth, type Violation } from "./truth.ts";

export interface Verdict {
  readonly attempted: number;
  readonly acknowledged: number;
  /** Refused or unanswered, and not acknowledged in the end. */
  readonly unconfirmed: number;
  /** Of those, the messages that are there all the same. */
  readonly unconfirmedKept: number;
  /** Messages that readers got, counted for each reader. */
  readonly delivered: number;
  /** Gaps that readers were told, by reason. */
  readonly gaps: Readonly<Record<string, number>>;
  /** Acknowledged messages that a reader did not get and a gap told it of, counted for each reader. */
  readonly insideGaps: number;
  /** Messages that readers got again, after a gap had taken them back; counted for each reader. */
  readonly repeated: number;
  /** Acknowledged messages that are not in the log in the end. */
  readonly lost: number;
  /** Acknowledged messages that a reader did not get, and no gap told it, counted for each reader: must be 0. */
  readonly lostSilently: number;
  /** Milliseconds: the longest time between two acknowledgements. */
  readonly longestSilence: number;
  readonly violations: readonly Violation[];
}

/** Judges a record. It knows nothing but what clients saw, and when the data was deleted. */
export function check(record: readonly Entry[]): Verdict {
  const entries = inOneOrder(record);
  const violations: Violation[] = [];
  const truth = new Truth(entries, violations);
  const chains = new Map<string, ChainCheck>();
  const gaps: Record<string, number> = {};
  for (const entry of entries) {
    if (entry.kind === "healed" && entry.problem !== null) {
      violations.push({ kind: "not healed", time: entry.time, text: entry.problem });
    }
    if (entry.kind === "crash") violations.push(entry);
    if (!("reader" in entry)) continue;
    let chain = chains.get(entry.reader);
    if (chain === undefined) chains.set(entry.reader, (chain = new ChainCheck(entry.reader, truth, violations)));
    chain.take(entry);
    if (entry.kind === "gap") gaps[entry.reason] = (gaps[entry.reason] ?? 0) + 1;
  }
  const all = [...chains.values()];
  // Where something did not recover, readers were stopped before they had all.
  const isHealed = violations.every(({ kind }) => kind !== "not healed");
  if (isHealed) for (const chain of all) chain.finish();
  const acknowledged = [...truth.known.values()].filter((message) => message.isAcknowledged);
  const complete = all.filter((chain) => chain.isComplete);
  const kept = new Set(complete.flatMap((chain) => [...chain.got.keys()]));
  return {
    attempted: truth.channels.size,
    acknowledged: acknowledged.length,
    unconfirmed: truth.channels.size - acknowledged.length,
    unconfirmedKept: truth.known.size - acknowledged.length,
    delivered: all.reduce((total, { delivered }) => total + delivered, 0),
    gaps,
    insideGaps: all.reduce((total, { insideGaps }) => total + insideGaps, 0),
    repeated: all.reduce((total, { repeated }) => total + repeated, 0),
    lost: complete.length === 0 ? 0 : acknowledged.filter(({ n }) => !kept.has(n)).length,
    lostSilently: violations.filter(({ kind }) => kind === "lost").length,
    longestSilence: longestSilence(entries),
    violations: violations.sort((one, other) => one.time - other.time),
  };
}

function longestSilence(entries: readonly Entry[]): number {
  let last: number | undefined;
  let longest = 0;
  for (const { kind, time } of entries) {
    if (kind !== "acknowledged") continue;
    if (last !== undefined) longest = Math.max(longest, time - last);
    last = time;
  }
  return Math.round(longest);
}
