import { HubError } from "../core/errors.ts";
import { checkedLine, MAX_EVENT, MAX_KEY, MAX_SENDER, type Message } from "../core/message.ts";
import { nameProblem, type ChannelName } from "../protocol/channel.ts";
import { costOf } from "./channel-index.ts";

/** A run of a log, from one opening to the next. */
export interface Run {
  /** The first offset that it gave out; that of the first run is 0. */
  readonly first: number;
  readonly epoch: string;
}

/** What a log keeps besides its channels and messages. */
export interface ArchiveHeader {
  /** The last offset that it gave out. */
  readonly head: number;
  /** The last offset dropped from channels that it does not know any more. */
  readonly floor: number;
  /** When it was last in use: milliseconds since 1970. */
  readonly used?: number | undefined;
  /** By their first offsets, so that its cursors stay valid. */
  readonly runs: readonly Run[];
}

/** What a log keeps of a channel besides its messages. */
export interface ArchivedChannel {
  readonly channel: ChannelName;
  /** Offset of its last message, kept or not. */
  readonly last: number;
  /** Milliseconds since 1970, of its last message. */
  readonly time: number;
  /** Offset of its last message that was dropped; 0 if none was. */
  readonly dropped: number;
}

/** Some channels or messages, of a size that memory has room for. */
export interface ArchivePart {
  readonly channels: readonly ArchivedChannel[];
  /** With their keys. */
  readonly messages: readonly Message[];
}

/** All that a log keeps, whatever it keeps it in: read from one log, and written to another or to a file. */
export interface Archive {
  readonly header: ArchiveHeader;
  /** First all channels, by the offsets of their last messages, then all messages in order. To be read once. */
  readonly parts: AsyncIterable<ArchivePart> | Iterable<ArchivePart>;
}

/** A channel of an archive, with what was counted of its messages. */
export interface TalliedChannel extends ArchivedChannel {
  /** From 1, in the order of the archive. */
  readonly id: number;
  kept: number;
  bytes: number;
}

/** Records of one part, and bytes of their payloads. */
const PART = 512;
const PART_BYTES = 256 * 1024;
/** Runs that an archive may have; a log keeps no more. */
const MAX_RUNS = 65_536;
const EPOCH = /^[a-z0-9]{1,16}$/;

/** Checks an archive while it is written to a log, and counts what it has. Throws `LOG_UNAVAILABLE`. */
export class ArchiveTally {
  readonly channels: Map<ChannelName, TalliedChannel> = new Map();
  messages = 0;
  bytes = 0;
  readonly #head: number;
  #offset = 0;

  constructor({ head, floor, used = 0, runs }: ArchiveHeader) {
    if (![head, floor, used].every(isCount)) {
      throw faulty("its header needs head, floor and used as whole numbers from 0 up");
    }
    const [first] = runs;
    const isOrdered = runs.every((run, index) => isCount(run.first) && run.first > (runs[index - 1]?.first ?? -1));
    if (first?.first !== 0 || !isOrdered || runs.length > MAX_RUNS || runs.some(({ epoch }) => !EPOCH.test(epoch))) {
      throw faulty(`its header needs runs in order, the first from offset 0, at most ${MAX_RUNS}`);
    }
    if (floor > head || (runs.at(-1)?.first ?? 0) > head) {
      throw faulty("its header has a floor or a run beyond its head");
    }
    this.#head = head;
  }

  add({ channels, messages }: ArchivePart): void {
    for (const channel of channels) this.#addChannel(channel);
    for (const message of messages) this.#addMessage(message);
  }

  #addChannel({ channel, last, time, dropped }: ArchivedChannel): void {
    const problem = nameProblem(channel);
    if (problem !== undefined) throw faulty(`it has a channel that is not one: ${problem}`);
    if (this.channels.has(channel)) throw faulty(`it lists channel ${channel} twice`);
    if (![last, time, dropped].every(isCount) || last > this.#head || dropped > this.#head) {
      throw faulty(`channel ${channel} needs last, time and dropped, and no offset beyond head (${this.#head})`);
    }
    this.channels.set(channel, { channel, last, time, dropped, id: this.channels.size + 1, kept: 0, bytes: 0 });
  }

  #addMessage(message: Message): void {
    const { offset, time, channel: name, event, sender, key } = message;
    if (!isCount(offset) || offset <= this.#offset || offset > this.#head) {
      throw faulty(`message ${offset} is out of order, or beyond head (${this.#head})`);
    }
    const channel = this.channels.get(name);
    if (channel === undefined) throw faulty(`message ${offset} is on a channel that is not listed before it`);
    if (offset > channel.last) throw faulty(`message ${offset} comes after the last of channel ${name}`);
    if (!isCount(time)) throw faulty(`message ${offset} needs time in milliseconds since 1970`);
    try {
      checkedLine("event", event, MAX_EVENT);
      checkedLine("sender", sender, MAX_SENDER);
      if (key !== undefined) checkedLine("key", key, MAX_KEY);
    } catch (cause) {
      throw faulty(`message ${offset}: ${(cause as Error).message}`, cause);
    }
    const cost = costOf(message);
    this.#offset = offset;
    this.messages++;
    this.bytes += cost;
    channel.kept++;
    channel.bytes += cost;
  }
}

/** Puts records together into parts. */
export class PartBuffer {
  #channels: ArchivedChannel[] = [];
  #messages: Message[] = [];
  #bytes = 0;

  get isFull(): boolean {
    return this.#channels.length + this.#messages.length >= PART || this.#bytes >= PART_BYTES;
  }

  addChannel(channel: ArchivedChannel): void {
    this.#channels.push(channel);
  }

  addMessage(message: Message): void {
    this.#messages.push(message);
    this.#bytes += message.data.length;
  }

  /** What was added since the last time. */
  take(): ArchivePart {
    const part = { channels: this.#channels, messages: this.#messages };
    this.#channels = [];
    this.#messages = [];
    this.#bytes = 0;
    return part;
  }
}

/** The error for an archive that cannot be used; the sentence is for whoever moves the log. */
export function faulty(what: string, cause?: unknown): HubError {
  return new HubError("LOG_UNAVAILABLE", `The archive cannot be used: ${what}`, { cause });
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
