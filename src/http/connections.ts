import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { channelName } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import { checkAdmin } from "../core/principal.ts";
import { OPEN_DOORS, type OpenConnection } from "../protocol/open-connection.ts";
import { principalOf } from "./authentication.ts";
import type { HttpContext } from "./context.ts";
import { takeAnyBody } from "./json-body.ts";
import { limitParameter } from "./messages.ts";

const TAGS = ["operate"];
const MAX_ECHO = 64;

const params = z.object({ id: z.string().meta({ description: "As `GET /connections` lists it" }) });
const query = z.strictObject({
  door: z.enum(OPEN_DOORS).optional().describe("Only those at this door"),
  channel: z
    .string()
    .optional()
    .meta({ description: "Only those that read this channel, by name or by a pattern", examples: ["orders.eu"] }),
  after: z.string().optional().describe("`next` of the page before"),
  limit: limitParameter,
});
const connection = z.object({
  id: z.string(),
  door: z.enum(OPEN_DOORS).describe("listen: the stream that answers one request of MCP; waiting: a call that waits"),
  subject: z.string().describe("Who opened it, as their messages name them"),
  address: z.string(),
  client: z.string().nullable().describe("The name of an MCP client, or the `User-Agent`"),
  channels: z.array(z.string()).describe("What it reads; empty if that is not known"),
  watches: z.boolean().describe("It only watches, and does not count as a reader"),
  since: z.iso.datetime(),
  deliveredBytes: z.int().nullable().describe("Accepted by its socket; null if it shares its connection"),
  pendingBytes: z.int().nullable().describe("Written, and not accepted by its socket yet"),
});
const page = z.object({
  connections: z.array(connection),
  next: z.string().nullable().describe("What to go on with as `after`; null at the end"),
  total: z.int().describe("All that are open at this node, whatever was asked for"),
});

/** `/connections…`: lists what is open at this node, and ends it, for admins; in a scope of its own. */
export function connectionRoutes(app: FastifyInstance, context: HttpContext): void {
  const { open, audit } = context;
  takeAnyBody(app);

  app.get(
    "/connections",
    {
      schema: {
        summary: "List what is open",
        description:
          "At the node that answers, the oldest first: readers, streams of MCP, and calls that wait. For admins.",
        tags: TAGS,
        querystring: query,
        response: { 200: page },
      },
    },
    async (request, reply) => {
      checkAdmin(principalOf(request, context), "see what is connected");
      const { door, channel, after, limit } = request.query as z.output<typeof query>;
      const name = channel === undefined ? undefined : channelName(channel);
      const found = open.list({ door, channel: name, after, limit: limit + 1 });
      if (found === undefined) {
        const echo = JSON.stringify(after?.slice(0, MAX_ECHO));
        throw new HubError("INVALID_INPUT", `after is ${echo}; give next of the page before, from this node`);
      }
      const connections = found.slice(0, limit);
      const next = found.length > limit ? (connections.at(-1)?.id ?? null) : null;
      return reply.header("cache-control", "no-store").send({ connections, next, total: open.size });
    },
  );

  app.get(
    "/connections/:id",
    {
      schema: {
        summary: "Look at a connection",
        description: "For admins.",
        tags: TAGS,
        params,
        response: { 200: connection },
      },
    },
    async (request, reply) => {
      checkAdmin(principalOf(request, context), "see what is connected");
      const { id } = request.params as z.output<typeof params>;
      return reply.header("cache-control", "no-store").send(known(open.find(id)));
    },
  );

  app.delete(
    "/connections/:id",
    {
      schema: {
        summary: "End a connection",
        description:
          "It closes as if it had been open for as long as one may be, so its client comes back and resumes; to keep it " +
          "out, revoke its credential. A call that waits returns what it has. For admins.",
        tags: TAGS,
        params,
        response: { 204: z.undefined().describe("It is ended") },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request, context);
      checkAdmin(principal, "end a connection");
      const { id } = request.params as z.output<typeof params>;
      const { door, subject, address } = known(open.end(id));
      const reason = `the connection ${id} (${door}, from ${address || "this machine"}) was ended`;
      audit({ level: "info", action: "connection_ended", subject, by: principal.subject, reason });
      return reply.status(204).send();
    },
  );
}

function known(found: OpenConnection | undefined): OpenConnection {
  if (found !== undefined) return found;
  throw new HubError("NOT_FOUND", "There is no such connection at this node; GET /connections lists those there are");
}
