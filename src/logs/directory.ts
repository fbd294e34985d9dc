import { covers, EVERYTHING, type ChannelName, type ChannelPattern } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import type { ChannelQuery, ChannelState } from "../core/log.ts";

/** What a log remembers of one channel. */
export interface ChannelEntry extends ChannelState {
  /** The store's own number for it. */
  readonly id: number;
  /** Bytes of the messages kept. */
  readonly bytes: number;
  /** Offset of its last message that retention dropped; 0 where none was. */
  readonly dropped: number;
}

const MAX_CHANNELS = 100_000;

/** Room that is made before it is needed, for the channels one turn may add. */
const SLACK = 1024;

/** The channels of a log, found by name, by number and by pattern. Names are kept sorted, so a prefix is a range. */
export class ChannelDirectory {
  readonly #byName = new Map<string, ChannelEntry>();
  readonly #byId = new Map<number, ChannelEntry>();
  readonly #names: ChannelName[] = [];
  readonly #limit: number;
  #lastId = 0;
  /** The highest offset dropped from a channel that is forgotten here: it may have been any. */
  #floor: number;
  #dropped: number;

  constructor(floor = 0, limit: number = MAX_CHANNELS) {
    this.#floor = floor;
    this.#dropped = floor;
    this.#limit = limit;
  }

  get size(): number {
    return this.#byName.size;
  }

  get floor(): number {
    return this.#floor;
  }

  find(channel: ChannelName): ChannelEntry | undefined {
    return this.#byName.get(channel);
  }

  byId(id: number): ChannelEntry | undefined {
    return this.#byId.get(id);
  }

  /** An entry for a channel that is not here yet; `put` makes it known. `OVERLOADED` where there are too many. */
  fresh(channel: ChannelName, added = 0): ChannelEntry | HubError {
    if (this.#byName.size + added >= this.#limit) {
      return new HubError(
        "OVERLOADED",
        `The log keeps messages of ${this.#limit} channels, its limit; use one of those`,
      );
    }
    return { id: this.#lastId + 1 + added, channel, kept: 0, bytes: 0, last: 0, time: 0, dropped: 0 };
  }

  put(entry: ChannelEntry): void {
    if (!this.#byName.has(entry.channel)) this.#names.splice(this.#rank(entry.channel), 0, entry.channel);
    this.#byName.set(entry.channel, entry);
    this.#byId.set(entry.id, entry);
    this.#lastId = Math.max(this.#lastId, entry.id);
    this.#dropped = Math.max(this.#dropped, entry.dropped);
  }

  /** Channels that hold no message any more, where room will be needed soon. */
  forgettable(): readonly ChannelEntry[] {
    if (this.#byName.size < this.#limit - Math.min(SLACK, this.#limit >> 3)) return [];
    return [...this.#byName.values()].filter((entry) => entry.kept === 0);
  }

  /** Forgets channels; what was dropped from them counts for every channel from now on. */
  forget(entries: readonly ChannelEntry[]): void {
    for (const entry of entries) {
      this.#byName.delete(entry.channel);
      this.#byId.delete(entry.id);
      this.#names.splice(this.#rank(entry.channel), 1);
      this.#floor = Math.max(this.#floor, entry.dropped);
    }
  }

  /** The last offset dropped from any channel of these patterns. */
  dropped(patterns: readonly ChannelPattern[]): number {
    if (patterns.includes(EVERYTHING)) return this.#dropped;
    let dropped = this.#floor;
    for (const pattern of patterns)
      for (const entry of this.#range(pattern)) dropped = Math.max(dropped, entry.dropped);
    return dropped;
  }

  /** The channels of these patterns that have messages behind `after`, each once. */
  behind(patterns: readonly ChannelPattern[], after: number): readonly ChannelEntry[] {
    const found = new Set<ChannelEntry>();
    for (const pattern of patterns) {
      for (const entry of this.#range(pattern)) if (entry.kept > 0 && entry.last > after) found.add(entry);
    }
    return [...found];
  }

  list({ pattern, limit, after }: ChannelQuery): readonly ChannelState[] {
    const listed: ChannelState[] = [];
    for (const entry of this.#range(pattern, after)) {
      if (listed.length === limit) break;
      listed.push({ channel: entry.channel, kept: entry.kept, last: entry.last, time: entry.time });
    }
    return listed;
  }

  *#range(pattern: ChannelPattern, after?: string): Iterable<ChannelEntry> {
    if (!pattern.endsWith("*")) {
      const entry = this.#byName.get(pattern);
      if (entry !== undefined && (after === undefined || entry.channel > after)) yield entry;
      return;
    }
    const prefix = pattern.slice(0, -1);
    let index = this.#rank(after !== undefined && after >= prefix ? `${after}\0` : prefix);
    for (; index < this.#names.length; index++) {
      const name = this.#names[index] as ChannelName;
      if (!covers(pattern, name)) return;
      yield this.#byName.get(name) as ChannelEntry;
    }
  }

  /** Where a name stands, or would stand, among the sorted ones. */
  #rank(name: string): number {
    let low = 0;
    for (let high = this.#names.length; low < high;) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
