import type { ChannelListing } from "../core/history.ts";
import type { ChannelQuery } from "../core/log.ts";
import { readable } from "../core/principal.ts";
import type { RequestContext } from "./tool.ts";

/** Channels by name, of those that the caller may read. */
export function readableChannels(
  { hub, principal }: Pick<RequestContext, "hub" | "principal">,
  query: ChannelQuery,
): readonly ChannelListing[] {
  // None of the patterns covers another and they are in order, so the names of all of them are, too.
  const found = readable(principal, query.pattern).flatMap((pattern) => hub.channels({ ...query, pattern }));
  return found.slice(0, query.limit);
}
