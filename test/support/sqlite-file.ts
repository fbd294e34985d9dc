import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { BEGINNING } from "../../src/protocol/cursor.ts";
import type { Log } from "../../src/core/log.ts";
import type { Message } from "../../src/core/message.ts";
import { SqliteLog, type SqliteOptions } from "../../src/logs/sqlite/log.ts";
import { disposable, FOREVER, patternsOf } from "./sample.ts";

/** Opens a SQLite log that keeps everything, unless told otherwise. */
export async function openSqlite(
  path: string,
  options: Partial<SqliteOptions> = {},
): Promise<SqliteLog & AsyncDisposable> {
  return disposable(await SqliteLog.open({ path, retention: FOREVER, durability: "normal", ...options }));
}

/** Another program's connection to a database. */
export function openDatabase(path: string): DatabaseSync & Disposable {
  const database = new DatabaseSync(path);
  const close = (): void => {
    if (database.isOpen) database.close();
  };
  return Object.assign(database, { [Symbol.dispose]: close });
}

/** Payloads of all that is kept, in order. */
export async function dataOf(log: Log): Promise<unknown[]> {
  const { messages } = await log.read({ after: BEGINNING, channels: patternsOf("*"), limit: 1_000_000 });
  return messages.map(({ data }: Message) => JSON.parse(data) as unknown);
}

/** Commits in the write-ahead log of a database: frames that carry the size of the database (sqlite.org/fileformat2.html). */
export function commitsIn(path: string): number {
  const wal = readFileSync(`${path}-wal`);
  const page = wal.readUInt32BE(8);
  const salt = wal.subarray(16, 24);
  let commits = 0;
  for (let frame = 32; frame + 24 + page <= wal.length; frame += 24 + page) {
    if (!wal.subarray(frame + 8, frame + 16).equals(salt)) break;
    if (wal.readUInt32BE(frame + 4) > 0) commits++;
  }
  return commits;
}
