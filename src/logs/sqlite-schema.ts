import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HubError } from "../core/errors.ts";
import { newEpoch } from "./record.ts";
import { isBusy, isDamaged } from "./sqlite-failure.ts";

/** Marks the file as ours in its header; "sseh". */
const APPLICATION = 0x73736568;
const VERSION = 2;
/** What makes a file of the format before one of this; files of format 1 hold no way by which a message came. */
const FROM_1 = `ALTER TABLE messages ADD COLUMN via TEXT; PRAGMA user_version = ${VERSION}`;

/**
 * An unclean end may have lost the newest messages to a power cut. The run after it leaves this many offsets out, so
 * that a cursor of a lost message never names a new one; such cursors are answered with a gap.
 */
const HOLE = 2 ** 24;

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
  CREATE TABLE holes (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${VERSION};
`;

/** The open file of a SQLite log, and the lock that keeps other hubs out of it. */
export interface OpenFile {
  readonly database: DatabaseSync;
  readonly lock: DatabaseSync;
  readonly epoch: string;
  /** Offsets never given to a message that is kept. */
  readonly holes: readonly { readonly first: number; readonly last: number }[];
}

/** Opens or creates a log file; throws `LOG_UNAVAILABLE` with a sentence for the person who starts the server. */
export function openFile(path: string): OpenFile {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw unusable(`The folder of the log, ${dirname(path)}, cannot be made: ${reason(cause)}`, cause);
  }
  const lock = locked(path);
  try {
    return { lock, ...opened(path) };
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

/** A database of its own, held locked while we run: the system frees it however the process ends. */
function locked(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if (isBusy(cause))
      throw unusable(`Another sse-mcp-server has the log ${path} open; give this one another DATA`, cause);
    throw unusable(`The folder of the log, ${dirname(path)}, is not writable: ${reason(cause)}`, cause);
  }
}

function opened(path: string): Omit<OpenFile, "lock"> {
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
    // Checkpoints are made by a thread of their own (see checkpoint.ts): they wait for the disk.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
    database.exec("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384");
    database.exec("BEGIN IMMEDIATE");
    if (tables.count === 0) database.exec(SCHEMA);
    else if (version === 1) database.exec(FROM_1);
    const epoch = started(database);
    const holes = database.prepare("SELECT first, last FROM holes ORDER BY first").all() as {
      first: number;
      last: number;
    }[];
    database.exec("COMMIT");
    // That this run began must outlive a power cut, or the next one would not know of its hole.
    database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    return { database, epoch, holes };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Notes that a run begins, and a hole where the last one did not end; returns the epoch. */
function started(database: DatabaseSync): string {
  const value = database.prepare("SELECT value FROM hub WHERE name = ?");
  const set = database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES (?, ?)");
  const known = value.get("epoch") as { value: string } | undefined;
  const epoch = known?.value ?? newEpoch();
  if (known === undefined) set.run("epoch", epoch);
  const running = value.get("running") as { value: string } | undefined;
  if (running?.value === "yes") {
    const head = headOf(database);
    database.prepare("INSERT INTO holes (first, last) VALUES (?, ?)").run(head + 1, head + HOLE);
  }
  set.run("running", "yes");
  return epoch;
}

/** The last offset ever given out, as far as the file knows. */
export function headOf(database: DatabaseSync): number {
  const row = database
    .prepare(
      `SELECT max(ifnull((SELECT max(offset) FROM messages), 0), ifnull((SELECT max(last) FROM channels), 0),
         ifnull((SELECT max(last) FROM holes), 0), ifnull((SELECT value FROM hub WHERE name = 'floor') + 0, 0)) AS head`,
    )
    .get() as { head: number };
  return row.head;
}

function unusable(sentence: string, cause?: unknown): HubError {
  return new HubError("LOG_UNAVAILABLE", sentence, { cause });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
