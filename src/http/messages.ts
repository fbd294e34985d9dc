import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { channelName, channelPattern } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import { checkSubscribe } from "../core/principal.ts";
import type { Message as KeptMessage } from "../core/message.ts";
import type { ChannelPattern } from "../protocol/channel.ts";
import type { Message } from "../protocol/message.ts";
import { GAP_REASONS } from "../protocol/signal.ts";
import { messageObject, messagePage, type MessagePage } from "../tools/index.ts";
import { principalOf } from "./authentication.ts";
import { callerOf, type HttpContext } from "./context.ts";

const TAGS = ["receive"];
const PAGE = 100;
const MAX_LIMIT = 1000;
/** In place of a cursor: the end of the log. */
const LATEST = "latest";
const AN_ID = "5f1c20ab9e-41";

/** The parameter that bounds a page. */
export const limit: z.ZodDefault<z.ZodCoercedNumber> = z.coerce
  .number()
  .int()
  .min(1)
  .max(MAX_LIMIT)
  .default(PAGE)
  .describe("Entries at most");

const pageParams = z.object({
  channel: z.string().meta({ description: "A channel, or a pattern", examples: ["orders.*"] }),
});
const pageQuery = z.strictObject({
  after: z
    .string()
    .optional()
    .meta({ description: "A cursor; without it from the oldest kept", examples: [AN_ID] }),
  before: z
    .string()
    .optional()
    .meta({
      description: "A cursor, or `latest`: the last messages before it; not with `after`",
      examples: [LATEST],
    }),
  limit,
});
const messageParams = z.object({
  channel: z.string().meta({ description: "Words joined by dots", examples: ["orders.eu"] }),
  id: z.string().meta({ description: "The id of a message", examples: [AN_ID] }),
});
const message = z.object({
  id: z.string().nullable(),
  channel: z.string(),
  event: z.string(),
  data: z.unknown(),
  sender: z.string(),
  time: z.iso.datetime(),
  via: z.string().optional().describe("How it came if no client published it: tool, webhook or bridge:NAME"),
  verified: z.literal(true).optional().describe("Set if sender is the name of the credential it was published with"),
});
const gap = z.object({ reason: z.enum(GAP_REASONS), after: z.string(), resumed: z.string() });
const page = z.object({
  messages: z.array(message),
  next: z.string().describe("What to go on with as `after`"),
  more: z.boolean().describe("Whether there may be more after `next` right now"),
  gap: gap.nullable(),
  earlier: z.string().nullable().optional().describe("With `before`: what to ask `before` of next; null at the oldest"),
});

/** `GET /channels/{channel}/messages…`: what is kept, by pages and one by one. */
export function messages(app: FastifyInstance, context: HttpContext): void {
  app.get(
    "/channels/:channel/messages",
    {
      schema: {
        summary: "Read a page of history",
        tags: TAGS,
        params: pageParams,
        querystring: pageQuery,
        response: { 200: page },
      },
    },
    (request) => readPage(request, context),
  );

  app.get(
    "/channels/:channel/messages/:id",
    {
      schema: {
        summary: "Read one message",
        description: "Its address, for as long as it is kept: links may name it.",
        tags: TAGS,
        params: messageParams,
        querystring: z.strictObject({}),
        response: { 200: message },
      },
    },
    (request) => readOne(request, context),
  );
}

async function readPage(
  request: FastifyRequest,
  context: HttpContext,
): Promise<MessagePage & { readonly earlier?: string | null }> {
  const { hub } = context;
  const { channel: pattern } = request.params as z.output<typeof pageParams>;
  const { after, before, limit: most } = request.query as z.output<typeof pageQuery>;
  const asked = { channels: [channelPattern(pattern)], limit: most };
  admit(request, asked.channels, context);
  const idOf = (kept: KeptMessage): string | undefined => hub.idOf(kept);
  if (before === undefined) {
    return messagePage(await hub.history({ ...asked, after }), idOf);
  }
  if (after !== undefined) {
    throw new HubError("INVALID_INPUT", "before and after ask for different pages; give one of them");
  }
  const isLatest = before === LATEST;
  const { earlier = null, ...recent } = await hub.kept.recent({ ...asked, before: isLatest ? undefined : before });
  return { ...messagePage({ ...recent, more: !isLatest, gap: undefined }, idOf), earlier };
}

async function readOne(request: FastifyRequest, context: HttpContext): Promise<Message> {
  const { hub } = context;
  const { channel: name, id } = request.params as z.output<typeof messageParams>;
  const channel = channelName(name);
  admit(request, [channel], context);
  const found = await hub.kept.message(channel, id);
  if (found !== undefined) return messageObject(found, id);
  const sentence = `${channel} has no message with this id: retention dropped it, or it was never there`;
  throw new HubError("NOT_FOUND", sentence);
}

/** Throws what refuses a caller that may not read these channels, or reads too much. */
function admit(request: FastifyRequest, channels: readonly ChannelPattern[], context: HttpContext): void {
  const { principal, address } = callerOf(request.raw, principalOf(request, context), context);
  checkSubscribe(principal, channels);
  context.rateLimits.admit(principal, address, "history_pages");
}
