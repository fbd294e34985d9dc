import { resolve } from "node:path";
import type { Storage, StorageOptions } from "../open.ts";
import { redisAddress } from "./address.ts";
import { RedisConnection } from "./connection.ts";
import { engineWarnings } from "./engine-warnings.ts";
import { RedisLog } from "./log.ts";
import { RedisRecords } from "./records.ts";
import { RedisStore } from "./store.ts";
import { randomName } from "../random-name.ts";

/** Opens a log on Redis, and what its nodes share besides; rejects with `LOG_UNAVAILABLE` and a sentence for the operator. */
export async function openRedis({
  data,
  retention,
  durability,
  mirror,
  redis,
  report = () => {},
}: StorageOptions): Promise<Storage> {
  const node = randomName();
  const address = redisAddress(data);
  const connection = await RedisConnection.open({ address, ...redis, report });
  try {
    for (const warning of await engineWarnings(connection, durability, address.kind === "cluster")) report(warning);
    const path = mirror.startsWith("file:") ? resolve(mirror.slice("file:".length)) : undefined;
    const shared = await RedisStore.open(connection, node);
    const log = await RedisLog.open({ connection, node, retention, durability, mirror: path, report });
    return { log, shared, records: new RedisRecords(connection), close: async () => connection.close() };
  } catch (error) {
    connection.close();
    throw error;
  }
}
