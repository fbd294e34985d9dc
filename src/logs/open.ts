import { resolve } from "node:path";
import { HubError } from "../core/errors.ts";
import type { Log, Retention } from "../core/log.ts";
import type { Records } from "../core/records.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { LocalStore } from "./local-store.ts";
import { MemoryLog } from "./memory.ts";
import { SqliteLog } from "./sqlite/log.ts";
import { SessionFile } from "./sqlite/session-file.ts";

export interface StorageOptions {
  /** `memory:`, `file:` and a path, or the URL of a Redis. */
  readonly data: string;
  readonly retention: Retention;
  readonly durability: "normal" | "full";
  /** `temporary:`, or `file:` and a path: the copy of a log on Redis. */
  readonly mirror: string;
  /** Paths of PEM files for a Redis; empty for none. */
  readonly redis: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Called with a sentence for the operator of the server. */
  readonly report?: (sentence: string) => void;
}

/** The log of a hub, and the store its nodes share. */
export interface Storage {
  readonly log: Log;
  readonly shared: SharedStore;
  readonly records: Records;
  /** Disconnects from the store; close the log before. */
  close(): Promise<void>;
}

/** Opens what `DATA` names; rejects with `LOG_UNAVAILABLE` and a sentence for the operator. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  // Loaded only if asked for: most hubs have one node.
  if (/^rediss?(?:\+|:)/.test(options.data)) return (await import("./redis/open.ts")).openRedis(options);
  const shared = new LocalStore();
  const log = await openLog(options);
  return { log, shared, records: log.records, close: async () => shared.close() };
}

/** Opens a log on this machine; rejects with `LOG_UNAVAILABLE` and a sentence for the operator. */
export async function openLog({
  data,
  retention,
  durability,
  report,
}: Pick<StorageOptions, "data" | "retention" | "durability" | "report">): Promise<Log & { readonly records: Records }> {
  if (data === "memory:") return new MemoryLog(retention);
  if (data.startsWith("file:"))
    return SqliteLog.open({ path: resolve(data.slice("file:".length)), retention, durability, report });
  throw new HubError("LOG_UNAVAILABLE", `DATA is ${JSON.stringify(data)}; use file:PATH, memory: or redis://HOST:PORT`);
}

/** Opens the file of MCP sessions beside an open log; undefined if the log is in memory, or the file cannot be used. */
export function openSessionFile(data: string, report: (sentence: string) => void): SessionFile | undefined {
  if (!data.startsWith("file:")) return undefined;
  return SessionFile.open(`${resolve(data.slice("file:".length))}.sessions`, report);
}
