import type { Redis } from "ioredis";
import { MAX_BATCH, MAX_HELD, type Batch, type Source } from "../../bus.ts";
import { heldBytes } from "../../held-bytes.ts";
import { receivedOf, type Entry } from "./entry.ts";
import type { RedisIn } from "./rules.ts";

/** Milliseconds that a read waits for entries. */
const BLOCK = 1000;
/** Milliseconds after which an entry is claimed from a node that received and did not acknowledge it. */
const ABANDONED = 60_000;
/** Entries of the first read, whose size is not known. */
const FIRST_COUNT = 32;
/** Bytes of one answer: one is kept by the hub while the next is read. */
const MAX_ANSWER = MAX_HELD / 2;

/** The entries of a stream that its consumer group delivers to one consumer. */
export class RedisSource implements Source {
  readonly #commands: Redis;
  readonly #reader: Redis;
  readonly #rule: RedisIn;
  readonly #consumer: string;
  /** Entries to read next: Redis bounds an answer by their number only, so it follows their size. */
  #count = FIRST_COUNT;
  #isClosed = false;

  constructor(commands: Redis, reader: Redis, rule: RedisIn, consumer: string) {
    this.#commands = commands;
    this.#reader = reader;
    this.#rule = rule;
    this.#consumer = consumer;
  }

  async *batches(): AsyncIterable<Batch> {
    // First what was delivered to this consumer before, and not acknowledged.
    for (let after: string | Buffer = "0"; ;) {
      const entries = await this.#read(after);
      const last = entries.at(-1);
      if (last === undefined) break;
      yield this.#batch(entries);
      [after] = last;
    }
    let claimedAt = 0;
    // The next entries are read while the hub keeps these.
    for (let reading = this.#readAhead(); !this.#isClosed;) {
      const entries = await reading;
      if (this.#isClosed) return;
      if (!this.#rule.order && performance.now() - claimedAt > ABANDONED / 2) {
        claimedAt = performance.now();
        const abandoned = await this.#claim();
        if (abandoned.length > 0) yield this.#batch(abandoned);
      }
      reading = this.#readAhead();
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
    // The consumer of this node is no longer needed, unless it has entries that another is to claim.
    if (this.#rule.order) return;
    const { stream, group } = this.#rule;
    const pending = await this.#commands.xpending(stream, group, "-", "+", 1, this.#consumer).catch(() => [0]);
    if (pending.length === 0) await this.#commands.xgroup("DELCONSUMER", stream, group, this.#consumer).catch(() => {});
  }

  /** Starts to read; a failure rejects the promise when it is awaited. */
  #readAhead(): Promise<readonly Entry[]> {
    const reading = this.#read(">");
    reading.catch(() => {});
    return reading;
  }

  async #read(after: string | Buffer): Promise<readonly Entry[]> {
    const { stream, group } = this.#rule;
    try {
      const reply: readonly [Buffer, Entry[]][] | null = await this.#reader.xreadgroupBuffer(
        ...(["GROUP", group, this.#consumer, "COUNT", this.#count, "BLOCK", BLOCK, "STREAMS", stream, after] as const),
      );
      return this.#measured(reply?.[0]?.[1] ?? []);
    } catch (error) {
      if (this.#isClosed) return [];
      throw error;
    }
  }

  async #claim(): Promise<readonly Entry[]> {
    const { stream, group } = this.#rule;
    const options = [this.#consumer, ABANDONED, "0", "COUNT", this.#count];
    const reply = (await this.#commands.callBuffer("XAUTOCLAIM", stream, group, ...options)) as [Buffer, Entry[]];
    return this.#measured(reply[1]);
  }

  /** Sets how many entries to read next: as many as these would fill the room, but at most twice as many as before. */
  #measured(entries: readonly Entry[]): readonly Entry[] {
    if (entries.length === 0) return entries;
    let bytes = 0;
    for (const [, fields] of entries) bytes += heldBytesOf(fields ?? []);
    const fitting = Math.floor((MAX_ANSWER * entries.length) / bytes);
    this.#count = Math.max(1, Math.min(fitting, 2 * this.#count, MAX_BATCH));
    return entries;
  }

  #batch(entries: readonly Entry[]): Batch {
    const { stream, group } = this.#rule;
    return {
      messages: entries.map((entry) => receivedOf(entry, this.#rule)),
      // As texts, which the driver writes at once; it writes each buffer by itself.
      settle: async () => void (await this.#commands.xack(stream, group, ...entries.map(([id]) => id.toString()))),
    };
  }
}

/** About how many bytes an entry takes. */
function heldBytesOf(fields: readonly Buffer[]): number {
  let bytes = 0;
  for (const field of fields) bytes += field.length;
  return heldBytes(bytes, fields.length);
}
