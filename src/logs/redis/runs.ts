import type { Hole } from "../holes.ts";

/** A run as the engine has it. */
export interface RedisRun {
  /** The first offset whose cursors have its epoch. */
  readonly first: number;
  readonly epoch: string;
  /** The last offset of the run before it. */
  readonly after: number;
}

/** The runs of a log on Redis: from one engine, or one loss, to the next, each with an epoch of its own. */
export class Runs {
  readonly #runs: readonly RedisRun[];

  /** `fields` are first offsets and, after each, the epoch and the last offset before it. */
  constructor(fields: readonly string[] = []) {
    this.#runs = runsIn(fields);
  }

  /** The epoch of what is published from now on. */
  get epoch(): string {
    return this.#runs.at(-1)?.epoch ?? "";
  }

  has(epoch: string): boolean {
    return this.#runs.some((run) => run.epoch === epoch);
  }

  /** The epoch in which an offset was given out. */
  at(offset: number): string {
    return (this.#runs.findLast(({ first }) => first <= offset) ?? this.#runs[0])?.epoch ?? "";
  }

  /** The last offset up to which both are of the same log: what comes after it has been replaced or lost. */
  sharedWith(other: Runs): number {
    const at = this.#runs.findLastIndex((run) => other.#runs.some((one) => isSame(one, run)));
    const last = this.#runs[at];
    if (last === undefined) return -1;
    const next = other.#runs.find(({ first }) => first > last.first);
    return Math.min(this.#runs[at + 1]?.after ?? Infinity, next?.after ?? Infinity);
  }

  /** Where the last hole ends; -1 if there is none. */
  get holeEnd(): number {
    return this.#runs.findLast(isAfterHole)?.first ?? -1;
  }

  /** The end of the holes that follow an offset directly, one after the other; the offset itself if there is none. */
  endOfHoles(offset: number): number {
    let end = offset;
    for (const { first, after } of this.#runs) if (after <= end && first > end + 1) end = first;
    return end;
  }

  /** The first hole that ends after an offset. */
  holeAfter(offset: number): Hole | undefined {
    const run = this.#runs.find((one) => one.first > offset && isAfterHole(one));
    return run === undefined ? undefined : { after: run.after, end: run.first };
  }
}

/** Reads runs, in order; `fields` are as `Runs` takes them. */
export function runsIn(fields: readonly string[]): readonly RedisRun[] {
  const runs: RedisRun[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const [epoch = "", after] = (fields[at + 1] ?? "").split(" ");
    runs.push({ first: Number(fields[at]), epoch, after: Number(after) });
  }
  return runs.sort((a, b) => a.first - b.first);
}

function isSame(one: RedisRun, other: RedisRun): boolean {
  return one.first === other.first && one.epoch === other.epoch;
}

function isAfterHole({ first, after }: RedisRun): boolean {
  return first > after + 1;
}

/** Why the engine cannot be used while the nodes agree on a new run. */
export function undecided(): Error {
  return new Error("its state after a failover is not clear yet");
}
