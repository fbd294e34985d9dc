import { isOriginListed, type CallerRules } from "./host-and-origin.ts";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { hostAddress, isLoopback } from "../protocol/address.ts";

const METHODS = "GET, POST, DELETE, OPTIONS";
/** Beside the headers that every page may read. */
const READABLE = "Mcp-Session-Id, X-Request-Id, Retry-After, WWW-Authenticate, RateLimit, RateLimit-Policy";
/** Seconds for which a browser need not ask again. */
const MAX_AGE = 600;

/** Seconds for which a browser comes over TLS only. */
const STRICT_AGE = 365 * 86_400;

/**
 * The security headers of every response. Without TLS of our own, only the proxy that terminates it knows whether a
 * whole domain uses HTTPS: Strict-Transport-Security comes from `strictTransport`.
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

/** Has browsers come over TLS only (RFC 6797): not to loopback names, which other servers of that machine share. */
export function strictTransport({ headers: { host = "" } }: FastifyRequest, reply: FastifyReply): void {
  if (isLoopback(hostAddress(host)?.name ?? "")) return;
  reply.header("strict-transport-security", `max-age=${STRICT_AGE}`);
}

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
