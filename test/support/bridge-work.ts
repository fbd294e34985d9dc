import { newCounters, type BridgeWork } from "../../src/bridges/context.ts";
import type { Hub } from "../../src/core/hub.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import type { MemoryLog } from "../../src/logs/memory.ts";

/** What a rule of a bridge works with, and what it told operators; `onWait` is called instead of each wait. */
export function bridgeWork(
  hub: Hub,
  log: MemoryLog,
  onWait: () => unknown = () => {},
): BridgeWork & { readonly notices: string[] } {
  const notices: string[] = [];
  return {
    hub,
    shared: new LocalStore(),
    records: log.records,
    hubId: "h",
    source: "hub:h",
    maxBytes: 1000,
    log: { info: () => {}, warn: () => {} },
    wait: async () => void onWait(),
    bridge: "shop",
    counters: newCounters(),
    notice: (sentence) => void notices.push(sentence),
    notices,
  };
}
