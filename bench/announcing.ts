import { connect, type Socket } from "node:net";
import type { ChannelName } from "../src/protocol/channel.ts";
import { redisAddress } from "../src/logs/redis/address.ts";
import { RedisConnection } from "../src/logs/redis/connection.ts";
import { RedisEngine } from "../src/logs/redis/engine.ts";
import { RedisProcess } from "./redis-process.ts";

const FOLLOWERS = [1, 3, 10, 30, 100];
const BATCHES = [1, 16, 64];
const WARM_UP = 50;
const COUNT = 600;
const EVERYTHING = { age: 604_800_000, messages: 1e6, bytes: 2 ** 30, channels: 100_000 };
const DRAFT = { channel: "load" as ChannelName, event: "message", data: "x".repeat(100), sender: "bench" };

/** What a batch costs the Redis, by the number of nodes that it is announced to. */
export interface AnnouncingFigures {
  readonly batches: readonly number[];
  readonly rows: readonly {
    readonly nodes: number;
    /** Microseconds of CPU for a batch of each size. */
    readonly micros: readonly number[];
    /** Bytes to each node for a message in a batch of each size. */
    readonly bytes: readonly number[];
  }[];
}

/** Appends batches to a Redis while connections follow, which do nothing but read. */
export async function measureAnnouncing(): Promise<AnnouncingFigures> {
  await using redis = await RedisProcess.start();
  const address = redisAddress(`redis://127.0.0.1:${redis.port}`);
  const connection = await RedisConnection.open({ address, ca: "", cert: "", key: "", report: () => {} });
  const engine = new RedisEngine({ connection, node: "bench", retention: EVERYTHING, report: () => {} });
  const { epoch = "" } = (await engine.checkIn(-1, "")) ?? {};
  const followers: Socket[] = [];
  let [number, received] = [0, 0];
  const append = async (count: number, size: number): Promise<void> => {
    const drafts = Array.from({ length: size }, () => DRAFT);
    for (let index = 0; index < count; index += 1) await engine.append(++number, epoch, drafts);
  };
  const rows: AnnouncingFigures["rows"][number][] = [];
  for (const nodes of FOLLOWERS) {
    while (followers.length < nodes) {
      followers.push(await follow(redis.port, connection.key("live"), (bytes) => (received += bytes)));
    }
    const row = { nodes, micros: [] as number[], bytes: [] as number[] };
    for (const size of BATCHES) {
      await append(WARM_UP, size);
      received = 0;
      const before = redis.cpuSeconds();
      await append(COUNT, size);
      row.micros.push(((redis.cpuSeconds() - before) * 1e6) / COUNT);
      row.bytes.push(received / COUNT / size / nodes);
    }
    rows.push(row);
  }
  for (const socket of followers) socket.destroy();
  connection.close();
  return { batches: BATCHES, rows };
}

function follow(port: number, channel: string, onBytes: (bytes: number) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`SUBSCRIBE ${channel}\r\n`));
    socket.once("data", () => resolve(socket));
    socket.on("data", (bytes) => onBytes(bytes.length));
    socket.on("error", reject);
  });
}
