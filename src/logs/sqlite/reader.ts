import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { EVERYTHING, isCovered, uncovered, type ChannelPattern } from "../../protocol/channel.ts";
import { BEGINNING } from "../../protocol/cursor.ts";
import type { Via } from "../../protocol/message.ts";
import type { FoundPage, LogPage, LogQuery, RecentPage, RecentQuery } from "../../core/log.ts";
import type { Message } from "../../core/message.ts";
import type { ChannelEntry, ChannelIndex } from "../channel-index.ts";
import { endOfPage, MAX_CHARACTERS, recentPage } from "../page.ts";
import type { FoundOffsets } from "./search-index.ts";

/** Channels that are queried before other reads and writes get a turn. */
const STEP = 256;
/** Above this many channels, scanning the log in slices costs less than querying each channel. */
const MANY_CHANNELS = 2000;
const SLICE = 2000;
/** Rows fetched by the first query, and by any: messages may be large, and few of them may fill a page. */
const FETCH_FIRST = 16;
const FETCH = 64;

interface Row {
  readonly offset: number;
  readonly channel: number;
  readonly event: string;
  readonly data: string;
  readonly sender: string;
  readonly time: number;
  readonly via: Via | null;
  readonly verified: 1 | null;
  readonly traceparent: string | null;
  readonly path: string | null;
  readonly quiet: 1 | null;
}

const COLUMNS = "offset, channel, event, data, sender, time, via, verified, traceparent, path, quiet";

/** The statements that read in one direction, from an offset on. */
interface Direction {
  readonly forward: boolean;
  /** Whole messages: of all channels, and of one. */
  readonly all: StatementSync;
  readonly channel: StatementSync;
  /** Only the offsets of one channel. */
  readonly offsets: StatementSync;
}

/** Offsets of messages on the requested channels, in the order of reading: all there are up to `end`. */
interface Looked {
  readonly offsets: readonly number[];
  readonly end: number;
}

/** What a reader has to know of the channels. */
type ReaderChannels = Pick<ChannelIndex, "behind" | "byId" | "dropped">;

/** Reads pages from a SQLite log; an index gives the messages of each channel in order. */
export class SqliteReader {
  readonly #channels: ReaderChannels;
  readonly #forward: Direction;
  readonly #back: Direction;
  readonly #slice: StatementSync;
  readonly #one: StatementSync;
  readonly #keyed: StatementSync;

  constructor(database: DatabaseSync, channels: ReaderChannels) {
    this.#channels = channels;
    this.#forward = directionOf(database, true);
    this.#back = directionOf(database, false);
    this.#slice = database.prepare("SELECT offset, channel FROM messages WHERE offset > ? ORDER BY offset LIMIT ?");
    this.#one = database.prepare(`SELECT ${COLUMNS} FROM messages WHERE offset = ?`);
    this.#keyed = database.prepare(`SELECT ${COLUMNS} FROM messages WHERE channel = ? AND key = ?`);
  }

