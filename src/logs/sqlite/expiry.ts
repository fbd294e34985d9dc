import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Retention } from "../../core/log.ts";
import type { Transaction } from "./transaction.ts";

/** Messages that are looked through in one transaction for one whose time is not in the future. */
const SEEK = 2000;

interface Row {
  readonly offset: number;
  readonly channel: number;
  readonly cost: number;
  readonly time: number;
}

/** What a log keeps. */
export interface Kept {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Drops from a SQLite log what retention no longer wants, the oldest first. The order of messages is certain, their
 * times are only what the clock said: a message is as old as any that came after it, and one whose time is in the
 * future says nothing.
 */
export class SqliteExpiry {
  readonly #retention: Retention;
  readonly #oldest: StatementSync;
  readonly #drop: StatementSync;
  readonly #seek: StatementSync;
  /** The time of the oldest message whose time was not in the future; -Infinity while that is not known. */
  #front: number;
  /** The times of all messages from the first to this one are in the future. */
  #sought = 0;

  constructor(database: DatabaseSync, retention: Retention, isEmpty: boolean) {
    this.#retention = retention;
    this.#oldest = database.prepare("SELECT offset, channel, cost, time FROM messages ORDER BY offset LIMIT ?");
    this.#drop = database.prepare("DELETE FROM messages WHERE offset <= ?");
    this.#seek = database.prepare("SELECT offset, time FROM messages WHERE offset > ? ORDER BY offset LIMIT ?");
    this.#front = isEmpty ? Infinity : -Infinity;
  }

  /** Whether there may be something to drop at a time. */
  isBehind({ messages, bytes }: Kept, time: number): boolean {
    const limits = this.#retention;
    return messages > limits.messages || bytes > limits.bytes || (messages > 0 && this.#front < time - limits.age);
  }

  /** Takes note of what a transaction did, once that is certain. */
  committed(front: number | undefined, published: number | undefined): void {
    if (front !== undefined) this.#front = front;
    if (published !== undefined) this.#front = Math.min(this.#front, published);
  }

  /** Drops at most so many in a transaction, of what the log keeps with what it added; returns the front after that. */
  drop(kept: Kept, time: number, most: number, work: Transaction): number {
    const { messages, bytes } = this.#retention;
    const rows = this.#oldest.all(most + 1) as unknown as Row[];
    const isAll = rows.length <= most;
    if (isAll && !agrees(rows, kept.messages + work.messages, kept.bytes + work.bytes)) work.recount(tally(rows));
    const old = this.#oldTo(rows, isAll, time);
    let last = 0;
    for (const row of rows.slice(0, most)) {
      const fits = kept.messages + work.messages <= messages && kept.bytes + work.bytes <= bytes;
      if (fits && row.offset > old) break;
      last = row.offset;
      work.count(work.byId(row.channel), { kept: -1, bytes: -row.cost, dropped: row.offset });
    }
    if (last > 0) this.#drop.run(last);
    const front = rows.find((row) => row.offset > last && row.time <= time)?.time;
    return front ?? (isAll ? Infinity : (this.#beyond(rows, time) ?? -Infinity));
  }

  /** The offset up to which these rows are too old. */
  #oldTo(rows: readonly Row[], isAll: boolean, time: number): number {
    const since = time - this.#retention.age;
    let old = 0;
    for (const row of rows) {
      if (row.time < since) old = row.offset;
      else if (row.time <= time) return old;
    }
    if (isAll) return old;
    const beyond = this.#beyond(rows, time);
    return beyond !== undefined && beyond < since ? (rows.at(-1)?.offset ?? old) : old;
  }

  /** The time of the first message after these that is not in the future; undefined while it is not known. */
  #beyond(rows: readonly Row[], time: number): number | undefined {
    const from = Math.max(rows.at(-1)?.offset ?? 0, this.#sought);
    const next = this.#seek.all(from, SEEK) as { offset: number; time: number }[];
    const found = next.find((row) => row.time <= time);
    if (found !== undefined) return found.time;
    this.#sought = next.at(-1)?.offset ?? from;
    return next.length < SEEK ? Infinity : undefined;
  }
}

/** Whether these are what is thought to be kept; if not, someone has removed messages by hand. */
function agrees(rows: readonly Row[], messages: number, bytes: number): boolean {
  return rows.length === messages && rows.reduce((sum, { cost }) => sum + cost, 0) === bytes;
}

/** What these rows say of their channels. */
function tally(rows: readonly Row[]): Map<number, { kept: number; bytes: number; oldest: number }> {
  const found = new Map<number, { kept: number; bytes: number; oldest: number }>();
  for (const { channel, cost, offset } of rows) {
    const { kept, bytes, oldest } = found.get(channel) ?? { kept: 0, bytes: 0, oldest: offset };
    found.set(channel, { kept: kept + 1, bytes: bytes + cost, oldest });
  }
  return found;
}
