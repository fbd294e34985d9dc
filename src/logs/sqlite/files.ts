import { statSync, type Stats } from "node:fs";
import { HubError } from "../../core/errors.ts";
import type { ReplacementCheck } from "./replacement-check.ts";

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

  readonly #mark: ReplacementCheck;
  /** When the database was written to before it was looked into last. */
  #written = 0;

  /** `expected` is the size of the database in bytes as SQLite knows it. */
  constructor(path: string, expected: () => number, mark: ReplacementCheck) {
    this.#path = path;
    this.#mark = mark;
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
      if (this.#mark.isGone()) throw changed("another file was copied into its database");
      this.#written = mtimeMs;
    }
    statsOf(`${this.#path}-shm`, this.#index, "the index of its database's write-ahead log");
    return statsOf(`${this.#path}-wal`, this.#wal, "the write-ahead log of its database").size;
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