  /** One page; `head` is the offset of the last message. Other work runs between the queries of many channels. */
  async page(query: LogQuery, head: number): Promise<LogPage> {
    const page = await this.#page(query, head);
    // Read last: messages that retention dropped meanwhile are missing from the page.
    return { ...page, dropped: this.#channels.dropped(query.channels) };
  }

  /** The last page before an offset; other work runs between the queries of many channels. */
  async recent({ before, channels, limit }: RecentQuery, head: number): Promise<RecentPage> {
    const top = Math.min(before, head + 1);
    // One more than requested, which tells whether there are more.
    const count = limit + 1;
    if (channels.includes(EVERYTHING)) return recentPage(this.#run(this.#back.all, [], top, count), limit);
    const entries = this.#channels.behind(channels, BEGINNING);
    const [only] = entries;
    if (only !== undefined && entries.length === 1) {
      return recentPage(this.#run(this.#back.channel, [only.id], top, count), limit);
    }
    const newest = newestOf(entries, top, count);
    const offsets: number[] = [];
    for (let from = top; offsets.length < count && from > 0;) {
      const looked = await this.#merge(newest, from, count - offsets.length, this.#back);
      offsets.push(...looked.offsets);
      from = looked.end;
    }
    return recentPage(this.#each(offsets, count), limit);
  }

  /** The messages that were found, as many as fit on a page. */
  found({ offsets, end }: FoundOffsets): FoundPage {
    const { messages, more } = endOfPage(this.#each(offsets, offsets.length));
    return { messages, end: more ? (messages.at(-1)?.offset ?? end) : end };
  }

  /** The message with this offset. */
  message(offset: number): Message | undefined {
    const row = this.#one.get(offset) as Row | undefined;
    return row === undefined ? undefined : this.#message(row);
  }

  /** The message that was published on a channel with this key. */
  keyed(channel: ChannelEntry, key: string): Message | undefined {
    const row = this.#keyed.get(channel.id, key) as Row | undefined;
    return row === undefined ? undefined : { ...messageOf(row, channel), key };
  }

  async #page({ after, channels, limit }: LogQuery, head: number): Promise<Omit<LogPage, "dropped">> {
    if (channels.includes(EVERYTHING)) return cut(this.#run(this.#forward.all, [], after, limit), limit, head);
    const entries = this.#channels.behind(channels, after, MANY_CHANNELS + 1);
    const [only] = entries;
    if (only === undefined) return { messages: [], end: head };
    if (entries.length === 1) return cut(this.#run(this.#forward.channel, [only.id], after, limit), limit, head);
    const many = entries.length > MANY_CHANNELS;
    const looked = many ? this.#lookThrough(channels, after) : await this.#merge(entries, after, limit, this.#forward);
    return cut(this.#each(looked.offsets, limit), limit, Math.min(looked.end, head));
  }

  /** Collects some offsets of each channel. */
  async #merge(entries: readonly ChannelEntry[], from: number, limit: number, direction: Direction): Promise<Looked> {
    const sign = direction.forward ? 1 : -1;
    const kept = entries.reduce((sum, entry) => sum + entry.kept, 0);
    let end = Infinity;
    const offsets: number[] = [];
    for (const [index, entry] of entries.entries()) {
      if (index % STEP === STEP - 1) await turn();
      // In proportion to their messages, or one busy channel among quiet ones would end the page after a few messages.
      const each = Math.max(8, Math.ceil((2 * limit * entry.kept) / kept));
      const found = direction.offsets.all(entry.id, from, each) as { offset: number }[];
      for (const { offset } of found) offsets.push(sign * offset);
      if (found.length === each) end = Math.min(end, offsets.at(-1) ?? end);
    }
    const inOrder = offsets.filter((offset) => offset <= end).sort((a, b) => a - b);
    return { offsets: inOrder.map((offset) => sign * offset), end: sign * end };
  }

  /** Collects the offsets of these channels from a slice of the whole log. */
  #lookThrough(channels: readonly ChannelPattern[], after: number): Looked {
    const patterns = uncovered(channels);
    const isWanted = (id: number): boolean => {
      const entry = this.#channels.byId(id);
      return entry !== undefined && isCovered(patterns, entry.channel);
    };
    const rows = this.#slice.all(after, SLICE) as { offset: number; channel: number }[];
    const end = rows.length < SLICE ? Infinity : (rows.at(-1)?.offset ?? Infinity);
    return { offsets: rows.filter((row) => isWanted(row.channel)).map((row) => row.offset), end };
  }

  *#each(offsets: readonly number[], limit: number): Iterable<Message> {
    for (const offset of offsets.slice(0, limit)) {
      const row = this.#one.get(offset) as Row | undefined;
      // It may have been dropped while other work ran.
      if (row !== undefined) yield this.#message(row);
    }
  }

  *#run(statement: StatementSync, key: readonly number[], from: number, limit: number): Iterable<Message> {
    let [fetch, count, characters] = [FETCH_FIRST, 0, 0];
    while (count < limit) {
      const rows = statement.all(...key, from, Math.min(limit - count, fetch)) as unknown as Row[];
      for (const row of rows) {
        characters += row.data.length;
        yield this.#message(row);
      }
      count += rows.length;
      if (rows.length < fetch) return;
      from = rows.at(-1)?.offset ?? from;
      // About as many as still fit on the page, if they are as large as those before.
      const most = Math.ceil((MAX_CHARACTERS - characters) / (characters / count + 1)) + 1;
      fetch = Math.max(1, Math.min(most, FETCH));
    }
  }

  #message(row: Row): Message {
    const { offset, channel: id } = row;
    const entry = this.#channels.byId(id);
    if (entry === undefined) throw new Error(`message ${offset} belongs to channel ${id}, which does not exist`);
    return messageOf(row, entry);
  }
}

function messageOf(row: Row, { channel }: ChannelEntry): Message {
  const { offset, event, data, sender, time, via, verified, traceparent, path, quiet } = row;
  const message: { -readonly [Field in keyof Message]: Message[Field] } = {
    offset,
    channel,
    event,
    data,
    sender,
    time,
  };
  if (via !== null) message.via = via;
  if (verified !== null) message.verified = true;
  if (traceparent !== null) message.traceparent = traceparent;
  if (path !== null) message.path = path;
  if (quiet !== null) message.quiet = true;
  return message;
}

function directionOf(database: DatabaseSync, forward: boolean): Direction {
  const from = forward ? "offset > ? ORDER BY offset LIMIT ?" : "offset < ? ORDER BY offset DESC LIMIT ?";
  return {
    forward,
    all: database.prepare(`SELECT ${COLUMNS} FROM messages WHERE ${from}`),
    channel: database.prepare(`SELECT ${COLUMNS} FROM messages WHERE channel = ? AND ${from}`),
    offsets: database.prepare(`SELECT offset FROM messages WHERE channel = ? AND ${from}`),
  };
}

/** The channels that may have one of the last `count` messages before an offset, judged by their last messages. */
function newestOf(entries: readonly ChannelEntry[], before: number, count: number): readonly ChannelEntry[] {
  const later = entries.filter(({ last }) => last >= before);
  const earlier = entries.filter(({ last }) => last < before).sort((a, b) => b.last - a.last);
  return [...later, ...earlier.slice(0, count)];
}

/** A page that ends with its last message if it is full, and at `end` otherwise. */
function cut(found: Iterable<Message>, limit: number, end: number): Pick<LogPage, "messages" | "end"> {
  const { messages, more } = endOfPage(found);
  const full = more || messages.length >= limit;
  return { messages, end: full ? (messages.at(-1)?.offset ?? end) : end };
}
