import { closeSync, mkdirSync, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import { Epochs } from "./epochs.ts";
import { isBusy, isDamaged, reasonOf, unusable } from "./errors.ts";
import { ReplacementCheck } from "./files.ts";
import { SqliteLock } from "./lock.ts";
import { formatOf, headOf, recount, upgrade } from "./schema.ts";
import { WAL_KEPT } from "./wal.ts";

/** The mode of files that are made. */
export const OWNER_ONLY = 0o600;

/** The open file of a SQLite log, and the lock that keeps other hubs out of it. */
export interface OpenFile {
  /** Without symbolic links. */
  readonly path: string;
  readonly database: DatabaseSync;
  readonly lock: SqliteLock;
  readonly epochs: Epochs;
  readonly replacement: ReplacementCheck;
  /** How many channels had counters that did not agree with their messages. */
  readonly recounted: number;
  /** Whether the process that had it open last was killed or crashed. */
  readonly wasLeftOpen: boolean;
}

/** Closes an open file and its lock. */
export function closeFile({ database, replacement, lock }: OpenFile): void {
  database.close();
  replacement.close();
  lock.close();
}

/** Opens or creates a log file; throws `LOG_UNAVAILABLE` with a sentence for the operator. */
export function openFile(path: string): OpenFile {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw unusable(`The folder of the log, ${dirname(path)}, cannot be created: ${reasonOf(cause)}`, cause);
  }
  const real = realPath(path);
  const lock = new SqliteLock(real);
  try {
    return { path: real, lock, ...opened(real, lock) };
  } catch (cause) {
    lock.close();
    throw cannotOpen(path, cause);
  }
}

/** The error if a log cannot be opened; the sentence is for the operator. */
export function cannotOpen(path: string, cause: unknown): HubError {
  if (cause instanceof HubError) return cause;
  if (isDamaged(cause)) {
    return unusable(
      `The log ${path} is damaged or not an SQLite database; restore it from a backup, or move it away`,
      cause,
    );
  }
  if (isBusy(cause)) return unusable(`The log ${path} is locked by another program; close that first`, cause);
  return unusable(`The log ${path} cannot be opened for writing: ${reasonOf(cause)}`, cause);
}

/** The path without symbolic links, so that every name of the log has the same lock; creates the file if needed. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    // It does not exist yet, or opening it fails for the same reason.
  }
  try {
    // Messages, and secrets of webhooks, are not for other users of the machine; SQLite makes its other files the same.
    closeSync(openSync(path, "a", OWNER_ONLY));
    return realpathSync.native(path);
  } catch (cause) {
    throw unusable(`The folder of the log, ${dirname(path)}, is not writable: ${reasonOf(cause)}`, cause);
  }
}

function opened(path: string, lock: SqliteLock): Omit<OpenFile, "lock" | "path"> {
  // SQLite removes it when the last program that has the database open closes it.
  const wasLeftOpen = (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  const database = new DatabaseSync(path, { timeout: 0, defensive: true });
  try {
    const format = formatOf(database, path);
    if (format !== 0) {
      const place = database.prepare("SELECT value FROM hub WHERE name = 'place'").get() as
        | { value: string }
        | undefined;
      if (place !== undefined) lock.holdAlso(place.value);
    }
    // Checkpoints run on a thread of their own (see wal.ts), because they wait for the disk.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
    database.exec(`PRAGMA journal_size_limit = ${WAL_KEPT}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384`);
    makeRoom(database);
    database.exec("BEGIN IMMEDIATE");
    upgrade(database, format);
    const recounted = recount(database);
    const epochs = Epochs.begin(database, headOf(database));
    database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('place', ?)").run(path);
    database.exec("COMMIT");
    // A hub that opens the file by another name does not see this write-ahead log: move the path into the database.
    database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    const replacement = new ReplacementCheck(path, database, epochs.epoch);
    return { database, epochs, replacement, recounted, wasLeftOpen };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Empties the write-ahead log that a crash left behind, as it may fill the disk. */
function makeRoom(database: DatabaseSync): void {
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // If the file is bad, the next statement fails and says why.
  }
}
