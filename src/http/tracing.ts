import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { RequestSpan, TraceContext, Tracer } from "../core/trace.ts";
import { isPublic } from "./authentication.ts";

const spans = new WeakMap<IncomingMessage, RequestSpan>();

/**
 * Makes a span of each request to the API, but not of those for pages, documentation, probes and `/metrics`. Comes before
 * the routes, and before authentication so that spans include it.
 */
export function tracing(app: FastifyInstance, tracer: Tracer): void {
  app.addHook("onRoute", (route) => {
    if (isPublic(route.url) || route.url === "/metrics" || route.method === "OPTIONS") return;
    const begin = (request: FastifyRequest, reply: FastifyReply, next: () => void): void => {
      const { method, url, raw } = request;
      const [path = ""] = url.split("?", 1);
      const scheme = request.protocol === "https" ? "https" : "http";
      const span = tracer.begin({ method, route: route.url, path, scheme, headers: raw.headers });
      request.trace = span.trace;
      spans.set(raw, span);
      reply.raw.once("close", () => endSpan(request, reply.raw.statusCode));
      next();
    };
    route.onRequest = [begin, ...[route.onRequest ?? []].flat()];
  });
}

/** Ends the span of a request, if it has one, when its answer was sent or has begun as a stream. */
export function endSpan({ raw }: FastifyRequest, status: number): void {
  spans.get(raw)?.end(status);
  spans.delete(raw);
}

declare module "fastify" {
  interface FastifyRequest {
    /** Its place in a trace; undefined if it is not traced. */
    trace: TraceContext | undefined;
  }
}
