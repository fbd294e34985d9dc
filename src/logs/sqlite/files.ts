import { closeSync, openSync, readSync, statSync, type Stats } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";

/** Kinds of pages (SQLite, "Database File Format", 1.6), and where an inner one names the last below it. */
const INNER = 5;
const LEAF = 13;
const LAST_CHILD = 8;
const DEEPEST = 8;

/** What tells a file from all others of the machine. */
export interface FileId {
  readonly dev: number;
  readonly ino: number;
}

/** Whether a path names this file. */
export function isFile(path: string, { dev, ino }: FileId): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.ino === ino && found.dev === dev;
}

/**
 * The files of an open SQLite log, as their folder has them. SQLite goes on in files that were removed, and what it
 * keeps there is gone when the process ends.
 */
export class SqliteFiles {
  readonly #path: string;
  readonly #expected: () => number;
  readonly #database: FileId;
  readonly #wal: FileId;
  readonly #index: FileId;
  /** The size that the database had when it was looked at last. */
  #size: number;

  readonly #replacement: ReplacementCheck;
  /** When the database was written to before it was looked into last. */
  #written = 0;

  /** `expected` is the size of the database in bytes as SQLite knows it. */
  constructor(path: string, expected: () => number, replacement: ReplacementCheck) {
    this.#path = path;
    this.#replacement = replacement;
    this.#expected = expected;
    const database = statSync(path);
    this.#database = database;
    this.#size = database.size;
    this.#wal = statSync(`${path}-wal`);
    this.#index = statSync(`${path}-shm`);
  }

  /**
   * The size of the write-ahead log in bytes; throws `LOG_UNAVAILABLE` if these are not the files that were opened.
   * `isMoving`: a checkpoint is writing to the database.
   */
  look(isMoving: boolean): number {
    const { size, mtimeMs } = statsOf(this.#path, this.#database, "its database");
    // Only a database that someone has SQLite rewrite becomes smaller.
    if (size < this.#size && size < this.#expected()) throw changed("its database was cut short");
    this.#size = size;
    if (mtimeMs !== this.#written && !isMoving) {
      if (this.#replacement.isGone()) throw changed("another file was copied into its database");
      this.#written = mtimeMs;
    }
    statsOf(`${this.#path}-shm`, this.#index, "the index of its database's write-ahead log");
    return statsOf(`${this.#path}-wal`, this.#wal, "the write-ahead log of its database").size;
  }
}

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

function statsOf(path: string, { dev, ino }: FileId, what: string): Stats {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.ino === ino && stats.dev === dev) return stats;
  throw changed(`${what} was removed, moved or replaced`);
}

function changed(what: string): HubError {
  return new HubError(
    "LOG_UNAVAILABLE",
    `The log cannot keep messages: ${what} while the server was running; whoever runs the server must restart it`,
  );
}
