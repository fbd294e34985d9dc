import type { DatabaseSync } from "node:sqlite";
import { ChannelIndex, type ChannelEntry } from "../channel-index.ts";
import type { Hole } from "../holes.ts";
import { unusable } from "./errors.ts";

/** SQLite's application id in the header of the file; "sseh". */
const APPLICATION = 0x73736568;
const VERSION = 6;
/** Files of format 1 do not have the column `via`. */
const FROM_1 = "ALTER TABLE messages ADD COLUMN via TEXT";
/**
 * Files of format 2 have one epoch, and holes: offsets that no message has. A hole becomes a run whose epoch no cursor
 * has; if the last hole is at the head, a run after it keeps its offsets from being given out.
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

/** Files of format 3 do not say whether a sender is who it says. */
const FROM_3 = "ALTER TABLE messages ADD COLUMN verified INTEGER";

/** Files of format 4 do not say where in a trace a message was published. */
const FROM_4 = "ALTER TABLE messages ADD COLUMN traceparent TEXT";

const RECORDS =
  "CREATE TABLE records (kind TEXT, name TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;";

/** Files of format 5 do not say which hubs a message came through, nor whether it wakes agents, and hold no records. */
const FROM_5 = `
  ALTER TABLE messages ADD COLUMN path TEXT;
  ALTER TABLE messages ADD COLUMN quiet INTEGER;
  ${RECORDS}
`;

/** What `SqliteReader` reads, in a log and in the mirror of one on Redis. */
export const TABLES = `
  CREATE TABLE hub (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE channels (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL UNIQUE, kept INTEGER NOT NULL, bytes INTEGER NOT NULL,
    last INTEGER NOT NULL, time INTEGER NOT NULL, dropped INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE messages (
    offset INTEGER PRIMARY KEY, channel INTEGER NOT NULL, event TEXT NOT NULL, data TEXT NOT NULL,
    sender TEXT NOT NULL, time INTEGER NOT NULL, cost INTEGER NOT NULL, key TEXT,
    via TEXT, verified INTEGER, traceparent TEXT, path TEXT, quiet INTEGER
  ) STRICT;
  CREATE INDEX messages_by_channel ON messages (channel);
`;

const SCHEMA = `
  ${TABLES}
  CREATE UNIQUE INDEX messages_by_key ON messages (channel, key) WHERE key IS NOT NULL;
  CREATE TABLE runs (first INTEGER PRIMARY KEY, epoch TEXT NOT NULL) STRICT;
  ${RECORDS}
  PRAGMA application_id = ${APPLICATION};
`;

/** The format of a log file; 0 if it is new. Throws `LOG_UNAVAILABLE` if this version cannot read it. */
export function formatOf(database: DatabaseSync, path: string): number {
  const { application } = database.prepare("SELECT application_id AS application FROM pragma_application_id").get() as {
    application: number;
  };
  const { version } = database.prepare("SELECT user_version AS version FROM pragma_user_version").get() as {
    version: number;
  };
  const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as { tables: number };
  if (tables > 0 && application !== APPLICATION) {
    throw unusable(`${path} is a database of another program; give DATA another file`);
  }
  if (version > VERSION) {
    throw unusable(`The log ${path} was written by a newer sse-mcp-server (format ${version}); use that version`);
  }
  return tables === 0 ? 0 : version;
}

/** Upgrades a file to the format of this version, in the open transaction. */
export function upgrade(database: DatabaseSync, format: number): void {
  if (format === 0) database.exec(SCHEMA);
  if (format === 1) database.exec(FROM_1);
  if (format === 1 || format === 2) database.exec(FROM_2);
  if (format > 0 && format < 4) database.exec(FROM_3);
  if (format > 0 && format < 5) database.exec(FROM_4);
  if (format > 0 && format < 6) database.exec(FROM_5);
  database.exec(`PRAGMA user_version = ${VERSION}`);
}

