import type { Redis } from "ioredis";
import { z } from "zod";
import {
  CONNECT_TIMEOUT,
  MAX_BATCH,
  MissingError,
  type Batch,
  type Bus,
  type BusClient,
  type BusKind,
  type Outgoing,
  type Received,
  type Source,
  type Target,
} from "../bus.ts";
import { loadDriver } from "../driver.ts";
import { render } from "../template.ts";

/** Receives a stream as a group (XREADGROUP), so that Redis knows what is acknowledged. */
interface RedisIn {
  readonly stream: string;
  readonly group: string;
  /** Where a new group begins. */
  readonly from: "latest" | "earliest";
  /** The field of an entry with the payload; the other fields are its headers. */
  readonly body: string;
  /** Whether entries are kept in order: one node receives them then, and all nodes if not. */
  readonly order: boolean;
  /** Whether to make the stream if there is none. */
  readonly declare: boolean;
}

interface RedisOut {
  readonly stream: string;
  readonly body: string;
  /** Entries that the stream keeps, about; 0 for all. */
  readonly maxLength: number;
}

/** The field of an entry that has the content type, and the key. */
const CONTENT_TYPE = "content-type";
const KEY = "key";
/** Milliseconds that a read waits for entries. */
const BLOCK = 1000;
/** Milliseconds after which an entry is taken from a node that received and did not acknowledge it. */
const ABANDONED = 60_000;
/** The consumer of a group whose entries are received in order: the same on every node. */
const ONLY = "hub";
/** What no time will mend about one entry. */
const REFUSED = /^(?:WRONGTYPE|ERR Invalid|ERR .*too (?:large|long))/;

const word = z.string().min(1).max(255);

/** Redis streams: entries with fields, in groups. */
export const redis: BusKind<string, RedisIn, RedisOut> = {
  connection: z.string().regex(/^rediss?:\/\/./, "use redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT"),
  in: z.object({
    stream: word,
    group: word.default("hub"),
    from: z.enum(["latest", "earliest"]).default("latest"),
    body: word.default("data"),
    order: z.boolean().default(true),
    declare: z.boolean().default(false),
  }),
  out: z.object({ stream: word, body: word.default("data"), maxLength: z.int().min(0).max(1e9).default(0) }),
  everything: { from: "earliest" },
  outTemplates: ["stream"],
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
  const { promise: lost, reject } = Promise.withResolvers<never>();
  lost.catch(() => {});
  let reason = "the connection to Redis was lost";
  const watch = (connection: Redis): void => {
    connection.on("error", (error: Error) => (reason = `Redis: ${error.message}`));
    connection.on("end", () => reject(new Error(reason)));
  };
  watch(commands);
  await commands.connect().catch((cause: unknown) => {
    commands.disconnect();
    throw new Error(reason, { cause });
  });
  const sources = new Set<Redis>();
  return {
    lost,
    async source(rule) {
      await makeGroup(commands, rule);
      // A read that waits holds a connection of its own.
      const reader = commands.duplicate();
      watch(reader);
      sources.add(reader);
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
      for (const connection of [commands, ...sources]) {
        connection.removeAllListeners("end");
        connection.disconnect();
      }
    },
  };
}

async function makeGroup(commands: Redis, { stream, group, from, declare }: RedisIn): Promise<void> {
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
  return new MissingError(`Redis has no stream ${stream}; make it, or set declare: true in the rule`);
}

type Entry = [id: Buffer, fields: Buffer[] | null];

class RedisSource implements Source {
  readonly #commands: Redis;
  readonly #reader: Redis;
  readonly #rule: RedisIn;
  readonly #consumer: string;
  #isClosed = false;

  constructor(commands: Redis, reader: Redis, rule: RedisIn, consumer: string) {
    this.#commands = commands;
    this.#reader = reader;
    this.#rule = rule;
    this.#consumer = consumer;
  }

