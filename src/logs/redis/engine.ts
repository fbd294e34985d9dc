import { HubError } from "../../core/errors.ts";
import type { Retention } from "../../core/log.ts";
import type { Draft, Message } from "../../core/message.ts";
import { costOf } from "../channel-index.ts";
import { AgeClock } from "../sqlite/expiry.ts";
import type { RedisConnection } from "./connection.ts";
import { logKeys, type LogKeys } from "./keys.ts";
import { purge } from "./purge-script.ts";
import type { Dropped } from "./purges.ts";
import { entryMessage, recordOf, type Entry } from "./record.ts";
import { undecided } from "./runs.ts";
import { append, checkIn, type Script } from "./scripts.ts";
import { randomName } from "../random-name.ts";

/** What the engine says of the log. */
export interface EngineState {
  readonly epoch: string;
  readonly head: number;
  /** The last offset dropped by retention. */
  readonly floor: number;
  /** The same for channels that the engine knows nothing of. */
  readonly channelFloor: number;
  /** How often a channel was purged. */
  readonly purges: number;
  /** All runs, for `Runs`; empty if the epoch asked with is in use. */
  readonly runs: readonly string[];
}

/** What became of a batch. */
export interface AppendReply {
  readonly before: number;
  readonly floor: number;
  readonly time: number;
  /** For each draft its offset: negative if its key was used before, 0 if it is ephemeral. */
  readonly offsets: readonly number[];
}

export interface EngineOptions {
  readonly connection: RedisConnection;
  readonly node: string;
  readonly retention: Retention;
  /** Called with a sentence for the operator of the server. */
  readonly report: (sentence: string) => void;
  /** Instead of the engine's clock and this machine's monotonic one, for tests; in milliseconds. */
  readonly now?: (() => number) | undefined;
  readonly elapsed?: (() => number) | undefined;
}

/** A command waits for a replica this long with full durability. */
const CONFIRM = 500;
/** Entries that are read at once. */
export const PAGE = 500;
/** An upper bound that Lua writes without an exponent. */
const UNBOUNDED = 2 ** 52;

/** The keys of a log on Redis, and what is done with them in one step each. */
export class RedisEngine {
  readonly #connection: RedisConnection;
  readonly #node: string;
  readonly #retention: Retention;
  readonly #now: (() => number) | undefined;
  readonly #elapsed: () => number;
  readonly #keys: LogKeys;
  /** By how much the engine's clock is ahead of `elapsed`; undefined before it has told. */
  #lead: number | undefined;
  #clock: AgeClock | undefined;
  readonly #report: (sentence: string) => void;

  constructor({ connection, node, retention, report, now, elapsed = () => performance.now() }: EngineOptions) {
    this.#connection = connection;
    this.#node = node;
    this.#retention = retention;
    this.#report = report;
    this.#now = now;
    this.#elapsed = elapsed;
    this.#keys = logKeys(connection.key);
  }

  /**
   * Numbers, keeps and announces drafts, at most once for each number of a batch. Undefined if the node has to look
   * first. Rejects with `LOG_UNAVAILABLE`; it may have been done or not then.
   */
  async append(batch: number, epoch: string, drafts: readonly Draft[]): Promise<AppendReply | undefined> {
    const args = drafts.flatMap((draft) => [
      draft.ephemeral ? "e" : "m",
      draft.ephemeral ? "" : (draft.key ?? ""),
      costOf(draft),
      recordOf(draft),
    ]);
    const reply = (await this.#run(append, [batch, epoch, ...args])) as readonly [
      string,
      number,
      number,
      number,
      number[],
    ];
    const [status, before, floor, time, offsets] = reply;
    return status === "ok" ? { before, floor, time, offsets } : undefined;
  }

  /** Resolves once a replica has what was appended; rejects with `LOG_UNAVAILABLE` if none says so in time. */
  async confirm(): Promise<void> {
    const confirmed = await this.#connection.run((redis) => redis.wait(1, CONFIRM));
    if (confirmed >= 1) return;
    const sentence = `The message was kept, but no replica confirmed it within ${CONFIRM} ms: it may be lost if this Redis stops now`;
    throw new HubError("LOG_UNAVAILABLE", sentence);
  }

