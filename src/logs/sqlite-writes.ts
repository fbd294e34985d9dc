import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ChannelName } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import type { Retention } from "../core/log.ts";
import type { Draft, Message } from "../core/message.ts";
import type { ChannelDirectory, ChannelEntry } from "./directory.ts";
import { costOf } from "./record.ts";
import type { SqliteReads } from "./sqlite-reads.ts";

/** Messages that one transaction drops at most, beyond as many as it keeps, so that none is long. */
const DROP_AT_MOST = 512;

/** What a transaction did; true in the file when `commit` has returned. */
export interface Written {
  /** For each draft, its message: a new one, the one its key had made before, or why it alone was refused. */
  readonly outcomes: readonly (Message | HubError | undefined)[];
  /** The new ones, and the ephemeral ones between them. */
  readonly published: readonly Message[];
  /** Whether more is to be dropped. */
  readonly behind: boolean;
}

/** Writes turns into a SQLite log: one transaction each, in which the channels' counters agree with the messages. */
export class SqliteWrites {
  readonly #directory: ChannelDirectory;
  readonly #reads: SqliteReads;
  readonly #retention: Retention;
  readonly #statements: Record<
    "begin" | "commit" | "rollback" | "insert" | "channel" | "oldest" | "drop" | "checked" | "forget" | "floor",
    StatementSync
  >;
  #head: number;
  #messages: number;
  #bytes: number;
  #oldest: number;

  constructor(
    database: DatabaseSync,
    directory: ChannelDirectory,
    reads: SqliteReads,
    retention: Retention,
    head: number,
  ) {
    this.#directory = directory;
    this.#reads = reads;
    this.#retention = retention;
    this.#head = head;
    const totals = database
      .prepare("SELECT ifnull(sum(kept), 0) AS messages, ifnull(sum(bytes), 0) AS bytes FROM channels")
      .get() as { messages: number; bytes: number };
    this.#messages = totals.messages;
    this.#bytes = totals.bytes;
    this.#statements = {
      begin: database.prepare("BEGIN IMMEDIATE"),
      commit: database.prepare("COMMIT"),
      rollback: database.prepare("ROLLBACK"),
      insert: database.prepare(
        "INSERT INTO messages (offset, channel, event, data, sender, time, cost, key, via) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ),
      channel: database.prepare(
        `INSERT INTO channels (id, channel, kept, bytes, last, time, dropped) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET kept = excluded.kept, bytes = excluded.bytes, last = excluded.last,
           time = excluded.time, dropped = excluded.dropped`,
      ),
      oldest: database.prepare("SELECT offset, channel, cost, time FROM messages ORDER BY offset LIMIT ?"),
      drop: database.prepare("DELETE FROM messages WHERE offset <= ?"),
      checked: database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('checked', ?)"),
      forget: database.prepare("DELETE FROM channels WHERE id = ?"),
      floor: database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('floor', ?)"),
    };
    this.#oldest = (this.#statements.oldest.get(1) as { time: number } | undefined)?.time ?? Infinity;
  }

  /** The offset of the last message. */
  get head(): number {
    return this.#head;
  }

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether retention has something to drop. */
  isBehind(now: number): boolean {
    const { age, messages, bytes } = this.#retention;
    return this.#messages > messages || this.#bytes > bytes || (this.#messages > 0 && this.#oldest < now - age);
  }

