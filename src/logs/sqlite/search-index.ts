import type { DatabaseSync, StatementSync } from "node:sqlite";
import { EVERYTHING, isCovered, uncovered, type ChannelName, type ChannelPattern } from "../../protocol/channel.ts";
import type { LogSearch } from "../../core/log.ts";
import { isFound } from "../../core/search-query.ts";
import { messageWords, type Phrase } from "../../core/search-words.ts";
import { partTable } from "./search-file.ts";

/** Offsets of one part of the index: it bounds how long one question to it takes, and a part is dropped as a whole. */
const PART = 65_536;
/** Parts that are made at most: what is older is read through. */
const MAX_PARTS = 256;
/** Messages taken in with one transaction. */
const COMMIT_AT = 5000;
/** Milliseconds that one statement reads the log at most, since the write-ahead log cannot start over meanwhile. */
const SLICE = 20;
/** Patterns that the index is asked for by name; of more, it finds the words on all channels. */
const MAX_NAMES = 64;

interface Row {
  readonly offset: number;
  readonly channel: number;
  readonly data: string;
  readonly sender: string;
}

const COLUMNS = "offset, channel, data, sender";

/** What was found, and where to go on; 0 if there is nothing more to search. */
export interface FoundOffsets {
  /** The newest first. */
  readonly offsets: readonly number[];
  readonly end: number;
}

/** The statements that read the messages of all channels, or of one. */
interface Scope {
  readonly key: readonly number[];
  /** The last offset before one. */
  readonly below: StatementSync;
  /** The messages between two offsets, backwards. */
  readonly back: StatementSync;
}

/**
 * An index of the words of a log, in a file of its own. It is made of parts, each of which has the messages from its
 * first offset up to some place; what is after that place is read from the log itself. So it is never wrong: it only
 * has, or has not yet, what makes a search fast. What it finds is compared with the messages in the log.
 */
export class SearchIndex {
  readonly #log: DatabaseSync;
  readonly #index: DatabaseSync;
  readonly #size: number;
  readonly #all: Omit<Scope, "key">;
  readonly #one: Omit<Scope, "key">;
  readonly #statements: Record<"bounds" | "message" | "forward" | "epoch" | "channel" | "channelId", StatementSync>;
  readonly #note: StatementSync;
  /** By part: the offset up to which it has all messages. */
  readonly #until = new Map<number, number>();
  readonly #channels = new Map<number, ChannelName>();
  readonly #inserts = new Map<number, StatementSync>();
  /** Messages taken in since the last commit. */
  #uncommitted = 0;

  /** `log` is open to be read, and `index` is what `openSearchFile` opened; `size` is that of a part, in offsets. */
  constructor(log: DatabaseSync, index: DatabaseSync, size: number = PART) {
    this.#size = size;
    this.#log = log;
    this.#index = index;
    this.#all = this.#scope("");
    this.#one = this.#scope("channel = ? AND");
    this.#statements = {
      bounds: log.prepare(
        "SELECT (SELECT min(offset) FROM messages) AS oldest, (SELECT max(offset) FROM messages) AS newest",
      ),
      message: log.prepare(`SELECT ${COLUMNS} FROM messages WHERE offset = ?`),
      forward: log.prepare(`SELECT ${COLUMNS} FROM messages WHERE offset > ? AND offset <= ? ORDER BY offset`),
      epoch: log.prepare("SELECT epoch FROM runs WHERE first <= ? ORDER BY first DESC LIMIT 1"),
      channel: log.prepare("SELECT channel FROM channels WHERE id = ?"),
      channelId: log.prepare("SELECT id FROM channels WHERE channel = ?"),
    };
    this.#note = index.prepare("INSERT OR REPLACE INTO parts (number, until, epoch) VALUES (?, ?, ?)");
    const parts = index.prepare("SELECT number, until, epoch FROM parts").all() as unknown as readonly Part[];
    for (const { number, until, epoch } of parts) {
      // In a copy of the log that was put in its place, the offset belongs to another run.
      if (this.#epochAt(until) === epoch) this.#until.set(number, until);
      else this.#drop(number);
    }
  }

