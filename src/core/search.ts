import type { ChannelPattern } from "../protocol/channel.ts";
import { cursorAt, learn } from "../protocol/cursor.ts";
import { HubError } from "./errors.ts";
import { offsetOf } from "./history.ts";
import type { FoundPage, Log, LogSearch } from "./log.ts";
import type { Message } from "./message.ts";
import { isFound, searchQuery } from "./search-query.ts";

export interface SearchRequest {
  /** Words, "phrases" and prefix*. */
  readonly query: string;
  /** What the caller calls the query, for errors. */
  readonly field: string;
  readonly channels: readonly ChannelPattern[];
  /** The cursor to go on from; undefined to begin with the newest message. */
  readonly before?: string | undefined;
  /** What the caller calls that cursor, for errors. */
  readonly beforeField?: string;
  readonly limit: number;
  /** Who searches, as far as callers can be told apart. */
  readonly caller?: string | undefined;
}

/** What a search found. */
export interface Found {
  /** The newest first. */
  readonly messages: readonly Message[];
  /** The cursor to pass as `before` to go on; undefined if everything has been searched. */
  readonly earlier: string | undefined;
  /** The cursor from which a reader gets what was published after the search began. */
  readonly next: string;
}

/** Searches at once, of one log, and of one caller: no one has to wait for one who does nothing else. */
const MAX_SEARCHES = 8;
const MAX_OWN = 4;
/** Milliseconds after which a search answers with what it has found. */
export const SEARCH_TIME = 500;
/** Messages that are read at once where there is no index. */
const PAGE = 256;
/** Characters of payload after which a search without an index ends. */
const MAX_CHARACTERS = 256 * 1024;

/** The callers of the searches in progress. */
const running = new WeakMap<Log, (string | undefined)[]>();

/**
 * Searches a log from `head`, or from a cursor, back to the oldest message, for at most `SEARCH_TIME`. Throws
 * `INVALID_INPUT`, or `OVERLOADED` if too many searches are in progress.
 */
export async function searchLog(log: Log, head: number, request: SearchRequest): Promise<Found> {
  const { query, field, before, beforeField = "before", channels, limit, caller } = request;
  const phrases = searchQuery(query, field);
  await learn(before, log);
  const top = before === undefined ? head + 1 : Math.min(offsetOf(before, log, beforeField), head + 1);
  const callers = running.get(log) ?? [];
  const own = caller === undefined ? 0 : callers.filter((one) => one === caller).length;
  if (callers.length >= MAX_SEARCHES || own >= MAX_OWN) {
    const many = own >= MAX_OWN ? `${own} of your searches` : `${callers.length} searches`;
    throw new HubError("OVERLOADED", `${many} are in progress; search again in a moment`);
  }
  callers.push(caller);
  running.set(log, callers);
  try {
    const asked: LogSearch = { before: top, channels, limit, phrases };
    const { messages, end } = (await log.search?.(asked)) ?? (await scan(log, asked));
    return {
      messages,
      earlier: end > 1 ? cursorAt(log, end) : undefined,
      next: cursorAt(log, Math.max(top - 1, 0)),
    };
  } finally {
    callers.splice(callers.indexOf(caller), 1);
  }
}

/** Reads page after page, the newest first, in turns between which other work runs. */
async function scan(log: Log, { before, channels, limit, phrases }: LogSearch): Promise<FoundPage> {
  const start = performance.now();
  const found: Message[] = [];
  let end = before;
  let characters = 0;
  const isFull = (): boolean => found.length === limit || characters > MAX_CHARACTERS;
  const isOver = (): boolean => isFull() || performance.now() - start >= SEARCH_TIME;
  do {
    const { messages, more } = await log.recent({ before: end, channels, limit: PAGE });
    for (const message of messages.toReversed()) {
      end = message.offset;
      if (isFound(phrases, message)) {
        found.push(message);
        characters += message.data.length;
      }
      if (isOver()) break;
    }
    if (!more && end === (messages[0]?.offset ?? end)) return { messages: found, end: 0 };
  } while (!isOver());
  return { messages: found, end };
}
