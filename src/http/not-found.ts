import type { FastifyInstance } from "fastify";
import { HubError } from "../core/errors.ts";
import { oneLine } from "../protocol/text.ts";
import type { HttpContext } from "./context.ts";
import { notFoundPage } from "./pages.ts";
import { problem } from "./problem-details.ts";

const MAX_SHOWN = 100;

/** Answers requests that no route takes: 405 for a wrong method, 404 for a wrong path. Call it before adding routes. */
export function notFound(app: FastifyInstance, { basePath }: Pick<HttpContext, "basePath">): void {
  const see = `see ${basePath}/docs`;
  const allowedMethods = allowedMethodsOf(app);
  app.setNotFoundHandler((request, reply) => {
    const { method, url, originalUrl } = request;
    const allowed = allowedMethods(url);
    const isWrongMethod = allowed.length > 0 && !allowed.includes(method);
    const known = isWrongMethod
      ? new HubError("METHOD_NOT_ALLOWED", `This path takes ${allowed.join(" and ")}, not ${method}; ${see}`)
      : new HubError("NOT_FOUND", `There is no ${method} ${oneLine(originalUrl.slice(0, MAX_SHOWN))}; ${see}`);
    if (isWrongMethod) reply.header("allow", allowed.join(", "));
    // A browser that opens an address accepts this first; a program that calls a route does not.
    else if (method === "GET" && request.headers.accept?.startsWith("text/html")) {
      return reply.status(404).header("content-type", "text/html; charset=utf-8").send(notFoundPage(url, originalUrl));
    }
    return reply.status(known.status).header("content-type", "application/problem+json").send(problem(known));
  });
}

/** The methods of a path of the routes that are added from now on; none if there is no such path. */
function allowedMethodsOf(app: FastifyInstance): (url: string) => readonly string[] {
  const routes: { readonly path: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    const path = new RegExp(`^${url.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/]+").replace(/\*/g, ".*")}$`);
    routes.push({ path, methods: [method].flat() });
  });
  return (url) => {
    const [given = ""] = url.split("?", 1);
    const path = given === "/" ? given : given.replace(/\/$/, "");
    const methods = routes.filter((route) => route.path.test(path)).flatMap((route) => route.methods);
    return [...new Set(methods)].filter((method) => method !== "OPTIONS").sort();
  };
}
