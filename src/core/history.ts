import { shown } from "./channel.ts";
import { EVERYTHING, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import { cursorAt, EARLIEST, learn, parseCursor, startOf } from "../protocol/cursor.ts";
import { HubError } from "./errors.ts";
import { hasGap, gapReason, withGapLast, type ChannelQuery, type ChannelState, type Log } from "./log.ts";
import type { Message } from "./message.ts";
import type { Gap, GapReason } from "../protocol/signal.ts";
import type { RemoteReaders } from "./remote-readers.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";

export interface HistoryQuery {
  readonly channels: readonly ChannelPattern[];
  /** A cursor as text, or `earliest`, which is the default. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** One page of history, for callers that poll. */
export interface History {
  readonly messages: readonly Message[];
  /** The cursor to ask with next. */
  readonly next: string;
  /** Whether there may be more already. */
  readonly more: boolean;
  readonly gap: Gap | undefined;
}

export interface RecentHistoryQuery {
  readonly channels: readonly ChannelPattern[];
  /** The id of a message: only messages before that one; without it, the last ones delivered. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** One page of history, from its end towards its beginning. */
export interface RecentHistory {
  /** In order, the oldest first. */
  readonly messages: readonly Message[];
  /**
   * The cursor to continue from: everything after this page comes after it, and nothing of this page does. Without
   * `before`, it is that of the last message delivered; with it, the place right before that message.
   */
  readonly next: string;
  /** The cursor to pass as `before` for the page before this one; undefined if nothing older is kept. */
  readonly earlier: string | undefined;
}

/** A channel as callers see it. */
export interface ChannelListing extends ChannelState {
  /** Live readers on all nodes, by its name or by a pattern. */
  readonly readers: number;
}

const MAX_ECHO = 64;

/** Reads in progress, by what was asked. */
const inProgress = new WeakMap<Log, Map<string, Promise<History>>>();

/**
 * Reads a page of a log; after a cursor that the log does not know, the page is empty and starts at `head`. Callers
 * that ask for the same page at the same time share one read.
 */
export function readHistory(log: Log, head: number, query: HistoryQuery): Promise<History> {
  let reads = inProgress.get(log);
  if (reads === undefined) inProgress.set(log, (reads = new Map<string, Promise<History>>()));
  // With `head`: a caller that asks after a delivery must not share a read that began before it.
  const key = JSON.stringify([head, query.after, query.limit, query.channels]);
  let read = reads.get(key);
  if (read === undefined) {
    read = readPage(log, head, query).finally(() => reads.delete(key));
    reads.set(key, read);
  }
  return read;
}

async function readPage(log: Log, head: number, query: HistoryQuery): Promise<History> {
  const { after = EARLIEST, channels, limit } = query;
  await learn(after, log);
  const start = startOf(after, log);
  const from = start ?? head;
  const page = withGapLast(await log.read({ after: from, channels, limit }), from);
  const text = (offset: number): string => cursorAt(log, offset);
  const isUnknown = start === undefined || page.end < from;
  const missing = isUnknown || hasGap(page, from);
  // After an unknown cursor, too, messages may be missing before the page begins.
  const resumed = page.end < from ? page.end : Math.max(from, page.dropped);
  return {
    messages: page.messages,
    next: text(Math.max(page.end, 0)),
    more: page.end < head,
    gap: missing ? gap(isUnknown ? "unknown_cursor" : gapReason(page), after, text(resumed)) : undefined,
  };
}

/** Reads the last page of a log before a cursor, up to `head`; throws if the log does not know the cursor. */
export async function readRecent(log: Log, head: number, query: RecentHistoryQuery): Promise<RecentHistory> {
  const { before, channels, limit } = query;
  // Offsets of messages start at 1.
  const top = before === undefined ? head + 1 : Math.max(1, Math.min(offsetOf(before, log), head + 1));
  const { messages, more } = await log.recent({ before: top, channels, limit });
  const [oldest] = messages;
  return {
    messages,
    next: cursorAt(log, top - 1),
    earlier: more && oldest !== undefined ? cursorAt(log, oldest.offset) : undefined,
  };
}

/** The message of a channel that has this id; undefined if it is not kept there. Throws `INVALID_INPUT` for what is not an id. */
export async function readMessage(
  log: Log,
  head: number,
  channel: ChannelName,
  id: string,
): Promise<Message | undefined> {
  const cursor = parseCursor(id);
  if (cursor === undefined) {
    const sentence = `id is ${shown(id.slice(0, MAX_ECHO))}; give the id of a message, such as 5f1c20ab9e-41`;
    throw new HubError("INVALID_INPUT", sentence);
  }
  await learn(id, log);
  if (!log.knows(cursor)) return undefined;
  const { offset } = cursor;
  const at = { channels: [EVERYTHING], limit: 1 };
  // Another node may have given out the id before this one has the message: a read after it waits for it.
  if (offset > head) await log.read({ ...at, after: offset });
  const { messages } = await log.read({ ...at, after: offset - 1 });
  return messages.find((message) => message.offset === offset && message.channel === channel);
}

/** Channels that hold or held messages, and those that live readers of any node ask for by name, in byte order. */
export function listChannels(
  log: Log,
  index: SubscriptionIndex,
  peers: RemoteReaders | undefined,
  query: ChannelQuery,
): readonly ChannelListing[] {
  const states = new Map<ChannelName, ChannelState>();
  for (const state of log.channels(query)) states.set(state.channel, state);
  for (const asked of peers === undefined ? [index] : [index, peers]) {
    let added = 0;
    for (const channel of asked.channels(query.pattern, query.after)) {
      if (added === query.limit) break;
      added++;
      if (!states.has(channel)) states.set(channel, { channel, kept: 0, last: 0, time: 0 });
    }
  }
  const sorted = [...states.values()].sort((a, b) => (a.channel < b.channel ? -1 : 1));
  const own = index.counted();
  const readers = (channel: ChannelName): number => own(channel) + (peers?.readers(channel) ?? 0);
  return sorted.slice(0, query.limit).map((state) => ({ ...state, readers: readers(state.channel) }));
}

/** Makes the data of a gap signal. */
export function gap(reason: GapReason, after: string, resumed: string): Gap {
  return { reason, after: after.slice(0, MAX_ECHO), resumed };
}

/**
 * Removes the messages of a channel up to `head`, or those before a cursor; resolves with how many there were. Throws
 * `INVALID_INPUT` if the log does not know the cursor.
 */
export async function purge(log: Log, head: number, channel: ChannelName, before?: string): Promise<number> {
  if (before !== undefined) await learn(before, log);
  const upTo = before === undefined ? head : Math.min(offsetOf(before, log, "before", "to remove all") - 1, head);
  // Whoever asks from now on must not share a read that began before.
  return log.purge(channel, upTo).finally(() => inProgress.delete(log));
}

/**
 * The offset of a cursor; throws `INVALID_INPUT` if it is not one of this log, with what the caller calls it, and what it
 * is left out for.
 */
export function offsetOf(
  before: string,
  log: Log,
  field: string = "before",
  otherwise: string = "to begin with the newest",
): number {
  const cursor = parseCursor(before);
  if (cursor !== undefined && log.knows(cursor)) return cursor.offset;
  throw new HubError(
    "INVALID_INPUT",
    `${field} is not a cursor of this log: ${shown(before.slice(0, MAX_ECHO))}; give the id of a message, or leave ${field} out ${otherwise}`,
  );
}
