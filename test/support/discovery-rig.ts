import { Discovery, type DiscoveryOptions } from "../../src/discovery/discovery.ts";
import type { Instance } from "../../src/discovery/registry.ts";

/** A server on loopback as registries are told of it. */
export const INSTANCE: Instance = {
  id: "hub-127.0.0.1-8000",
  service: "hub",
  host: "127.0.0.1",
  port: 8000,
  isSecure: false,
  tlsServerName: "",
  url: "http://127.0.0.1:8000",
  metadata: { version: "1.2.3", mcpPath: "/mcp", basePath: "/" },
};

/** Discovery in a hurry, and what it logs. */
export function hurriedDiscovery(overrides: Partial<DiscoveryOptions> = {}): {
  readonly discovery: Discovery;
  readonly lines: string[];
} {
  const lines: string[] = [];
  const log = {
    info: (sentence: string): void => void lines.push(`info ${sentence}`),
    warn: (sentence: string): void => void lines.push(`warn ${sentence}`),
  };
  const pace = { interval: 10, minBackoff: 5, maxBackoff: 20, timeout: 60_000, deregisterTimeout: 60_000 };
  return { discovery: new Discovery({ ...pace, log, ...overrides }), lines };
}
