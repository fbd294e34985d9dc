import { EVERYTHING, uncovered, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import { CHANNEL_LIMIT, HubError } from "../core/errors.ts";
import type { ChannelQuery, ChannelState } from "../core/log.ts";
import type { Draft } from "../core/message.ts";
import { NameIndex } from "../core/name-index.ts";

/** What a log knows about one channel. */
export interface ChannelEntry extends ChannelState {
  /** Its number in the store. */
  readonly id: number;
  /** Bytes of the messages that are kept. */
  readonly bytes: number;
  /** Offset of its last message that retention dropped; 0 if none was. */
  readonly dropped: number;
}

/** The channels of a log, by name, by number and by pattern. */
export class ChannelIndex {
  readonly #byName = new NameIndex<ChannelEntry>();
  readonly #byId = new Map<number, ChannelEntry>();
  /** Channels without messages; the one last published to longest ago comes first. */
  readonly #empty = new Set<ChannelName>();
  readonly #limit: number;
  #lastId = 0;
  /** The highest offset dropped from channels that were removed: it counts for every unknown channel. */
  #floor: number;
  #dropped: number;

  constructor(floor: number = 0, limit: number = Infinity) {
    this.#floor = floor;
    this.#dropped = floor;
    this.#limit = limit;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Channels without messages. */
  get emptySize(): number {
    return this.#empty.size;
  }

  /** The highest number that any channel has had. */
  get lastId(): number {
    return this.#lastId;
  }

  get floor(): number {
    return this.#floor;
  }

  /** All channels, by name. */
  entries(): Iterable<ChannelEntry> {
    return this.#range(EVERYTHING);
  }

  find(channel: ChannelName): ChannelEntry | undefined {
    return this.#byName.get(channel);
  }

  byId(id: number): ChannelEntry | undefined {
    return this.#byId.get(id);
  }

  /** The error if there is no room for another channel after `added` more; undefined if there is. */
  full(added = 0): HubError | undefined {
    if (this.size + added < this.#limit) return undefined;
    return new HubError(
      "OVERLOADED",
      `${this.#limit} channels hold messages, as many as MAX_CHANNELS allows; publish to one of them, or raise MAX_CHANNELS`,
      { details: { limit: CHANNEL_LIMIT } },
    );
  }

  /** An entry for an unknown channel, the `number`th of those a transaction adds; `put` stores it. */
  fresh(channel: ChannelName, number = 1, floor: number = this.#floor): ChannelEntry {
    // It may have existed before, and been removed.
    return { id: this.#lastId + number, channel, kept: 0, bytes: 0, last: 0, time: 0, dropped: floor };
  }

  put(entry: ChannelEntry): void {
    // An empty channel has nothing to read, so `range` must skip it.
    this.#byName.set(entry.channel, entry, entry.kept === 0 ? 0 : entry.last, entry.dropped);
    this.#byId.set(entry.id, entry);
    if (entry.kept === 0) this.#empty.add(entry.channel);
    else this.#empty.delete(entry.channel);
    this.#lastId = Math.max(this.#lastId, entry.id);
    this.#dropped = Math.max(this.#dropped, entry.dropped);
  }

  /** The channels without messages, in the order in which they are removed to make room. */
  *empty(): IterableIterator<ChannelEntry> {
    for (const channel of this.#empty) yield this.#byName.get(channel) as ChannelEntry;
  }

  /** Removes a channel; what was dropped from it counts for every unknown channel. */
  forget({ channel, id, dropped }: ChannelEntry): void {
    this.#byName.delete(channel);
    this.#byId.delete(id);
    this.#empty.delete(channel);
    this.#floor = Math.max(this.#floor, dropped);
  }

  /** The last offset dropped from any channel of these patterns. */
  dropped(patterns: readonly ChannelPattern[]): number {
    if (patterns.includes(EVERYTHING)) return this.#dropped;
    let dropped = 0;
    for (const pattern of uncovered(patterns)) {
      const prefix = prefixOf(pattern);
      const own = this.#byName.get(pattern)?.dropped;
      dropped = Math.max(dropped, own ?? this.#floor, prefix === undefined ? 0 : this.#byName.dropped(prefix));
    }
    return dropped;
  }

  /** The channels of these patterns that have messages after an offset, each once; at most `most`. */
  behind(patterns: readonly ChannelPattern[], after: number, most: number = Infinity): readonly ChannelEntry[] {
    const found: ChannelEntry[] = [];
    for (const pattern of uncovered(patterns)) {
      for (const entry of this.#range(pattern, undefined, Math.max(after, 0))) {
        if (found.length >= most) return found;
        found.push(entry);
      }
    }
    return found;
  }

  list({ pattern, limit, after }: ChannelQuery): readonly ChannelState[] {
    const listed: ChannelState[] = [];
    for (const { channel, kept, last, time } of this.#range(pattern, after)) {
      if (listed.length === limit) break;
      listed.push({ channel, kept, last, time });
    }
    return listed;
  }

  /** The channels of a pattern, after a name; with `above`, those that hold messages after that offset. */
  *#range(pattern: ChannelPattern, after?: string, above?: number): Iterable<ChannelEntry> {
    const prefix = prefixOf(pattern);
    if (prefix !== undefined) {
      yield* this.#byName.range(prefix, after, above);
      return;
    }
    const entry = this.#byName.get(pattern);
    if (entry === undefined || (after !== undefined && entry.channel <= after)) return;
    if (above === undefined || (entry.kept > 0 && entry.last > above)) yield entry;
  }
}

/** The bytes of a message as retention counts them, without what the store adds. */
export function costOf(draft: Draft): number {
  return Buffer.byteLength(draft.data) + draft.event.length + draft.sender.length + draft.channel.length;
}

/** The prefix of a pattern; undefined if it names a single channel. */
function prefixOf(pattern: ChannelPattern): string | undefined {
  return pattern.endsWith("*") ? pattern.slice(0, -1) : undefined;
}
