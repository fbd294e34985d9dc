import type { RecentPage } from "../core/log.ts";
import type { Message } from "../core/message.ts";

/** What a page may hold in all, in characters of payload; a page of one message may hold more. */
export const MAX_CHARACTERS: number = 256 * 1024;

/** The first `limit` of several ordered lists, in one order; a message stands in one list only. */
export function merged(lists: readonly (readonly Message[])[], limit: number): readonly Message[] {
  const [only] = lists;
  if (only === undefined) return [];
  if (lists.length === 1) return only;
  return lists
    .flat()
    .sort((a, b) => a.offset - b.offset)
    .slice(0, limit);
}

/**
 * Ends a page at its limit or where its payloads pass the size of a page, and asks for no more than the message that is
 * too many; `more` where there was one.
 */
export function endOfPage(
  messages: Iterable<Message>,
  limit: number = Infinity,
): {
  readonly messages: readonly Message[];
  readonly more: boolean;
} {
  const taken: Message[] = [];
  let characters = 0;
  for (const message of messages) {
    characters += message.data.length;
    const full = taken.length === limit || (characters > MAX_CHARACTERS && taken.length > 0);
    if (full) return { messages: taken, more: true };
    taken.push(message);
  }
  return { messages: taken, more: false };
}

/** The page that ends with the first of these messages, which come newest first: one beyond the limit tells of more. */
export function recentPage(messages: Iterable<Message>, limit: number): RecentPage {
  const page = endOfPage(messages, limit);
  return { messages: page.messages.toReversed(), more: page.more };
}