  /**
   * Says how far this node has got, and how far the log is. Undefined while other nodes have to say how far they have
   * got. Rejects with `LOG_UNAVAILABLE`.
   */
  async checkIn(nodeHead: number, epoch: string): Promise<EngineState | undefined> {
    const reply = (await this.#run(checkIn, [nodeHead, epoch, randomName()])) as readonly unknown[];
    const [status, current, head, floor, time, channelFloor, last, runs, purges] = reply;
    if (status === "wait") return undefined;
    if (status === "newer") {
      const sentence = `The log on Redis was written by a newer sse-mcp-server (format ${String(current)}); use that version`;
      throw new HubError("LOG_UNAVAILABLE", sentence);
    }
    this.#lead = Number(time) - this.#elapsed();
    this.#clock ??= new AgeClock({
      elapsed: this.#elapsed,
      age: this.#retention.age,
      last: Number(last) || undefined,
      report: this.#report,
    });
    return {
      epoch: String(current),
      head: Number(head),
      floor: Number(floor),
      channelFloor: Number(channelFloor),
      runs: runs as readonly string[],
      purges: Number(purges),
    };
  }

  /** All runs, for `Runs`, read without checking in; none if there is no log yet. */
  async peek(): Promise<readonly string[]> {
    const { runs } = this.#keys;
    return Object.entries(await this.#connection.run((redis) => redis.hgetall(runs))).flat();
  }

  /** The messages after an offset, at most `PAGE`. */
  async read(after: number): Promise<readonly Message[]> {
    const { log } = this.#keys;
    const entries = await this.#connection.run((redis) =>
      redis.xrange(log, `(${Math.max(after, 0)}-0`, "+", "COUNT", PAGE),
    );
    return entries.map((entry) => entryMessage(entry as Entry));
  }

  /**
   * Purges a channel up to its message with this offset and time; resolves with how many purges there were. If it rejects,
   * with `LOG_UNAVAILABLE`, nodes may know of it, and the stream may still have some of the messages.
   */
  async purge(channel: string, offset: number, time: number): Promise<number> {
    for (let from = 0; ;) {
      const reply = (await this.#run(purge, [channel, offset, time, from])) as readonly [string, number, number];
      const [status, purges, next] = reply;
      if (status === "stale") throw this.#connection.unavailable(undecided());
      if (status === "full")
        throw new HubError(
          "OVERLOADED",
          "Too many channels were purged; try again when retention has dropped what came before",
        );
      if (next < 0) return purges;
      from = next;
    }
  }

  /** The last offset dropped by retention. */
  async floor(): Promise<number> {
    const { meta } = this.#keys;
    return Number(await this.#connection.run((redis) => redis.hget(meta, "floor")));
  }

  /** The channels that were purged. */
  purged(): Promise<readonly Dropped[]> {
    return this.#dropped(this.#keys.purged);
  }

  /** The channels that have lost messages by retention. */
  dropped(): Promise<readonly Dropped[]> {
    return this.#dropped(this.#keys.dropped);
  }

  async #dropped(key: string): Promise<readonly Dropped[]> {
    const found = await this.#connection.run((redis) => redis.hgetall(key));
    return Object.entries(found).map(([channel, value]) => {
      const [offset, time] = value.split(" ");
      return { channel, offset: Number(offset), time: Number(time) };
    });
  }

  /** Announces that someone asks whether announcements arrive. */
  async ping(): Promise<void> {
    await this.#connection.run((redis) => redis.publish(this.#connection.key("live"), "ping"));
  }

  /** Says that this node is going. */
  async leave(): Promise<void> {
    const { nodes, batches } = this.#keys;
    await this.#connection.run((redis) =>
      Promise.all([redis.hdel(nodes, this.#node), redis.hdel(batches, this.#node)]),
    );
  }

  #run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    const { messages, bytes, channels } = this.#retention;
    const bounds = [messages, bytes, this.#since(), channels].map((bound) => Math.min(bound, UNBOUNDED));
    const common = [this.#node, this.#now?.() ?? "", this.#connection.key("live"), ...bounds];
    return this.#connection.runScript(script, Object.values(this.#keys) as string[], [...common, ...args]);
  }

  /** The time before which messages are too old, by a clock that does not jump. */
  #since(): number {
    if (this.#clock === undefined || this.#lead === undefined) return 0;
    const now = this.#now?.() ?? this.#elapsed() + this.#lead;
    return Math.max(Math.floor(this.#clock.time(now) - this.#retention.age), 0);
  }
}
