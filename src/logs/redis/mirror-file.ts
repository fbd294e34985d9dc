import { closeSync, openSync, rmSync } from "node:fs";
import { uptime } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import { isDamaged } from "../sqlite/errors.ts";
import { OWNER_ONLY } from "../sqlite/open-file.ts";
import { TABLES } from "../sqlite/schema.ts";

/** SQLite's application id in the header of the file; "ssem". */
const APPLICATION = 0x7373656d;
const VERSION = 3;
/** Milliseconds by which two readings of when the machine started may differ. */
const TOLERANCE = 60_000;
const SCHEMA = `
  ${TABLES}
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${VERSION};
`;

/**
 * Opens the file of a mirror, or makes it; without a path, a temporary one, deleted when the process exits. A file that
 * is damaged, of another version, or that may be incomplete is replaced: the engine has all that was in it.
 */
export function openMirrorFile(path: string | undefined): DatabaseSync {
  if (path !== undefined) {
    make(path);
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      if (isUsable(database, path)) return database;
    } catch (error) {
      if (!isDamaged(error)) throw error;
    }
    database.close();
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${suffix}`, { force: true });
    make(path);
  }
  const database = new DatabaseSync(path ?? "", { timeout: 0 });
  configure(database, path === undefined);
  database.exec(SCHEMA);
  note(database);
  return database;
}

function make(path: string): void {
  try {
    closeSync(openSync(path, "a", OWNER_ONLY));
  } catch {
    // SQLite says what is wrong when it opens it.
  }
}

function isUsable(database: DatabaseSync, path: string): boolean {
  configure(database);
  const { application } = database.prepare("SELECT application_id AS application FROM pragma_application_id").get() as {
    application: number;
  };
  const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as { tables: number };
  if (tables === 0) return false;
  if (application !== APPLICATION) {
    throw new HubError(
      "LOG_UNAVAILABLE",
      `MIRROR names ${JSON.stringify(path)}, a database of another kind; give it another file`,
    );
  }
  const { version } = database.prepare("SELECT user_version AS version FROM pragma_user_version").get() as {
    version: number;
  };
  const row = database.prepare("SELECT value FROM hub WHERE name = 'machineStart'").get() as
    | { value: string }
    | undefined;
  // Nothing is flushed to the disk: after a crash of the machine the file may have holes.
  const isSameStart = Math.abs(machineStart() - Number(row?.value)) < TOLERANCE;
  if (version !== VERSION || !isSameStart) return false;
  note(database);
  return true;
}

function configure(database: DatabaseSync, isTemporary = false): void {
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY");
  // Each commit walks all changed pages of a temporary database, and they stay in its cache until that is a quarter full.
  if (isTemporary) database.exec("PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -2048");
  else database.exec("PRAGMA journal_mode = WAL; PRAGMA cache_size = -16384");
}

function note(database: DatabaseSync): void {
  database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('machineStart', ?)").run(String(machineStart()));
}

/** When this machine was started, approximately: milliseconds since 1970. */
function machineStart(): number {
  return Math.round(Date.now() - uptime() * 1000);
}
