import type { ChannelPattern } from "../protocol/channel.ts";
import { Bell } from "./bell.ts";
import { HubError } from "./errors.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";

export interface FollowOptions {
  readonly channels: readonly ChannelPattern[];
  /** A cursor, or `earliest`; by default, only what is published from now on. */
  readonly after?: string | undefined;
  /** Messages in one page at most. */
  readonly limit: number;
  /** Ends it when it is aborted. */
  readonly signal: AbortSignal;
}

/** Milliseconds after which the caller is given a page even if there is nothing on it, for its cursor. */
const QUIET = 30_000;

/**
 * Reads the log page by page and goes on at its end when there is more, for those who send messages on: the next page is
 * read when the caller asks for it, so that no queue grows. A page may be empty, but its cursor has moved. Readers of
 * this kind do not count as receivers. Throws as `hub.history` does, and `SHUTTING_DOWN` when the hub is closed.
 */
export async function* followPages(
  hub: Hub,
  { channels, after, limit, signal }: FollowOptions,
): AsyncGenerator<History> {
  const bell = new Bell({ isForQuiet: true });
  // It subscribes before it reads, so that no message is missed in between.
  const subscription = hub.subscribe({ channels, watch: true }, bell);
  try {
    for (let from = after ?? hub.cursor(); !signal.aborted;) {
      bell.reset();
      const page = await hub.history({ channels, after: from, limit });
      const isMoved = page.next !== from;
      from = page.next;
      if (isMoved || page.messages.length > 0 || page.gap !== undefined) yield page;
      // The log ends a page after it has scanned many messages without a match; let other work run before the next.
      if (page.more) await new Promise<void>((resolve) => setTimeout(resolve, 0));
      else await bell.next(QUIET, signal);
      if (bell.closed) throw new HubError("SHUTTING_DOWN", "The hub ended this reader; read again from its cursor");
    }
  } finally {
    hub.unsubscribe(subscription);
  }
}