  /** One transaction; throws what SQLite throws, and then nothing has happened. */
  write(drafts: readonly (Draft | undefined)[], now: number): Written {
    const work = new Work(this.#directory, this.#head);
    const outcomes: (Message | HubError | undefined)[] = [];
    this.#statements.begin.run();
    try {
      for (const draft of drafts) {
        if (draft === undefined) this.#statements.checked.run(String(now));
        outcomes.push(draft === undefined ? undefined : this.#keep(draft, now, work));
      }
      const left = this.isBehind(now) ? this.#drop(now, work) : undefined;
      for (const { id } of work.forgotten.values()) this.#statements.forget.run(id);
      if (work.floor > this.#directory.floor) this.#statements.floor.run(String(work.floor));
      for (const entry of work.changed.values()) {
        const { id, channel, kept, bytes, last, time, dropped } = entry;
        this.#statements.channel.run(id, channel, kept, bytes, last, time, dropped);
      }
      this.#statements.commit.run();
      this.#oldest = left?.oldest ?? Math.min(this.#oldest, work.published.length > 0 ? now : Infinity);
    } catch (error) {
      this.#rollback();
      throw error;
    }
    this.#head = work.head;
    this.#messages += work.messages;
    this.#bytes += work.bytes;
    for (const entry of work.forgotten.values()) this.#directory.forget(entry);
    for (const entry of work.changed.values()) this.#directory.put(entry);
    return { outcomes, published: work.published, behind: this.isBehind(now) };
  }

  #keep(draft: Draft, time: number, work: Work): Message | HubError {
    if (draft.ephemeral) return work.publish({ ...draft, offset: work.head, time });
    const entry = work.entry(draft.channel);
    if (entry instanceof HubError) return entry;
    const known = draft.key === undefined ? undefined : (work.keyed(draft) ?? this.#reads.keyed(entry, draft.key));
    if (known !== undefined) return known;
    const message = work.publish({ ...draft, offset: work.head + 1, time });
    const cost = costOf(draft);
    work.count(entry, { kept: 1, bytes: cost, last: message.offset, time });
    const { offset, event, data, sender, key = null, via = null } = message;
    this.#statements.insert.run(offset, entry.id, event, data, sender, time, cost, key, via);
    return message;
  }

  /** Drops the oldest messages that retention no longer wants; returns the time of the oldest then. */
  #drop(now: number, work: Work): { readonly oldest: number } {
    const { age, messages, bytes } = this.#retention;
    const most = DROP_AT_MOST + work.published.length;
    const rows = this.#statements.oldest.all(most + 1) as {
      offset: number;
      channel: number;
      cost: number;
      time: number;
    }[];
    let last = 0;
    let oldest = Infinity;
    for (const [index, row] of rows.entries()) {
      oldest = row.time;
      const fits = this.#messages + work.messages <= messages && this.#bytes + work.bytes <= bytes;
      if ((fits && row.time >= now - age) || index === most) break;
      oldest = Infinity;
      last = row.offset;
      work.count(work.byId(row.channel), { kept: -1, bytes: -row.cost, dropped: row.offset });
    }
    if (last > 0) this.#statements.drop.run(last);
    return { oldest };
  }

  #rollback(): void {
    try {
      this.#statements.rollback.run();
    } catch {
      // SQLite has rolled back by itself, or never began.
    }
  }
}

/** What a transaction is about to change; thrown away when it fails. */
class Work {
  readonly changed = new Map<ChannelName, ChannelEntry>();
  /** Channels that hold nothing and make room. */
  readonly forgotten = new Map<ChannelName, ChannelEntry>();
  floor: number;
  readonly published: Message[] = [];
  messages = 0;
  bytes = 0;
  readonly #directory: ChannelDirectory;
  readonly #empty: Iterator<ChannelEntry>;
  readonly #byKey = new Map<string, Message>();
  #head: number;
  #added = 0;

  constructor(directory: ChannelDirectory, head: number) {
    this.#directory = directory;
    this.#empty = directory.empty();
    this.floor = directory.floor;
    this.#head = head;
  }

  get head(): number {
    return this.#head;
  }

  publish(message: Message): Message {
    this.published.push(message);
    // An ephemeral message is not kept, so its key is not either.
    if (message.key !== undefined && !message.ephemeral) this.#byKey.set(keyOf(message), message);
    this.#head = message.offset;
    return message;
  }

  entry(channel: ChannelName): ChannelEntry | HubError {
    const known = this.changed.get(channel) ?? this.#found(channel);
    if (known !== undefined) return known;
    const { floor } = this;
    const full = this.#directory.full(this.#added - this.forgotten.size);
    if (full !== undefined && !this.#makeRoom()) return full;
    const entry = this.#directory.fresh(channel, ++this.#added, floor);
    this.changed.set(channel, entry);
    return entry;
  }

  #found(channel: ChannelName): ChannelEntry | undefined {
    return this.forgotten.has(channel) ? undefined : this.#directory.find(channel);
  }

  #makeRoom(): boolean {
    for (let next = this.#empty.next(); !next.done; next = this.#empty.next()) {
      const { channel, dropped } = next.value;
      if (this.changed.has(channel)) continue;
      this.forgotten.set(channel, next.value);
      this.floor = Math.max(this.floor, dropped);
      return true;
    }
    return false;
  }

  byId(id: number): ChannelEntry {
    const known = this.#directory.byId(id);
    const entry = known === undefined ? undefined : (this.changed.get(known.channel) ?? known);
    const found = entry ?? [...this.changed.values()].find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`a message names channel ${id}, which is not there`);
    return found;
  }

  keyed(draft: Draft): Message | undefined {
    return this.#byKey.get(keyOf(draft));
  }

  count(
    entry: ChannelEntry,
    by: { kept: number; bytes: number; last?: number; time?: number; dropped?: number },
  ): void {
    this.messages += by.kept;
    this.bytes += by.bytes;
    this.changed.set(entry.channel, { ...entry, ...by, kept: entry.kept + by.kept, bytes: entry.bytes + by.bytes });
  }
}

function keyOf({ channel, key }: Draft): string {
  return `${channel} ${key}`;
}
