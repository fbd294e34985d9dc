import { closeSync, openSync, readSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";

/** Kinds of pages (SQLite, "Database File Format", 1.6), and where an inner one names the last below it. */
const INNER = 5;
const LEAF = 13;
const LAST_CHILD = 8;
const DEEPEST = 8;

/**
 * The run that goes on, as the database file itself has it. SQLite does not notice that another file was copied into
 * it: it goes on with the pages that it knows, and mixes both when it writes.
 */
export class ReplacementCheck {
  readonly #epoch: string;
  readonly #place: StatementSync;
  readonly #page: Buffer;
  readonly #file: number;
  #root: number;
  /** What was committed may not be in the file yet. */
  #wasThere = false;

  constructor(path: string, database: DatabaseSync, epoch: string) {
    this.#epoch = epoch;
    this.#place = database.prepare(
      "SELECT rootpage AS root, page_size AS size FROM sqlite_schema, pragma_page_size WHERE name = 'runs'",
    );
    const { root, size } = this.#place.get() as { root: number; size: number };
    this.#root = root;
    this.#page = Buffer.alloc(size);
    this.#file = openSync(path, "r");
  }

  /** Whether it is gone from the file. */
  isGone(): boolean {
    if (this.#isIn(this.#root)) this.#wasThere = true;
    else if (this.#wasThere) {
      // Someone may have had SQLite rewrite the database.
      const { root } = this.#place.get() as { root: number };
      if (!this.#isIn(root)) return true;
      this.#root = root;
    }
    return false;
  }

  /** Not before the database is closed: who closes a file lets go of all locks that the process has on it. */
  close(): void {
    closeSync(this.#file);
  }

  /** Whether the last run in a tree of pages is this one. */
  #isIn(root: number): boolean {
    const page = this.#page;
    let number = root;
    for (let depth = 0; depth < DEEPEST; depth++) {
      const bytes = readSync(this.#file, page, 0, page.length, (number - 1) * page.length);
      if (bytes < page.length) return false;
      if (page[0] === LEAF) return page.includes(this.#epoch);
      if (page[0] !== INNER) return false;
      number = page.readUInt32BE(LAST_CHILD);
    }
    return false;
  }
}
