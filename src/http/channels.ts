import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { channelPattern } from "../core/channel.ts";
import { EVERYTHING } from "../protocol/channel.ts";
import { HubError } from "../core/errors.ts";
import { HUB_PATH_HEADER, hubPath, isLoop } from "../core/hub-path.ts";
import { channelSummary, admittedDraft, publish, readableChannels, publishLater } from "../tools/index.ts";
import { admitFor, callerOf, type HttpContext } from "./context.ts";
import { takeAnyBody, type SentBody } from "./json-body.ts";
import { dataIn } from "./message-body.ts";
import { limitParameter, messages } from "./messages.ts";
import { principalOf } from "./authentication.ts";
import { queryOf } from "./channel-query.ts";

const channel = z.object({
  channel: z.string().meta({ description: "Words joined by dots", examples: ["orders.eu"] }),
});
const publishQuery = z.strictObject({
  event: z
    .string()
    .optional()
    .meta({ description: "SSE event name; `message` unless given", examples: ["created"] }),
  sender: z
    .string()
    .optional()
    .meta({ description: "Who sends it", examples: ["order-service"] }),
  at: z
    .string()
    .optional()
    .meta({
      description: "Publish it at this time: ISO 8601 with an offset, or with Z",
      examples: ["2030-01-31T09:00:00+01:00"],
    }),
  delaySeconds: z.coerce
    .number()
    .optional()
    .meta({ description: "Publish it after so many seconds; not with `at`", examples: [60] }),
  ephemeral: z.enum(["true", "false"]).optional().describe("true: reaches those listening now, is not kept, has no id"),
});
const publishHeaders = z.looseObject({
  "idempotency-key": z
    .string()
    .optional()
    .meta({
      description: "The same key again on this channel is answered with the message it made",
      examples: ["order-123"],
    }),
  [HUB_PATH_HEADER]: z
    .string()
    .optional()
    .describe("The ids of the hubs that it came through, as webhooks have it; one that was in this hub is left out"),
});
const receipt = z.object({
  id: z.string().nullable().describe("null for one that is not kept: it is ephemeral, or was in this hub before"),
  channel: z.string(),
  time: z.iso.datetime(),
  receivers: z.int().describe("Live readers it was offered to, without those that only look on"),
});
const scheduledReceipt = z.object({
  id: z.string().describe("What to look it up or cancel it by; not the id of the message"),
  channel: z.string(),
  at: z.iso.datetime(),
});
const listQuery = z.strictObject({
  pattern: z
    .string()
    .optional()
    .meta({ description: "Only channels it covers", examples: ["orders.*"] }),
  after: z
    .string()
    .optional()
    .meta({ description: "A channel name: only those after it", examples: ["orders.eu"] }),
  limit: limitParameter,
});
const listed = z.object({
  channels: z.array(
    z.object({
      channel: z.string(),
      readers: z.int(),
      messages: z.int(),
      lastId: z.string().nullable(),
      lastTime: z.iso.datetime().nullable(),
    }),
  ),
  more: z.boolean(),
});

/** `/channels…`: publishing and reading with plain HTTP, in a scope of its own. */
export function channels(app: FastifyInstance, context: HttpContext): void {
  const { hub } = context;
  takeAnyBody(app);
  // The framework makes U+FFFD of what is not UTF-8.
  app.addHook("preValidation", ({ url }, _, next) => {
    let wrong: Error | undefined;
    try {
      if (url.includes("%")) queryOf(url);
    } catch (error) {
      wrong = error as Error;
    }
    next(wrong);
  });

  app.post(
    "/channels/:channel/messages",
    {
      schema: {
        summary: "Publish a message",
        description:
          "The body is the data: JSON if its media type is `application/json`, `text/json` or ends with `+json`, and a " +
          "string with any other type or none. 200 if the idempotency key was known, or if `hub-path` says that the message " +
          "was in this hub before, which is then left out. With `at` or `delaySeconds`, 202: " +
          "the message is kept and published when its time comes.",
        tags: ["publish"],
        params: channel,
        querystring: publishQuery,
        headers: publishHeaders,
        body: z.unknown().meta({
          description: "As a JSON type, any JSON value; as any other type, a string",
          examples: ["Hello"],
        }),
        consumes: ["application/json", "text/plain", "*/*"],
        response: { 200: receipt, 201: receipt, 202: scheduledReceipt },
      },
    },
    (request, reply) => post(request, reply, context),
  );

  messages(app, context);

  app.get(
    "/channels",
    { schema: { summary: "List channels", tags: ["receive"], querystring: listQuery, response: { 200: listed } } },
    async (request) => {
      const { pattern, after, limit: most } = request.query as z.output<typeof listQuery>;
      const covered = pattern === undefined ? EVERYTHING : channelPattern(pattern);
      const query = { pattern: covered, limit: most + 1, ...(after === undefined ? {} : { after }) };
      const found = readableChannels({ hub, principal: principalOf(request, context) }, query);
      return {
        channels: found.slice(0, most).map((listing) => channelSummary(listing, hub)),
        more: found.length > most,
      };
    },
  );
}

async function post(request: FastifyRequest, reply: FastifyReply, context: HttpContext): Promise<FastifyReply> {
  const { hub, hubId, limits, schedule, basePath } = context;
  const principal = principalOf(request, context);
  const { channel: name } = request.params as z.output<typeof channel>;
  const { event, sender, ephemeral, at, delaySeconds } = request.query as z.output<typeof publishQuery>;
  const { "idempotency-key": key, [HUB_PATH_HEADER]: through } = request.headers as z.output<typeof publishHeaders>;
  // Bytes of UTF-8 and of Latin-1 would be two keys for one text.
  if (key !== undefined && /[^\t\x20-\x7e]/.test(key)) {
    throw new HubError("INVALID_MESSAGE", "the idempotency key must be ASCII, such as a UUID");
  }
  const data = dataIn(request.body as SentBody | null);
  const path = hubPath(through);
  const asked = { channel: name, data, event, sender, ephemeral: ephemeral === "true", key, path };
  const admit = admitFor(context, callerOf(request.raw, principal, context));
  if (path.length > 0 && isLoop(path, hubId)) {
    // Whoever sent it is told that it arrived: a webhook would send it again for a day.
    const { item } = admittedDraft(asked, { hub, limits, principal, admit });
    return reply.send({ id: null, channel: item.channel, time: new Date().toISOString(), receivers: 0 });
  }
  if (at !== undefined || delaySeconds !== undefined) {
    // In a query, a plus sign that is not encoded is a space.
    const due = { at: at?.replace(/ (?=\d\d:\d\d$)/, "+"), delaySeconds };
    const later = await publishLater({ ...asked, ...due }, { hub, limits, principal, admit, schedule });
    if (later.repeated) reply.header("idempotent-replayed", "true");
    return reply.status(202).header("location", `${basePath}/scheduled/${later.receipt.id}`).send(later.receipt);
  }
  const { receipt: answer, repeated } = await publish(asked, { hub, limits, principal, admit, correlation: request });
  if (repeated) reply.header("idempotent-replayed", "true");
  return reply.status(repeated ? 200 : 201).send(answer);
}
