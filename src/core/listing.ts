import { covers, type ChannelName } from "./channel.ts";
import type { ChannelQuery, ChannelState, Log } from "./log.ts";
import type { Routes } from "./routes.ts";

/** A channel as callers see it. */
export interface ChannelListing extends ChannelState {
  /** Live readers, by its name or by a pattern. */
  readonly readers: number;
}

/** Channels that hold or held messages, and those that live readers name, in byte order. */
export function listChannels(log: Log, routes: Routes, query: ChannelQuery): readonly ChannelListing[] {
  const states = new Map<string, ChannelState>();
  for (const state of log.channels(query)) states.set(state.channel, state);
  for (const asked of routes.patterns()) {
    if (asked.endsWith("*") || states.has(asked) || !covers(query.pattern, asked) || asked <= (query.after ?? ""))
      continue;
    states.set(asked, { channel: asked as ChannelName, kept: 0, last: 0, time: 0 });
  }
  const sorted = [...states.values()].sort((a, b) => (a.channel < b.channel ? -1 : 1));
  return sorted.slice(0, query.limit).map((state) => ({ ...state, readers: routes.readers(state.channel) }));
}
