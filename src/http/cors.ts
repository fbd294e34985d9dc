import type { FastifyInstance } from "fastify";

const METHODS = "GET, POST, DELETE, OPTIONS";
/** Beside the headers that every page may read. */
const READABLE = "Mcp-Session-Id, Retry-After";
/** Seconds for which a browser need not ask again. */
const MAX_AGE = 600;

/**
 * Lets pages read what they are answered (Fetch, "CORS protocol"). Comes after `checkCaller`, which has refused the
 * pages of origins that may not call; what the others want to send, they may.
 */
export function cors(app: FastifyInstance): void {
  app.addHook("onRequest", ({ method, headers }, reply, next) => {
    reply.header("vary", "Origin");
    const { origin = "" } = headers;
    if (origin === "") return next();
    reply.header("access-control-allow-origin", origin);
    if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) {
      reply.header("access-control-expose-headers", READABLE);
      return next();
    }
    reply.headers({ "access-control-allow-methods": METHODS, "access-control-max-age": MAX_AGE });
    const wanted = headers["access-control-request-headers"];
    if (wanted !== undefined) reply.header("access-control-allow-headers", wanted);
    reply.status(204).send();
  });
  // The framework runs no hook for a method without a route.
  app.options("*", { schema: { hide: true } }, (_, reply) => reply.callNotFound());
}
