import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import type { BridgeStatus } from "../protocol/bridge-status.ts";
import type { HttpContext } from "./context.ts";
import { RETRY_AFTER } from "./problem-details.ts";

const live = z.object({ status: z.literal("alive"), version: z.string(), uptimeSeconds: z.number() });
const health = z.object({
  status: z.enum(["healthy", "unhealthy"]),
  version: z.string(),
  uptimeSeconds: z.number(),
  checks: z.object({
    bridges: z
      .string()
      .optional()
      .describe("with bridges: ok, or which of them do not run; counts for the status if one of these is required"),
    delivery: z.string().describe("ok, or why no message reached the log and came back"),
    accepting: z.string().describe("ok, or draining"),
    discovery: z
      .string()
      .optional()
      .describe("with a registry: ok, or how the registration stands; does not count for the status"),
  }),
});

/** Load balancers and probes ask for these by address, or by no name at all: they are answered whatever the `Host`. */
export const PROBES: ReadonlySet<string> = new Set(["/health", "/health/ready", "/health/live"]);

/**
 * `GET /health`, which proves delivery, by its usual name `/health/ready`, too, and `GET /health/live`, which answers as
 * long as the event loop runs.
 */
export function healthRoutes(app: FastifyInstance, context: HttpContext): void {
  const { proof } = context;
  const tags = ["operate"];
  const uptimeSeconds = (): number => Math.round(process.uptime());
  const { version } = context;

  const ready = async (_: unknown, reply: FastifyReply): Promise<FastifyReply> => {
    const delivery = await proof.state();
    const accepting = context.isDraining() ? "draining" : "ok";
    const { bridges, isUsable } = bridgesCheck(context.bridges?.status());
    const isHealthy = delivery === "ok" && accepting === "ok" && isUsable;
    if (!isHealthy) reply.status(503).header("retry-after", RETRY_AFTER);
    const status = isHealthy ? "healthy" : "unhealthy";
    // Whoever asks has found the server: a registry that is away does not make it unhealthy.
    const { discovery } = context;
    const checks = {
      delivery,
      accepting,
      ...(discovery && { discovery: discovery.state }),
      ...(bridges && { bridges }),
    };
    return reply.header("cache-control", "no-store").send({ status, version, uptimeSeconds: uptimeSeconds(), checks });
  };
  const response = { 200: health, 503: health };
  app.get("/health", { schema: { summary: "Whether messages are delivered", tags, response } }, ready);
  app.get("/health/ready", { schema: { summary: "The same as /health", tags, response } }, ready);

  app.get(
    "/health/live",
    { schema: { summary: "Whether the event loop runs", tags, response: { 200: live } } },
    async () => {
      return { status: "alive", version, uptimeSeconds: uptimeSeconds() };
    },
  );
}

/** What `/health` says of bridges: of those that do not run, and whether one of them is required. */
function bridgesCheck(status: readonly BridgeStatus[] | undefined): { bridges?: string; isUsable: boolean } {
  if (status === undefined) return { isUsable: true };
  const down = status.filter(({ state }) => state !== "running" && state !== "standby");
  // What went wrong may name addresses, which anyone may not see: the dashboard and the log have it.
  const bridges = down.length === 0 ? "ok" : down.map(({ name, state }) => `${name} is ${state}`).join(", ");
  return { bridges, isUsable: !down.some(({ required }) => required) };
}
