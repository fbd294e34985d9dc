import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { ANYONE, checkAnyGrant, refusal } from "../core/principal.ts";
import type { Push } from "../notify/open.ts";
import { keysProblem } from "../notify/push-encryption.ts";
import { isObject } from "../protocol/json.ts";
import { urlProblem } from "../webhooks/out/webhook.ts";
import { checkedInput } from "../tools/index.ts";
import { principalOf } from "./authentication.ts";
import { callerOf, type HttpContext } from "./context.ts";
import { jsonBody, takeAnyBody } from "./json-body.ts";

const TAGS = ["questions"];
const PATH = "/push";
const key = z.object({
  publicKey: z
    .string()
    .nullable()
    .describe("For `applicationServerKey`: a point of P-256 in base64url; null if this hub sends no Web Push"),
});
const body = z.looseObject({
  endpoint: z.string().meta({ description: "Of the browser's push service", examples: ["https://push.example/1f8a"] }),
  keys: z.looseObject({
    p256dh: z.string().meta({ description: "A point of P-256 in base64url", examples: ["BCVxsr7N_eNg…"] }),
    auth: z.string().meta({ description: "16 bytes in base64url", examples: ["BTBZMqHH6r4Tts7J_aSIgg"] }),
  }),
});
const params = z.object({ id: z.string().meta({ description: "What it was answered with", examples: ["5f1c20ab"] }) });
const made = z.object({ id: z.string() });

/** `/push`: browsers that are told of questions by Web Push, and the worker that shows them. */
export function pushRoutes(app: FastifyInstance, context: HttpContext): void {
  takeAnyBody(app);
  const push = (): Push => {
    const found = context.notify?.push;
    if (found !== undefined) return found;
    throw new HubError("NOT_FOUND", "This hub sends no Web Push: no step in NOTIFY_FILE has webPush");
  };

  app.get(
    PATH,
    { schema: { summary: "The key to subscribe to Web Push with", tags: TAGS, response: { 200: key } } },
    (request, reply) => {
      checkAnyGrant(principalOf(request, context), "read", "be told of questions");
      return reply
        .header("cache-control", "no-store")
        .send({ publicKey: context.notify?.push?.vapid.publicKey ?? null });
    },
  );

  app.post(
    PATH,
    {
      schema: {
        summary: "Be told of questions by Web Push",
        description:
          "A browser's `PushSubscription` as JSON; again to renew it. It is told of questions on channels that you may " +
          "read, as long as your credential is good. You have at most 10; the oldest makes room for another.",
        tags: TAGS,
        body,
        response: { 201: made },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request, context);
      checkAnyGrant(principal, "read", "be told of questions");
      if (principal.kind === "anonymous" && principal.id !== ANYONE.id) {
        throw refusal(principal, "read", "be told of questions when you are away");
      }
      const { subscriptions, rules } = push();
      const caller = callerOf(request.raw, principal, context);
      context.rateLimits.admit(caller.principal, caller.address, "history_pages");
      const given = jsonBody(request.body);
      if (!isObject(given)) throw new HubError("INVALID_REQUEST", "The body must be a PushSubscription as JSON");
      const { endpoint, keys } = checkedInput([], body, given);
      const wrong = urlProblem(endpoint, rules);
      if (wrong !== undefined) throw new HubError("INVALID_INPUT", `endpoint: ${wrong}`);
      const [field, problem] = keysProblem(keys) ?? [];
      if (field !== undefined) throw new HubError("INVALID_INPUT", `keys.${field}: ${problem}`);
      const { p256dh, auth } = keys;
      const { id } = await subscriptions.add(endpoint, { p256dh, auth }, principal);
      return reply.status(201).send({ id });
    },
  );

  app.delete(
    `${PATH}/:id`,
    { schema: { summary: "Be told no more", tags: TAGS, params, response: { 204: z.null() } } },
    async (request, reply) => {
      const { id } = request.params as z.output<typeof params>;
      const principal = principalOf(request, context);
      checkAnyGrant(principal, "read", "end a subscription");
      const { subscriptions } = push();
      const found = await subscriptions.get(id);
      if (found === undefined || (found.owner.id !== principal.id && !principal.admin)) {
        throw new HubError("NOT_FOUND", "You have no such subscription: it has ended, or never existed");
      }
      await subscriptions.remove(id);
      return reply.status(204).send();
    },
  );

  const worker = readFileSync(new URL("../../public/push-worker.js", import.meta.url), "utf8");
  // At the root, since it may only look after pages below its own folder.
  app.get("/push-worker.js", { schema: { hide: true } }, (_, reply) =>
    reply.headers({ "content-type": "text/javascript; charset=utf-8", "cache-control": "no-cache" }).send(worker),
  );
}
