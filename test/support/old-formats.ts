import { openDatabase } from "./sqlite-file.ts";

/** The tables of a log file of format 2. */
const FORMAT_2 = `
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
  PRAGMA application_id = 0x73736568;
  PRAGMA user_version = 2;
  INSERT INTO hub VALUES ('epoch', '0123456789'), ('running', 'no');
`;

/** What a file of format 2 holds: the offsets of messages on channel `a`, and what was left out after unclean ends. */
export interface OldLog {
  readonly offsets: readonly number[];
  readonly holes?: readonly (readonly [first: number, last: number])[];
  readonly format?: 1 | 2;
}

/** Writes a log file as older versions did, with the epoch `0123456789`; the payload of a message is its offset. */
export function writeOldLog(path: string, { offsets, holes = [], format = 2 }: OldLog): void {
  using database = openDatabase(path);
  database.exec(FORMAT_2);
  const insert = database.prepare("INSERT INTO messages VALUES (?, 1, 'message', ?, 'anyone', 0, 15, NULL, NULL)");
  for (const offset of offsets) insert.run(offset, String(offset));
  const { length } = offsets;
  if (length > 0) {
    const channel = database.prepare("INSERT INTO channels VALUES (1, 'a', ?, ?, ?, 0, 0)");
    channel.run(length, 15 * length, offsets.at(-1) ?? 0);
  }
  for (const [first, last] of holes) database.prepare("INSERT INTO holes VALUES (?, ?)").run(first, last);
  if (format === 1) database.exec("ALTER TABLE messages DROP COLUMN via; PRAGMA user_version = 1");
}
