import { z } from "zod";
import { ArrivalSink } from "../core/arrival-sink.ts";
import { channelPattern } from "../core/channel.ts";
import { isServerChannel } from "../protocol/channel.ts";
import { HubError } from "../core/errors.ts";
import { checkSubscribe } from "../core/principal.ts";
import { boundedPage, maxBytes } from "./page-bytes.ts";
import { messagePageSchema, pageText } from "./results.ts";
import { tool, type Tool } from "./tool.ts";
import { waitInLog } from "./wait-in-log.ts";
import { wantedFields, wantedMessages } from "./wanted-messages.ts";

/** Seconds, for a caller that hears nothing meanwhile; below the 60 after which many clients give up. */
const MAX_SECONDS = 50;
/** Seconds, for a caller that is told of progress on a stream, which keeps clients and proxies waiting. */
const MAX_STREAMED_SECONDS = 86_400;
const NO_PROGRESS = `This call waits ${MAX_SECONDS} seconds at most: its client takes no progress on a stream. Call again`;
const ENDED = "The wait ended early: the server is stopping, or a credential or stream came to its end. Call again";

export const waitForMessages: Tool = tool({
  name: "wait_for_messages",
  title: "Wait for messages",
  description: "Wait until messages arrive, or the time is up. Call again with `after` and none is missed",
  input: z.strictObject({
    channels: z.array(z.string()).min(1).describe("Or patterns such as orders.*"),
    after: z.string().optional().describe("The last `next`; without it only new messages"),
    timeoutSeconds: z
      .number()
      .min(0)
      .max(MAX_STREAMED_SECONDS)
      .default(15)
      .describe(`Over ${MAX_SECONDS} only if the client takes progress`),
    ...wantedFields,
    maxBytes,
  }),
  output: messagePageSchema,
  readOnly: true,
  authorize: ({ channels }, principal) => checkSubscribe(principal, channels.map(channelPattern)),
  async run({ channels, after, timeoutSeconds, maxBytes: most, ...wanted }, context) {
    const { hub, limits, principal, progress } = context;
    if (channels.length > limits.channels) {
      const { channels: mostChannels } = limits;
      const sentence = `channels names ${channels.length}; at most ${mostChannels} are allowed`;
      throw new HubError("TOO_MANY_CHANNELS", sentence);
    }
    const patterns = channels.map(channelPattern);
    const own = patterns.find(isServerChannel);
    if (own !== undefined) {
      throw new HubError("INVALID_INPUT", `channels names ${own}, whose messages are not kept; read it at /events`);
    }
    const isWanted = wantedMessages(wanted, context);
    const seconds = Math.min(timeoutSeconds, progress === undefined ? MAX_SECONDS : MAX_STREAMED_SECONDS);
    const arrivals = new ArrivalSink({ quietWakes: false });
    const leave = context.stay(() => arrivals.close(), patterns);
    const done = context.presence?.wait({ for: "messages", channels: patterns });
    const { history, end } = await waitInLog(
      { channels: patterns, after: after ?? hub.cursor(), seconds, isWanted },
      arrivals,
      context,
    ).finally(() => {
      done?.(context.signal.aborted);
      leave();
    });
    const page = boundedPage(history, hub, principal, most);
    const notes = page.messages.length > 0 ? [] : notesOn(end, seconds < timeoutSeconds);
    return { text: [...notes, pageText(page, principal)].join("\n"), structured: page };
  },
});

function notesOn(end: "found" | "time" | "ended", isCut: boolean): readonly string[] {
  if (end === "ended") return [ENDED];
  return end === "time" && isCut ? [NO_PROGRESS] : [];
}
