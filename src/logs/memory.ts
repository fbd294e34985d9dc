import { setImmediate as turn } from "node:timers/promises";
import { EVERYTHING, isCovered, uncovered, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import { BEGINNING, type Cursor } from "../protocol/cursor.ts";
import { HubError } from "../core/errors.ts";
import type {
  ChannelQuery,
  ChannelState,
  Log,
  LogPage,
  LogQuery,
  LogSize,
  RecentPage,
  RecentQuery,
  Retention,
} from "../core/log.ts";
import type { Draft, Message } from "../core/message.ts";
import { ChannelIndex, type ChannelEntry } from "./channel-index.ts";
import { endOfPage, merged, recentPage } from "./page.ts";
import { ReadTurns } from "./read-turns.ts";
import { costOf, newEpoch } from "./record.ts";
import { Ring } from "./ring.ts";
import { WriteBatch } from "./write-batch.ts";

/** Beyond this many channels, going through all messages in slices costs less than merging theirs. */
const MANY_CHANNELS = 64;
/** Messages that are looked through before others have their turn. */
const SLICE = 2000;

/** Keeps messages in this process and nowhere else: for tests and throw-away servers. */
export class MemoryLog implements Log {
  readonly epoch: string = newEpoch();
  readonly #retention: Retention;
  readonly #now: () => number;
  readonly #elapsed: () => number;
  /** The head of the log at some times, at most a thousand of them within the maximum age. */
  readonly #marks: { readonly at: number; offset: number }[] = [];
  readonly #directory: ChannelIndex;
  readonly #all = new Ring();
  readonly #byChannel = new Map<ChannelName, Ring>();
  readonly #byKey = new Map<string, Message>();
  readonly #turn = new WriteBatch(() => this.#write());
  readonly #readTurns = new ReadTurns();
  readonly #expiry: NodeJS.Timeout;
  #listener: (messages: readonly Message[]) => void = () => {};
  #head = 0;
  #bytes = 0;
  #closed = false;

  /** `elapsed` counts milliseconds of a clock that cannot be set; messages grow old by it. */
  constructor(retention: Retention, now: () => number = Date.now, elapsed: () => number = () => performance.now()) {
    this.#retention = retention;
    this.#directory = new ChannelIndex(0, retention.channels);
    this.#now = now;
    this.#elapsed = elapsed;
    this.#expiry = setInterval(() => this.#expire(), 1000).unref();
  }

  epochAt(): string {
    return this.epoch;
  }

  async append(draft: Draft): Promise<Message> {
    if (this.#closed) throw new HubError("LOG_UNAVAILABLE", "The log is closed");
    return (await this.#turn.add(draft)) as Message;
  }

  async read({ after, channels, limit }: LogQuery): Promise<LogPage> {
    await this.#readTurns.next();
    const dropped = this.#directory.dropped(channels);
    const { found, end } = this.#look(channels, after, limit);
    const { messages, more } = endOfPage(found, limit);
    const cut = more || messages.length === limit;
    return { messages, end: cut ? (messages.at(-1)?.offset ?? end) : end, dropped };
  }

  async recent({ before, channels, limit }: RecentQuery): Promise<RecentPage> {
    await this.#readTurns.next();
    const rings = this.#rings(channels, BEGINNING);
    if (rings === undefined) return recentPage(await this.#lookBack(channels, before, limit + 1), limit);
    const found = rings.flatMap((ring) => ring.before(before, limit + 1));
    return recentPage(
      found.sort((a, b) => b.offset - a.offset),
      limit,
    );
  }

  async follow(listener: (messages: readonly Message[]) => void): Promise<number> {
    this.#listener = listener;
    return this.#head;
  }

  knows(cursor: Cursor): boolean {
    return cursor.epoch === this.epoch && cursor.offset <= this.#head;
  }

  channels(query: ChannelQuery): readonly ChannelState[] {
    return this.#directory.list(query);
  }

  size(): LogSize {
    return {
      messages: this.#all.size,
      bytes: this.#bytes,
      channels: this.#directory.size,
      channelsCreated: this.#directory.lastId,
    };
  }

  async check(): Promise<void> {
    if (this.#closed) throw new HubError("LOG_UNAVAILABLE", "The log is closed");
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#expiry);
    this.#write();
  }

  #write(): void {
    const published: Message[] = [];
    const answers: (() => void)[] = [];
    for (const { draft, resolve, reject } of this.#turn.take()) {
      const outcome = this.#keep(draft as Draft, published);
      answers.push(() => (outcome instanceof HubError ? reject(outcome) : resolve(outcome)));
    }
    this.#mark();
    this.#expire();
    if (published.length > 0) this.#listener(published);
    for (const answer of answers) answer();
  }

  #keep(draft: Draft, published: Message[]): Message | HubError {
    // An ephemeral message is not kept, so its key is not either.
    const name = draft.key === undefined || draft.ephemeral ? undefined : `${draft.channel} ${draft.key}`;
    const known = name === undefined ? undefined : this.#byKey.get(name);
    if (known !== undefined) return known;
    const message: Message = { ...draft, offset: this.#head + (draft.ephemeral ? 0 : 1), time: this.#now() };
    if (!draft.ephemeral) {
      const entry = this.#directory.find(draft.channel) ?? this.#fresh(draft.channel);
      if (entry instanceof HubError) return entry;
      const bytes = entry.bytes + costOf(draft);
      this.#directory.put({ ...entry, kept: entry.kept + 1, bytes, last: message.offset, time: message.time });
      this.#head = message.offset;
      this.#bytes += costOf(draft);
      this.#all.push(message);
      this.#ring(draft.channel).push(message);
      if (name !== undefined) this.#byKey.set(name, message);
    }
    published.push(message);
    return message;
  }

  #fresh(channel: ChannelName): ChannelEntry | HubError {
    const { floor } = this.#directory;
    const full = this.#directory.full();
    if (full !== undefined) {
      const [empty] = this.#directory.empty();
      if (empty === undefined) return full;
      this.#directory.forget(empty);
    }
    return this.#directory.fresh(channel, 1, floor);
  }

  /** Messages on these channels after an offset, in order: at least `limit` of them, or all there are up to `end`. */
  #look(
    channels: readonly ChannelPattern[],
    after: number,
    limit: number,
  ): { readonly found: readonly Message[]; readonly end: number } {
    const rings = this.#rings(channels, after);
    if (rings !== undefined) {
      const pages = rings.map((ring) => ring.after(after, limit));
      return { found: merged(pages, limit), end: this.#head };
    }
    const slice = this.#all.after(after, SLICE);
    const patterns = uncovered(channels);
    return {
      found: slice.filter(({ channel }) => isCovered(patterns, channel)),
      end: slice.length < SLICE ? this.#head : (slice.at(-1)?.offset ?? this.#head),
    };
  }

  /** The last messages on these channels before an offset, at most `count`, the newest first. */
  async #lookBack(channels: readonly ChannelPattern[], before: number, count: number): Promise<readonly Message[]> {
    const patterns = uncovered(channels);
    const found: Message[] = [];
    for (let from = before; found.length < count;) {
      const slice = this.#all.before(from, SLICE);
      found.push(...slice.filter(({ channel }) => isCovered(patterns, channel)).toReversed());
      if (slice.length < SLICE) break;
      from = slice[0]?.offset ?? from;
      await turn();
    }
    return found.slice(0, count);
  }

  /** Rings that together hold what these patterns cover after an offset; undefined when they are too many to merge. */
  #rings(channels: readonly ChannelPattern[], after: number): readonly Ring[] | undefined {
    if (channels.includes(EVERYTHING)) return [this.#all];
    const entries = this.#directory.behind(channels, after, MANY_CHANNELS + 1);
    return entries.length > MANY_CHANNELS ? undefined : entries.map((entry) => this.#ring(entry.channel));
  }

  #ring(channel: ChannelName): Ring {
    let ring = this.#byChannel.get(channel);
    if (ring === undefined) this.#byChannel.set(channel, (ring = new Ring()));
    return ring;
  }

  #mark(): void {
    const at = this.#elapsed();
    const last = this.#marks.at(-1);
    if (last !== undefined && at - last.at < this.#retention.age / 1000) last.offset = this.#head;
    else if (this.#head > (last?.offset ?? 0)) this.#marks.push({ at, offset: this.#head });
  }

  /** The offset up to which messages are too old. */
  #oldTo(): number {
    const since = this.#elapsed() - this.#retention.age;
    while (this.#marks.length > 1 && (this.#marks[1]?.at ?? 0) < since) this.#marks.shift();
    const [first] = this.#marks;
    return first !== undefined && first.at < since ? first.offset : 0;
  }

  #expire(): void {
    const { messages, bytes } = this.#retention;
    const old = this.#oldTo();
    for (let first = this.#all.first; first !== undefined; first = this.#all.first) {
      if (this.#all.size <= messages && this.#bytes <= bytes && first.offset > old) return;
      this.#all.shift();
      this.#ring(first.channel).shift();
      if (first.key !== undefined) this.#byKey.delete(`${first.channel} ${first.key}`);
      const cost = costOf(first);
      this.#bytes -= cost;
      const entry = this.#directory.find(first.channel);
      if (entry === undefined) continue;
      if (entry.kept === 1) this.#byChannel.delete(first.channel);
      this.#directory.put({ ...entry, kept: entry.kept - 1, bytes: entry.bytes - cost, dropped: first.offset });
    }
  }
}
