import { randomBytes } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { refusal, type Principal } from "../core/principal.ts";
import { EARLIEST, parseCursor } from "../protocol/cursor.ts";
import { quoted } from "../protocol/text.ts";
import { newSecret } from "../webhooks/out/signature.ts";
import { FORMATS, type Webhook } from "../webhooks/out/webhook.ts";
import { principalOf } from "./authentication.ts";
import { callerOf, type HttpContext } from "./context.ts";
import { takeAnyBody } from "./json-body.ts";
import {
  bodyOf,
  channelsOf,
  checkEvents,
  checkPatch,
  checkSecret,
  checkUrl,
  configured,
  gone,
  NEW,
  patched,
} from "./webhook-input.ts";
import { checkCount, isOwnedBy, ownerOf, renewal } from "../webhooks/out/ownership.ts";
import { described, testResult, webhookList, webhookStatus, withDeliveries } from "./webhook-object.ts";

const TAGS = ["webhooks"];
const NO_STORE = { "cache-control": "no-store" };
const MAX_SHOWN = 64;

const params = z.object({
  id: z
    .string()
    .meta({ description: "The id that POST /webhooks answered with", examples: ["wh_5f1c20ab9e41d7023c6b8e9a"] }),
});
const settings = {
  url: z.string().meta({
    description: "Where messages are posted to: https, or an address that WEBHOOK_ALLOW lists",
    examples: ["https://shop.example/messages"],
  }),
  channels: z.array(z.string()).meta({ description: "Channels and patterns", examples: [["orders.*"]] }),
  events: z
    .array(z.string())
    .meta({ description: "Only messages with one of these events; all if it is empty", examples: [["created"]] }),
  format: z.enum(FORMATS).describe("json: the message; cloudevents: an event in structured mode"),
};
const creation = z.strictObject({
  url: settings.url,
  channels: settings.channels,
  events: settings.events.optional(),
  format: settings.format.optional(),
  secret: z.string().optional().describe("whsec_ and Base64 of 24 to 64 bytes; the server makes one without it"),
});
const patch = z
  .strictObject({
    url: settings.url.optional(),
    channels: settings.channels.optional(),
    events: settings.events.optional(),
    format: settings.format.optional(),
    secret: z
      .string()
      .optional()
      .describe("A new secret, or `new` for one that the server makes; the old one signs for 24 h"),
    suspended: z
      .boolean()
      .optional()
      .describe("true: sends nothing until it is false again, and then continues where it stopped"),
  })
  .meta({ examples: [{ suspended: true }] });
const replay = z.strictObject({
  after: z.string().meta({
    description: "A cursor such as the id of a message, or `earliest`: all after it is sent again",
    examples: ["earliest"],
  }),
});

