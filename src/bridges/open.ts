import { setTimeout as sleep } from "node:timers/promises";
import { hubSource } from "../core/hub-path.ts";
import type { Hub } from "../core/hub.ts";
import type { Records } from "../core/records.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { Bridge } from "./bridge.ts";
import { configuredBridges, type BridgeSettings, type ConfiguredBridge } from "./config.ts";
import type { BridgeContext } from "./context.ts";
import type { BridgeStatus } from "../protocol/bridge-status.ts";

/** Milliseconds that a stopping server waits for its bridges. */
const CLOSE_TIMEOUT = 5000;

/** What bridges need of a server that is open. */
export interface OpenServer {
  readonly hub: Hub;
  readonly shared: SharedStore;
  readonly records: Records;
  readonly hubId: string;
  /** The public address of the server; empty if it is not configured. */
  readonly publicUrl: string;
  readonly maxBytes: number;
  readonly log: BridgeContext["log"];
  /** For tests. */
  readonly wait?: BridgeContext["wait"];
}

/** All bridges of a server. */
export class Bridges {
  readonly #bridges: readonly Bridge[];
  readonly #wait: BridgeContext["wait"];

  constructor(configured: readonly ConfiguredBridge[], { publicUrl, ...server }: OpenServer) {
    const context: BridgeContext = {
      ...server,
      source: hubSource(publicUrl, server.hubId),
      wait: server.wait ?? pause,
    };
    this.#wait = context.wait;
    this.#bridges = configured.map(({ config, kind }) => new Bridge(config, kind, context));
  }

  /** Connects all of them. */
  start(): void {
    for (const bridge of this.#bridges) bridge.start();
  }

  /** The status of each of them on this node. */
  status(): readonly BridgeStatus[] {
    return this.#bridges.map((bridge) => bridge.status);
  }

  /** Disconnects all of them. Resolves when their positions are saved, or after `CLOSE_TIMEOUT`. */
  async close(): Promise<void> {
    const closed = Promise.all(this.#bridges.map((bridge) => bridge.close()));
    // A bus that does not answer must not keep the server from stopping. What it did not confirm is sent again.
    await Promise.race([closed, this.#wait(CLOSE_TIMEOUT, new AbortController().signal)]);
  }
}

/** Checks the configuration before the server opens its log; rejects with a `ConfigError`. The result makes the bridges. */
export async function prepareBridges(
  settings: BridgeSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<(server: OpenServer) => Bridges> {
  const configured = await configuredBridges(settings, environment);
  return (server) => new Bridges(configured, server);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return sleep(milliseconds, undefined, { signal, ref: false }).catch(() => {});
}
