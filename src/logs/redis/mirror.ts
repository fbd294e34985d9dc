import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import type { LogPage, LogQuery, LogSize, RecentPage, RecentQuery } from "../../core/log.ts";
import type { Message } from "../../core/message.ts";
import type { ChannelName } from "../../protocol/channel.ts";
import { ChannelIndex, costOf, type ChannelEntry } from "../channel-index.ts";
import { isBusy, reasonOf } from "../sqlite/errors.ts";
import { SqliteReader } from "../sqlite/reader.ts";
import { Transaction } from "../sqlite/transaction.ts";
import { openMirrorFile } from "./mirror-file.ts";
import { Purges, type Dropped, type Purgeable } from "./purges.ts";

export interface MirrorOptions {
  /** A path; undefined for a temporary file, deleted when the process exits. */
  readonly path: string | undefined;
  /** Channels at most, as long as empty ones can make room. */
  readonly channels: number;
}

/**
 * A node's own copy of the messages that a log on Redis keeps, so that every read stays on this machine. What it holds
 * is always one unbroken stretch of the log, up to `head`.
 */
export class Mirror {
  readonly #database: DatabaseSync;
  readonly #limit: number;
  readonly #statements: Record<
    "begin" | "commit" | "insert" | "channel" | "forget" | "note" | "oldest" | "drop" | "cut" | "recount" | "clear",
    StatementSync
  >;
  readonly #reader: SqliteReader;
  readonly #purges: Purges;
  #channels: ChannelIndex;
  #head: number;
  #floor: number;
  #messages = 0;
  #bytes = 0;
  /** What the file says of itself, as far as it was written by this process. */
  readonly #noted = new Map<string, number | string>();
  #version = 0;

