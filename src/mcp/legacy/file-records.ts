import type { SessionRecord, SessionRecords } from "./session-records.ts";
import { stateText, type StateChange, type StoredState } from "./stored-state.ts";

/** A file with sessions, for the only node. It reports what fails. */
export interface SessionTable {
  readonly key: Uint8Array<ArrayBuffer>;
  get(name: string): { readonly used: number; readonly state: string } | undefined;
  put(name: string, record: { readonly used: number; readonly state: string }): void;
  touch(used: ReadonlyMap<string, number>): void;
  delete(name: string): void;
  /** Deletes sessions that were not used since `before`, and of the others all but the `most` last used. */
  trim(before: number, most: number): void;
  close(): void;
}

/** Characters of the URIs of one session that are stored in a file. */
const MAX_URIS = 64 * 1024;

/** Stores sessions in a file, for a restart. */
export class FileRecords implements SessionRecords {
  readonly isShared = false;
  readonly #file: SessionTable;
  readonly #idle: number;
  readonly #most: number;

  /** `idle`: milliseconds after which an unused session has ended; `most`: sessions at the same time. */
  constructor(file: SessionTable, { idle, most }: { readonly idle: number; readonly most: number }) {
    this.#file = file;
    this.#idle = idle;
    this.#most = most;
  }

  async begin(name: string, state: StoredState): Promise<SessionRecord> {
    return this.#put(name, state);
  }

  async get(name: string): Promise<SessionRecord | undefined> {
    const found = this.#file.get(name);
    if (found === undefined || found.used + this.#idle < Date.now()) return undefined;
    return { version: 0, state: found.state };
  }

  async change(name: string, _change: StateChange, live: StoredState): Promise<SessionRecord> {
    return this.#put(name, live);
  }

  async repair(): Promise<void> {}

  async touch(used: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, undefined>> {
    this.#file.touch(used);
    this.#file.trim(Date.now() - this.#idle, this.#most);
    return new Map();
  }

  async delete(name: string): Promise<void> {
    this.#file.delete(name);
  }

  async evict(name: string): Promise<void> {
    this.#file.delete(name);
  }

  #put(name: string, { logLevel, uris }: StoredState): SessionRecord {
    let room = MAX_URIS;
    const state = stateText({ logLevel, uris: uris.filter((uri) => (room -= uri.length) >= 0) });
    this.#file.put(name, { used: Date.now(), state });
    return { version: 0, state };
  }
}
