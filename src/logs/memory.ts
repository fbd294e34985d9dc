import { isCovered, uncovered, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import type { Cursor } from "../protocol/cursor.ts";
import { HubError } from "../core/errors.ts";
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
} from "../core/log.ts";
import type { Draft, Message } from "../core/message.ts";
import { ChannelIndex, costOf, type ChannelEntry } from "./channel-index.ts";
import { endOfPage, ReadTurns, recentPage } from "./page.ts";
import { MemoryRecords } from "./memory-records.ts";
import { WriteBatch } from "./write-batch.ts";
import { randomName } from "./random-name.ts";

/** Messages that a read scans before it yields to other work. */
const SLICE = 2000;
/** Empty places of dropped messages at which the array is compacted. */
const COMPACT_AT = 1024;

interface Kept {
  readonly message: Message;
  readonly cost: number;
  /** When it was appended, by a monotonic clock. */
  readonly at: number;
}

/** Keeps messages in the memory of this process: for tests and throw-away servers. */
export class MemoryLog implements Log {
  readonly epoch: string = randomName();
  readonly records: MemoryRecords = new MemoryRecords();
  readonly #retention: Retention;
  readonly #now: () => number;
  readonly #elapsed: () => number;
  readonly #channels: ChannelIndex;
  /** In order of their offsets, which are contiguous; the places of dropped messages, such as all up to `#start`, are empty. */
  #kept: (Kept | undefined)[] = [];
  #start = 0;
  /** The offset of the first place, minus one. */
  #base = 0;
  readonly #byKey = new Map<string, Message>();
  readonly #batch = new WriteBatch(
    () => this.#write(),
    () => (this.#closed ? closed() : undefined),
  );
  readonly #readTurns = new ReadTurns();
  readonly #expiry: NodeJS.Timeout;
  #listener: (messages: readonly Message[]) => void = () => {};
  /** Messages that are kept. */
  #count = 0;
  #bytes = 0;
  #closed = false;

  /** `elapsed` is a monotonic clock in milliseconds, by which the age of messages is measured. */
  constructor(retention: Retention, now: () => number = Date.now, elapsed: () => number = () => performance.now()) {
    this.#retention = retention;
    this.#channels = new ChannelIndex(0, retention.channels);
    this.#now = now;
    this.#elapsed = elapsed;
    this.#expiry = setInterval(() => this.#expire(), 1000).unref();
  }

  epochAt(): string {
    return this.epoch;
  }

  append(draft: Draft): Promise<Appended> {
    return this.#batch.add(draft);
  }

  appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]> {
    return this.#batch.addAll(drafts);
  }

  async read({ after, channels, limit }: LogQuery): Promise<LogPage> {
    let found: Message[] = [];
    // Slices double in length while the page is not full, up to a bound.
    for (let [from, step] = [after, limit]; ; step = Math.min(2 * step, Math.max(SLICE, limit))) {
      await this.#readTurns.next();
      // What was dropped since the last slice, or the page would have a hole between that and this one.
      found = found.filter((message) => this.#has(message));
      const first = Math.max(from - this.#base, this.#start);
      const slice = this.#slice(channels, first, first + step, found);
      from = slice < step ? this.#head : this.#base + first + slice;
      if (slice === step && found.length < limit) continue;
      const { messages, more } = endOfPage(found, limit);
      const isFull = more || messages.length === limit;
      const end = isFull ? (messages.at(-1)?.offset ?? from) : from;
      return { messages, end, dropped: this.#channels.dropped(channels) };
    }
  }

  async recent({ before, channels, limit }: RecentQuery): Promise<RecentPage> {
    let found: Message[] = [];
    for (let [from, step] = [before, limit + 1]; ; step = Math.min(2 * step, Math.max(SLICE, limit))) {
      await this.#readTurns.next();
      found = found.filter((message) => this.#has(message));
      const end = Math.min(Math.max(from - this.#base - 1, this.#start), this.#kept.length);
      const first = Math.max(end - step, this.#start);
      const older: Message[] = [];
      this.#slice(channels, first, end, older);
      found.push(...older.toReversed());
      if (first === this.#start || found.length > limit) return recentPage(found, limit);
      from = this.#base + first + 1;
    }
  }

  async follow(listener: (messages: readonly Message[]) => void): Promise<number> {
    this.#listener = listener;
    return this.#head;
  }

  knows(cursor: Cursor): boolean {
    return cursor.epoch === this.epoch && cursor.offset <= this.#head;
  }

  channels(query: ChannelQuery): readonly ChannelState[] {
    return this.#channels.list(query);
  }

  size(): LogSize {
    const { size: channels, lastId: channelsCreated } = this.#channels;
    return { messages: this.#count, bytes: this.#bytes, channels, channelsCreated };
  }

  async purge(channel: ChannelName, upTo: number): Promise<number> {
    if (this.#closed) throw closed();
    let removed = 0;
    const end = Math.min(upTo - this.#base, this.#kept.length);
    for (let place = this.#start; place < end; place++) {
      if (this.#kept[place]?.message.channel !== channel) continue;
      this.#drop(place);
      removed++;
    }
    return removed;
  }

  async check(): Promise<void> {
    if (this.#closed) throw closed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#expiry);
    this.#write();
  }

  get #head(): number {
    return this.#base + this.#kept.length;
  }

  /** Adds the messages of these channels in a range of places to `found`; returns the number of places scanned. */
  #slice(channels: readonly ChannelPattern[], first: number, end: number, found: Message[]): number {
    const patterns = uncovered(channels);
    const places = Math.min(end, this.#kept.length);
    for (let place = first; place < places; place++) {
      const kept = this.#kept[place];
      if (kept !== undefined && isCovered(patterns, kept.message.channel)) found.push(kept.message);
    }
    return Math.max(places - first, 0);
  }

  #write(): void {
    const published: Message[] = [];
    const waiting = this.#batch.take();
    const outcomes = waiting.map(({ draft }) => this.#keep(draft, published));
    this.#expire();
    if (published.length > 0) this.#listener(published);
    for (const [index, outcome] of outcomes.entries()) waiting[index]?.settle(outcome);
  }

  #keep(draft: Draft, published: Message[]): Appended | HubError {
    // An ephemeral message is not kept, so neither is its key.
    const name = draft.key === undefined || draft.ephemeral ? undefined : `${draft.channel} ${draft.key}`;
    const known = name === undefined ? undefined : this.#byKey.get(name);
    if (known !== undefined) return { message: known, repeated: true };
    const message: Message = { ...draft, offset: this.#head + (draft.ephemeral ? 0 : 1), time: this.#now() };
    if (!draft.ephemeral) {
      const entry = this.#channels.find(draft.channel) ?? this.#fresh(draft.channel);
      if (entry instanceof HubError) return entry;
      const cost = costOf(draft);
      const { offset: last, time } = message;
      this.#channels.put({ ...entry, kept: entry.kept + 1, bytes: entry.bytes + cost, last, time });
      this.#bytes += cost;
      this.#count++;
      this.#kept.push({ message, cost, at: this.#elapsed() });
      if (name !== undefined) this.#byKey.set(name, message);
    }
    published.push(message);
    return { message, repeated: false };
  }

  #fresh(channel: ChannelName): ChannelEntry | HubError {
    const { floor } = this.#channels;
    const full = this.#channels.full();
    if (full !== undefined) {
      const [empty] = this.#channels.empty();
      if (empty === undefined) return full;
      this.#channels.forget(empty);
    }
    return this.#channels.fresh(channel, 1, floor);
  }

  #has({ offset }: Message): boolean {
    return this.#kept[offset - this.#base - 1] !== undefined;
  }

  #drop(place: number): void {
    const kept = this.#kept[place];
    if (kept === undefined) return;
    const { message, cost } = kept;
    const { channel, offset, key } = message;
    this.#kept[place] = undefined;
    if (key !== undefined) this.#byKey.delete(`${channel} ${key}`);
    this.#count--;
    this.#bytes -= cost;
    const entry = this.#channels.find(channel);
    if (entry === undefined) return;
    this.#channels.put({ ...entry, kept: entry.kept - 1, bytes: entry.bytes - cost, dropped: offset });
  }

  #expire(): void {
    const { age, messages, bytes } = this.#retention;
    const since = this.#elapsed() - age;
    while (this.#start < this.#kept.length) {
      const first = this.#kept[this.#start];
      if (first !== undefined && this.#count <= messages && this.#bytes <= bytes && first.at >= since) break;
      this.#drop(this.#start++);
    }
    if (this.#start < COMPACT_AT || this.#start * 2 <= this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#start);
    this.#base += this.#start;
    this.#start = 0;
  }
}

function closed(): HubError {
  return new HubError("LOG_UNAVAILABLE", "The log is closed");
}
