import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** A session as it is stored. */
export interface KeptSession {
  /** When it was last used, approximately: milliseconds since 1970. */
  readonly used: number;
  readonly state: string;
}

const VERSION = 1;
/** Bytes of the file at most. */
const MAX_BYTES = 64 * 1024 * 1024;
const KEY_BYTES = 32;
/** Milliseconds to wait for another program, such as a backup, that has the file locked. */
const BUSY_TIMEOUT = 500;
/** Ended sessions that are remembered until they can be deleted. */
const MAX_ENDED = 10_000;
/** Only the user of the server process may read it: it holds the key that session ids are signed with. */
const MODE = 0o600;

/**
 * Stores MCP sessions, and the key that their ids are signed with, in a file beside the log. If a write fails, that is
 * reported, and the change is lost at a restart.
 */
export class SessionFile {
  /** Made once, when the file is created. */
  readonly key: Uint8Array<ArrayBuffer>;
  readonly #database: DatabaseSync;
  readonly #report: (sentence: string) => void;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #touch: StatementSync;
  readonly #delete: StatementSync;
  readonly #trim: StatementSync;
  /** Sessions that have ended but could not be deleted yet. */
  readonly #ended = new Set<string>();
  #isFailing = false;

  private constructor(database: DatabaseSync, report: (sentence: string) => void) {
    this.#database = database;
    this.#report = report;
    this.key = keyIn(database);
    this.#get = database.prepare("SELECT used, state FROM sessions WHERE id = ?");
    this.#put = database.prepare("INSERT OR REPLACE INTO sessions (id, used, state) VALUES (?, ?, ?)");
    this.#touch = database.prepare("UPDATE sessions SET used = ? WHERE id = ?");
    this.#delete = database.prepare("DELETE FROM sessions WHERE id = ?");
    this.#trim = database.prepare(
      "DELETE FROM sessions WHERE used < ? OR id NOT IN (SELECT id FROM sessions ORDER BY used DESC LIMIT ?)",
    );
  }

  /** Opens or creates the file; if that fails, reports it and returns undefined. Needs the lock of the log. */
  static open(path: string, report: (sentence: string) => void): SessionFile | undefined {
    let database: DatabaseSync | undefined;
    try {
      closeSync(openSync(path, "a", MODE));
      chmodSync(path, MODE);
      database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT });
      prepare(database);
      return new SessionFile(database, report);
    } catch (error) {
      database?.close();
      report(`MCP sessions will not outlive a restart: ${path} cannot be used: ${(error as Error).message}`);
      return undefined;
    }
  }

  get(id: string): KeptSession | undefined {
    if (this.#ended.has(id)) return undefined;
    return this.#try(() => this.#get.get(id) as KeptSession | undefined);
  }

  put(id: string, { used, state }: KeptSession): void {
    this.#try(() => this.#put.run(id, used, state));
  }

  /** Records when sessions were last used, and deletes those that could not be deleted when they ended. */
  touch(used: ReadonlyMap<string, number>): void {
    for (const id of this.#ended) this.delete(id);
    if (used.size === 0) return;
    this.#try(() => {
      this.#database.exec("BEGIN");
      try {
        for (const [id, time] of used) this.#touch.run(time, id);
      } finally {
        this.#database.exec("COMMIT");
      }
    });
  }

  delete(id: string): void {
    const isDeleted = this.#try(() => this.#delete.run(id)) !== undefined;
    if (isDeleted) this.#ended.delete(id);
    else if (this.#ended.size < MAX_ENDED) this.#ended.add(id);
  }

  /** Deletes sessions that were not used since `before`, and of the others all but the `most` last used. */
  trim(before: number, most: number): void {
    this.#try(() => this.#trim.run(before, most));
  }

  close(): void {
    this.#database.close();
  }

  #try<T>(work: () => T): T | undefined {
    try {
      const result = work();
      this.#isFailing = false;
      return result;
    } catch (error) {
      if (!this.#isFailing) this.#report(`MCP sessions cannot be kept for a restart: ${(error as Error).message}`);
      this.#isFailing = true;
      return undefined;
    }
  }
}

function prepare(database: DatabaseSync): void {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  const { user_version: version } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version > VERSION) throw new Error("a newer sse-mcp-server wrote it");
  database.exec(`
    CREATE TABLE IF NOT EXISTS secret (key BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, used INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS sessions_by_use ON sessions (used);
    PRAGMA user_version = ${VERSION};
  `);
  const { page_size: page } = database.prepare("PRAGMA page_size").get() as { page_size: number };
  database.exec(`PRAGMA max_page_count = ${Math.floor(MAX_BYTES / page)}`);
}

function keyIn(database: DatabaseSync): Uint8Array<ArrayBuffer> {
  const found = database.prepare("SELECT key FROM secret").get() as { readonly key: unknown } | undefined;
  if (found !== undefined) {
    if (found.key instanceof Uint8Array && found.key.length === KEY_BYTES) return Uint8Array.from(found.key);
    throw new Error(`its key does not have ${KEY_BYTES} bytes; remove the file to start with a new one`);
  }
  const key = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  database.prepare("INSERT INTO secret (key) VALUES (?)").run(key);
  return key;
}
