import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { checkAdmin } from "../core/principal.ts";
import type { Hook } from "../webhooks/in/hook.ts";
import type { Delivery } from "../webhooks/in/delivery.ts";
import { VERDICTS } from "../webhooks/in/deliveries.ts";
import type { Hooks } from "../webhooks/in/hooks.ts";
import { principalOf } from "./authentication.ts";
import { withoutBasePath } from "./base-path.ts";
import { admitFor, callerOf, type HttpContext } from "./context.ts";
import { sendJson, takeAnyBody, type SentBody } from "./json-body.ts";

const params = z.object({
  name: z.string().meta({ description: "Of a hook in HOOKS_FILE", examples: ["github"] }),
});
const paramsWithToken = params.extend({
  token: z.string().meta({ description: "The secret, for a hook that has it in its path", examples: ["c2VjcmV0"] }),
});
const record = z.object({
  hook: z.string(),
  time: z.iso.datetime(),
  verdict: z.enum(VERDICTS),
  status: z.int(),
  milliseconds: z.number(),
  bytes: z.int(),
  address: z.string(),
  event: z.string().optional(),
  id: z.string().optional(),
  secret: z.int().optional().describe("Which of several secrets proved it, from 1"),
  reason: z.string().optional(),
});
const list = z.object({
  hooks: z.array(
    z.object({
      name: z.string(),
      provider: z.string(),
      channel: z.string(),
      sender: z.string(),
      wakes: z.union([z.boolean(), z.literal("some")]),
      deliveries: z.array(record).describe("The last at this node, the newest first"),
    }),
  ),
});
const taken = z.object({
  id: z
    .string()
    .nullable()
    .optional()
    .describe("Of the message; null if the hook filters it out, or if it was in this hub before"),
});

/** What the abuse protection of CloudEvents asks with, and is answered with (Web Hooks for Event Delivery 1.0). */
const ORIGIN = "webhook-request-origin";
const RATE = "webhook-request-rate";
/** A host, as those who send CloudEvents name themselves. */
const ORIGIN_FORM = /^[\w.:-]{1,255}$/;
/** The `WWW-Authenticate` of a 401: there is no registered scheme for what a provider signs. */
const CHALLENGE = "Webhook";

/** `/hooks…`: verified webhooks become messages. In a scope of its own, since it needs the bytes of bodies as they came. */
export function hooks(app: FastifyInstance, context: HttpContext): void {
  takeAnyBody(app);
  app.addHook("onRequest", (request, _, next) => {
    let refused: Error | undefined;
    try {
      checkEarly(request, context);
    } catch (error) {
      refused = error as Error;
    }
    next(refused);
  });
  const schema = {
    summary: "Take a webhook",
    description:
      "For the providers that HOOKS_FILE names: verified by the scheme of the hook, not by a credential of the hub. " +
      "200 once the message is kept, and again if it is delivered again.",
    tags: ["publish"],
    params,
    body: z.unknown().meta({ description: "Whatever the provider sends", examples: [{}] }),
    response: { 200: taken },
  };
  app.post("/hooks/:name", { schema }, (request, reply) => post(request, reply, context));
  app.post("/hooks/:name/:token", { schema: { ...schema, params: paramsWithToken } }, (request, reply) =>
    post(request, reply, context),
  );
  app.options("/hooks/:name", { schema: { hide: true } }, (request, reply) => handshake(request, reply, context));
  app.get(
    "/hooks",
    { schema: { summary: "List hooks with their last deliveries", tags: ["operate"], response: { 200: list } } },
    async (request) => {
      checkAdmin(principalOf(request, context), "see the hooks");
      return { hooks: context.hooks?.list() ?? [] };
    },
  );
}

