import { HubError } from "../../core/errors.ts";
import type { RedisConnection } from "./connection.ts";
import { info } from "./scripts.ts";

/** The oldest version whose scripts and commands suffice. */
const OLDEST = 7;

/**
 * What about an engine may cost messages, in sentences for the operator of the server. Rejects with `LOG_UNAVAILABLE`
 * if the engine cannot be used at all.
 */
export async function engineWarnings(
  connection: RedisConnection,
  durability: "normal" | "full",
  isCluster: boolean,
): Promise<string[]> {
  // Inside a script with a key of the log, so that in a cluster the node that has the log answers.
  const text = String(await connection.runScript(info, [connection.key("meta")], []));
  const said = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(text)?.[1] ?? "";
  const version = said("redis_version");
  if (Number.parseInt(version, 10) < OLDEST) {
    throw new HubError(
      "LOG_UNAVAILABLE",
      `The Redis that DATA names has version ${version}; use 7 or newer, or a Valkey`,
    );
  }
  if (said("role") === "slave" && said("slave_read_only") === "1") {
    throw new HubError(
      "LOG_UNAVAILABLE",
      "The Redis that DATA names is a replica, which takes no writes; name its primary",
    );
  }
  if (durability === "full" && isCluster) {
    throw new HubError(
      "LOG_UNAVAILABLE",
      "DURABILITY is full, which a cluster cannot confirm; use Sentinels, or normal",
    );
  }
  const replicas = Number(said("connected_slaves"));
  const warnings: string[] = [];
  const policy = said("maxmemory_policy");
  if (Number(said("maxmemory")) > 0 && policy !== "noeviction")
    warnings.push(`Redis may evict the log (maxmemory-policy ${policy}); set it to noeviction`);
  if (said("aof_enabled") === "0")
    warnings.push("Redis has no append-only file: a restart of it loses messages (appendonly no)");
  if (replicas > 0 && said("min_slaves_good_slaves") === "")
    warnings.push(
      "Redis goes on without its replicas, so a failover may lose more than a moment (min-replicas-to-write 0)",
    );
  if (durability === "full" && replicas === 0)
    warnings.push("DURABILITY is full, but Redis has no replica that could confirm a message: publishing will fail");
  return warnings;
}
