import type { ChannelName, ChannelPattern } from "../protocol/channel.ts";

/** The readers at other nodes, as those nodes last reported. */
export interface RemoteReaders {
  /** How many live readers of a channel there are, by its name or by a pattern. */
  readers(channel: ChannelName): number;
  /** The channels that they ask for by name, if a pattern covers them and they come after `after`, in order. */
  channels(pattern: ChannelPattern, after?: string): Iterable<ChannelName>;
}
