import type { ChannelName, ChannelPattern } from "../protocol/channel.ts";
import type { Cursor } from "../protocol/cursor.ts";
import type { HubError } from "./errors.ts";
import type { Draft, Message } from "./message.ts";
import type { Phrase } from "./search-words.ts";

/** Puts messages into one order and keeps them. `test/logs/log.suite.ts` tests what every log must do. */
export interface Log {
  /**
   * The epoch of what is published from now on: lower-case letters and digits. A log in a file begins a new one each time
   * it is opened, a log on Redis when its engine was replaced or may have lost messages.
   */
  readonly epoch: string;
  /** The epoch in which this offset was given out: that of its cursor, for as long as the log is kept. */
  epochAt(offset: number): string;
  /**
   * Resolves once the message is as safe as this log can make it, and after the follower was called with it; if its key
   * was used before, resolves with the message of that key, and does not call the follower again.
   * Rejects with `LOG_UNAVAILABLE` or `OVERLOADED`; nothing was kept then, unless the sentence says otherwise.
   */
  append(draft: Draft): Promise<Appended>;
  /**
   * Appends drafts in order, as `append` does; resolves, and never rejects, with what became of each of them. If one is
   * refused that may be appended later, so are those that come after it on its channel: nothing overtakes it.
   */
  appendAll(drafts: readonly Draft[]): Promise<readonly (Appended | HubError)[]>;
  /** One page, in order. Of what is dropped while it is read, nothing is on the page. */
  read(query: LogQuery): Promise<LogPage>;
  /** The last page before an offset, in order. */
  recent(query: RecentQuery): Promise<RecentPage>;
  /**
   * Searches faster than by reading all messages: absent if the log has no way to, undefined if it has none now. A search
   * ends early if it takes long.
   */
  search?(query: LogSearch): Promise<FoundPage | undefined>;
  /**
   * Calls the listener with what is published from now on, by any node, a turn's messages at a time: in order, each
   * exactly once. Only messages that were appended here carry the `publication` of their draft.
   * Resolves with the offset the first of them follows. One follower: the hub.
   * `onReset` is called between two turns when messages were lost or the log was replaced. `head` is greater than every
   * offset delivered before; delivery goes on after it, and `read` says what is missing to whoever has not passed it. If
   * `valid` is less, the messages that were delivered after it are not in the log: others may have their offsets.
   */
  follow(
    listener: (messages: readonly Message[]) => void,
    onReset?: (head: number, valid?: number) => void,
  ): Promise<number>;
  /**
   * Whether this log gave out that cursor and can still tell what came after it. True also for one of the current epoch
   * that another node may have given out before this one has its message.
   */
  knows(cursor: Cursor): boolean;
  /**
   * Finds out whether another node gave out cursors of an epoch that this one has not heard of: `knows` can tell once
   * this has resolved, which it does in any case. Undefined if there is nothing to find out.
   */
  learn?(cursor: Cursor): Promise<void> | undefined;
  /** The channels a pattern covers that hold or held messages, by name; at most `limit` of them, after `after`. */
  channels(query: ChannelQuery): readonly ChannelState[];
  /** How much is kept. */
  size(): LogSize;
  /**
   * Removes the messages of a channel up to an offset, on every node; resolves with how many there were. What was removed
   * counts as dropped, and no offset is given out again. If it rejects, as `append` does, it has removed all of
   * them or none, or only the oldest.
   */
  purge(channel: ChannelName, upTo: number): Promise<number>;
  /** Makes a write as for a message, without keeping one; rejects as `append` does. */
  check(): Promise<void>;
  /** Finishes what was appended, then releases all resources. */
  close(): Promise<void>;
}

export interface Appended {
  readonly message: Message;
  /** Whether the key of the draft was used before: then the message is the earlier one. */
  readonly repeated: boolean;
}

export interface LogQuery {
  /** An offset: only messages after it. */
  readonly after: number;
  readonly channels: readonly ChannelPattern[];
  /** Messages at most; a page also ends when its payloads pass a size that the log chooses, but has at least one. */
  readonly limit: number;
}

export interface LogPage {
  readonly messages: readonly Message[];
  /** Everything up to here has been looked at. Less than `after` if no node gave out the cursor of that place. */
  readonly end: number;
  /**
   * The last offset dropped from these channels; if it is greater than `after`, messages are missing. Others on the page
   * may come before it, if their channels were not purged.
   */
  readonly dropped: number;
  /** Set if what is missing was lost by the engine, and not dropped by retention. */
  readonly isLost?: true;
}

export interface RecentQuery {
  /** An offset: only messages before it; with `Infinity`, all of them. */
  readonly before: number;
  readonly channels: readonly ChannelPattern[];
  /** Messages at most; a page has the same size limit as in `read`: older messages are left out, never the newest. */
  readonly limit: number;
}

export interface RecentPage {
  readonly messages: readonly Message[];
  /** Whether older ones on these channels are still kept. */
  readonly more: boolean;
}

export interface LogSearch extends RecentQuery {
  /** A message has to have all of them. */
  readonly phrases: readonly Phrase[];
}

export interface FoundPage {
  /** The newest first. */
  readonly messages: readonly Message[];
  /** An offset: the search goes on before it; 0 if there is nothing more to search. */
  readonly end: number;
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
  /** Grows with each new channel, even one that replaces another. */
  readonly channelsCreated: number;
}

/** How long messages are kept: whichever is reached first drops the oldest. */
export interface Retention {
  /** Milliseconds. */
  readonly age: number;
  readonly messages: number;
  readonly bytes: number;
  /** Channels at most: if there are as many, the empty one used longest ago is removed. */
  readonly channels: number;
}

/** Why messages are missing: the engine of the log lost them, or retention dropped them. */
export type GapReason = "lost" | "expired";

/** Whether messages are missing between `after` and this page. */
export function hasGap(page: LogPage, after: number): boolean {
  return after >= 0 && page.dropped > after;
}

/**
 * A page whose gap comes where a reader goes on: if messages are kept before the last one that was purged, the page ends
 * right before that, without a gap, and the next one begins with it.
 */
export function withGapLast(page: LogPage, after: number): LogPage {
  if (!hasGap(page, after) || page.end < after) return page;
  const { dropped } = page;
  const earlier = page.messages.filter(({ offset }) => offset <= dropped);
  if (earlier.length === 0 && page.end >= dropped) return page;
  const { isLost: _, ...rest } = page;
  return { ...rest, messages: earlier, end: Math.min(page.end, dropped - 1), dropped: after };
}

export function gapReason(page: LogPage): GapReason {
  return page.isLost === true ? "lost" : "expired";
}
