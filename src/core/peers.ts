import type { ChannelName, ChannelPattern } from "../protocol/channel.ts";

/** What the readers of the other nodes of a hub ask for, as their nodes told last. */
export interface Peers {
  /** Live readers of a channel on the other nodes, by its name or by a pattern. */
  readers(channel: ChannelName): number;
  /** The channels that they ask for by name, if a pattern covers them and they come after `after`, in order. */
  channels(pattern: ChannelPattern, after?: string): Iterable<ChannelName>;
}
