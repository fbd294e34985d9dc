import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import { z } from "zod";
import { checkAdmin } from "../core/principal.ts";
import { principalOf } from "./authentication.ts";
import type { HttpContext } from "./context.ts";

/** `GET /metrics`: Prometheus text. */
export function metrics(app: FastifyInstance, context: HttpContext, registry: Registry): void {
  const schema = {
    summary: "Prometheus metrics",
    tags: ["operate"],
    response: { 200: { description: "Prometheus text", content: { "text/plain": { schema: z.string() } } } },
  };
  app.get("/metrics", { schema }, async (request, reply) => {
    checkAdmin(principalOf(request, context), "read metrics");
    return reply.header("content-type", registry.contentType).send(await registry.metrics());
  });
}
