import { STATUS_CODES } from "node:http";
import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { hasGrants } from "../core/principal.ts";
import type { HttpContext } from "./context.ts";
import { securitySchemes, withCredentials } from "./route-credentials.ts";

/** `GET /openapi.json`, made from the schemas that validate; `GET /docs` shows it. Comes before the routes. */
export async function docs(app: FastifyInstance, { version, authenticator, basePath }: HttpContext): Promise<void> {
  const isOptional = hasGrants(authenticator.anonymous);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "sse-mcp-server",
        version,
        description: "The real-time hub for MCP: services, AI agents and people on the same channels.",
        license: { name: "MIT", identifier: "MIT" },
      },
      ...(basePath === "" ? {} : { servers: [{ url: basePath }] }),
      tags: [
        { name: "publish", description: "Messages in" },
        { name: "receive", description: "Messages out" },
        { name: "questions", description: "Asking people" },
        { name: "tools", description: "What agents call" },
        { name: "mcp", description: "The Model Context Protocol" },
        { name: "webhooks", description: "Messages posted to URLs" },
        { name: "access", description: "Sessions of browsers, and tickets" },
        { name: "operate", description: "Running it" },
      ],
      components: { securitySchemes: securitySchemes(basePath) },
    },
    transform: (document) => {
      const { schema, url } = jsonSchemaTransform(document);
      const method = [document.route.method].flat()[0] as string;
      if (schema.hide === true) return { schema, url };
      const whole = withCredentials(schema, url, method, isOptional);
      return { schema: { ...whole, operationId: idOf(method, url), response: named(whole.response) }, url };
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
}

/** `getScheduledId` for `GET /scheduled/:id`. */
function idOf(method: string, url: string): string {
  const words = url.split(/\W+/).filter((word) => word !== "");
  return method.toLowerCase() + words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`).join("");
}

/** The responses, of which those that say nothing about themselves are named by their status. */
function named(responses: unknown): Readonly<Record<string, object>> {
  const all = Object.entries((responses ?? { 200: { type: "null" } }) as Readonly<Record<string, object>>);
  return Object.fromEntries(
    all.map(([status, response]) => [
      status,
      "description" in response ? response : { ...response, description: STATUS_CODES[status] },
    ]),
  );
}
