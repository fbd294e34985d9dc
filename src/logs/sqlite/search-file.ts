import { closeSync, openSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isDamaged } from "./errors.ts";
import { OWNER_ONLY } from "./open-file.ts";

/** SQLite's application id in the header of the file; "sses". */
const APPLICATION = 0x73736573;
/** Grows whenever words are made in another way: an index of another format is made again. */
const VERSION = 2;
/** Bytes that its write-ahead log keeps. */
const WAL_KEPT = 4 * 1024 * 1024;

/** A part of the index: it keeps which words are where, and not the texts. Words are separated by spaces already. */
export function partTable(name: string): string {
  return `CREATE VIRTUAL TABLE ${name} USING fts5(words, channel, content = '', columnsize = 0, tokenize = "ascii tokenchars '_.-'")`;
}

/** Opens the file of an index, or makes it; one that is damaged or of another format is made again. */
export function openSearchFile(path: string): DatabaseSync {
  try {
    return opened(path);
  } catch (error) {
    if (!isDamaged(error) && !(error instanceof OtherFormat)) throw error;
    removeSearchFile(path);
    return opened(path);
  }
}

/** Removes the file of an index that no one has open. */
export function removeSearchFile(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${suffix}`, { force: true });
}

class OtherFormat extends Error {}

function opened(path: string): DatabaseSync {
  // It tells which words the messages have, so it is for no other user of the machine.
  closeSync(openSync(path, "a", OWNER_ONLY));
  const database = new DatabaseSync(path, { timeout: 0, defensive: true });
  try {
    database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      PRAGMA journal_size_limit = ${WAL_KEPT}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192`);
    const [application, version, tables] = [
      "SELECT application_id FROM pragma_application_id",
      "SELECT user_version FROM pragma_user_version",
      "SELECT count(*) FROM sqlite_schema",
    ].map((question) => Number(Object.values(database.prepare(question).get() ?? {})[0]));
    if (tables === 0) {
      database.exec(`CREATE TABLE parts (number INTEGER PRIMARY KEY, until INTEGER NOT NULL, epoch TEXT NOT NULL) STRICT;
        PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${VERSION}`);
    } else if (application !== APPLICATION) throw new Error("it is a database of another program");
    else if (version !== VERSION) throw new OtherFormat();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
