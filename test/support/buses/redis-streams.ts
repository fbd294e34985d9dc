import { Redis } from "ioredis";
import type { BusMessage } from "../../../src/bridges/bus.ts";
import { startEngine } from "../redis.ts";
import type { BusServer } from "./bus-server.ts";

/** The field of the payload; the others are headers. */
const BODY = "data";

/** The server, and what only tests of Redis do. */
interface RedisStreams extends BusServer {
  readonly connection: string;
  /** Adds a user that may use only this stream. */
  allow(user: string, password: string, place: string): Promise<void>;
  /** Deletes all data. */
  flush(): Promise<void>;
  /** Adds an entry with exactly these fields. */
  add(place: string, fields: Readonly<Record<string, string>>): Promise<void>;
}

/** A stream and some of its entries, as a read answers. */
type Stream = [name: Buffer, entries: [id: Buffer, fields: Buffer[]][]];

/** A real Redis, for bridges on its streams. */
export async function startRedisStreams(): Promise<RedisStreams> {
  const engine = await startEngine();
  const connect = (): Redis => new Redis(engine.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  const client = connect();
  client.on("error", () => {});
  return {
    kind: "redis",
    connection: engine.url,
    port: engine.port,
    connectionAt: (port) => `redis://127.0.0.1:${port}`,
    async declare(place) {
      await client.xadd(place, "1-1", BODY, "");
      await client.xtrim(place, "MAXLEN", 0);
    },
    incoming: (place) => ({ stream: place, from: "earliest" }),
    outgoing: (place) => ({ stream: place }),
    async send(place, messages) {
      const pipeline = client.pipeline();
      for (const { headers, body, contentType, key } of messages) {
        const more = { "content-type": contentType, key };
        const fields = Object.entries({ ...headers, ...more }).filter(([, value]) => value !== undefined);
        pipeline.call("XADD", place, "*", ...(fields.flat() as string[]), BODY, Buffer.from(body ?? []));
      }
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    },
    async receive(place) {
      const reader = connect();
      reader.on("error", () => {});
      const messages: BusMessage[] = [];
      const stop = new AbortController();
      const read = async (): Promise<void> => {
        for (let after: string | Buffer = "0"; !stop.signal.aborted;) {
          const reply: readonly Stream[] | null = await reader
            .xreadBuffer("BLOCK", 1000, "STREAMS", place, after)
            .catch(() => null);
          for (const [id, fields] of reply?.[0]?.[1] ?? []) {
            after = id;
            messages.push(messageOf(fields));
          }
        }
      };
      const reading = read();
      return {
        messages,
        async [Symbol.asyncDispose]() {
          stop.abort();
          reader.disconnect();
          await reading;
        },
      };
    },
    async waiting(place) {
      const [group] = (await client.xinfo("GROUPS", place)) as unknown[][];
      if (group === undefined) return undefined;
      const of = (name: string): number => Number(group[group.indexOf(name) + 1]);
      return of("pending") + of("lag");
    },
    allow: async (user, password, place) =>
      void (await client.acl("SETUSER", user, "on", `>${password}`, `~${place}`, "+@all")),
    flush: async () => void (await client.flushall()),
    add: async (place, fields) => void (await client.xadd(place, "*", ...Object.entries(fields).flat())),
    kill: () => engine.kill("SIGKILL"),
    start: () => engine.restart(),
    async [Symbol.asyncDispose]() {
      client.disconnect();
      await engine[Symbol.asyncDispose]();
    },
  };
}

function messageOf(fields: readonly Buffer[]): BusMessage {
  const headers: Record<string, string> = {};
  let body: Buffer | undefined;
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = String(fields[at]);
    if (name === BODY) body = fields[at + 1];
    else headers[name] = String(fields[at + 1]);
  }
  const { "content-type": contentType, key, ...rest } = headers;
  return { body, headers: rest, contentType, key };
}
