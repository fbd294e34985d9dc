import type { Message } from "../core/message.ts";

/** What a page may hold in all, in characters of payload; a page of one message may hold more. */
const MAX_CHARACTERS = 256 * 1024;

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

/** Ends a page where its payloads pass the size of a page, and asks for no more; `more` where something was left. */
export function endOfPage(messages: Iterable<Message>): {
  readonly messages: readonly Message[];
  readonly more: boolean;
} {
  const taken: Message[] = [];
  let characters = 0;
  for (const message of messages) {
    characters += message.data.length;
    if (characters > MAX_CHARACTERS && taken.length > 0) return { messages: taken, more: true };
    taken.push(message);
  }
  return { messages: taken, more: false };
}
