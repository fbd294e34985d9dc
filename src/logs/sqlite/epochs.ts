import type { DatabaseSync } from "node:sqlite";
import { randomName } from "../random-name.ts";

/** Runs that are kept: with a start every ten seconds, those of a week. */
const MAX_RUNS = 65_536;

/**
 * The runs of a log file, from one opening to the next, each with an epoch of its own. A copy of the file continues
 * with epochs that the original never has, so it does not accept cursors that the original gave out after the copy was
 * made; earlier cursors stay valid in both.
 */
export class Epochs {
  readonly #firsts: readonly number[];
  readonly #epochs: readonly string[];
  readonly #first: number;
  /** The epoch of what is published from now on. */
  readonly epoch: string;

  private constructor(rows: readonly { readonly first: number; readonly epoch: string }[]) {
    this.#firsts = rows.map(({ first }) => first);
    this.#epochs = rows.map(({ epoch }) => epoch);
    this.#first = this.#firsts.at(-1) ?? 0;
    this.epoch = this.#epochs.at(-1) ?? "";
  }

  /** Records, in the open transaction, that a run begins after `head`. */
  static begin(database: DatabaseSync, head: number, most: number = MAX_RUNS): Epochs {
    const { count } = database.prepare("SELECT count(*) AS count FROM runs").get() as { count: number };
    // A run that kept no message gave out no cursor, so the next one can replace its row.
    database
      .prepare("INSERT OR REPLACE INTO runs (first, epoch) VALUES (?, ?)")
      .run(count === 0 ? 0 : head + 1, randomName());
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

/** Merges the oldest runs beyond `most` into the next one; their cursors are unknown after that. */
function merge(database: DatabaseSync, most: number): void {
  const kept = database.prepare("SELECT first FROM runs ORDER BY first DESC LIMIT 1 OFFSET ?").get(most - 1) as
    | { first: number }
    | undefined;
  if (kept === undefined) return;
  database.prepare("DELETE FROM runs WHERE first < ?").run(kept.first);
  database.prepare("UPDATE runs SET first = 0 WHERE first = ?").run(kept.first);
}
