import { resolve } from "node:path";
import { HubError } from "../core/errors.ts";
import type { Log, Retention } from "../core/log.ts";
import { MemoryLog } from "./memory.ts";
import { SqliteLog } from "./sqlite/log.ts";
import { SessionFile } from "./sqlite/session-file.ts";

export interface LogOptions {
  /** `memory:`, or `file:` and a path. */
  readonly data: string;
  readonly retention: Retention;
  readonly durability: "normal" | "full";
  /** Called with a sentence for the operator of the server. */
  readonly report?: (sentence: string) => void;
}

/** Opens the log that `DATA` names; rejects with `LOG_UNAVAILABLE` and a sentence for the operator. */
export async function openLog({ data, retention, durability, report }: LogOptions): Promise<Log> {
  if (data === "memory:") return new MemoryLog(retention);
  if (data.startsWith("file:"))
    return SqliteLog.open({ path: resolve(data.slice("file:".length)), retention, durability, report });
  throw new HubError("LOG_UNAVAILABLE", `DATA is ${JSON.stringify(data)}; use file:PATH or memory:`);
}

/** Opens the file of MCP sessions beside an open log; undefined if the log is in memory, or the file cannot be used. */
export function openSessionFile(data: string, report: (sentence: string) => void): SessionFile | undefined {
  if (!data.startsWith("file:")) return undefined;
  return SessionFile.open(`${resolve(data.slice("file:".length))}.sessions`, report);
}
