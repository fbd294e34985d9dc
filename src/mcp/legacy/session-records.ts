import { HubError } from "../../core/errors.ts";
import type { StateChange, StoredState } from "./stored-state.ts";

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
  begin(name: string, state: StoredState): Promise<SessionRecord>;
  /** Undefined if the session has ended, or was not used for too long. */
  get(name: string): Promise<SessionRecord | undefined>;
  /** Stores a change; `live` is the session on this node, after it. Resolves with nothing if the session has ended. */
  change(name: string, change: StateChange, live: StoredState): Promise<SessionRecord | undefined>;
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

/** Milliseconds between looks for sessions that were not used for `idle` milliseconds. */
export function sweepInterval(idle: number): number {
  return Math.min(idle / 2, 30_000);
}

/** What is not stored while the engine is away is stored later, or is found out by the next request. */
export function unlessAway(error: unknown): undefined {
  if (error instanceof HubError) return;
  throw error;
}
