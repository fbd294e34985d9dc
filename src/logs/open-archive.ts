import { resolve } from "node:path";
import { HubError } from "../core/errors.ts";
import type { Archive, ArchiveTally } from "./archive.ts";
import type { StorageOptions } from "./open.ts";
import type { RedisConnection } from "./redis/connection.ts";
import { openSqliteArchive } from "./sqlite/archive-reader.ts";
import { writeSqliteArchive } from "./sqlite/archive-writer.ts";

/** A value of `DATA`, and what a Redis there needs besides. */
export type Place = Pick<StorageOptions, "data" | "redis">;

const REDIS = /^rediss?(?:\+|:)/;

/** Opens for reading what a log keeps. Throws `LOG_UNAVAILABLE` with a sentence for the operator. */
export async function openArchive(place: Place): Promise<Archive & AsyncDisposable> {
  if (REDIS.test(place.data)) {
    const { openRedisArchive } = await import("./redis/archive-reader.ts");
    const connection = await connected(place);
    try {
      return { ...(await openRedisArchive(connection)), [Symbol.asyncDispose]: async () => connection.close() };
    } catch (error) {
      connection.close();
      throw error;
    }
  }
  const archive = openSqliteArchive(pathIn(place));
  return { ...archive, [Symbol.asyncDispose]: async () => archive[Symbol.dispose]() };
}

/**
 * Writes a new log of what an archive has. Throws `LOG_UNAVAILABLE` with a sentence for the operator, also if there is a
 * log already; a log that is not whole is not left behind.
 */
export async function writeArchive(place: Place, archive: Archive): Promise<ArchiveTally> {
  if (!REDIS.test(place.data)) return await writeSqliteArchive(pathIn(place), archive);
  const { writeRedisArchive } = await import("./redis/archive-writer.ts");
  const connection = await connected(place);
  try {
    return await writeRedisArchive(connection, archive);
  } finally {
    connection.close();
  }
}

/** The client is loaded only if it is needed. */
async function connected({ data, redis }: Place): Promise<RedisConnection> {
  const { RedisConnection } = await import("./redis/connection.ts");
  const { redisAddress } = await import("./redis/address.ts");
  return await RedisConnection.open({ address: redisAddress(data), ...redis, report: () => {} });
}

function pathIn({ data }: Place): string {
  if (data.startsWith("file:") && data !== "file:") return resolve(data.slice("file:".length));
  const sentence =
    data === "memory:"
      ? "memory: is gone with its server, and cannot be moved; use file:PATH or redis://HOST:PORT"
      : `${JSON.stringify(data)} is not a place for a log; use file:PATH or redis://HOST:PORT`;
  throw new HubError("LOG_UNAVAILABLE", sentence);
}
