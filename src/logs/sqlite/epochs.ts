import type { DatabaseSync } from "node:sqlite";
import { randomBytes } from "node:crypto";

/** Runs that are told apart: with a start every ten seconds, those of a week. */
const MAX_RUNS = 65_536;

/**
 * The runs of a log file, from one opening to the next, each with an epoch of its own. A copy of the file goes on with
 * epochs that the original never has, so a cursor of a future that the copy does not share is never taken for one of
 * its own; cursors from before the copy stay good in both.
 */
export class Epochs {
  readonly #firsts: readonly number[];
  readonly #epochs: readonly string[];
  readonly #first: number;
  /** Of what is published from now on. */
  readonly epoch: string;

  private constructor(rows: readonly { readonly first: number; readonly epoch: string }[]) {
    this.#firsts = rows.map(({ first }) => first);
    this.#epochs = rows.map(({ epoch }) => epoch);
    this.#first = this.#firsts.at(-1) ?? 0;
    this.epoch = this.#epochs.at(-1) ?? "";
  }

  /** Notes that a run begins after `head`, in the open transaction. */
  static begin(database: DatabaseSync, head: number, most: number = MAX_RUNS): Epochs {
    const { count } = database.prepare("SELECT count(*) AS count FROM runs").get() as { count: number };
    // A run that kept no message gave out no cursor, so the next one can take its row.
    database
      .prepare("INSERT OR REPLACE INTO runs (first, epoch) VALUES (?, ?)")
      .run(count === 0 ? 0 : head + 1, randomBytes(5).toString("hex"));
    merge(database, most);
    return new Epochs(
      database.prepare("SELECT first, epoch FROM runs ORDER BY first").all() as { first: number; epoch: string }[],
    );
  }

  /** The epoch in which an offset was given out. */
  at(offset: number): string {
    if (offset >= this.#first) return this.epoch;
    let low = 0;
    for (let high = this.#firsts.length - 1; low < high;) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#firsts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return this.#epochs[low] as string;
  }
}

/** Merges the oldest runs beyond `most` into the next one; their cursors are unknown from then on. */
function merge(database: DatabaseSync, most: number): void {
  const kept = database.prepare("SELECT first FROM runs ORDER BY first DESC LIMIT 1 OFFSET ?").get(most - 1) as
    | { first: number }
    | undefined;
  if (kept === undefined) return;
  database.prepare("DELETE FROM runs WHERE first < ?").run(kept.first);
  database.prepare("UPDATE runs SET first = 0 WHERE first = ?").run(kept.first);
}
