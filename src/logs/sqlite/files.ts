import { closeSync, openSync, readSync, statSync, type Stats } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";

/** Kinds of b-tree pages (SQLite, "Database File Format", 1.6), and the position of the last child in an inner one. */
const INNER = 5;
const LEAF = 13;
const LAST_CHILD = 8;
const DEEPEST = 8;

/** Identifies a file on this machine. */
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
 * Checks that the files of an open SQLite log are still in their folder. SQLite continues to write to files that were
 * removed, and what it writes there is lost when the process ends.
 */
export class SqliteFiles {
  readonly #path: string;
  readonly #expected: () => number;
  readonly #database: FileId;
  readonly #wal: FileId;
  readonly #index: FileId;
  /** The size of the database at the last check. */
  #size: number;

  readonly #replacement: Pick<ReplacementCheck, "isGone">;
  /** When the database had last been written to, at the last check of its content. */
  #written = 0;

  /** `expected` is the size of the database in bytes as SQLite knows it. */
  constructor(path: string, expected: () => number, replacement: Pick<ReplacementCheck, "isGone">) {
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
    // A database shrinks only if SQLite rewrites it (VACUUM).
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
 * Looks in the database file itself for the current run. SQLite does not notice if another file is copied over it: it
 * continues with the pages in its cache, and mixes both when it writes.
 */
export class ReplacementCheck {
  readonly #epoch: string;
  readonly #place: StatementSync;
  readonly #page: Buffer;
  readonly #file: number;
  #root: number;
  /** Before that, the run may be only in the write-ahead log. */
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

  /** Whether the run was in the file and is not any more. */
  isGone(): boolean {
    if (this.#isIn(this.#root)) this.#wasThere = true;
    else if (this.#wasThere) {
      // SQLite may have rewritten the database (VACUUM).
      const { root } = this.#place.get() as { root: number };
      if (!this.#isIn(root)) return true;
      this.#root = root;
    }
    return false;
  }

  /** To be called after the database is closed: closing a file releases all locks that the process has on it. */
  close(): void {
    closeSync(this.#file);
  }

  /** Whether the last run in a b-tree is this one. */
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
