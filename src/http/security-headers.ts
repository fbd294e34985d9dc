import type { FastifyInstance } from "fastify";
import { isOriginListed, type CallerRules } from "./host-and-origin.ts";

const METHODS = "GET, POST, DELETE, OPTIONS";
/** Beside the headers that every page may read. */
const READABLE = "Mcp-Session-Id, Retry-After, WWW-Authenticate";
/** Seconds for which a browser need not ask again. */
const MAX_AGE = 600;

/**
 * The security headers of every response. Only the proxy that terminates TLS knows whether a whole domain uses HTTPS,
 * so Strict-Transport-Security is not among them.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  // Pages load what they need from our own origin and nothing else; data loads nothing.
  "content-security-policy": [
    "default-src 'none'",
    "base-uri 'none'",
    "connect-src 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "script-src 'self'",
    "style-src 'self'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-site",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/**
 * Lets pages read what they are answered (Fetch, "CORS protocol"). Comes after `checkCaller`, which has refused the
 * pages of origins that may not call; what the others want to send, they may. Only the origins that the settings name
 * may read what a browser's session is answered.
 */
export function cors(app: FastifyInstance, callers: CallerRules): void {
  app.addHook("onRequest", ({ method, headers }, reply, next) => {
    reply.header("vary", "Origin");
    const { origin = "" } = headers;
    if (origin === "") return next();
    reply.header("access-control-allow-origin", origin);
    if (isOriginListed(origin, callers)) reply.header("access-control-allow-credentials", "true");
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
