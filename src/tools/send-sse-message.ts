import { z } from "zod";
import { channelName } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import { checkPublish } from "../core/principal.ts";
import type { Receipt } from "../protocol/message.ts";
import { object, TEXT, WHOLE } from "./json-schema.ts";
import { publish, type PublishRequest } from "./publish.ts";
import { tool, type Tool, type RequestContext } from "./tool.ts";

/** The answer of `send_sse_message`. */
interface Sent {
  readonly id: string;
  readonly channel: string;
  readonly time: string;
  readonly receivers: number;
}

export const sendSseMessage: Tool = tool({
  name: "send_sse_message",
  title: "Send a message",
  description: "Send a message via Server-Sent Events",
  input: z.strictObject({
    // Listed as a string, which is what agents send; any JSON is accepted.
    message: z.unknown().meta({ type: "string", description: "The message to send" }),
    channel: z.string().optional().describe("Such as orders.eu; `default` unless given"),
    event: z.string().optional().describe("SSE event name; `message` unless given"),
    sender: z.string().optional().describe("Who sends it"),
  }),
  output: object({ id: TEXT, channel: TEXT, time: TEXT, receivers: WHOLE }),
  readOnly: false,
  publishes: true,
  authorize: ({ channel = "default" }, principal) => checkPublish(principal, channelName(channel)),
  async run({ message, channel = "default", event, sender }, context) {
    const { id, time, receivers } = await sent(
      { channel: channelName(channel), data: message, event, sender },
      context,
    );
    const readers = receivers === 1 ? "1 reader" : `${receivers} readers`;
    return {
      text: `Sent to ${readers} on "${channel}" (id ${id})`,
      structured: { id: id ?? "", channel, time, receivers } satisfies Sent,
    };
  },
});

/** Names the field `message` in errors, as this tool calls what is `data` everywhere else. */
async function sent(request: PublishRequest, context: RequestContext): Promise<Receipt> {
  try {
    return (await publish({ ...request, via: "tool" }, context)).receipt;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (!error.message.startsWith("data ")) throw error;
    throw new HubError(error.code, error.message.replace(/^data /, "message "), { cause: error });
  }
}
