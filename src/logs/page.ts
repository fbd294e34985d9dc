import { setImmediate as turn } from "node:timers/promises";
import type { RecentPage } from "../core/log.ts";
import type { Message } from "../core/message.ts";

/** What a page may hold in all, in characters of payload; a page of one message may hold more. */
export const MAX_CHARACTERS: number = 256 * 1024;

/** Milliseconds of one turn of the event loop that reads may take, and what is made of them. */
const MOST = 2;

/**
 * Ends a page at its limit or where its payloads pass the size of a page, and asks for no more than the message that is
 * too many; `more` if there was one.
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

/** Makes readers that replay take turns with everything else, however many there are. */
export class ReadTurns {
  /** When the first read of this turn began. */
  #since: number | undefined;

  /** Resolves when there is time for another read. */
  async next(): Promise<void> {
    do await turn();
    while (performance.now() - (this.#since ??= this.#begin()) > MOST);
  }

  #begin(): number {
    setImmediate(() => (this.#since = undefined));
    return performance.now();
  }
}
