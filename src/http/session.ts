import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { presentedToken } from "../auth/credential.ts";
import { checkSameOrigin } from "../auth/same-origin.ts";
import { MAX_TICKET_AGE } from "../auth/tickets.ts";
import { HubError } from "../core/errors.ts";
import { refusal, SCOPES, type Principal } from "../core/principal.ts";
import { isObject } from "../protocol/json.ts";
import { lenient, problems } from "../tools/index.ts";
import { judged, principalOf } from "./authentication.ts";
import { checkedChannels } from "./channel-query.ts";
import type { HttpContext } from "./context.ts";
import { jsonBody, takeAnyBody } from "./json-body.ts";

const TAGS = ["access"];
const NO_STORE = { "cache-control": "no-store" };

const who = z.object({
  subject: z.string().describe("The name it sends as"),
  kind: z.string().describe("What proves it: session, key, jwt, certificate; anonymous: nothing"),
  publish: z.array(z.string()),
  subscribe: z.array(z.string()),
  admin: z.boolean(),
  expires: z.iso.datetime().nullable(),
  login: z
    .enum(["none", "credential", "provider"])
    .describe("How a person can log in at /login: not needed, with a key or token, or also at an identity provider"),
});
const ticketBody = z
  .strictObject({
    channels: z
      .array(z.string())
      .optional()
      .meta({ description: "It may read these and no others", examples: [["orders.*"]] }),
    ttlSeconds: z
      .number()
      .int()
      .min(1)
      .max(MAX_TICKET_AGE / 1000)
      .optional()
      .describe("Seconds for which it is good; 60 unless given"),
  })
  .meta({ examples: [{ channels: ["orders.*"] }] });
const ticket = z.object({ ticket: z.string(), expires: z.iso.datetime() });

/** `/session` and `/tickets`: what a browser has in place of an `Authorization` header. In a scope of its own. */
export function session(app: FastifyInstance, context: HttpContext): void {
  const { addresses, authenticator, sessions, tickets } = context;
  const login = sessions === undefined ? "none" : context.login === undefined ? "credential" : "provider";
  takeAnyBody(app);

  app.get(
    "/session",
    {
      schema: {
        summary: "Who you are, and what you may do",
        description: "Without a credential, or with a session that is over, what someone without one may do.",
        tags: TAGS,
        response: { 200: who },
      },
    },
    async ({ raw }, reply) => {
      reply.headers(NO_STORE);
      let principal: Principal;
      try {
        principal = await judged(
          () => authenticator.authenticate(raw),
          () => addresses.of(raw),
          context,
        );
      } catch (error) {
        if (presentedToken(raw) !== undefined || sessions?.has(raw) !== true) throw error;
        reply.header("set-cookie", sessions.end);
        principal = authenticator.anonymous;
      }
      return { ...described(principal), login };
    },
  );

  app.post(
    "/session",
    {
      schema: {
        summary: "Begin a session of this browser",
        description:
          "Turns the credential in Authorization or X-API-Key into a cookie that this server's pages, EventSource and " +
          "WebSocket then send by themselves. It ends with the credential, and after BROWSER_SESSION_AGE.",
        tags: TAGS,
        response: { 200: who },
      },
    },
    async (request, reply) => {
      if (sessions === undefined) {
        throw new HubError(
          "INVALID_REQUEST",
          "This server needs no credential, so there are no sessions; go on without",
        );
      }
      checkPage(request);
      const find = (): Principal | Promise<Principal> => {
        const token = presentedToken(request.raw);
        if (token !== undefined) return authenticator.token(token);
        const sentence = "A session begins with a credential; send Authorization: Bearer with an API key or a token";
        throw new HubError("UNAUTHENTICATED", sentence, { challenge: { scope: SCOPES.read } });
      };
      const { principal, cookie } = sessions.begin(await judged(find, () => addresses.of(request.raw), context));
      reply.headers({ ...NO_STORE, "set-cookie": cookie });
      return { ...described(principal), login };
    },
  );

  app.delete(
    "/session",
    {
      schema: {
        summary: "End the session of this browser",
        description: "Removes its cookie.",
        tags: TAGS,
        response: { 204: z.null() },
      },
    },
    (request, reply) => {
      checkPage(request);
      if (sessions !== undefined) reply.header("set-cookie", sessions.end);
      return reply.headers(NO_STORE).status(204).send();
    },
  );

  app.post(
    "/tickets",
    {
      schema: {
        summary: "Get a ticket for one WebSocket",
        description: "Open /ws?ticket= with it, once: it is good for whoever asked for it, within a minute.",
        tags: TAGS,
        body: ticketBody,
        response: { 201: ticket },
      },
    },
    async (request, reply) => {
      const { channels, age } = askedTicket(request.body, context.limits.channels);
      const principal = principalOf(request, context);
      // Without one they would all be of one principal, who may have so many.
      if (principal.kind === "anonymous" && !authenticator.isOpen) throw refusal(principal, "read", "have a ticket");
      const issued = await tickets.issue(principal, channels, age);
      reply.headers(NO_STORE).status(201);
      return reply.send({ ticket: issued.ticket, expires: new Date(issued.expires).toISOString() });
    },
  );

  /** Another page would log a person out, or in as someone else. Programs, which are no pages, name no origin. */
  function checkPage({ raw }: FastifyRequest): void {
    if (raw.headers.origin !== undefined) checkSameOrigin(raw, context.publicUrl);
  }
}

function described({
  subject,
  kind,
  publish,
  subscribe,
  admin,
  expires,
}: Principal): Omit<z.infer<typeof who>, "login"> {
  return {
    subject,
    kind,
    publish: [...publish],
    subscribe: [...subscribe],
    admin,
    expires: expires === undefined ? null : new Date(expires).toISOString(),
  };
}

/** Throws `INVALID_INPUT`, or what is wrong with the channels. */
function askedTicket(
  body: unknown,
  most: number,
): { readonly channels: ReturnType<typeof checkedChannels> | undefined; readonly age: number } {
  const json = (body as { bytes?: Buffer } | undefined)?.bytes?.length ? jsonBody(body) : {};
  const given = isObject(json) ? json : { body: json };
  const { data, error } = ticketBody.safeParse(lenient(ticketBody, given));
  if (error !== undefined) throw new HubError("INVALID_INPUT", problems(error, given, Object.keys(ticketBody.shape)));
  const { channels, ttlSeconds = MAX_TICKET_AGE / 1000 } = data;
  return { channels: channels && checkedChannels(channels, most), age: ttlSeconds * 1000 };
}