/** `/webhooks…`: messages that leave the hub as signed POSTs. In a scope of its own. */
export function webhookRoutes(app: FastifyInstance, context: HttpContext): void {
  const { webhooks } = context;
  takeAnyBody(app);

  /** A webhook that someone may see and change: their own, and for admins every one. */
  const find = async (
    request: FastifyRequest,
  ): Promise<{ readonly webhook: Webhook; readonly principal: Principal }> => {
    const { id } = request.params as z.output<typeof params>;
    const principal = principalOf(request, context);
    const webhook = await webhooks.store.get(id);
    if (webhook !== undefined && isOwnedBy(webhook, principal)) return { webhook, principal };
    throw new HubError(
      "NOT_FOUND",
      `There is no webhook ${quoted(id.slice(0, MAX_SHOWN))} of yours; GET /webhooks lists them`,
    );
  };

  app.post(
    "/webhooks",
    {
      schema: {
        summary: "Have messages posted to a URL",
        description:
          "Messages published from now on. The answer has the secret if the server made it: it is shown once.",
        tags: TAGS,
        body: creation,
        response: { 201: webhookStatus },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request, context);
      if (principal.kind === "anonymous" && !context.authenticator.isOpen)
        throw refusal(principal, "read", "have a webhook");
      const given = bodyOf(request, creation);
      checkUrl(given.url, webhooks);
      const channels = channelsOf(given.channels, principal);
      checkEvents(given.events);
      if (given.secret !== undefined) checkSecret(given.secret);
      const now = webhooks.clock.now();
      const secret = given.secret ?? newSecret();
      const webhook: Webhook = {
        id: `wh_${randomBytes(12).toString("hex")}`,
        url: given.url,
        channels,
        events: given.events ?? [],
        format: given.format ?? "json",
        secrets: [{ secret }],
        owner: ownerOf(principal),
        created: now,
        ...renewal(principal, now),
        start: { number: 0, after: context.hub.cursor() },
      };
      await webhooks.store.add(webhook, (all) => checkCount(all, principal));
      reply.headers(NO_STORE).status(201);
      return {
        ...withDeliveries(webhook, await webhooks.status(webhook)),
        ...(given.secret === undefined ? { secret } : {}),
      };
    },
  );

  app.get(
    "/webhooks",
    {
      schema: {
        summary: "List webhooks",
        description: "Your own; all of them for admins. Without the last deliveries.",
        tags: TAGS,
        response: { 200: webhookList },
      },
    },
    async (request) => {
      const principal = principalOf(request, context);
      const own = (await webhooks.store.list()).filter((webhook) => isOwnedBy(webhook, principal));
      return {
        webhooks: await Promise.all(own.map(async (webhook) => described(webhook, await webhooks.status(webhook)))),
      };
    },
  );

  app.get(
    "/webhooks/:id",
    { schema: { summary: "How a webhook stands", tags: TAGS, params, response: { 200: webhookStatus } } },
    async (request) => {
      const { webhook } = await find(request);
      return withDeliveries(webhook, await webhooks.status(webhook));
    },
  );

  app.patch(
    "/webhooks/:id",
    {
      schema: {
        summary: "Change, suspend or resume a webhook",
        description: "What is left out stays. A webhook that the configuration has can only be suspended and resumed.",
        tags: TAGS,
        params,
        body: patch,
        response: { 200: webhookStatus },
      },
    },
    async (request, reply) => {
      const { webhook, principal } = await find(request);
      const given = bodyOf(request, patch);
      const secret = given.secret === NEW ? newSecret() : given.secret;
      checkPatch(given, secret, webhook, webhooks);
      const channels = given.channels && channelsOf(given.channels, principal);
      const changed = await webhooks.store.change(webhook.id, (before) =>
        patched(before, { ...given, channels, secret }, principal, webhooks.clock.now()),
      );
      if (changed === undefined) throw gone();
      reply.headers(NO_STORE);
      return {
        ...withDeliveries(changed, await webhooks.status(changed)),
        ...(given.secret === NEW ? { secret } : {}),
      };
    },
  );

  app.post(
    "/webhooks/:id/resume",
    { schema: { summary: "Resume a webhook", tags: TAGS, params, response: { 200: webhookStatus } } },
    async (request) => {
      const { webhook, principal } = await find(request);
      const changed = await webhooks.store.change(webhook.id, (before) =>
        patched(before, { suspended: false }, principal, webhooks.clock.now()),
      );
      if (changed === undefined) throw gone();
      return withDeliveries(changed, await webhooks.status(changed));
    },
  );

  app.delete(
    "/webhooks/:id",
    { schema: { summary: "End a webhook", tags: TAGS, params, response: { 204: z.null() } } },
    async (request, reply) => {
      const { webhook } = await find(request);
      if (webhook.owner === undefined) throw configured("WEBHOOKS_FILE has this webhook; remove it there");
      await webhooks.remove(webhook.id);
      return reply.status(204).send();
    },
  );

  app.post(
    "/webhooks/:id/replay",
    {
      schema: {
        summary: "Send again what was published after a cursor",
        description: "The deliveries have the ids that they had before. What waited to be sent again is forgotten.",
        tags: TAGS,
        params,
        body: replay,
        response: { 202: webhookStatus },
      },
    },
    async (request, reply) => {
      const { webhook } = await find(request);
      const { after } = bodyOf(request, replay);
      if (after !== EARLIEST && parseCursor(after) === undefined) {
        throw new HubError(
          "INVALID_INPUT",
          `after is not a cursor: ${quoted(after.slice(0, MAX_SHOWN))}; give the id of a message, or earliest`,
        );
      }
      const changed = await webhooks.store.change(webhook.id, (before) => ({
        ...before,
        start: { number: before.start.number + 1, after },
      }));
      if (changed === undefined) throw gone();
      reply.status(202);
      return withDeliveries(changed, await webhooks.status(changed));
    },
  );

  app.post(
    "/webhooks/:id/test",
    {
      schema: {
        summary: "Send a webhook a test",
        description: "One delivery of type hub.test, now; the answer says what came of it.",
        tags: TAGS,
        params,
        response: { 200: testResult },
      },
    },
    async (request) => {
      const { webhook, principal } = await find(request);
      if (webhook.mcp !== undefined) throw configured("An MCP client has this subscription; publish a message instead");
      const caller = callerOf(request.raw, principal, context);
      context.rateLimits.admit(principal, caller.address, "tool_calls");
      return webhooks.test(webhook);
    },
  );
}
