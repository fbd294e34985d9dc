import type { DatabaseSync, StatementSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import type { Appended, Retention } from "../../core/log.ts";
import type { Draft, Message } from "../../core/message.ts";
import type { ChannelName } from "../../protocol/channel.ts";
import { costOf, type ChannelIndex } from "../channel-index.ts";
import { contradiction } from "./errors.ts";
import { SqliteExpiry } from "./expiry.ts";
import type { SqliteReader } from "./reader.ts";
import { Transaction } from "./transaction.ts";

/** Messages that one transaction drops at most, beyond the number that it adds, so that no transaction takes long. */
export const MAX_DROPPED: number = 512;

/** The time and the conditions of one transaction. */
export interface Moment {
  /** Milliseconds since 1970: the time of its messages. */
  readonly now: number;
  /** The same by the age clock. */
  readonly aged: number;
  /** Set while the write-ahead log is long: then no more messages are dropped than added. */
  readonly hold?: boolean;
  /** Set to check whether another program writes into the file; contradictory rows are refused in any case. */
  readonly check?: boolean;
  /** Set to write to the file even without a message, which proves that writing works. */
  readonly isProof?: boolean;
  /** What to remove of one channel. */
  readonly purge?: PurgeStep | undefined;
}

/** What is to be removed, some of it in each transaction. */
export interface PurgeStep {
  readonly channel: ChannelName;
  readonly upTo: number;
}

/** What a transaction did. */
export interface Written {
  /** For each draft, what was appended, or the error if only this draft was refused. */
  readonly outcomes: readonly (Appended | HubError)[];
  /** The new messages, and the ephemeral ones between them. */
  readonly published: readonly Message[];
  /** Whether there is more to drop. */
  readonly behind: boolean;
  /** How many messages were purged; undefined if that has to wait because the write-ahead log is long. */
  readonly purged: number | undefined;
}

/** Writes each turn to a SQLite log in one transaction, which also updates the counters of the channels. */
export class SqliteWriter {
  readonly #channels: ChannelIndex;
  readonly #reader: SqliteReader;
  readonly #expiry: SqliteExpiry;
  readonly #epoch: string;
  readonly #statements: Record<
    | "begin"
    | "commit"
    | "rollback"
    | "file"
    | "insert"
    | "channel"
    | "used"
    | "forget"
    | "floor"
    | "purgeable"
    | "purge",
    StatementSync
  >;
  #head: number;
  #messages: number;
  #bytes: number;

  constructor(
    database: DatabaseSync,
    channels: ChannelIndex,
    reader: SqliteReader,
    retention: Retention,
    { head, epoch }: { readonly head: number; readonly epoch: string },
  ) {
    this.#channels = channels;
    this.#reader = reader;
    this.#epoch = epoch;
    this.#head = head;
    const totals = database
      .prepare("SELECT ifnull(sum(kept), 0) AS messages, ifnull(sum(bytes), 0) AS bytes FROM channels")
      .get() as { messages: number; bytes: number };
    this.#messages = totals.messages;
    this.#bytes = totals.bytes;
    this.#expiry = new SqliteExpiry(database, retention, totals.messages === 0);
    this.#statements = {
      begin: database.prepare("BEGIN IMMEDIATE"),
      commit: database.prepare("COMMIT"),
      rollback: database.prepare("ROLLBACK"),
      file: database.prepare(
        "SELECT (SELECT epoch FROM runs ORDER BY first DESC LIMIT 1) AS epoch, (SELECT max(offset) FROM messages) AS head",
      ),
      insert: database.prepare(
        "INSERT INTO messages (offset, channel, event, data, sender, time, cost, key, via, verified, traceparent, path, quiet) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel, key) WHERE key IS NOT NULL DO NOTHING",
      ),
      channel: database.prepare(
        `INSERT INTO channels (id, channel, kept, bytes, last, time, dropped) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET kept = excluded.kept, bytes = excluded.bytes, last = excluded.last,
           time = excluded.time, dropped = excluded.dropped WHERE channel = excluded.channel`,
      ),
      used: database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('checked', ?)"),
      forget: database.prepare("DELETE FROM channels WHERE id = ?"),
      floor: database.prepare("INSERT OR REPLACE INTO hub (name, value) VALUES ('floor', ?)"),
      purgeable: database.prepare(
        "SELECT offset, cost FROM messages WHERE channel = ? AND offset <= ? ORDER BY offset LIMIT ?",
      ),
      purge: database.prepare("DELETE FROM messages WHERE channel = ? AND offset <= ?"),
    };
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

  /** Whether there is something to drop, by the age clock. */
  isBehind(aged: number): boolean {
    return this.#expiry.isBehind(this, aged);
  }

  /** Records in the file that the log was in use at a time of the age clock. */
  noteUse(aged: number): void {
    this.#statements.used.run(String(aged));
  }

  /** Makes one transaction; if SQLite throws, so does this, and nothing has changed. */
  write(drafts: readonly Draft[], moment: Moment): Written {
    const { now, aged, hold = false, check = true, isProof = false, purge } = moment;
    const transaction = new Transaction(this.#channels, this.#head);
    let outcomes: (Appended | HubError)[];
    let front: number | undefined;
    let purged: number | undefined;
    this.#statements.begin.run();
    try {
      if (check) this.#checkFile();
      if (isProof) this.noteUse(aged);
      outcomes = drafts.map((draft) => this.#keep(draft, now, transaction));
      if (purge !== undefined && !hold) purged = this.#purge(purge, transaction);
      if (this.isBehind(aged)) {
        front = this.#expiry.drop(this, aged, (hold ? 0 : MAX_DROPPED) + transaction.published.length, transaction);
      }
      for (const { id } of transaction.forgotten.values()) this.#statements.forget.run(id);
      if (transaction.floor > this.#channels.floor) this.#statements.floor.run(String(transaction.floor));
      for (const entry of transaction.changed.values()) {
        const { id, channel, kept, bytes, last, time, dropped } = entry;
        const { changes } = this.#statements.channel.run(id, channel, kept, bytes, last, time, dropped);
        if (changes !== 1) throw contradiction();
      }
      this.#statements.commit.run();
    } catch (error) {
      this.#rollback();
      throw error;
    }
    this.#expiry.committed(front, transaction.published.length > 0 ? now : undefined);
    this.#head = transaction.head;
    this.#messages += transaction.messages;
    this.#bytes += transaction.bytes;
    for (const entry of transaction.forgotten.values()) this.#channels.forget(entry);
    for (const entry of transaction.changed.values()) this.#channels.put(entry);
    const isHeld = purge !== undefined && hold;
    return { outcomes, published: transaction.published, behind: isHeld || this.isBehind(aged), purged };
  }

  /** Throws if another program has written into the file. */
  #checkFile(): void {
    const { epoch, head } = this.#statements.file.get() as { epoch: string | null; head: number | null };
    if (epoch !== this.#epoch || (head ?? 0) > this.#head) throw contradiction();
  }

  #keep(draft: Draft, time: number, transaction: Transaction): Appended | HubError {
    if (draft.ephemeral)
      return { message: transaction.publish({ ...draft, offset: transaction.head, time }), repeated: false };
    const entry = transaction.entry(draft.channel);
    if (entry instanceof HubError) return entry;
    const offset = transaction.head + 1;
    const cost = costOf(draft);
    const { event, data, sender, key = null, via = null, traceparent = null, path = null } = draft;
    const [verified, quiet] = [draft.verified ? 1 : null, draft.quiet ? 1 : null];
    const { changes } = this.#statements.insert.run(
      offset,
      entry.id,
      event,
      data,
      sender,
      time,
      cost,
      key,
      via,
      verified,
      traceparent,
      path,
      quiet,
    );
    // Nearly all keys are new, so the one that has it already is looked for only now.
    if (changes === 0) {
      const known = this.#reader.keyed(entry, key ?? "");
      if (known === undefined) throw contradiction();
      return { message: known, repeated: true };
    }
    transaction.count(entry, { kept: 1, bytes: cost, last: offset, time });
    return { message: transaction.publish({ ...draft, offset, time }), repeated: false };
  }

  /** Removes the oldest messages of a channel, at most as many as one transaction may. */
  #purge({ channel, upTo }: PurgeStep, transaction: Transaction): number {
    const entry = this.#channels.find(channel);
    if (entry === undefined) return 0;
    const rows = this.#statements.purgeable.all(entry.id, upTo, MAX_DROPPED) as { offset: number; cost: number }[];
    const dropped = rows.at(-1)?.offset;
    if (dropped === undefined) return 0;
    this.#statements.purge.run(entry.id, dropped);
    const bytes = rows.reduce((sum, { cost }) => sum + cost, 0);
    transaction.count(transaction.byId(entry.id), { kept: -rows.length, bytes: -bytes, dropped });
    return rows.length;
  }

  #rollback(): void {
    try {
      this.#statements.rollback.run();
    } catch {
      // SQLite has rolled back by itself, or the transaction never began.
    }
  }
}
