import type { FastifyInstance, FastifyReply } from "fastify";
import type { HttpContext } from "./context.ts";

const PATH = "/.well-known/oauth-protected-resource";
/** Seconds for which it may be kept. */
const MAX_AGE = 300;

/** Whether a URL is that of the metadata, which pages of any origin may read: MCP clients run in browsers, too. */
export function isResourceMetadata(url: string, basePath: string): boolean {
  return url.startsWith(PATH) && pathsFor(basePath).includes(url.split("?", 1)[0] as string);
}

/**
 * `GET /.well-known/oauth-protected-resource` and the same with the path of the MCP endpoint: where clients of OAuth
 * get their tokens (RFC 9728).
 */
export function resourceMetadata(app: FastifyInstance, { resourceMetadata: metadata, basePath }: HttpContext): void {
  if (metadata === undefined) return;
  const schema = {
    summary: "Where to get a token",
    description: "OAuth 2.0 Protected Resource Metadata (RFC 9728).",
    tags: ["operate"],
  };
  const answer = (_: unknown, reply: FastifyReply): unknown =>
    reply
      .headers({ "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin" })
      .header("cache-control", `public, max-age=${MAX_AGE}`)
      .send(metadata);
  for (const path of pathsFor(basePath)) app.get(path, { schema }, answer);
}

/** The paths of the metadata: at the root of the origin, with the base path of the server, if it has one, at the end. */
function pathsFor(basePath: string): readonly string[] {
  return [...new Set([PATH, `${PATH}/mcp`, PATH + basePath, `${PATH}${basePath}/mcp`])];
}
