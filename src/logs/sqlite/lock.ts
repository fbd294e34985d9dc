import { statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import { isBusy, reasonOf, unusable } from "./errors.ts";
import { isFile, type FileId } from "./files.ts";

/**
 * Keeps other hubs from opening a log file: a database beside it that is locked for as long as this process runs. The
 * system releases the lock however the process ends.
 */
export class SqliteLock {
  readonly #path: string;
  readonly #held = new Map<string, Held>();

  /** `path` is that of the log, without symbolic links. */
  constructor(path: string) {
    this.#path = path;
    this.#hold(path);
  }

  /**
   * Locks the log under the name by which it was opened last, too, if that is another name of the same file: a hard
   * link, or another mount. Through it, another hub may have the file open.
   */
  holdAlso(place: string): void {
    if (place === this.#path || !isSameFile(place, this.#path)) return;
    this.#hold(place);
    const wal = statSync(`${place}-wal`, { throwIfNoEntry: false });
    if (wal === undefined || wal.size === 0) return;
    throw unusable(
      `The log ${this.#path} is the same file as ${place}, by which name it was not closed; open it once as that, or its newest messages are lost`,
    );
  }

  /** Locks again if a lock file was removed while the log is open; throws if another hub was first. */
  renew(): void {
    for (const [path, { file }] of this.#held) {
      if (isFile(`${path}.lock`, file)) continue;
      try {
        this.#hold(path);
      } catch (cause) {
        throw new HubError(
          "LOG_UNAVAILABLE",
          "The log cannot keep messages: its lock was removed and cannot be created again; whoever runs the server must restart it",
          { cause },
        );
      }
    }
  }

  close(): void {
    for (const { database } of this.#held.values()) database.close();
    this.#held.clear();
  }

  #hold(path: string): void {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(`${path}.lock`, { timeout: 0 });
      database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
      const file = statSync(`${path}.lock`);
      this.#held.get(path)?.database.close();
      this.#held.set(path, { database, file });
    } catch (cause) {
      database?.close();
      throw refused(this.#path, path, cause);
    }
  }
}

interface Held {
  readonly database: DatabaseSync;
  readonly file: FileId;
}

function isSameFile(one: string, other: string): boolean {
  try {
    return isFile(one, statSync(other));
  } catch {
    // The path cannot be read, so its lock cannot be taken either.
    return false;
  }
}

function refused(path: string, place: string, cause: unknown): HubError {
  const also = place === path ? "" : ` as ${place}`;
  if (isBusy(cause)) {
    return unusable(`Another sse-mcp-server has the log ${path} open${also}; give this one another DATA`, cause);
  }
  return unusable(`The folder of the log, ${dirname(place)}, is not writable: ${reasonOf(cause)}`, cause);
}
