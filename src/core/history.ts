import type { ChannelPattern } from "./channel.ts";
import { cursorText, EARLIEST, startOf } from "./cursor.ts";
import { isMissing, type Log } from "./log.ts";
import type { Message } from "./message.ts";
import type { GapReason } from "./sink.ts";

export interface HistoryQuery {
  readonly channels: readonly ChannelPattern[];
  /** A cursor as text, or `earliest`, which is also meant where it is absent. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** What could not be given, and from where on everything is. */
export interface Gap {
  readonly reason: GapReason;
  /** What was asked for, cut to 64 characters. */
  readonly after: string;
  /** A cursor. */
  readonly resumed: string;
}

/** One page of history, for callers that come and ask. */
export interface History {
  readonly messages: readonly Message[];
  /** The cursor to ask with next. */
  readonly next: string;
  /** Whether there may be more right now. */
  readonly more: boolean;
  readonly gap: Gap | undefined;
}

const MAX_ECHO = 64;

/** Reads a page of a log; after a cursor that means nothing to it, the page is empty and starts at `head`. */
export async function readHistory(log: Log, head: number, query: HistoryQuery): Promise<History> {
  const { after = EARLIEST, channels, limit } = query;
  const start = startOf(after, log);
  const from = start ?? head;
  const page = await log.read({ after: from, channels, limit });
  const text = (offset: number): string => cursorText(log.epoch, offset);
  const missing = start === undefined || isMissing(page, from);
  const reason = start === undefined ? "unknown_cursor" : "expired";
  return {
    messages: page.messages,
    next: text(Math.max(page.end, 0)),
    more: page.end < head,
    gap: missing ? gap(reason, after, text(start === undefined ? head : page.dropped)) : undefined,
  };
}

/** Says what is missing. */
export function gap(reason: GapReason, after: string, resumed: string): Gap {
  return { reason, after: after.slice(0, MAX_ECHO), resumed };
}
