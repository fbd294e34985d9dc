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
      return { schema: schema.hide === true ? schema : withCredentials(schema, url, method, isOptional), url };
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
}