  private constructor(database: DatabaseSync, limit: number) {
    this.#database = database;
    this.#limit = limit;
    this.#channels = new ChannelIndex(0, limit);
    this.#purges = new Purges(database);
    this.#reader = new SqliteReader(database, {
      behind: (...query) => this.#channels.behind(...query),
      byId: (id) => this.#channels.byId(id),
      dropped: (patterns) => this.#channels.dropped(patterns),
    });
    this.#statements = {
      begin: database.prepare("BEGIN IMMEDIATE"),
      commit: database.prepare("COMMIT"),
      insert: database.prepare(
        "INSERT INTO messages (offset, channel, event, data, sender, time, cost, via, verified, traceparent, path, quiet) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ),
      channel: database.prepare(
        `INSERT INTO channels (id, channel, kept, bytes, last, time, dropped) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET kept = excluded.kept, bytes = excluded.bytes, last = excluded.last,
           time = excluded.time, dropped = excluded.dropped`,
      ),
      forget: database.prepare("DELETE FROM channels WHERE id = ?"),
      note: database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES (?, ?)"),
      oldest: database.prepare("SELECT offset, channel, cost FROM messages WHERE offset <= ? ORDER BY offset"),
      drop: database.prepare("DELETE FROM messages WHERE offset <= ?"),
      cut: database.prepare("DELETE FROM messages WHERE offset > ?"),
      recount: database.prepare(
        `SELECT count(*) AS kept, ifnull(sum(cost), 0) AS bytes, max(offset) AS last, max(time) AS time
         FROM messages WHERE channel = ?`,
      ),
      clear: database.prepare("DELETE FROM messages"),
    };
    const noted = (name: string): number =>
      Number(
        (database.prepare("SELECT value FROM hub WHERE name = ?").get(name) as { value: string } | undefined)?.value ??
          -1,
      );
    this.#head = noted("head");
    this.#floor = Math.max(noted("floor"), 0);
    this.#load();
  }

  /** Opens or makes it; throws `LOG_UNAVAILABLE` with a sentence for the operator. */
  static open({ path, channels }: MirrorOptions): Mirror {
    try {
      if (path !== undefined) mkdirSync(dirname(path), { recursive: true });
      return new Mirror(openMirrorFile(path), channels);
    } catch (cause) {
      if (cause instanceof HubError) throw cause;
      const why = isBusy(cause) ? "another program has it open" : reasonOf(cause);
      throw new HubError("LOG_UNAVAILABLE", `MIRROR names ${JSON.stringify(path)}, which cannot be used: ${why}`, {
        cause,
      });
    }
  }

  /** Its last offset; -1 if it has never had one. */
  get head(): number {
    return this.#head;
  }

  /** The last offset that it knows to be dropped. */
  get floor(): number {
    return this.#floor;
  }

  /** Grows when messages are taken out other than by retention: what was being read then is not to be believed. */
  get version(): number {
    return this.#version;
  }

  get channels(): ChannelIndex {
    return this.#channels;
  }

  get size(): LogSize {
    const { size: channels, lastId: channelsCreated } = this.#channels;
    return { messages: this.#messages, bytes: this.#bytes, channels, channelsCreated };
  }

  /** The epoch of its head when it was closed or written to last. */
  get epoch(): string {
    const row = this.#database.prepare("SELECT value FROM hub WHERE name = 'epoch'").get();
    return (row as { value: string } | undefined)?.value ?? "";
  }

  page(query: LogQuery): Promise<LogPage> {
    return this.#reader.page(query, this.#head);
  }

  recent(query: RecentQuery): Promise<RecentPage> {
    return this.#reader.recent(query, this.#head);
  }

  /** A message by its offset. */
  message(offset: number): Message | undefined {
    return this.#reader.message(offset);
  }

  /** Adds messages after its head, which is `head` then, and drops those up to `floor`. */
  apply(messages: readonly Message[], { head, floor, epoch }: { head: number; floor: number; epoch: string }): void {
    const transaction = new Transaction(this.#channels, this.#head);
    this.#write(() => {
      for (const message of messages) {
        const { offset, channel, event, data, sender, time, via = null, verified } = message;
        const { traceparent = null, path = null, quiet } = message;
        const entry = transaction.entry(channel, true);
        if (offset <= floor || this.#purges.cover(channel, offset)) {
          const [last, dropped] = [Math.max(entry.last, offset), Math.max(entry.dropped, offset)];
          transaction.count(entry, { kept: 0, bytes: 0, last, time, dropped });
          continue;
        }
        const cost = costOf(message);
        transaction.count(entry, { kept: 1, bytes: cost, last: offset, time });
        const origin = [via, verified ? 1 : null, traceparent, path, quiet ? 1 : null] as const;
        this.#statements.insert.run(offset, entry.id, event, data, sender, time, cost, ...origin);
      }
      if (floor > this.#floor) this.#dropTo(floor, transaction);
      this.#storeAll(transaction);
      this.#note({ head, floor: Math.max(floor, this.#floor), epoch });
    });
    this.#head = head;
    this.#floor = Math.max(floor, this.#floor);
    this.#adopt(transaction);
  }

  /** Purges that it knows of, as the engine counts them; -1 if it has to ask which. */
  get purges(): number {
    return this.#purges.count;
  }

  /** What a purge of a channel up to an offset would remove. */
  purgeable(channel: ChannelName, upTo: number): Purgeable {
    return this.#purges.found(this.#channels.find(channel)?.id ?? 0, upTo);
  }

  /** Removes what was purged, also what comes later and was; the engine had counted so many purges. */
  purge(purged: readonly Dropped[], count: number): void {
    const transaction = new Transaction(this.#channels, this.#head);
    this.#write(() => {
      this.#purges.take(purged, transaction);
      this.#storeAll(transaction);
    });
    this.#purges.count = count;
    this.#version++;
    this.#adopt(transaction);
  }

  /** Drops everything after an offset: the engine does not have it. */
  truncate(after: number): void {
    this.#write(() => {
      this.#statements.cut.run(after);
      for (const entry of this.#channels.entries()) {
        if (entry.last <= after) continue;
        const { kept, bytes, last, time } = this.#statements.recount.get(entry.id) as unknown as Counted;
        this.#store({ ...entry, kept, bytes, last: last ?? Math.min(entry.dropped, after), time: time ?? entry.time });
      }
      this.#note({ head: Math.min(this.#head, after) });
    });
    this.#head = Math.min(this.#head, after);
    this.#load();
  }

  /** Forgets everything, and begins at `floor` with what the engine says of channels that lost messages. */
  clear(floor: number, channelFloor: number, dropped: readonly Dropped[]): void {
    this.#write(() => {
      this.#statements.clear.run();
      this.#database.exec("DELETE FROM channels");
      for (const [index, { channel, offset, time }] of dropped.entries())
        this.#statements.channel.run(index + 1, channel, 0, 0, offset, time, offset);
      this.#note({ head: floor, floor, channelFloor, epoch: "" });
    });
    this.#head = floor;
    this.#floor = floor;
    this.#purges.forget();
    this.#load();
  }

  close(): void {
    this.#database.close();
  }

  #write(work: () => void): void {
    this.#statements.begin.run();
    try {
      work();
      this.#statements.commit.run();
    } catch (error) {
      this.#noted.clear();
      // SQLite may have rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #dropTo(floor: number, transaction: Transaction): void {
    const rows = this.#statements.oldest.all(floor) as unknown as readonly {
      readonly offset: number;
      readonly channel: number;
      readonly cost: number;
    }[];
    for (const { offset, channel, cost } of rows)
      transaction.count(transaction.byId(channel), { kept: -1, bytes: -cost, dropped: offset });
    if (rows.length > 0) this.#statements.drop.run(floor);
  }

  #storeAll(transaction: Transaction): void {
    for (const { id } of transaction.forgotten.values()) this.#statements.forget.run(id);
    for (const entry of transaction.changed.values()) this.#store(entry);
    this.#note({ channelFloor: transaction.floor });
  }

  /** What a transaction did counts. */
  #adopt(transaction: Transaction): void {
    this.#messages += transaction.messages;
    this.#bytes += transaction.bytes;
    for (const entry of transaction.forgotten.values()) this.#channels.forget(entry);
    for (const entry of transaction.changed.values()) this.#channels.put(entry);
  }

  #store({ id, channel, kept, bytes, last, time, dropped }: ChannelEntry): void {
    this.#statements.channel.run(id, channel, kept, bytes, last, time, dropped);
  }

  #note(values: Readonly<Record<string, number | string>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (this.#noted.get(name) === value) continue;
      this.#statements.note.run(name, String(value));
      this.#noted.set(name, value);
    }
  }

  /** Reads the channels from the file. */
  #load(): void {
    this.#version++;
    const floor = this.#database.prepare("SELECT value + 0 AS floor FROM hub WHERE name = 'channelFloor'").get();
    this.#channels = new ChannelIndex((floor as { floor: number } | undefined)?.floor, this.#limit);
    [this.#messages, this.#bytes] = [0, 0];
    for (const row of this.#database.prepare("SELECT * FROM channels ORDER BY last").iterate()) {
      const entry = row as unknown as ChannelEntry;
      this.#channels.put(entry);
      this.#messages += entry.kept;
      this.#bytes += entry.bytes;
    }
  }
}

interface Counted {
  readonly kept: number;
  readonly bytes: number;
  readonly last: number | null;
  readonly time: number | null;
}
