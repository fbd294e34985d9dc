import type { BridgeCounters } from "../protocol/bridge-status.ts";

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
