import type { Hub } from "../core/hub.ts";
import type { Records } from "../core/records.ts";
import type { SharedStore } from "../core/shared-store.ts";
import type { BridgeCounters } from "../protocol/bridge-status.ts";

/** What the bridges need of the server. */
export interface BridgeContext {
  readonly hub: Hub;
  readonly shared: SharedStore;
  readonly records: Records;
  /** The id of this hub: the same on all its nodes, and after a restart. */
  readonly hubId: string;
  /** The `source` of the CloudEvents that it sends: its public address, or `hub:` and its id. */
  readonly source: string;
  /** Bytes of a message at most. */
  readonly maxBytes: number;
  readonly log: { info(sentence: string): void; warn(sentence: string): void };
  /** Waits, or until the signal is aborted; tests replace it. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** What the code that receives and sends for one bridge needs. */
export interface BridgeWork extends BridgeContext {
  readonly bridge: string;
  readonly counters: BridgeCounters;
  /** Tells the operator what happened to a message. */
  readonly notice: (sentence: string) => void;
}

/** The counters of a bridge that has done nothing yet. */
export function newCounters(): BridgeCounters {
  return {
    received: 0,
    repeated: 0,
    rejected: 0,
    loops: 0,
    tombstones: 0,
    sent: 0,
    refused: 0,
    gaps: 0,
    failures: 0,
  };
}
