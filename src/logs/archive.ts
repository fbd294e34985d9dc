import { HubError } from "../core/errors.ts";
import { checkedLine, MAX_EVENT, MAX_KEY, MAX_SENDER, type Message } from "../core/message.ts";
import { nameProblem, type ChannelName } from "../protocol/channel.ts";
import { costOf } from "./channel-index.ts";
import type { Hole } from "./holes.ts";

/** A run of a log, which has an epoch of its own. */
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
  /** Where messages may have been lost, in order; none if it is left out. */
  readonly lost?: readonly Hole[] | undefined;
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

/** Some messages or channels, of a size that memory has room for. */
export interface ArchivePart {
  /** With their keys. */
  readonly messages: readonly Message[];
  readonly channels: readonly ArchivedChannel[];
}

/** All that a log keeps, whatever it keeps it in: read from one log, and written to another or to a file. */
export interface Archive {
  readonly header: ArchiveHeader;
  /** First all messages in order, then all channels, which a log that has no list of them knows only then. Read once. */
  readonly parts: AsyncIterable<ArchivePart> | Iterable<ArchivePart>;
}

/** A channel of an archive, with what was counted of its messages. */
export interface TalliedChannel {
  /** From 1, in the order of the archive. */
  readonly id: number;
  kept: number;
  bytes: number;
  /** The offset of its last message so far, and then what its record says. */
  last: number;
  time: number;
  dropped: number;
  isListed: boolean;
}

/** Records of one part, and characters of their payloads. */
const PART = 512;
export const PART_CHARACTERS: number = 256 * 1024;
/** Runs, and holes, that an archive may have; a log keeps no more. */
const MAX_RUNS = 65_536;
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const EPOCH = /^[a-z0-9]{1,16}$/;

/** Checks an archive while it is written to a log, and counts what it has. Throws `LOG_UNAVAILABLE`. */
export class ArchiveTally {
  readonly channels: Map<ChannelName, TalliedChannel> = new Map();
  messages = 0;
  bytes = 0;
  readonly #head: number;
  #offset = 0;

  constructor({ head, floor, used = 0, runs, lost = [] }: ArchiveHeader) {
    if (![head, floor, used].every(isCount)) {
      throw faulty("its header needs head, floor and used as whole numbers from 0 up");
    }
    const isOrdered = runs.every((run, index) => isCount(run.first) && run.first > (runs[index - 1]?.first ?? -1));
    const isNamed = runs.every(({ epoch }) => EPOCH.test(epoch));
    if (runs[0]?.first !== 0 || !isOrdered || !isNamed || runs.length > MAX_RUNS) {
      throw faulty(`its header needs runs in order, the first from offset 0, at most ${MAX_RUNS}`);
    }
    const isHole = ({ after, end }: Hole, index: number): boolean =>
      isCount(after + 1) && isCount(end) && end > after && after >= (lost[index - 1]?.end ?? -1);
    if (!lost.every(isHole) || lost.length > MAX_RUNS) {
      throw faulty(`its header needs what was lost in order, each with after and end, at most ${MAX_RUNS}`);
    }
    if (Math.max(floor, runs.at(-1)?.first ?? 0, lost.at(-1)?.end ?? 0) > head) {
      throw faulty("its header has a floor, a run or a loss beyond its head");
    }
    this.#head = head;
  }

  add({ messages, channels }: ArchivePart): void {
    for (const message of messages) this.#addMessage(message);
    for (const channel of channels) this.#addChannel(channel);
  }

  /** Checks that nothing is missing. */
  finish(): void {
    for (const [name, { isListed }] of this.channels) {
      if (!isListed) throw faulty(`channel ${name} has messages, and no record of its own after them`);
    }
  }

  #addMessage(message: Message): void {
    const { offset, time, channel: name, event, sender, key, traceparent } = message;
    if (!isCount(offset) || offset <= this.#offset || offset > this.#head) {
      throw faulty(`message ${offset} is out of order, or beyond head (${this.#head})`);
    }
    if (!isCount(time)) throw faulty(`message ${offset} needs time in milliseconds since 1970`);
    if (traceparent !== undefined && !TRACEPARENT.test(traceparent)) {
      throw faulty(`message ${offset} needs a traceparent of W3C Trace Context, version 00, or none`);
    }
    try {
      checkedLine("event", event, MAX_EVENT);
      checkedLine("sender", sender, MAX_SENDER);
      if (key !== undefined) checkedLine("key", key, MAX_KEY);
    } catch (cause) {
      throw faulty(`message ${offset}: ${(cause as Error).message}`, cause);
    }
    const channel = this.#channel(name);
    const cost = costOf(message);
    this.#offset = offset;
    this.messages++;
    this.bytes += cost;
    channel.kept++;
    channel.bytes += cost;
    channel.last = offset;
  }

  #addChannel({ channel: name, last, time, dropped }: ArchivedChannel): void {
    const channel = this.#channel(name);
    if (channel.isListed) throw faulty(`it lists channel ${name} twice`);
    if (![last, time, dropped].every(isCount) || last > this.#head || dropped > this.#head) {
      throw faulty(`channel ${name} needs last, time and dropped, and no offset beyond head (${this.#head})`);
    }
    if (last < channel.last) throw faulty(`channel ${name} has message ${channel.last}, after its last`);
    Object.assign(channel, { last, time, dropped, isListed: true });
  }

  #channel(name: ChannelName): TalliedChannel {
    let channel = this.channels.get(name);
    if (channel === undefined) {
      const problem = nameProblem(name);
      if (problem !== undefined) throw faulty(`it has a channel that is not one: ${problem}`);
      const id = this.channels.size + 1;
      channel = { id, kept: 0, bytes: 0, last: 0, time: 0, dropped: 0, isListed: false };
      this.channels.set(name, channel);
    }
    return channel;
  }
}

/** Puts records together into parts. */
export class PartBuffer {
  #channels: ArchivedChannel[] = [];
  #messages: Message[] = [];
  #characters = 0;

  get isFull(): boolean {
    return this.#channels.length + this.#messages.length >= PART || this.#characters >= PART_CHARACTERS;
  }

  addChannel(channel: ArchivedChannel): void {
    this.#channels.push(channel);
  }

  addMessage(message: Message): void {
    this.#messages.push(message);
    this.#characters += message.data.length;
  }

  /** What was added since the last time. */
  take(): ArchivePart {
    const part = { channels: this.#channels, messages: this.#messages };
    this.#channels = [];
    this.#messages = [];
    this.#characters = 0;
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
