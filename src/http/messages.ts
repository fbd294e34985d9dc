import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { channelName, channelPattern } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import type { RecentHistory } from "../core/history.ts";
import { checkAnyGrant, checkSubscribe, readable } from "../core/principal.ts";
import type { SearchRequest } from "../core/search.ts";
import { callerKey } from "../limits/rate-limits.ts";
import { EVERYTHING, type ChannelPattern } from "../protocol/channel.ts";
import type { Message } from "../protocol/message.ts";
import { GAP_REASONS } from "../protocol/signal.ts";
import { messageObject, messagePage, type MessagePage } from "../tools/index.ts";
import { principalOf } from "./authentication.ts";
import { checkedChannels } from "./channel-query.ts";
import { callerOf, type HttpContext } from "./context.ts";

const TAGS = ["receive"];
const PAGE = 100;
const MAX_LIMIT = 1000;
const QUERY = 'Words, "a phrase" or the beginning of a word as `pre*`; a message has all of them in its data or sender';
/** In place of a cursor: the end of the log. */
const LATEST = "latest";
const AN_ID = "5f1c20ab9e-41";

/** `?limit=` of a page of a list. */
export const limitParameter: z.ZodDefault<z.ZodCoercedNumber> = z.coerce
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
  q: z
    .string()
    .optional()
    .meta({ description: `${QUERY}. The newest first; not with \`after\``, examples: ["refund"] }),
  limit: limitParameter,
});
const searchParameters = z.strictObject({
  q: z.string().meta({ description: QUERY, examples: ['"payment failed" order*'] }),
  channel: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({
      description: "Channels and patterns, separated by commas or repeated; without it, all that you may read",
      examples: ["orders.*,alerts"],
    }),
  before: z
    .string()
    .optional()
    .meta({ description: "`earlier` of the page before; without it from the newest", examples: [AN_ID] }),
  limit: limitParameter,
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
  earlier: z
    .string()
    .nullable()
    .optional()
    .describe("With `before` or `q`: what to ask `before` of next; null at the oldest"),
});

/** A page from the end towards the beginning, if it has `earlier`. */
type BackPage = MessagePage & { readonly earlier?: string | null };

/** `GET /channels/{channel}/messages…` and `GET /messages`: what is kept, by pages, one by one, and by its words. */
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

  app.get(
    "/messages",
    {
      schema: {
        summary: "Search messages",
        description:
          "The newest first. A page may have fewer messages than `limit`, or none, while `earlier` is not null: there " +
          "is a bound on the time of one search.",
        tags: TAGS,
        querystring: searchParameters,
        response: { 200: page },
      },
    },
    (request) => searchAll(request, context),
  );
}

async function readPage(request: FastifyRequest, context: HttpContext): Promise<BackPage> {
  const { hub } = context;
  const { channel: pattern } = request.params as z.output<typeof pageParams>;
  const { after, before, q, limit: most } = request.query as z.output<typeof pageQuery>;
  const asked = { channels: [channelPattern(pattern)], limit: most };
  const caller = admit(request, asked.channels, context);
  if (before === undefined && q === undefined) {
    return messagePage(await hub.history({ ...asked, after }), (kept) => hub.idOf(kept));
  }
  if (after !== undefined) {
    const sentence = `${q === undefined ? "before" : "q"} and after ask for different pages; give one of them`;
    throw new HubError("INVALID_INPUT", sentence);
  }
  if (q !== undefined) return search(q, { ...asked, before, caller }, hub);
  const from = placeBefore(before);
  return backPage(await hub.kept.recent({ ...asked, before: from }), from, hub);
}

async function searchAll(request: FastifyRequest, context: HttpContext): Promise<BackPage> {
  const { q, channel, before, limit: most } = request.query as z.output<typeof searchParameters>;
  const principal = principalOf(request, context);
  const words = [channel ?? []].flat().flatMap((given) => given.split(","));
  const channels =
    words.length === 0 ? readable(principal, EVERYTHING) : checkedChannels(words, context.limits.channels);
  if (channels.length === 0) checkAnyGrant(principal, "read", "search messages");
  const caller = admit(request, channels, context);
  return search(q, { channels, before, limit: most, caller }, context.hub);
}

async function search(
  query: string,
  asked: Omit<SearchRequest, "query" | "field">,
  hub: HttpContext["hub"],
): Promise<BackPage> {
  const before = placeBefore(asked.before);
  return backPage(await hub.kept.search({ ...asked, before, query, field: "q" }), before, hub);
}

/** The cursor that `before` gives; undefined for the end of the log. */
function placeBefore(before: string | undefined): string | undefined {
  return before === LATEST ? undefined : before;
}

function backPage(
  { earlier, ...found }: Pick<RecentHistory, "messages" | "next" | "earlier">,
  before: string | undefined,
  hub: HttpContext["hub"],
): BackPage {
  const history = { ...found, more: before !== undefined, gap: undefined };
  return { ...messagePage(history, (kept) => hub.idOf(kept)), earlier: earlier ?? null };
}

async function readOne(request: FastifyRequest, context: HttpContext): Promise<Message> {
  const { hub } = context;
  const { channel: name, id } = request.params as z.output<typeof messageParams>;
  const channel = channelName(name);
  admit(request, [channel], context);
  const found = await hub.kept.message(channel, id);
  if (found !== undefined) return messageObject(found, hub.idOf(found));
  const sentence = `${channel} has no message with this id: retention dropped it, or it was never there`;
  throw new HubError("NOT_FOUND", sentence);
}

/** What the caller is counted as. Throws what refuses one that may not read these channels, or reads too much. */
function admit(request: FastifyRequest, channels: readonly ChannelPattern[], context: HttpContext): string {
  const { principal, address } = callerOf(request.raw, principalOf(request, context), context);
  checkSubscribe(principal, channels);
  context.rateLimits.admit(principal, address, "history_pages");
  return callerKey(principal, address);
}
