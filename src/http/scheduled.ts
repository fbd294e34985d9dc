import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { channelPattern } from "../core/channel.ts";
import { EVERYTHING } from "../protocol/channel.ts";
import { cancelScheduled, listScheduled, ownScheduled, scheduledMessage } from "../tools/index.ts";
import { principalOf } from "./authentication.ts";
import { callerOf, type HttpContext } from "./context.ts";
import { sendJson, takeAnyBody } from "./json-body.ts";

const TAGS = ["publish"];
const PAGE = 100;
const MAX_LIMIT = 1000;

const params = z.object({
  id: z.string().meta({ description: "What it was answered with when it was scheduled", examples: ["7d3f0a2c91be"] }),
});
const query = z.strictObject({
  channel: z
    .string()
    .optional()
    .meta({ description: "Only those on a channel, or on the channels of a pattern", examples: ["orders.*"] }),
  after: z.string().optional().describe("`next` of the page before"),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(PAGE).describe("Entries at most"),
});
const scheduled = z.object({
  id: z.string(),
  channel: z.string(),
  at: z.iso.datetime().describe("When it will be published"),
  event: z.string(),
  sender: z.string(),
  via: z.string().optional(),
  by: z.string().optional().describe("Who scheduled it"),
});
const page = z.object({
  scheduled: z.array(scheduled),
  next: z.string().nullable().describe("What to go on with as `after`; null at the end"),
});

/** `/scheduled…`: what is to be published later, to be looked at and cancelled, in a scope of its own. */
export function scheduledMessages(app: FastifyInstance, context: HttpContext): void {
  const { schedule } = context;
  takeAnyBody(app);

  app.get(
    "/scheduled",
    {
      schema: {
        summary: "List what you scheduled",
        description: "In order of time, without the data. Admins see what anyone scheduled.",
        tags: TAGS,
        querystring: query,
        response: { 200: page },
      },
    },
    async (request) => {
      const { channel, after, limit } = request.query as z.output<typeof query>;
      const { principal, address } = callerOf(request.raw, principalOf(request, context), context);
      context.rateLimits.admit(principal, address, "history_pages");
      const pattern = channel === undefined ? EVERYTHING : channelPattern(channel);
      return listScheduled({ pattern, after, limit }, principal, schedule);
    },
  );

  app.get(
    "/scheduled/:id",
    {
      schema: {
        summary: "Look at a scheduled message",
        tags: TAGS,
        params,
        response: { 200: scheduled.extend({ data: z.unknown() }) },
      },
    },
    async (request, reply) => {
      const { id } = request.params as z.output<typeof params>;
      const due = await ownScheduled(id, principalOf(request, context), schedule);
      return sendJson(reply, `${JSON.stringify(scheduledMessage(due)).slice(0, -1)},"data":${due.data}}`);
    },
  );

  app.delete(
    "/scheduled/:id",
    {
      schema: {
        summary: "Cancel a scheduled message",
        description: "After the answer it is never published; 404 if it is being published, or was.",
        tags: TAGS,
        params,
        response: { 204: z.undefined().describe("It is cancelled") },
      },
    },
    async (request, reply) => {
      const { id } = request.params as z.output<typeof params>;
      await cancelScheduled(id, principalOf(request, context), schedule);
      return reply.status(204).send();
    },
  );
}