  async *batches(): AsyncIterable<Batch> {
    // What this consumer was given before, and did not acknowledge.
    for (let after: string | Buffer = "0"; ;) {
      const entries = await this.#read(after);
      const last = entries.at(-1);
      if (last === undefined) break;
      yield this.#batch(entries);
      [after] = last;
    }
    let lookedAt = 0;
    // The next entries are read while the hub keeps these.
    for (let reading = this.#ahead(); !this.#isClosed;) {
      const entries = await reading;
      if (this.#isClosed) return;
      if (!this.#rule.order && performance.now() - lookedAt > ABANDONED / 2) {
        lookedAt = performance.now();
        const abandoned = await this.#claim();
        if (abandoned.length > 0) yield this.#batch(abandoned);
      }
      reading = this.#ahead();
      if (entries.length > 0) yield this.#batch(entries);
    }
  }

  async lag(): Promise<number | undefined> {
    const groups = (await this.#commands.xinfo("GROUPS", this.#rule.stream)) as unknown[][];
    for (const group of groups) {
      const valueOf = (field: string): unknown => group[group.indexOf(field) + 1];
      if (valueOf("name") !== this.#rule.group) continue;
      const lag = valueOf("lag");
      return typeof lag === "number" ? lag + Number(valueOf("pending")) : undefined;
    }
    return undefined;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reader.removeAllListeners("end");
    this.#reader.disconnect();
    // A consumer of a node that goes is not needed any more; one that still has entries is, until they are claimed.
    if (this.#rule.order) return;
    const { stream, group } = this.#rule;
    const pending = await this.#commands.xpending(stream, group, "-", "+", 1, this.#consumer).catch(() => [0]);
    if (pending.length === 0) await this.#commands.xgroup("DELCONSUMER", stream, group, this.#consumer).catch(() => {});
  }

  /** A read whose failure is seen when it is waited for. */
  #ahead(): Promise<readonly Entry[]> {
    const reading = this.#read(">");
    reading.catch(() => {});
    return reading;
  }

  async #read(after: string | Buffer): Promise<readonly Entry[]> {
    const { stream, group } = this.#rule;
    try {
      const reply: readonly [Buffer, Entry[]][] | null = await this.#reader.xreadgroupBuffer(
        ...(["GROUP", group, this.#consumer, "COUNT", MAX_BATCH, "BLOCK", BLOCK, "STREAMS", stream, after] as const),
      );
      return reply?.[0]?.[1] ?? [];
    } catch (error) {
      if (this.#isClosed) return [];
      throw error;
    }
  }

  async #claim(): Promise<readonly Entry[]> {
    const { stream, group } = this.#rule;
    const options = [this.#consumer, ABANDONED, "0", "COUNT", MAX_BATCH];
    const reply = (await this.#commands.callBuffer("XAUTOCLAIM", stream, group, ...options)) as [Buffer, Entry[]];
    return reply[1];
  }

  #batch(entries: readonly Entry[]): Batch {
    const { stream, group } = this.#rule;
    return {
      // One that was deleted after it was delivered has no fields any more.
      messages: entries.map((entry) => receivedOf(entry, this.#rule)),
      settle: async () => void (await this.#commands.xack(stream, group, ...entries.map(([id]) => id))),
    };
  }
}

class RedisTarget implements Target {
  readonly #commands: Redis;
  readonly #rule: RedisOut;

  constructor(commands: Redis, rule: RedisOut) {
    this.#commands = commands;
    this.#rule = rule;
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    const { maxLength, body: field } = this.#rule;
    const pipeline = this.#commands.pipeline();
    for (const { names, headers, body, contentType, key } of messages) {
      const stream = render(this.#rule.stream, names) ?? "";
      const fields: (string | Buffer)[] = Object.entries(headers).flat();
      if (contentType !== undefined) fields.push(CONTENT_TYPE, contentType);
      if (key !== undefined) fields.push(KEY, key);
      fields.push(field, Buffer.from(body ?? []));
      const trim = maxLength === 0 ? [] : ["MAXLEN", "~", maxLength];
      pipeline.call("XADD", stream, ...trim, "*", ...fields);
    }
    const replies = (await pipeline.exec()) ?? [];
    return messages.map((_, index) => {
      const error = replies[index]?.[0] ?? undefined;
      if (error === undefined || REFUSED.test(error.message)) return error;
      throw error;
    });
  }

  async close(): Promise<void> {}
}

function receivedOf([id, fields]: Entry, { stream, body }: RedisIn): Received {
  const position = `${stream}/${id.toString()}`;
  const headers: Record<string, string> = {};
  let payload: Buffer | undefined;
  for (let at = 0; at + 1 < (fields?.length ?? 0); at += 2) {
    const [name, value] = [String(fields?.[at]), fields?.[at + 1] as Buffer];
    if (name === body) payload = value;
    else headers[name] = value.toString();
  }
  // One that was deleted has no fields any more; of one without this field, all fields are the payload.
  if (payload === undefined && fields !== null) {
    const all = Buffer.from(JSON.stringify(headers));
    return { body: all, headers: {}, contentType: "application/json", names: { stream }, position };
  }
  const { [CONTENT_TYPE]: contentType, [KEY]: key, ...rest } = headers;
  return {
    body: payload,
    headers: rest,
    contentType,
    key,
    names: { stream },
    position,
  };
}
