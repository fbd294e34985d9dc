import { HubError } from "../../core/errors.ts";
import { isObject, LOG_LEVELS, type LogLevel } from "../errors.ts";

/** The part of a session that outlives its node. */
export interface KeptState {
  readonly logLevel: LogLevel;
  readonly uris: readonly string[];
  /** The node that its client came to last for its own stream; undefined with one node. */
  readonly listener?: string | undefined;
}

/** Changes what is stored of a session, whatever it is by then. */
export type KeptChange = (kept: KeptState) => KeptState;

/** A session as it is stored. */
export interface SessionRecord {
  /** Counts its changes. */
  readonly version: number;
  readonly state: string;
}

/** Stores sessions by their names. Its methods reject with `LOG_UNAVAILABLE` if what they need cannot be reached. */
export interface SessionRecords {
  /** Whether other nodes use the same records, so that a session may be on several at once. */
  readonly isShared: boolean;
  /** Stores a session that is new. */
  begin(name: string, kept: KeptState): Promise<SessionRecord>;
  /** Undefined if the session has ended, or was not used for too long. */
  get(name: string): Promise<SessionRecord | undefined>;
  /** Stores a change; `live` is the session on this node, after it. Resolves with nothing if the session has ended. */
  change(name: string, change: KeptChange, live: KeptState): Promise<SessionRecord | undefined>;
  /** Stores again what was stored before, if the store went back to an earlier version. */
  repair(name: string, record: SessionRecord): Promise<void>;
  /**
   * Notes that sessions were used on this node, at times in milliseconds since 1970. Resolves with what nodes that share
   * them have stored, which is nothing if one has ended.
   */
  touch(used: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, SessionRecord | undefined>>;
  delete(name: string): Promise<void>;
  /** Deletes a session for which this node has no room, unless another node used it last. */
  evict(name: string): Promise<void>;
}

/** A file with sessions, for the only node. It reports what fails. */
export interface SessionFile {
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
const MAX_KEPT = 64 * 1024;

/** Stores sessions in a file, for a restart. */
export class FileRecords implements SessionRecords {
  readonly isShared = false;
  readonly #file: SessionFile;
  readonly #idle: number;
  readonly #most: number;

  /** `idle`: milliseconds after which an unused session has ended; `most`: sessions at the same time. */
  constructor(file: SessionFile, { idle, most }: { readonly idle: number; readonly most: number }) {
    this.#file = file;
    this.#idle = idle;
    this.#most = most;
  }

  async begin(name: string, kept: KeptState): Promise<SessionRecord> {
    return this.#put(name, kept);
  }

  async get(name: string): Promise<SessionRecord | undefined> {
    const found = this.#file.get(name);
    if (found === undefined || found.used + this.#idle < Date.now()) return undefined;
    return { version: 0, state: found.state };
  }

  async change(name: string, _change: KeptChange, live: KeptState): Promise<SessionRecord> {
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

  #put(name: string, { logLevel, uris }: KeptState): SessionRecord {
    let room = MAX_KEPT;
    const state = keptText({ logLevel, uris: uris.filter((uri) => (room -= uri.length) >= 0) });
    this.#file.put(name, { used: Date.now(), state });
    return { version: 0, state };
  }
}

export function keptText({ logLevel, uris, listener }: KeptState): string {
  return JSON.stringify({ logLevel, uris, listener });
}

/** Parses the stored state; ignores what is invalid, since it may have been changed by hand. */
export function readKept(text: string): KeptState {
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    kept = undefined;
  }
  const { logLevel, uris, listener } = isObject(kept) ? kept : {};
  return {
    logLevel: LOG_LEVELS.find((level) => level === logLevel) ?? "debug",
    uris: Array.isArray(uris) ? uris.filter((uri) => typeof uri === "string") : [],
    listener: typeof listener === "string" ? listener : undefined,
  };
}

/** Milliseconds between looks for sessions that were not used for `idle` milliseconds. */
export function sweepInterval(idle: number): number {
  return Math.min(idle / 2, 30_000);
}

/** What is not stored while the engine is away is stored later, or is found out by the next request. */
export function unlessAway(error: unknown): undefined {
  if (error instanceof HubError) return;
  throw error;
}
