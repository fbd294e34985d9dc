import type { Hub } from "../core/hub.ts";
import type { ChannelListing } from "../core/history.ts";

/** A channel as callers see it. */
export interface ChannelSummary {
  readonly channel: string;
  /** Readers now. */
  readonly readers: number;
  /** Messages kept. */
  readonly messages: number;
  /** Of its last message; null if there was none. */
  readonly lastId: string | null;
  readonly lastTime: string | null;
}

/** A channel as JSON data. */
export function channelSummary({ channel, readers, kept, last, time }: ChannelListing, hub: Hub): ChannelSummary {
  return {
    channel,
    readers,
    messages: kept,
    lastId: last === 0 ? null : hub.cursor(last),
    lastTime: last === 0 ? null : new Date(time).toISOString(),
  };
}
