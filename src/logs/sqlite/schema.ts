import { closeSync, mkdirSync, openSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import { Epochs } from "./epochs.ts";
import { isBusy, isDamaged } from "./errors.ts";
import { SqliteLock } from "./lock.ts";
import { ReplacementCheck } from "./replacement-check.ts";
import { recount } from "./recount.ts";

/** Marks the file as ours in its header; "sseh". */
const APPLICATION = 0x73736568;
const VERSION = 3;
/** Files of format 1 hold no way by which a message came. */
const FROM_1 = "ALTER TABLE messages ADD COLUMN via TEXT";
/**
 * Files of format 2 have one epoch, and holes: offsets that no message was given. A hole becomes a run whose epoch no
 * cursor has; if the last hole is at the head, a run after it keeps its offsets from being given out.
 */
const FROM_2 = `
  CREATE TABLE runs (first INTEGER PRIMARY KEY, epoch TEXT NOT NULL) STRICT;
  INSERT INTO runs SELECT 0, value FROM hub WHERE name = 'epoch';
  INSERT INTO runs SELECT first, lower(hex(randomblob(5))) FROM holes;
  INSERT OR REPLACE INTO runs SELECT last, value FROM holes, hub WHERE name = 'epoch';
  INSERT INTO runs SELECT max(last) + 1, lower(hex(randomblob(5))) FROM holes
    HAVING max(last) >= max(ifnull((SELECT max(last) FROM channels), 0), ifnull((SELECT max(offset) FROM messages), 0));
  DROP TABLE holes;
  DELETE FROM hub WHERE name IN ('epoch', 'running');
`;

const SCHEMA = `
  CREATE TABLE hub (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE channels (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL UNIQUE, kept INTEGER NOT NULL, bytes INTEGER NOT NULL,
    last INTEGER NOT NULL, time INTEGER NOT NULL, dropped INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE messages (
    offset INTEGER PRIMARY KEY, channel INTEGER NOT NULL, event TEXT NOT NULL, data TEXT NOT NULL,
    sender TEXT NOT NULL, time INTEGER NOT NULL, cost INTEGER NOT NULL, key TEXT,
    via TEXT
  ) STRICT;
  CREATE INDEX messages_by_channel ON messages (channel);
  CREATE UNIQUE INDEX messages_by_key ON messages (channel, key) WHERE key IS NOT NULL;
  CREATE TABLE runs (first INTEGER PRIMARY KEY, epoch TEXT NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION};
`;

/** A write-ahead log that starts over is cut to this many bytes, so above that its size is what it holds. */
export const WAL_KEPT: number = 16 * 1024 * 1024;

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
}

/** Lets go of an open file. */
export function closeFile({ database, replacement, lock }: OpenFile): void {
  database.close();
  replacement.close();
  lock.close();
}

/** Opens or creates a log file; throws `LOG_UNAVAILABLE` with a sentence for the person who starts the server. */
export function openFile(path: string): OpenFile {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw unusable(`The folder of the log, ${dirname(path)}, cannot be made: ${reason(cause)}`, cause);
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

/** What the person who starts the server is told about a log that cannot be opened. */
export function cannotOpen(path: string, cause: unknown): HubError {
  if (cause instanceof HubError) return cause;
  if (isDamaged(cause)) {
    return unusable(
      `The log ${path} is damaged or no SQLite database; restore it from a backup, or move it away`,
      cause,
    );
  }
  if (isBusy(cause)) return unusable(`The log ${path} is locked by another program; close that first`, cause);
  return unusable(`The log ${path} cannot be opened for writing: ${reason(cause)}`, cause);
}

/** The path without symbolic links, so that every name of the log leads to one lock; creates the file it names. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    // It is to be created, or opening it fails the same way.
  }
  try {
    closeSync(openSync(path, "a"));
    return realpathSync.native(path);
  } catch (cause) {
    throw unusable(`The folder of the log, ${dirname(path)}, is not writable: ${reason(cause)}`, cause);
  }
}

function opened(path: string, lock: SqliteLock): Omit<OpenFile, "lock" | "path"> {
  const database = new DatabaseSync(path, { timeout: 0, defensive: true });
  try {
    const { application_id: application } = database.prepare("PRAGMA application_id").get() as {
      application_id: number;
    };
    const { version } = database.prepare("SELECT user_version AS version FROM pragma_user_version").get() as {
      version: number;
    };
    const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get() as { count: number };
    if (tables.count > 0 && application !== APPLICATION) {
      throw unusable(`${path} is a database of another program; give DATA another file`);
    }
    if (version > VERSION) {
      throw unusable(`The log ${path} was written by a newer sse-mcp-server (format ${version}); use that version`);
    }
    if (tables.count > 0) {
      const place = database.prepare("SELECT value FROM hub WHERE name = 'place'").get() as
        | { value: string }
        | undefined;
      if (place !== undefined) lock.holdAlso(place.value);
    }
    // Checkpoints are made by a thread of their own (see checkpoint.ts): they wait for the disk.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
    database.exec(`PRAGMA journal_size_limit = ${WAL_KEPT}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384`);
    makeRoom(database);
    database.exec("BEGIN IMMEDIATE");
    if (tables.count === 0) database.exec(SCHEMA);
    else if (version === 1) database.exec(FROM_1);
    if (tables.count > 0 && version < 3) database.exec(FROM_2);
    const recounted = recount(database);
    const epochs = Epochs.begin(database, headOf(database));
    database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('place', ?)").run(path);
    database.exec(`PRAGMA user_version = ${VERSION}; COMMIT`);
    // Who opens the file by another name sees the database only, not this write-ahead log: it must hold the place.
    database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    return { database, epochs, replacement: new ReplacementCheck(path, database, epochs.epoch), recounted };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Gives the disk back what the write-ahead log of an unclean end takes: it may be full of that. */
function makeRoom(database: DatabaseSync): void {
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // The next statement says what is wrong.
  }
}

/** The last offset ever given out, as far as the file knows. */
export function headOf(database: DatabaseSync): number {
  const row = database
    .prepare(
      `SELECT max(ifnull((SELECT max(offset) FROM messages), 0), ifnull((SELECT max(last) FROM channels), 0),
         ifnull((SELECT max(first) FROM runs) - 1, 0), ifnull((SELECT value FROM hub WHERE name = 'floor') + 0, 0)) AS head`,
    )
    .get() as { head: number };
  return row.head;
}

/** When the log was used last, by the clock by which messages grow old, as far as the file knows. */
export function lastUse(database: DatabaseSync): number | undefined {
  const { last } = database
    .prepare(
      `SELECT ifnull((SELECT value + 0 FROM hub WHERE name = 'checked'),
         (SELECT time FROM messages ORDER BY offset DESC LIMIT 1)) AS last`,
    )
    .get() as { last: number | null };
  return last ?? undefined;
}

/** The bytes of the database, as SQLite knows it. */
export function databaseSize(database: DatabaseSync): number {
  const { size } = database
    .prepare("SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size")
    .get() as { size: number };
  return size;
}

function unusable(sentence: string, cause?: unknown): HubError {
  return new HubError("LOG_UNAVAILABLE", sentence, { cause });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
