import type { Hub } from "../../core/hub.ts";
import { EVERYTHING, type ChannelPattern } from "../../protocol/channel.ts";
import { offsetOf } from "../../protocol/cursor.ts";

/** Where a subscription begins to read. */
export interface EventStart {
  readonly cursor: string;
  /** Whether that is later than was asked for. */
  readonly truncated: boolean;
}

/**
 * Where reading begins: at the cursor, or now without one; later if the log no longer has what came after it, or if that
 * is older than `maxAge` milliseconds.
 */
export async function eventStart(
  hub: Hub,
  channels: readonly ChannelPattern[],
  { cursor, maxAge }: { readonly cursor: string | undefined; readonly maxAge: number | undefined },
): Promise<EventStart> {
  if (cursor === undefined) return { cursor: hub.cursor(), truncated: false };
  const { gap, messages, more, next } = await hub.history({ channels, after: cursor, limit: 1 });
  const from = gap?.resumed ?? cursor;
  const oldest = maxAge === undefined ? -Infinity : Date.now() - maxAge;
  const [first] = messages;
  const isNew = first === undefined ? !more || maxAge === undefined : first.time >= oldest;
  if (isNew) return { cursor: from, truncated: gap !== undefined };
  const place = await placeBefore(hub, from, oldest);
  // Without a message on this page, there is none up to its end.
  const isLater = first !== undefined || offsetOf(place) > offsetOf(next);
  return { cursor: place, truncated: gap !== undefined || isLater };
}

/** The last cursor after which everything was published at a time or later, found by halves. */
async function placeBefore(hub: Hub, from: string, time: number): Promise<string> {
  let low = offsetOf(from);
  let high = offsetOf(hub.cursor());
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const page = await hub.history({ channels: [EVERYTHING], after: hub.cursor(middle), limit: 1 });
    const [found] = page.messages;
    if (found === undefined || found.time >= time) high = middle;
    else low = Math.max(found.offset, middle + 1);
  }
  return hub.cursor(low);
}
