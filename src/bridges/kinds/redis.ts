import type { Redis } from "ioredis";
import { z } from "zod";
import { CONNECT_TIMEOUT, MissingError, type Bus, type BusClient, type BusKind } from "../bus.ts";
import { ConnectionLoss } from "../connection-loss.ts";
import { loadDriver } from "../driver.ts";
import { receivedOf } from "./redis/entry.ts";
import { inFields, outFields, type RedisIn, type RedisOut } from "./redis/rules.ts";
import { RedisSource } from "./redis/source.ts";
import { RedisTarget } from "./redis/target.ts";

/** The consumer of a group whose entries are received in order: the same on every node. */
const ONLY = "hub";

/** Redis streams: entries with fields, in groups. */
export const redis: BusKind<string, RedisIn, RedisOut> = {
  connection: z.string().regex(/^rediss?:\/\/./, "use redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT"),
  in: inFields,
  out: outFields,
  fromBeginning: { from: "earliest" },
  destination: "stream",
  names: ["stream"],
  prefixes: ["ce_"],
  isExclusive: (rule) => rule.order,
  connect,
};

async function connect(url: string, client: BusClient): Promise<Bus<RedisIn, RedisOut>> {
  const driver = await loadDriver(async () => import("ioredis"), "ioredis");
  const commands = new driver.Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    keepAlive: 10_000,
  });
  const loss = new ConnectionLoss();
  let reason = "the connection to Redis was lost";
  const watch = (connection: Redis): void => {
    connection.on("error", (error: Error) => (reason = `Redis: ${error.message}`));
    connection.on("end", () => loss.fail(new Error(reason)));
  };
  watch(commands);
  await commands.connect().catch((cause: unknown) => {
    commands.disconnect();
    throw new Error(reason, { cause });
  });
  const readers = new Set<Redis>();
  return {
    lost: loss.promise,
    async source(rule) {
      await createGroup(commands, rule);
      // A blocking read needs a connection of its own.
      const reader = commands.duplicate();
      watch(reader);
      readers.add(reader);
      await reader.connect();
      return new RedisSource(commands, reader, rule, rule.order ? ONLY : client.node);
    },
    target: async (rule) => new RedisTarget(commands, rule),
    async sample(rule) {
      if ((await commands.exists(rule.stream)) === 0 && !rule.declare) throw noStream(rule.stream);
      const [entry] = await commands.xrevrangeBuffer(rule.stream, "+", "-", "COUNT", 1);
      return entry === undefined ? undefined : receivedOf(entry, rule);
    },
    async close() {
      loss.expect();
      for (const connection of [commands, ...readers]) connection.disconnect();
    },
  };
}

async function createGroup(commands: Redis, { stream, group, from, declare }: RedisIn): Promise<void> {
  const start = from === "latest" ? "$" : "0";
  try {
    if (declare) await commands.xgroup("CREATE", stream, group, start, "MKSTREAM");
    else await commands.xgroup("CREATE", stream, group, start);
  } catch (cause) {
    const { message } = cause as Error;
    if (message.startsWith("BUSYGROUP")) return;
    throw message.includes("requires the key to exist") ? noStream(stream) : cause;
  }
}

function noStream(stream: string): MissingError {
  return new MissingError(`Redis has no stream ${stream}; create it, or set declare: true in the rule`);
}
