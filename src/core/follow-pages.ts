import type { ChannelPattern } from "../protocol/channel.ts";
import { ArrivalSink } from "./arrival-sink.ts";
import { HubError } from "./errors.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";

export interface FollowOptions {
  readonly channels: readonly ChannelPattern[];
  /** A cursor, or `earliest`; by default, only what is published from now on. */
  readonly after?: string | undefined;
  /** Messages in one page at most. */
  readonly limit: number;
  /** Milliseconds after which the caller is given a page even if nothing has moved; without it only its cursor counts. */
  readonly beat?: number;
  /** Ends it when it is aborted. */
  readonly signal: AbortSignal;
}

/** Milliseconds without a message after which the log is read all the same: the cursor of an empty page may have moved. */
const MAX_WAIT = 30_000;

/**
 * Reads the log page by page, and waits at its end for more: for bridges and webhooks, which forward messages. The next
 * page is read only when the caller asks for it, so no queue grows. A page may have no messages; then only its cursor
 * has moved. Such readers do not count as receivers. Throws what `hub.history` throws, and `SHUTTING_DOWN` when the hub
 * is closed.
 */
export async function* followPages(
  hub: Hub,
  { channels, after, limit, beat, signal }: FollowOptions,
): AsyncGenerator<History> {
  const arrivals = new ArrivalSink({ quietWakes: true });
  // Subscribes before it reads, so that no message is missed in between.
  const subscription = hub.subscribe({ channels, watch: true }, arrivals);
  try {
    for (let from = after ?? hub.cursor(); !signal.aborted;) {
      arrivals.reset();
      const page = await hub.history({ channels, after: from, limit });
      const isMoved = page.next !== from;
      from = page.next;
      if (isMoved || beat !== undefined || page.messages.length > 0 || page.gap !== undefined) yield page;
      // The log ends a page after it has scanned many messages without a match; let other work run before the next.
      if (page.more) await new Promise<void>((resolve) => setTimeout(resolve, 0));
      else await arrivals.next(beat ?? MAX_WAIT, signal);
      if (arrivals.closed) throw new HubError("SHUTTING_DOWN", "The hub ended this reader; read again from its cursor");
    }
  } finally {
    hub.unsubscribe(subscription);
  }
}
