import type { ChannelName } from "../../protocol/channel.ts";
import type { HubError } from "../../core/errors.ts";
import type { Message } from "../../core/message.ts";
import type { ChannelIndex, ChannelEntry } from "../channel-index.ts";

/** An entry of the transaction itself, which counts in it; the directory gets it at the end. */
type OwnEntry = { -readonly [Field in keyof ChannelEntry]: ChannelEntry[Field] };

/** The changes of a transaction, discarded if it fails. */
export class Transaction {
  readonly changed: Map<ChannelName, OwnEntry> = new Map();
  /** Empty channels that are removed to make room. */
  readonly forgotten: Map<ChannelName, ChannelEntry> = new Map();
  floor: number;
  readonly published: Message[] = [];
  messages = 0;
  bytes = 0;
  readonly #directory: ChannelIndex;
  readonly #empty: Iterator<ChannelEntry>;
  #head: number;
  #added = 0;

  constructor(directory: ChannelIndex, head: number) {
    this.#directory = directory;
    this.#empty = directory.empty();
    this.floor = directory.floor;
    this.#head = head;
  }

  get head(): number {
    return this.#head;
  }

  publish(message: Message): Message {
    this.published.push(message);
    this.#head = message.offset;
    return message;
  }

  /** The entry of a channel, made if it is missing; `isForced`: also if there is no room for it. */
  entry(channel: ChannelName, isForced: true): ChannelEntry;
  entry(channel: ChannelName): ChannelEntry | HubError;
  entry(channel: ChannelName, isForced = false): ChannelEntry | HubError {
    const known = this.changed.get(channel) ?? this.#found(channel);
    if (known !== undefined) return known;
    const { floor } = this;
    const full = this.#directory.full(this.#added - this.forgotten.size);
    if (full !== undefined && !this.#makeRoom() && !isForced) return full;
    const entry = this.#directory.fresh(channel, ++this.#added, floor);
    this.changed.set(channel, entry);
    return entry;
  }

  #found(channel: ChannelName): ChannelEntry | undefined {
    return this.forgotten.has(channel) ? undefined : this.#directory.find(channel);
  }

  #makeRoom(): boolean {
    for (let next = this.#empty.next(); !next.done; next = this.#empty.next()) {
      const { channel, dropped } = next.value;
      if (this.changed.has(channel)) continue;
      this.forgotten.set(channel, next.value);
      this.floor = Math.max(this.floor, dropped);
      return true;
    }
    return false;
  }

  byId(id: number): ChannelEntry {
    const known = this.#directory.byId(id);
    const entry = known === undefined ? undefined : (this.changed.get(known.channel) ?? known);
    const found = entry ?? [...this.changed.values()].find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`a message belongs to channel ${id}, which does not exist`);
    return found;
  }

  count(
    entry: ChannelEntry,
    by: { kept: number; bytes: number; last?: number; time?: number; dropped?: number },
  ): void {
    this.messages += by.kept;
    this.bytes += by.bytes;
    const own = this.changed.get(entry.channel);
    const changed = own ?? { ...entry };
    changed.kept += by.kept;
    changed.bytes += by.bytes;
    if (by.last !== undefined) changed.last = by.last;
    if (by.time !== undefined) changed.time = by.time;
    if (by.dropped !== undefined) changed.dropped = by.dropped;
    if (own === undefined) this.changed.set(entry.channel, changed);
  }

  /** Sets the counters of all channels to what was counted. */
  recount(found: ReadonlyMap<number, { kept: number; bytes: number; oldest: number }>): void {
    const entries = new Map([...this.#directory.entries()].map((is) => [is.channel, is]));
    for (const entry of [...entries, ...this.changed].map(([, counted]) => counted)) {
      const is = this.changed.get(entry.channel) ?? entry;
      const { kept, bytes, oldest } = found.get(is.id) ?? { kept: 0, bytes: 0, oldest: is.last + 1 };
      if (kept === is.kept && bytes === is.bytes) continue;
      const dropped = kept < is.kept ? Math.max(is.dropped, oldest - 1) : is.dropped;
      this.count(is, { kept: kept - is.kept, bytes: bytes - is.bytes, dropped });
    }
  }
}
