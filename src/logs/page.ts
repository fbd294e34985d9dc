import { setImmediate as turn } from "node:timers/promises";
import type { RecentPage } from "../core/log.ts";
import type { Message } from "../core/message.ts";

/** Characters of payload that a page may hold; a page of one message may hold more. */
export const MAX_CHARACTERS: number = 256 * 1024;

/** Milliseconds that reads may take in one turn of the event loop. */
const MAX_READ_TIME = 2;

/**
 * Ends a page at its limit, or before its payloads pass the size of a page. Reads at most one message too many from
 * `messages`; `more` says whether there was one.
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

/** Makes a page of messages that are given newest first; a message beyond the limit means that there are more. */
export function recentPage(messages: Iterable<Message>, limit: number): RecentPage {
  const page = endOfPage(messages, limit);
  return { messages: page.messages.toReversed(), more: page.more };
}

/** Spreads reads over turns of the event loop, so that replay leaves time for other work. */
export class ReadTurns {
  /** When the first read of the current turn began. */
  #since: number | undefined;

  /** Resolves when there is time for another read. */
  async next(): Promise<void> {
    do await turn();
    while (performance.now() - (this.#since ??= this.#begin()) > MAX_READ_TIME);
  }

  #begin(): number {
    setImmediate(() => (this.#since = undefined));
    return performance.now();
  }
}