  /** Searches for at most so many milliseconds. */
  search({ before, channels, limit, phrases }: LogSearch, time: number): FoundOffsets {
    const deadline = performance.now() + time;
    const patterns = uncovered(channels);
    const { below, back, key } = this.#scopeOf(patterns);
    const match = matchOf(phrases, patterns);
    const offsets: number[] = [];
    const isOver = (): boolean => offsets.length === limit || performance.now() > deadline;
    const look = (row: Row | undefined): void => {
      if (row !== undefined && this.#isWanted(row, patterns) && isFound(phrases, row)) offsets.push(row.offset);
    };
    const last = (top: number): number | null => (below.get(...key, top) as { offset: number | null }).offset;
    let top = before;
    while (!isOver()) {
      const next = last(top);
      if (next === null) return { offsets, end: 0 };
      const number = Math.floor(next / this.#size);
      const until = this.#until.get(number) ?? -1;
      const rows =
        next > until
          ? (back.iterate(...key, next + 1, Math.max(until, number * this.#size - 1)) as Iterable<unknown>)
          : (this.#index.prepare(questionOf(number)).iterate(match, next + 1) as Iterable<unknown>);
      const slice = next > until ? performance.now() + SLICE : Infinity;
      // Where the loop ends, if it is not left before.
      top = next > until ? Math.max(until + 1, number * this.#size) : number * this.#size;
      for (const row of rows as Iterable<Row>) {
        look(next > until ? row : (this.#statements.message.get(row.offset) as Row | undefined));
        if (!isOver() && performance.now() < slice) continue;
        top = row.offset;
        break;
      }
    }
    return { offsets, end: last(top) === null ? 0 : top };
  }

  /** Takes in messages for about so many milliseconds, the newest part first; false if it has them all. */
  extend(time: number): boolean {
    const deadline = performance.now() + time;
    const part = this.#unfinished();
    if (part === undefined) {
      this.#commit();
      return false;
    }
    const { number, last } = part;
    if (!this.#index.isTransaction) this.#index.exec("BEGIN");
    const insert = this.#insertInto(number);
    let { until } = part;
    for (const row of this.#statements.forward.iterate(until, last) as Iterable<unknown> as Iterable<Row>) {
      const { offset, channel, data, sender } = row;
      insert.run(offset, messageWords(data, sender).join(" "), this.#channelOf(channel) ?? "");
      until = offset;
      this.#uncommitted++;
      if (performance.now() > deadline) break;
    }
    // Retention may have dropped them all.
    if (until === part.until) until = last;
    this.#until.set(number, until);
    this.#note.run(number, until, this.#epochAt(until) ?? "");
    if (this.#uncommitted >= COMMIT_AT) this.#commit();
    return true;
  }

  /** Drops what it has, also from its file. */
  forget(): undefined {
    this.#commit();
    for (const number of this.#until.keys()) this.#drop(number);
    this.#index.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  }

  close(): void {
    this.#commit();
    this.#index.close();
    this.#log.close();
  }

  #commit(): void {
    if (this.#index.isTransaction) this.#index.exec("COMMIT");
    this.#uncommitted = 0;
  }

  /** The newest part that does not have all its messages, and the last of these; drops what is before the oldest message. */
  #unfinished(): { readonly number: number; readonly until: number; readonly last: number } | undefined {
    const { oldest, newest } = this.#statements.bounds.get() as { oldest: number | null; newest: number | null };
    const first = oldest === null ? Infinity : Math.floor(oldest / this.#size);
    for (const number of this.#until.keys()) if (number < first) this.#drop(number);
    let last = newest;
    for (let count = 0; last !== null && count < MAX_PARTS; count++) {
      const number = Math.floor(last / this.#size);
      const until = this.#until.get(number) ?? number * this.#size - 1;
      if (until < last) return { number, until, last };
      ({ offset: last } = this.#all.below.get(number * this.#size) as { offset: number | null });
    }
    return undefined;
  }

  #insertInto(number: number): StatementSync {
    let insert = this.#inserts.get(number);
    if (insert === undefined) {
      if (!this.#until.has(number)) this.#index.exec(partTable(tableOf(number)));
      insert = this.#index.prepare(`INSERT INTO ${tableOf(number)} (rowid, words, channel) VALUES (?, ?, ?)`);
      this.#inserts.clear();
      this.#inserts.set(number, insert);
    }
    return insert;
  }

  #drop(number: number): void {
    this.#until.delete(number);
    this.#inserts.delete(number);
    this.#index.exec(`DROP TABLE IF EXISTS ${tableOf(number)}`);
    this.#index.prepare("DELETE FROM parts WHERE number = ?").run(number);
  }

  #epochAt(offset: number): string | undefined {
    return (this.#statements.epoch.get(offset) as { epoch: string } | undefined)?.epoch;
  }

  #isWanted({ channel: id }: Row, patterns: readonly ChannelPattern[]): boolean {
    const channel = this.#channelOf(id);
    return channel !== undefined && isCovered(patterns, channel);
  }

  /** The number of a channel is never given to another while the log is open. */
  #channelOf(id: number): ChannelName | undefined {
    let channel = this.#channels.get(id);
    if (channel === undefined) {
      const row = this.#statements.channel.get(id) as { channel: ChannelName } | undefined;
      channel = row?.channel;
      if (channel !== undefined) this.#channels.set(id, channel);
    }
    return channel;
  }

  #scope(condition: string): Omit<Scope, "key"> {
    const order = "ORDER BY offset DESC";
    return {
      below: this.#log.prepare(`SELECT max(offset) AS offset FROM messages WHERE ${condition} offset < ?`),
      back: this.#log.prepare(`SELECT ${COLUMNS} FROM messages WHERE ${condition} offset < ? AND offset > ? ${order}`),
    };
  }

  #scopeOf(patterns: readonly ChannelPattern[]): Scope {
    const [only = EVERYTHING, ...others] = patterns;
    if (others.length > 0 || only.endsWith("*")) return { ...this.#all, key: [] };
    const row = this.#statements.channelId.get(only) as { id: number } | undefined;
    // No channel has the number 0.
    return { ...this.#one, key: [row?.id ?? 0] };
  }
}

interface Part {
  readonly number: number;
  readonly until: number;
  readonly epoch: string;
}

function tableOf(number: number): string {
  return `part_${number}`;
}

function questionOf(number: number): string {
  const table = tableOf(number);
  return `SELECT rowid AS offset FROM ${table} WHERE ${table} MATCH ? AND rowid < ? ORDER BY rowid DESC`;
}

/** The question to the index; words and channels have nothing in them that it could take for an operator. */
function matchOf(phrases: readonly Phrase[], patterns: readonly ChannelPattern[]): string {
  const terms = phrases.map(({ words, isPrefix }) => `"${words.join(" ")}"${isPrefix ? " *" : ""}`);
  const words = `words : (${terms.join(" AND ")})`;
  if (patterns.includes(EVERYTHING) || patterns.length > MAX_NAMES) return words;
  const names = patterns.map((one) => (one.endsWith("*") ? `"${one.slice(0, -1)}" *` : `"${one}"`));
  return `channel : (${names.join(" OR ")}) AND ${words}`;
}
