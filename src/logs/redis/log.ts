import { HubError } from "../../core/errors.ts";
import type {
  Appended,
  ChannelQuery,
  ChannelState,
  Log,
  LogPage,
  LogQuery,
  LogSize,
  RecentPage,
  RecentQuery,
  Retention,
} from "../../core/log.ts";
import type { Draft, Message } from "../../core/message.ts";
import type { ChannelName } from "../../protocol/channel.ts";
import type { Cursor } from "../../protocol/cursor.ts";
import { pageWithLosses } from "../holes.ts";
import { ReadTurns } from "../page.ts";
import { RedisAppender } from "./appender.ts";
import type { RedisConnection } from "./connection.ts";
import { RedisEngine } from "./engine.ts";
import { RedisFollower } from "./follower.ts";
import { Mirror } from "./mirror.ts";
import { randomName } from "../random-name.ts";

export interface RedisLogOptions {
  /** Open; the log does not close it. */
  readonly connection: RedisConnection;
  /** The name of this node: its own in each process. */
  readonly node?: string;
  readonly retention: Retention;
  /** normal: as safe as the engine makes it · full: a replica has it, too. */
  readonly durability: "normal" | "full";
  /** The path of the mirror; undefined for a temporary file, deleted when the process exits. */
  readonly mirror?: string | undefined;
  /** Instead of the engine's clock and this machine's monotonic one, for tests; in milliseconds. */
  readonly now?: (() => number) | undefined;
  readonly elapsed?: (() => number) | undefined;
  /** Called with a sentence for the operator of the server. */
  readonly report?: (sentence: string) => void;
}

/** How long a read waits for a message that another node has already handed on, in milliseconds. */
const READ_TIMEOUT = 2000;
const RETRY = 20;
/** Milliseconds between two questions about epochs that this node has not heard of. */
const LEARN_INTERVAL = 200;

/**
 * Keeps messages in one Redis or Valkey that many nodes share. A script there numbers, keeps and announces each batch;
 * every node follows the announcements, and reads from a mirror of its own.
 */
export class RedisLog implements Log {
  readonly #connection: RedisConnection;
  readonly #engine: RedisEngine;
  readonly #mirror: Mirror;
  readonly #follower: RedisFollower;
  readonly #appender: RedisAppender;
  readonly #readTurns = new ReadTurns();
  readonly #isDurable: boolean;
  #closed: Promise<void> | undefined;
  #isClosing = false;
  #learning: Promise<void> | undefined;
  /** When the engine was last asked about an epoch that this node had not heard of. */
  #learned = -Infinity;

  private constructor(options: RedisLogOptions) {
    const { connection, retention, durability, now, elapsed, report = () => {}, node = randomName() } = options;
    this.#connection = connection;
    this.#isDurable = durability === "full";
    this.#mirror = Mirror.open({ path: options.mirror, channels: retention.channels });
    this.#engine = new RedisEngine({ connection, node, retention, report, now, elapsed });
    this.#follower = new RedisFollower({ connection, node, report, engine: this.#engine, mirror: this.#mirror });
    this.#appender = new RedisAppender({
      connection,
      durability,
      engine: this.#engine,
      follower: this.#follower,
      mirror: this.#mirror,
    });
  }

  /** Resolves once the mirror has all that is kept; rejects with `LOG_UNAVAILABLE` and a sentence for the operator. */
  static async open(options: RedisLogOptions): Promise<RedisLog> {
    const log = new RedisLog(options);
    try {
      await log.#follower.open();
      return log;
    } catch (error) {
      log.#follower.close();
      log.#mirror.close();
      throw error;
    }
  }

  get epoch(): string {
    return this.#follower.runs.epoch;
  }

  epochAt(offset: number): string {
    return this.#follower.runs.at(offset);
  }

  append(draft: Draft): Promise<Appended> {
    return this.#appender.append(draft);
  }

  appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return this.#appender.appendAll(drafts);
  }

  async read(query: LogQuery): Promise<LogPage> {
    await this.#readTurns.next();
    this.#checkOpen();
    const { after } = query;
    if (after > this.#mirror.head && !(await this.#reaches(after))) {
      return { messages: [], end: this.#mirror.head, dropped: 0 };
    }
    return this.#read(async () => {
      const page = await this.#mirror.page(query);
      return pageWithLosses(page, after, (offset) => this.#follower.runs.holeAfter(offset));
    });
  }

  async recent(query: RecentQuery): Promise<RecentPage> {
    await this.#readTurns.next();
    return this.#read(() => this.#mirror.recent(query));
  }

  async follow(
    listener: (messages: readonly Message[]) => void,
    onReset: (head: number, valid?: number) => void = () => {},
  ): Promise<number> {
    this.#follower.onMessages = listener;
    this.#follower.onReset = onReset;
    return this.#mirror.head;
  }

  knows({ epoch, offset }: Cursor): boolean {
    // What another node has published may not be here yet: a read waits for it.
    return epoch === this.epochAt(offset);
  }

  learn({ epoch }: Cursor): Promise<void> | undefined {
    if (this.#follower.runs.has(epoch)) return undefined;
    // However many unknown cursors a client sends, the engine is asked only so often.
    return (this.#learning ??= this.#learn().finally(() => (this.#learning = undefined)));
  }

  channels(query: ChannelQuery): readonly ChannelState[] {
    return this.#mirror.channels.list(query);
  }

  size(): LogSize {
    return this.#mirror.size;
  }

  async purge(channel: ChannelName, upTo: number): Promise<number> {
    this.#checkOpen();
    const { kept, last, time } = this.#mirror.purgeable(channel, upTo);
    if (last === null) return 0;
    const purges = await this.#engine.purge(channel, last, time ?? 0);
    if (this.#isDurable) await this.#engine.confirm();
    // The first may have asked the engine before.
    for (let tries = 0; tries < 3 && this.#mirror.purges < purges; tries++) await this.#follower.catchUp();
    return kept;
  }

  async check(): Promise<void> {
    this.#checkOpen();
    await this.#follower.checkIn();
    const { problem } = this.#follower;
    if (problem !== undefined) throw new HubError("LOG_UNAVAILABLE", problem);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#appender.close();
    this.#isClosing = true;
    this.#follower.close();
    if (this.#connection.isReady) await this.#engine.leave().catch(() => {});
    this.#mirror.close();
  }

  /** Reads from the mirror, again if messages were taken out of it meanwhile. */
  async #read<T>(look: () => Promise<T>): Promise<T> {
    for (;;) {
      this.#checkOpen();
      const { version } = this.#mirror;
      const page = await look();
      if (version === this.#mirror.version) return page;
    }
  }

  async #learn(): Promise<void> {
    const wait = this.#learned + LEARN_INTERVAL - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    await this.#follower.catchUp().catch(() => false);
    this.#learned = performance.now();
  }

  /** Whether the log has an offset that this node has not come to yet; resolves when it has. */
  async #reaches(offset: number): Promise<boolean> {
    const { head } = await this.#follower.checkIn();
    if (offset > head) return false;
    for (const start = performance.now(); this.#mirror.head < offset;) {
      this.#checkOpen();
      if (performance.now() - start > READ_TIMEOUT)
        throw this.#connection.unavailable(new Error("this node is behind"));
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
    return true;
  }

  #checkOpen(): void {
    if (this.#isClosing) throw new HubError("LOG_UNAVAILABLE", "The log is closed");
  }
}
