import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { EVERYTHING, isCovered, uncovered, type ChannelPattern } from "../../protocol/channel.ts";
import { BEGINNING } from "../../protocol/cursor.ts";
import type { LogPage, LogQuery, RecentPage, RecentQuery } from "../../core/log.ts";
import type { Message } from "../../core/message.ts";
import type { ChannelIndex, ChannelEntry } from "../channel-index.ts";
import { endOfPage, MAX_CHARACTERS, recentPage } from "../page.ts";
import { SqliteNewest } from "./newest.ts";

/** Channels that are looked into before others have their turn. */
const STEP = 256;
/** Beyond this many channels, reading the whole log in slices costs less than looking into each. */
const MANY_CHANNELS = 2000;
const SLICE = 2000;
/** Rows fetched at once, at first and at most: messages may be large, and a page ends where they fill it. */
const FETCH_FIRST = 16;
const FETCH = 64;

interface Row {
  readonly offset: number;
  readonly channel: number;
  readonly event: string;
  readonly data: string;
  readonly sender: string;
  readonly time: number;
  readonly via: "tool" | null;
}

const COLUMNS = "offset, channel, event, data, sender, time, via";

/** Reads pages out of a SQLite log; each channel has its own run of an index. */
export class SqliteReader {
  readonly #directory: ChannelIndex;
  readonly #all: StatementSync;
  readonly #channel: StatementSync;
  readonly #offsets: StatementSync;
  readonly #slices: StatementSync;
  readonly #allBack: StatementSync;
  readonly #channelBack: StatementSync;
  readonly #one: StatementSync;
  readonly #keyed: StatementSync;
  readonly #newest: SqliteNewest;

