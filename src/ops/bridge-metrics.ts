import { Counter, Gauge, type Registry } from "prom-client";
import type { BridgeStatus } from "../protocol/bridge-status.ts";

/** What became of messages, by the counters of a bridge. */
const OUTCOMES = {
  received: "received",
  repeated: "repeated",
  rejected: "rejected",
  loops: "loop",
  tombstones: "tombstone",
  sent: "sent",
  refused: "refused",
  gaps: "gap",
} as const;

/** Measures the bridges of this node, by their names. */
export function measureBridges(
  registry: Registry,
  prefix: string,
  bridges: { readonly status: () => readonly BridgeStatus[] },
): void {
  const registers = [registry];
  gauge("bridge_up", "1 if a bridge is connected, or waits while another node does its work, 0 if not", ({ state }) =>
    Number(state === "running" || state === "standby"),
  );
  gauge("bridge_lag_messages", "Messages that wait on the bus, if the bus can tell", ({ lag }) => lag);
  gauge("bridge_behind", "1 while messages of the hub wait to be sent, 0 if none do", ({ isBehind }) =>
    Number(isBehind),
  );
  const messages = new Counter({
    name: `${prefix}bridge_messages_total`,
    help: "Messages of each bridge at this node, by what became of them",
    labelNames: ["bridge", "outcome"],
    registers,
    collect() {
      messages.reset();
      for (const status of bridges.status()) {
        for (const [counted, outcome] of Object.entries(OUTCOMES)) {
          messages.inc({ bridge: status.name, outcome }, status[counted as keyof typeof OUTCOMES]);
        }
      }
    },
  });
  const failures = new Counter({
    name: `${prefix}bridge_failures_total`,
    help: "Connections of each bridge that failed or were lost",
    labelNames: ["bridge"],
    registers,
    collect() {
      failures.reset();
      for (const { name, failures: count } of bridges.status()) failures.inc({ bridge: name }, count);
    },
  });

  function gauge(name: string, help: string, value: (status: BridgeStatus) => number | null): void {
    const metric = new Gauge({
      name: prefix + name,
      help,
      labelNames: ["bridge"],
      registers,
      collect() {
        metric.reset();
        for (const status of bridges.status()) {
          const now = value(status);
          if (now !== null) metric.set({ bridge: status.name }, now);
        }
      },
    });
  }
}
