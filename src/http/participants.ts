import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { identityOf, type Identity } from "../core/attendance.ts";
import type { Attendee, Participants } from "../core/participants.ts";
import type { Principal } from "../core/principal.ts";
import { participantsFor } from "../tools/index.ts";
import { principalOf } from "./authentication.ts";
import { callerOf, type HttpContext } from "./context.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;
/** Every browser calls itself so (RFC 9110, "User-Agent"), and next to nothing else does. */
const BROWSER = "Mozilla/5.0 (";

const query = z.strictObject({
  channel: z
    .string()
    .optional()
    .meta({ description: "A channel or pattern: only those who read any of it", examples: ["orders.*"] }),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT).describe("Participants at most"),
});
const waiting = z.union([
  z.object({ for: z.literal("messages"), channels: z.array(z.string()) }),
  z.object({ for: z.literal("answer"), channel: z.string(), question: z.string().describe("Its id") }),
]);
const participant = z.object({
  name: z.string().nullable(),
  kind: z.enum(["person", "agent", "service"]),
  verified: z.boolean().describe("Whether the name is that of its credential"),
  state: z
    .enum(["connected", "idle", "waiting"])
    .describe("idle: an agent that has nothing open and called a moment ago"),
  since: z.iso.datetime().describe("When the state began; for an idle agent, when it called last"),
  waiting: waiting.nullable(),
  channels: z.array(z.string()).describe("What it reads, as far as you may read it, too"),
  moreChannels: z.int(),
  nodes: z.array(z.string()),
});
const answer = z.object({
  participants: z.array(participant),
  total: z.int(),
  more: z.boolean().describe("Whether some are left out"),
});

/** `GET /participants`: the people, agents and services that are connected now. */
export function participantRoute(app: FastifyInstance, context: HttpContext): void {
  const schema = {
    summary: "List who is here",
    description:
      "People, agents and services that are connected to any node now, each once however many connections it has, and " +
      "of each what you may read, too. Readers with `watch=true` are left out.",
    tags: ["receive"],
    querystring: query,
    response: { 200: answer },
  };
  app.get("/participants", { schema }, async (request, reply) => {
    const asked = request.query as z.output<typeof query>;
    const { participants, rateLimits } = context;
    const { principal, address } = callerOf(request.raw, principalOf(request, context), context);
    const listed = participantsFor(asked, { principal, participants });
    rateLimits.admit(principal, address, "history_pages");
    return reply.header("cache-control", "no-store").send(listed);
  });
}

/** `?reader=` of a stream. */
export const readerParameter: z.ZodType = z
  .string()
  .optional()
  .meta({
    description: "An id of its own, which `data.reader` of its announcements on `hub.presence.*` has: they name it",
    examples: ["k3x9w2"],
  });

/** Lists a reader until the function returned is called. */
export function attended(
  { names }: Pick<Participants, "names">,
  attendee: Attendee,
  reader: string | undefined,
): () => void {
  const depart = attendee.connect();
  const unfollow = reader === undefined ? undefined : names.follow(reader, attendee);
  return () => {
    unfollow?.();
    depart();
  };
}

/** Who reads through a door that is not MCP: a person if it is a browser, else a service. */
export function readerIdentity(principal: Principal, headers: IncomingHttpHeaders): Identity {
  const isPerson = principal.kind === "session" || headers["user-agent"]?.startsWith(BROWSER) === true;
  return identityOf(principal, isPerson ? "person" : "service");
}