  constructor(database: DatabaseSync, directory: ChannelIndex) {
    this.#directory = directory;
    this.#all = database.prepare(`SELECT ${COLUMNS} FROM messages WHERE offset > ? ORDER BY offset LIMIT ?`);
    this.#channel = database.prepare(
      `SELECT ${COLUMNS} FROM messages WHERE channel = ? AND offset > ? ORDER BY offset LIMIT ?`,
    );
    this.#offsets = database.prepare(
      "SELECT offset FROM messages WHERE channel = ? AND offset > ? ORDER BY offset LIMIT ?",
    );
    this.#slices = database.prepare("SELECT offset, channel FROM messages WHERE offset > ? ORDER BY offset LIMIT ?");
    this.#allBack = database.prepare(`SELECT ${COLUMNS} FROM messages WHERE offset < ? ORDER BY offset DESC LIMIT ?`);
    this.#channelBack = database.prepare(
      `SELECT ${COLUMNS} FROM messages WHERE channel = ? AND offset < ? ORDER BY offset DESC LIMIT ?`,
    );
    this.#one = database.prepare(`SELECT ${COLUMNS} FROM messages WHERE offset = ?`);
    this.#keyed = database.prepare(`SELECT ${COLUMNS} FROM messages WHERE channel = ? AND key = ?`);
    this.#newest = new SqliteNewest(database);
  }

  /** One page; `head` is the offset of the last message there is. Others go on while many channels are looked into. */
  async page(query: LogQuery, head: number): Promise<LogPage> {
    const page = await this.#page(query, head);
    // Asked last: what retention took meanwhile is not in the page.
    return { ...page, dropped: this.#directory.dropped(query.channels) };
  }

  async #page({ after, channels, limit }: LogQuery, head: number): Promise<Omit<LogPage, "dropped">> {
    if (channels.includes(EVERYTHING)) return cut(this.#run(this.#all, [], after, limit), limit, head);
    const entries = this.#directory.behind(channels, after, MANY_CHANNELS + 1);
    const [only] = entries;
    if (only === undefined) return { messages: [], end: head };
    if (entries.length === 1) return cut(this.#run(this.#channel, [only.id], after, limit), limit, head);
    const many = entries.length > MANY_CHANNELS;
    const { offsets, end } = many ? this.#slice(channels, after, head) : await this.#merge(entries, after, limit, head);
    return cut(this.#each(offsets, limit), limit, end);
  }

  /** The last page in front of an offset; where many channels are to be looked into, others go on meanwhile. */
  async recent({ before, channels, limit }: RecentQuery, head: number): Promise<RecentPage> {
    const top = Math.min(before, head + 1);
    // One more than is asked for: whether it is there tells whether there are more.
    const count = limit + 1;
    if (channels.includes(EVERYTHING)) return recentPage(this.#run(this.#allBack, [], top, count), limit);
    const entries = this.#directory.behind(channels, BEGINNING);
    const [only] = entries;
    if (only !== undefined && entries.length === 1) {
      return recentPage(this.#run(this.#channelBack, [only.id], top, count), limit);
    }
    return recentPage(this.#each(await this.#newest.offsets(entries, top, count), count), limit);
  }

  /** The message that a key made on a channel. */
  keyed(channel: ChannelEntry, key: string): Message | undefined {
    const row = this.#keyed.get(channel.id, key) as Row | undefined;
    return row === undefined ? undefined : { ...this.#message(row), key };
  }

  /** Looks at some offsets of each channel; what it found is whole up to `end`. */
  async #merge(entries: readonly ChannelEntry[], after: number, limit: number, head: number): Promise<Looked> {
    const kept = entries.reduce((sum, entry) => sum + entry.kept, 0);
    let end = head;
    const offsets: number[] = [];
    for (const [index, entry] of entries.entries()) {
      if (index % STEP === STEP - 1) await turn();
      // More of those with more, or one busy channel among many quiet ones would end the page after a few messages.
      const each = Math.max(8, Math.ceil((2 * limit * entry.kept) / kept));
      const found = this.#offsets.all(entry.id, after, each) as { offset: number }[];
      for (const { offset } of found) offsets.push(offset);
      if (found.length === each) end = Math.min(end, found.at(-1)?.offset ?? end);
    }
    return { offsets: offsets.filter((offset) => offset <= end).sort((a, b) => a - b), end };
  }

  /** Looks at some offsets of the whole log. */
  #slice(channels: readonly ChannelPattern[], after: number, head: number): Looked {
    const patterns = uncovered(channels);
    const isWanted = (id: number): boolean => {
      const entry = this.#directory.byId(id);
      return entry !== undefined && isCovered(patterns, entry.channel);
    };
    const rows = this.#slices.all(after, SLICE) as { offset: number; channel: number }[];
    const end = rows.length < SLICE ? head : (rows.at(-1)?.offset ?? head);
    return { offsets: rows.filter((row) => isWanted(row.channel)).map((row) => row.offset), end };
  }

  *#each(offsets: readonly number[], limit: number): Iterable<Message> {
    for (const offset of offsets.slice(0, limit)) {
      const row = this.#one.get(offset) as Row | undefined;
      // It may have been dropped while others went on.
      if (row !== undefined) yield this.#message(row);
    }
  }

  *#run(statement: StatementSync, key: readonly number[], after: number, limit: number): Iterable<Message> {
    let [from, fetch, count, characters] = [after, FETCH_FIRST, 0, 0];
    while (count < limit) {
      const rows = statement.all(...key, from, Math.min(limit - count, fetch)) as unknown as Row[];
      for (const row of rows) {
        characters += row.data.length;
        yield this.#message(row);
      }
      count += rows.length;
      if (rows.length < fetch) return;
      from = rows.at(-1)?.offset ?? from;
      // About as many as the page still holds, if they are like those before.
      const most = Math.ceil((MAX_CHARACTERS - characters) / (characters / count + 1)) + 1;
      fetch = Math.max(1, Math.min(most, FETCH));
    }
  }

  #message(row: Row): Message {
    const entry = this.#directory.byId(row.channel);
    if (entry === undefined) throw new Error(`message ${row.offset} names channel ${row.channel}, which is not there`);
    return {
      offset: row.offset,
      channel: entry.channel,
      event: row.event,
      data: row.data,
      sender: row.sender,
      time: row.time,
      ...(row.via === null ? {} : { via: row.via }),
    };
  }
}

/** Offsets of messages on the wanted channels, in order: all there are up to `end`. */
interface Looked {
  readonly offsets: readonly number[];
  readonly end: number;
}

/** A page that ends where its messages do, when they are as many as were allowed, and otherwise at `end`. */
function cut(found: Iterable<Message>, limit: number, end: number): Pick<LogPage, "messages" | "end"> {
  const { messages, more } = endOfPage(found);
  const full = more || messages.length >= limit;
  return { messages, end: full ? (messages.at(-1)?.offset ?? end) : end };
}
