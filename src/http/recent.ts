import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { checkAdmin } from "../core/principal.ts";
import { principalOf } from "./authentication.ts";
import type { HttpContext } from "./context.ts";

const number = z.number();
const figures = z.object({
  time: z.iso.datetime(),
  messages: z.object({ publishedPerSecond: number, deliveredPerSecond: number }),
  delivery: z.object({ p50Ms: number.nullable(), p99Ms: number.nullable() }),
  connections: z.object({ sse: number, websocket: number, mcp: number, waiting: number }),
  cpu: z.object({ percent: number }),
  memory: z.object({ rssBytes: number, heapUsedBytes: number }),
  eventLoop: z.object({ delayMeanMs: number, delayP99Ms: number }),
});
const recent = z.object({
  stats: z.array(figures).describe("One a second, of the last ten minutes; the fields are those of `hub.stats`"),
  logs: z
    .array(z.object({ time: z.iso.datetime(), node: z.string(), level: z.string(), msg: z.string() }))
    .describe("The last 500 lines that `hub.logs` had"),
});

/** `GET /recent`: what this node did lately, so that whoever looks at `hub.stats` and `hub.logs` has a past to begin with. */
export function recentActivity(app: FastifyInstance, context: HttpContext): void {
  const schema = {
    summary: "Figures and log lines of the last minutes",
    description: "Of the node that answers, the oldest first, since it was started. For admins.",
    tags: ["operate"],
    querystring: z.strictObject({}),
    response: { 200: recent },
  };
  app.get("/recent", { schema }, async (request, reply) => {
    checkAdmin(principalOf(request, context), "read what the server did");
    return reply.header("cache-control", "no-store").send(context.recent.activity);
  });
}
