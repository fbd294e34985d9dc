import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Retention } from "../../core/log.ts";
import type { Transaction } from "./transaction.ts";

/** Milliseconds that the clock may jump ahead between two readings without being treated as set by someone. */
const TOLERANCE = 60_000;
/** Milliseconds, at most, that a clock must stay ahead after a jump before the jump counts for the age of messages. */
const MAX_JUMP_WAIT = 3_600_000;
/** Messages scanned in one transaction for one whose time is not in the future. */
const SEEK = 2000;

interface Row {
  readonly offset: number;
  readonly channel: number;
  readonly cost: number;
  readonly time: number;
}

/** How much a log keeps. */
export interface Kept {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Drops from a SQLite log what is beyond the retention, the oldest first. The order of messages is certain, but their
 * times depend on the clock: a message is at least as old as any later one, and a time in the future is ignored.
 */
export class SqliteExpiry {
  readonly #retention: Retention;
  readonly #oldest: StatementSync;
  readonly #drop: StatementSync;
  readonly #seek: StatementSync;
  /** The time of the oldest message whose time is not in the future; -Infinity while it is unknown. */
  #front: number;
  /** The offset up to which the times of all messages are in the future. */
  #sought = 0;

  constructor(database: DatabaseSync, retention: Retention, isEmpty: boolean) {
    this.#retention = retention;
    this.#oldest = database.prepare("SELECT offset, channel, cost, time FROM messages ORDER BY offset LIMIT ?");
    this.#drop = database.prepare("DELETE FROM messages WHERE offset <= ?");
    this.#seek = database.prepare("SELECT offset, time FROM messages WHERE offset > ? ORDER BY offset LIMIT ?");
    this.#front = isEmpty ? Infinity : -Infinity;
  }

  /** Whether there may be messages to drop at a time. */
  isBehind({ messages, bytes }: Kept, time: number): boolean {
    const limits = this.#retention;
    return messages > limits.messages || bytes > limits.bytes || (messages > 0 && this.#front < time - limits.age);
  }

  /** Updates the front after a transaction has been committed. */
  committed(front: number | undefined, published: number | undefined): void {
    if (front !== undefined) this.#front = front;
    if (published !== undefined) this.#front = Math.min(this.#front, published);
  }

  /** Drops at most `most` messages in a transaction, those it added included; returns the front after that. */
  drop(kept: Kept, time: number, most: number, transaction: Transaction): number {
    const { messages, bytes } = this.#retention;
    const rows = this.#oldest.all(most + 1) as unknown as Row[];
    const isAll = rows.length <= most;
    if (isAll && !agrees(rows, kept.messages + transaction.messages, kept.bytes + transaction.bytes))
      transaction.recount(tally(rows));
    const old = this.#oldTo(rows, isAll, time);
    let last = 0;
    for (const row of rows.slice(0, most)) {
      const fits = kept.messages + transaction.messages <= messages && kept.bytes + transaction.bytes <= bytes;
      if (fits && row.offset > old) break;
      last = row.offset;
      transaction.count(transaction.byId(row.channel), { kept: -1, bytes: -row.cost, dropped: row.offset });
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

  /** The time of the first message after these that is not in the future; undefined while it is unknown. */
  #beyond(rows: readonly Row[], time: number): number | undefined {
    const from = Math.max(rows.at(-1)?.offset ?? 0, this.#sought);
    const next = this.#seek.all(from, SEEK) as { offset: number; time: number }[];
    const found = next.find((row) => row.time <= time);
    if (found !== undefined) return found.time;
    this.#sought = next.at(-1)?.offset ?? from;
    return next.length < SEEK ? Infinity : undefined;
  }
}

export interface AgeClockOptions {
  /** A monotonic clock in milliseconds. */
  readonly elapsed: () => number;
  /** The age up to which messages are kept, in milliseconds. */
  readonly age: number;
  /** The time of this clock when the log was last used, if it was. */
  readonly last: number | undefined;
  /** Called with a sentence if the clock is ahead by more than the age. */
  readonly report: (sentence: string) => void;
}

/**
 * The clock by which the age of messages is measured. If the time of day jumps ahead, in this process or while no
 * process had the log open, the jump counts only after it has lasted for as long as messages may be kept, at most an
 * hour. Until then, time continues from where it was, so that a clock that is briefly wrong does not drop new messages.
 */
export class AgeClock {
  readonly #options: AgeClockOptions;
  readonly #jumpWait: number;
  /** How far the time of day is ahead of `elapsed`, without a jump that does not count yet. */
  #lead: number | undefined;
  /** A jump that does not count yet: since when, and how far ahead it is. */
  #doubt: { readonly since: number; readonly lead: number } | undefined;

  constructor(options: AgeClockOptions) {
    this.#options = options;
    this.#jumpWait = Math.min(options.age, MAX_JUMP_WAIT);
    if (options.last !== undefined) this.#lead = options.last - options.elapsed();
  }

  /** `now` is the time of day in milliseconds since 1970, which may have been set. */
  time(now: number): number {
    const at = this.#options.elapsed();
    const lead = now - at;
    const ahead = lead - (this.#lead ?? lead);
    if (ahead > TOLERANCE && !this.#isSettled(at, lead, ahead)) return now - ahead;
    this.#lead = lead;
    this.#doubt = undefined;
    return now;
  }

  #isSettled(at: number, lead: number, ahead: number): boolean {
    const { age, report } = this.#options;
    if (this.#doubt === undefined || Math.abs(lead - this.#doubt.lead) > TOLERANCE) {
      this.#doubt = { since: at, lead };
      if (ahead > age) {
        const wait = Math.round(this.#jumpWait / 1000);
        report(
          `the clock is ${Math.round(ahead / 1000)} s ahead of what the log expects; messages do not grow old by that unless it stays so for ${wait} s`,
        );
      }
    }
    return at - this.#doubt.since >= this.#jumpWait;
  }
}

/** Whether the rows agree with the counters; if not, messages were removed by hand. */
function agrees(rows: readonly Row[], messages: number, bytes: number): boolean {
  return rows.length === messages && rows.reduce((sum, { cost }) => sum + cost, 0) === bytes;
}

/** Counts the rows of each channel. */
function tally(rows: readonly Row[]): Map<number, { kept: number; bytes: number; oldest: number }> {
  const found = new Map<number, { kept: number; bytes: number; oldest: number }>();
  for (const { channel, cost, offset } of rows) {
    const { kept, bytes, oldest } = found.get(channel) ?? { kept: 0, bytes: 0, oldest: offset };
    found.set(channel, { kept: kept + 1, bytes: bytes + cost, oldest });
  }
  return found;
}
