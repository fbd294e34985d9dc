import type { Records } from "../core/records.ts";

/** The records of a log in memory. */
export class MemoryRecords implements Records {
  readonly #kinds = new Map<string, Map<string, string>>();

  async get(kind: string, name: string): Promise<string | undefined> {
    return this.#of(kind).get(name);
  }

  async set(kind: string, name: string, value: string): Promise<void> {
    this.#of(kind).set(name, value);
  }

  async replace(kind: string, name: string, before: string | undefined, value: string | undefined): Promise<boolean> {
    const records = this.#of(kind);
    if (records.get(name) !== before) return false;
    if (value === undefined) records.delete(name);
    else records.set(name, value);
    return true;
  }

  async delete(kind: string, name: string): Promise<void> {
    this.#of(kind).delete(name);
  }

  async list(kind: string): Promise<ReadonlyMap<string, string>> {
    return new Map(this.#of(kind));
  }

  #of(kind: string): Map<string, string> {
    const records = this.#kinds.get(kind) ?? new Map<string, string>();
    this.#kinds.set(kind, records);
    return records;
  }
}
