import type { ChannelName, ChannelPattern } from "../protocol/channel.ts";
import type { Cursor } from "../protocol/cursor.ts";
import type { Draft, Message } from "./message.ts";

/** Where messages are put into one order and kept. `test/logs/log.suite.ts` says what every log must do. */
export interface Log {
  /** The epoch of what is published from now on: lower-case letters and digits, another one each time it is opened. */
  readonly epoch: string;
  /** The epoch in which this offset was given out: that of its cursor, for as long as the log is kept. */
  epochAt(offset: number): string;
  /**
   * Resolves once the message is as safe as this log can make it, and after the follower was called with it; if its key
   * was seen before, with the message that key made, which is not followed again.
   * Rejects with `LOG_UNAVAILABLE` or `OVERLOADED`, and then nothing was kept unless the sentence says so.
   */
  append(draft: Draft): Promise<Appended>;
  /** One page, in order. */
  read(query: LogQuery): Promise<LogPage>;
  /** The last page before a place, in order. */
  recent(query: RecentQuery): Promise<RecentPage>;
  /**
   * Calls the listener with what is published from now on, by any node, a turn's messages at a time: in order, once,
   * none left out. What was appended here carries the `publication` of its draft, and nothing else carries any.
   * Resolves with the offset the first of them follows. One follower: the hub.
   */
  follow(listener: (messages: readonly Message[]) => void): Promise<number>;
  /** Whether this log gave out that cursor and can still say what came after it. */
  knows(cursor: Cursor): boolean;
  /** The channels a pattern covers that hold or held messages, by name; at most `limit` of them, after `after`. */
  channels(query: ChannelQuery): readonly ChannelState[];
  /** How much is kept. */
  size(): LogSize;
  /** Resolves once a write has been made as for a message, without leaving one; rejects as `append` does. */
  check(): Promise<void>;
  /** Finishes what was appended, then lets go of everything. */
  close(): Promise<void>;
}

export interface Appended {
  readonly message: Message;
  /** Whether the key of the draft had made this message before. */
  readonly repeated: boolean;
}

export interface LogQuery {
  /** An offset: only messages after it. */
  readonly after: number;
  readonly channels: readonly ChannelPattern[];
  /** Messages at most; a page is also cut when its payloads pass a size of the log's choosing, never before the first. */
  readonly limit: number;
}

export interface LogPage {
  readonly messages: readonly Message[];
  /** Everything up to here has been looked at. */
  readonly end: number;
  /** The last offset on these channels that has been dropped; beyond `after`, it means messages are missing. */
  readonly dropped: number;
}

export interface RecentQuery {
  /** An offset: only messages before it; with `Infinity`, all of them. */
  readonly before: number;
  readonly channels: readonly ChannelPattern[];
  /** Messages at most; a page is cut to the same size as one that is read, without its older ones, never the newest. */
  readonly limit: number;
}

export interface RecentPage {
  readonly messages: readonly Message[];
  /** Whether older ones on these channels are still kept. */
  readonly more: boolean;
}

/** Whether a page that was asked for from here leaves out messages that were dropped. */
export function isMissing(page: LogPage, after: number): boolean {
  return after >= 0 && page.dropped > after;
}

export interface ChannelQuery {
  readonly pattern: ChannelPattern;
  readonly limit: number;
  /** A channel name: only those after it in byte order. */
  readonly after?: string;
}

export interface ChannelState {
  readonly channel: ChannelName;
  /** Messages still kept. */
  readonly kept: number;
  /** Offset of its last message, kept or not. */
  readonly last: number;
  /** Milliseconds since 1970, of its last message. */
  readonly time: number;
}

export interface LogSize {
  readonly messages: number;
  /** Bytes of payload, event, sender and channel names, without what the store adds. */
  readonly bytes: number;
  readonly channels: number;
  /** Grows with each new channel, even one that takes the place of another. */
  readonly channelsCreated: number;
}

/** How long messages are kept: whichever is reached first drops the oldest. */
export interface Retention {
  /** Milliseconds. */
  readonly age: number;
  readonly messages: number;
  readonly bytes: number;
  /** Channels at most: one that holds no message any more makes room for another, the one used longest ago first. */
  readonly channels: number;
}
