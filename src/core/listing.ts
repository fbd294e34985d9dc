import type { ChannelName } from "../protocol/channel.ts";
import type { ChannelQuery, ChannelState, Log } from "./log.ts";
import type { Routes } from "./subscription-index.ts";

/** A channel as callers see it. */
export interface ChannelListing extends ChannelState {
  /** Live readers, by its name or by a pattern. */
  readonly readers: number;
}

/** Channels that hold or held messages, and those that live readers name, in byte order. */
export function listChannels(log: Log, routes: Routes, query: ChannelQuery): readonly ChannelListing[] {
  const states = new Map<ChannelName, ChannelState>();
  for (const state of log.channels(query)) states.set(state.channel, state);
  let added = 0;
  for (const channel of routes.channels(query.pattern, query.after)) {
    if (added === query.limit) break;
    added++;
    if (!states.has(channel)) states.set(channel, { channel, kept: 0, last: 0, time: 0 });
  }
  const sorted = [...states.values()].sort((a, b) => (a.channel < b.channel ? -1 : 1));
  const readers = routes.counted();
  return sorted.slice(0, query.limit).map((state) => ({ ...state, readers: readers(state.channel) }));
}
