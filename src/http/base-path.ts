import type { FastifyInstance } from "fastify";
import { ConfigError } from "../core/errors.ts";

/**
 * The URL of a request as the routes have it: without the path below which the server is reached, which some proxies pass
 * on and others remove. `basePath` is empty or such as `/hub`.
 */
export function withoutBasePath(url: string, basePath: string): string {
  if (!url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest.startsWith("/")) return rest;
  return rest === "" || rest.startsWith("?") ? `/${rest}` : url;
}

/**
 * Watches the routes that are added from now on. The function returned throws `ConfigError` if one of them begins like
 * the path: then the server could not tell whether a proxy has removed it.
 */
export function watchBasePath(app: FastifyInstance, basePath: string): () => void {
  const first = firstSegment(basePath);
  let isTaken = false;
  app.addHook("onRoute", ({ url }) => {
    isTaken ||= basePath !== "" && firstSegment(url) === first;
  });
  return () => {
    if (!isTaken) return;
    const sentence = `/${first} is a path of this server's own; use another, such as /hub`;
    throw new ConfigError(`BASE_PATH is ${JSON.stringify(basePath)}, but ${sentence}`);
  };
}

function firstSegment(path: string): string {
  return path.split("/", 2)[1] ?? "";
}
