import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Records } from "../../core/records.ts";
import { unavailable } from "./errors.ts";

/** The records in the file of a log; they are written between its transactions. */
export class SqliteRecords implements Records {
  readonly #synced: () => Promise<void>;
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  readonly #delete: StatementSync;
  readonly #list: StatementSync;

  /** `synced` resolves once what was written before is as safe as the log makes its messages. */
  constructor(database: DatabaseSync, synced: () => Promise<void>) {
    this.#synced = synced;
    this.#get = database.prepare("SELECT value FROM records WHERE kind = ? AND name = ?");
    this.#set = database.prepare("INSERT OR REPLACE INTO records (kind, name, value) VALUES (?, ?, ?)");
    this.#delete = database.prepare("DELETE FROM records WHERE kind = ? AND name = ?");
    this.#list = database.prepare("SELECT name, value FROM records WHERE kind = ? ORDER BY name");
  }

  async get(kind: string, name: string): Promise<string | undefined> {
    return attempt(() => this.#find(kind, name));
  }

  async set(kind: string, name: string, value: string): Promise<void> {
    attempt(() => this.#set.run(kind, name, value));
    await this.#synced();
  }

  async replace(kind: string, name: string, before: string | undefined, value: string | undefined): Promise<boolean> {
    // Nothing else runs between the look and the write, and no other process writes into the file.
    if (attempt(() => this.#find(kind, name)) !== before) return false;
    await (value === undefined ? this.delete(kind, name) : this.set(kind, name, value));
    return true;
  }

  async delete(kind: string, name: string): Promise<void> {
    attempt(() => this.#delete.run(kind, name));
    await this.#synced();
  }

  async list(kind: string): Promise<ReadonlyMap<string, string>> {
    const rows = attempt(() => this.#list.all(kind)) as { name: string; value: string }[];
    return new Map(rows.map(({ name, value }) => [name, value]));
  }

  #find(kind: string, name: string): string | undefined {
    return (this.#get.get(kind, name) as { value: string } | undefined)?.value;
  }
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unavailable(error);
  }
}
