import compress from "@fastify/compress";
import type { FastifyInstance, FastifyReply, RouteOptions } from "fastify";
import { PROBES } from "./health.ts";

/**
 * Routes whose answers are not compressed: streams and answers that are waited for, answers too small to gain from it, and those that say who someone
 * is, because the length of a compressed answer leaks what is in it (BREACH).
 */
const UNCOMPRESSED: ReadonlySet<string> = new Set([
  "/events",
  "/ws",
  "/sse",
  "/mcp",
  "/questions/:id",
  "/files/:id",
  ...PROBES,
  "/session",
  "/login/start",
  "/login/callback",
]);

/** Compresses what is read with GET, if it is long enough and the client accepts that. Comes before the routes. */
export async function compression(app: FastifyInstance): Promise<void> {
  app.addHook("onRoute", (route) => {
    // The plugin would add a hook to every other route.
    if (!isCompressed(route)) route.compress = false;
  });
  // By what it costs: Zstandard takes a third of the CPU time of the others, for about the same length.
  await app.register(compress, { encodings: ["zstd", "br", "gzip", "identity"], globalDecompression: false });
  app.addHook("onRoute", (route) => {
    if (!isCompressed(route)) return;
    const hooks = [route.onSend ?? []].flat();
    // The framework's hook of a HEAD route drops the body; only after compression are the headers those of GET.
    if (route.method === "HEAD") hooks.push(...hooks.splice(0, hooks.length - 1));
    route.onSend = [
      (_, reply, payload, next) => {
        // Also on answers that are not compressed, or caches would give them to everyone.
        varyByEncoding(reply);
        // A 304 has no body that could have a coding.
        next(null, reply.statusCode === 304 ? "" : payload);
      },
      ...hooks,
    ];
  });
}

/** Tells caches that an answer depends on `Accept-Encoding`. */
export function varyByEncoding(reply: FastifyReply): void {
  const names = [reply.getHeader("vary") ?? []].flat().join(", ");
  // Files that are compressed beforehand say so themselves.
  if (/\baccept-encoding\b/i.test(names)) return;
  reply.header("vary", names === "" ? "accept-encoding" : `${names}, accept-encoding`);
}

function isCompressed({ method, url }: RouteOptions): boolean {
  return [method].flat().some((name) => name === "GET" || name === "HEAD") && !UNCOMPRESSED.has(url);
}