/** Refuses what needs no look at the body. Throws `NOT_FOUND`, `ORIGIN_NOT_ALLOWED` or `BODY_TOO_LARGE`. */
function checkEarly(request: FastifyRequest, context: HttpContext): void {
  if (request.method !== "POST") return;
  const { name } = request.params as z.output<typeof params>;
  if (request.headers.origin !== undefined) {
    throw new HubError(
      "ORIGIN_NOT_ALLOWED",
      "A hook takes no requests of pages; publish with POST /channels/{channel}/messages",
    );
  }
  checkSize(Number(request.headers["content-length"] ?? 0), hookOf(name, context).hook);
}

function checkSize(bytes: number, { record: { limitBytes } }: Hook): void {
  if (bytes <= limitBytes) return;
  throw new HubError("BODY_TOO_LARGE", `The body is larger than ${limitBytes} bytes, the limitBytes of this hook`);
}

function hookOf(name: string, { hooks: known }: HttpContext): { readonly hook: Hook; readonly hooks: Hooks } {
  const hook = known?.get(name);
  if (known === undefined || hook === undefined) throw new HubError("NOT_FOUND", "There is no such hook");
  return { hook, hooks: known };
}

async function post(request: FastifyRequest, reply: FastifyReply, context: HttpContext): Promise<FastifyReply> {
  const { name, token } = request.params as Partial<z.output<typeof paramsWithToken>> & z.output<typeof params>;
  const { rateLimits } = context;
  const { hook, hooks: known } = hookOf(name, context);
  const { bytes, type } = (request.body as SentBody | null) ?? { bytes: Buffer.of(), type: "" };
  checkSize(bytes.length, hook);
  const caller = callerOf(request.raw, hook.principal, context);
  const { address } = caller;
  const delivery: Delivery = {
    headers: request.headers,
    rawHeaders: request.raw.rawHeaders,
    body: bytes,
    type,
    urls: urlsOf(request, hook, context),
    token,
    time: Date.now(),
  };
  try {
    const { verdict, answer } = await known.receive(hook, delivery, {
      hub: context.hub,
      hubId: context.hubId,
      mostBytes: context.limits.message,
      admit: admitFor(context, caller),
      correlation: request,
      address,
      count: (cost) => rateLimits.admit(undefined, `${name} ${address}`, "hook_deliveries", cost),
    });
    if (verdict === "repeated") reply.header("idempotent-replayed", "true");
    reply.status(answer.status);
    return answer.body === "" ? reply.send() : sendJson(reply, answer.body);
  } catch (error) {
    if (error instanceof HubError && error.code === "UNAUTHENTICATED") reply.header("www-authenticate", CHALLENGE);
    throw error;
  }
}

/** The addresses that a provider may know a hook by, of which some sign theirs. */
function urlsOf(
  { raw, headers }: FastifyRequest,
  { record: { url } }: Hook,
  { publicUrl, basePath }: HttpContext,
): string[] {
  const { url: path = "" } = raw;
  const query = path.includes("?") ? path.slice(path.indexOf("?")) : "";
  if (url !== undefined) return [`${url}${query}`];
  const own = `${basePath}${withoutBasePath(path, basePath)}`;
  if (publicUrl !== "") return [`${publicUrl}${own}`];
  // Whoever forges the host still has no secret.
  return ["https", "http"].map((scheme) => `${scheme}://${headers.host ?? ""}${own}`);
}

/** Lets a source of CloudEvents begin to send them (HTTP 1.1 Web Hooks for Event Delivery, section 4). */
function handshake(request: FastifyRequest, reply: FastifyReply, context: HttpContext): void {
  const { name } = request.params as z.output<typeof params>;
  const { record: hook } = hookOf(name, context).hook;
  const origin = request.headers[ORIGIN];
  const isAsked = typeof origin === "string" && ORIGIN_FORM.test(origin);
  if (hook.provider !== "cloudevents" || !isAsked || (hook.origins !== undefined && !hook.origins.includes(origin))) {
    reply.callNotFound();
    return;
  }
  const rate = request.headers[RATE];
  reply.header("allow", "POST").header("webhook-allowed-origin", origin);
  if (typeof rate === "string" && /^\d{1,9}$/.test(rate)) reply.header("webhook-allowed-rate", rate);
  reply.status(200).send();
}
