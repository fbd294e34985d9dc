import { z } from "zod";
import { channelName, channelPattern } from "../core/channel.ts";
import { EVERYTHING, MAX_NAME, type ChannelPattern } from "../protocol/channel.ts";
import { readableChannels } from "./readable-channels.ts";
import { channelSummary, type ChannelSummary } from "./results.ts";
import { list, object, OPTIONAL_TEXT, TEXT, TRUTH, WHOLE } from "./json-schema.ts";
import { tool, type Tool } from "./tool.ts";

const MAX_LISTED = 200;
const CHANNELS = list(
  object({
    channel: TEXT,
    readers: WHOLE,
    messages: WHOLE,
    lastId: OPTIONAL_TEXT,
    lastTime: OPTIONAL_TEXT,
  }),
);

/** The answer of `list_channels`. */
interface ChannelList {
  readonly channels: readonly ChannelSummary[];
  /** Whether there are more than are listed. */
  readonly more: boolean;
}

export const listChannels: Tool = tool({
  name: "list_channels",
  title: "List channels",
  description: "List channels, their readers and messages",
  input: z.strictObject({
    prefix: z.string().optional().describe("Only this channel and those below it"),
  }),
  output: object({ channels: CHANNELS, more: TRUTH }),
  readOnly: true,
  authorize() {},
  async run({ prefix }, context) {
    const { hub } = context;
    const patterns = patternsBelow(prefix);
    const found = patterns.flatMap((pattern) => readableChannels(context, { pattern, limit: MAX_LISTED + 1 }));
    const channels = found.slice(0, MAX_LISTED).map((listing) => channelSummary(listing, hub));
    const lines = channels.map(({ channel, readers, messages, lastId }) => {
      return `${channel}: ${readers} reading, ${messages} kept${lastId === null ? "" : `, last ${lastId}`}`;
    });
    const more = found.length > MAX_LISTED;
    const text = lines.length === 0 ? "No channels yet" : lines.join("\n") + (more ? "\n… and more" : "");
    return { text, structured: { channels, more } satisfies ChannelList };
  },
});

/** `orders`, `orders.` and `orders.*` mean the same; `*` is everything. */
function patternsBelow(prefix = "*"): readonly ChannelPattern[] {
  const name = prefix.replace(/\.\*?$/, "");
  if (name === "*") return [EVERYTHING];
  // A name of nearly the maximum length cannot have channels below it.
  return [channelName(name), ...(name.length + 2 > MAX_NAME ? [] : [channelPattern(`${name}.*`)])];
}