/** An index of the channels in the file; `limit` bounds how many it may hold. */
export function channelsOf(database: DatabaseSync, limit?: number): ChannelIndex {
  const floor = database.prepare("SELECT value + 0 AS floor FROM hub WHERE name = 'floor'").get() as
    | { floor: number }
    | undefined;
  const channels = new ChannelIndex(floor?.floor, limit);
  for (const entry of database.prepare("SELECT * FROM channels ORDER BY last").iterate()) {
    channels.put(entry as unknown as ChannelEntry);
  }
  return channels;
}

/** The last offset ever given out, according to the file. */
export function headOf(database: DatabaseSync): number {
  const row = database
    .prepare(
      `SELECT max(ifnull((SELECT max(offset) FROM messages), 0), ifnull((SELECT max(last) FROM channels), 0),
         ifnull((SELECT max(first) FROM runs) - 1, 0), ifnull((SELECT value FROM hub WHERE name = 'floor') + 0, 0)) AS head`,
    )
    .get() as { head: number };
  return row.head;
}

/** When the log was last used, by the age clock, according to the file. */
export function lastUse(database: DatabaseSync): number | undefined {
  const { last } = database
    .prepare(
      `SELECT ifnull((SELECT value + 0 FROM hub WHERE name = 'checked'),
         (SELECT time FROM messages ORDER BY offset DESC LIMIT 1)) AS last`,
    )
    .get() as { last: number | null };
  return last ?? undefined;
}

/** Where messages may have been lost while the log was on Redis, in order. */
export function holesIn(database: DatabaseSync): readonly Hole[] {
  const row = database.prepare("SELECT value FROM hub WHERE name = 'lost'").get() as { value: string } | undefined;
  return row === undefined ? [] : (JSON.parse(row.value) as Hole[]);
}

/** The size of the database in bytes, according to SQLite. */
export function databaseSize(database: DatabaseSync): number {
  const { size } = database
    .prepare("SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size")
    .get() as { size: number };
  return size;
}

/** The counters of a channel, counted from the rows of `messages`. */
interface Found {
  readonly id: number;
  readonly rows: number;
  readonly oldest: number;
  readonly newest: number;
}

/**
 * Corrects the counters of channels if rows were changed by hand while no hub was running, in the open transaction.
 * Drops messages whose channel does not exist. Returns how many channels were wrong.
 */
export function recount(database: DatabaseSync): number {
  // The index on channels answers this without reading messages.
  const found = database
    .prepare(
      "SELECT channel AS id, count(*) AS rows, min(offset) AS oldest, max(offset) AS newest FROM messages GROUP BY channel",
    )
    .all() as unknown as Found[];
  const byId = new Map(found.map((channel) => [channel.id, channel]));
  const channels = database.prepare("SELECT id, kept, last FROM channels").all() as unknown as Counted[];
  const wrong = channels.filter(({ id, kept, last }) => {
    const is = byId.get(id);
    return kept !== (is?.rows ?? 0) || last < (is?.newest ?? 0);
  });
  for (const channel of wrong) mend(database, channel, byId.get(channel.id));
  const known = new Set(channels.map(({ id }) => id));
  const lost = found.filter(({ id }) => !known.has(id));
  for (const { id, newest } of lost) {
    database.prepare("DELETE FROM messages WHERE channel = ?").run(id);
    // Any channel may have lost them.
    database
      .prepare(
        `INSERT INTO hub (name, value) VALUES ('floor', ?)
         ON CONFLICT (name) DO UPDATE SET value = max(value + 0, excluded.value + 0)`,
      )
      .run(String(newest));
  }
  return wrong.length + lost.length;
}

interface Counted {
  readonly id: number;
  readonly kept: number;
  readonly last: number;
}

function mend(database: DatabaseSync, { id, kept, last }: Counted, found: Found | undefined): void {
  const newest = Math.max(last, found?.newest ?? 0);
  // Missing rows count as the oldest ones, as if retention had dropped them.
  const dropped = (found?.rows ?? 0) < kept ? (found?.oldest ?? newest + 1) - 1 : 0;
  database
    .prepare(
      `UPDATE channels SET kept = ?, last = ?, dropped = max(dropped, ?),
         bytes = (SELECT ifnull(sum(cost), 0) FROM messages WHERE channel = channels.id) WHERE id = ?`,
    )
    .run(found?.rows ?? 0, newest, dropped, id);
}
