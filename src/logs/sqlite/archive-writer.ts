import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, realpathSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import { ArchiveTally, type Archive, type ArchiveHeader } from "../archive.ts";
import { costOf } from "../channel-index.ts";
import { Epochs } from "./epochs.ts";
import { isFull, reasonOf, unusable } from "./errors.ts";
import { SqliteLock } from "./lock.ts";
import { OWNER_ONLY } from "./open-file.ts";
import { upgrade } from "./schema.ts";

/**
 * Writes an archive into a new log file, under another name until all of it is on the disk. Throws `LOG_UNAVAILABLE`
 * with a sentence for the operator, and leaves no file then.
 */
export async function writeSqliteArchive(path: string, archive: Archive): Promise<ArchiveTally> {
  const place = placeOf(path);
  checkNew(place);
  // Keeps away hubs, and others who write this archive.
  const lock = new SqliteLock(place);
  const draft = `${place}.part`;
  try {
    checkNew(place);
    rmSync(draft, { force: true });
    const tally = await write(draft, archive);
    sync(draft);
    checkNew(place);
    renameSync(draft, place);
    sync(dirname(place));
    return tally;
  } catch (cause) {
    rmSync(draft, { force: true });
    if (cause instanceof HubError) throw cause;
    if (isFull(cause)) throw unusable(`The disk is full; nothing is left of the log ${path}`, cause);
    throw cause;
  } finally {
    lock.close();
  }
}

/** The path in a folder without symbolic links, which is created if needed. */
function placeOf(path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return join(realpathSync.native(dirname(path)), basename(path));
  } catch (cause) {
    throw unusable(`The folder of the log, ${dirname(path)}, cannot be created: ${reasonOf(cause)}`, cause);
  }
}

/** SQLite would mix a write-ahead log that another database left behind into this one. */
function checkNew(path: string): void {
  for (const file of [path, `${path}-wal`]) {
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) continue;
    throw unusable(`${file} exists already; give the path of a new file, or move this one away`);
  }
}

async function write(path: string, { header, parts }: Archive): Promise<ArchiveTally> {
  const tally = new ArchiveTally(header);
  closeSync(openSync(path, "a", OWNER_ONLY));
  const database = new DatabaseSync(path);
  try {
    // A file that is not finished is thrown away, so nothing has to be undone in it.
    database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384; BEGIN");
    upgrade(database, 0);
    const insert = database.prepare(
      "INSERT INTO messages (offset, channel, event, data, sender, time, cost, key, via, verified, traceparent, path, quiet) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    );
    for await (const part of parts) {
      tally.add(part);
      for (const message of part.messages) {
        const {
          offset,
          channel,
          event,
          data,
          sender,
          time,
          key = null,
          via = null,
          verified,
          traceparent = null,
          path: hubs = null,
          quiet,
        } = message;
        const id = tally.channels.get(channel)?.id ?? 0;
        const origin = [via, verified ? 1 : null, traceparent, hubs, quiet ? 1 : null] as const;
        insert.run(offset, id, event, data, sender, time, costOf(message), key, ...origin);
      }
    }
    tally.finish();
    writeHeader(database, header);
    writeChannels(database, tally);
    database.exec("COMMIT");
    return tally;
  } finally {
    database.close();
  }
}

function writeHeader(database: DatabaseSync, { head, floor, used, runs, lost = [] }: ArchiveHeader): void {
  const run = database.prepare("INSERT INTO runs (first, epoch) VALUES (?, ?)");
  for (const { first, epoch } of runs) run.run(first, epoch);
  // What comes after the head has no id that the original gives out, and the head is known whatever was dropped.
  Epochs.begin(database, head);
  const value = database.prepare("INSERT INTO hub (name, value) VALUES (?, ?)");
  if (floor > 0) value.run("floor", String(floor));
  if (lost.length > 0) value.run("lost", JSON.stringify(lost));
  if (used !== undefined) value.run("checked", String(used));
}

function writeChannels(database: DatabaseSync, { channels }: ArchiveTally): void {
  const insert = database.prepare(
    "INSERT INTO channels (id, channel, kept, bytes, last, time, dropped) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  for (const [name, { id, kept, bytes, last, time, dropped }] of channels) {
    insert.run(id, name, kept, bytes, last, time, dropped);
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
