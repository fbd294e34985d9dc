import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { HubError } from "../../core/errors.ts";
import type { McpContext } from "../../mcp/catalog.ts";
import { eraOf } from "../../mcp/classify.ts";
import { dropEmptyFields } from "../../mcp/empty-fields.ts";
import { asMcpError } from "../../mcp/errors.ts";
import type { SessionStore } from "../../mcp/legacy/session-store.ts";
import { rpcError } from "../../protocol/jsonrpc.ts";
import type { HttpContext } from "../context.ts";
import { asHubError, errorHeaders, keepOpen } from "../problem-details.ts";
import { bodyText, parsedBody, sendJson, takeAnyBody } from "../json-body.ts";
import { legacySse } from "./legacy-sse.ts";
import { StreamableHttp } from "./legacy.ts";
import { headerOf, modern } from "./modern.ts";
import { logFields } from "../request-id.ts";
import { sendRetry, takesOnlyEvents } from "../sse/raw-socket.ts";

/** What the MCP endpoint works with: made by `server.ts`. */
export interface McpDoor {
  readonly context: McpContext;
  readonly sessions: SessionStore;
  /** Whether MCP over HTTP+SSE is served, too. */
  readonly legacySse: boolean;
}

const PATH = "/mcp";

const requestBody = z
  .looseObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.int()]).optional().describe("Left out in notifications, which are not answered"),
    method: z.string(),
    params: z.looseObject({}).optional(),
  })
  .meta({
    examples: [
      {
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "curl", version: "1" } },
      },
    ],
  });
const sessionHeaders = z.looseObject({
  "mcp-session-id": z
    .string()
    .meta({ description: "The header that `initialize` was answered with", examples: ["SESSION"] }),
});

/** `/mcp`: the Model Context Protocol over Streamable HTTP, both eras on one address. */
export function mcp(app: FastifyInstance, context: HttpContext, door: McpDoor): void {
  const sessions = new StreamableHttp(context, door.sessions, door.context.catalog);
  void app.register(async (scope) => {
    takeAnyBody(scope);
    scope.setErrorHandler((error, request, reply) => {
      keepOpen(reply);
      const known = asHubError(error, context.limits.body);
      if (known.retry && takesOnlyEvents(request)) return sendRetry(reply, known);
      return fail(request, reply, known, context);
    });
    scope.post(
      PATH,
      { schema: { ...SCHEMA, summary: "Send a request of MCP", body: requestBody } },
      (request, reply) => {
        const text = bodyText(request.body, "INVALID_JSON");
        const body = dropEmptyFields(parsedBody(text, "INVALID_REQUEST", "The body"), text);
        return eraOf(body, (name) => headerOf(request, name)) === "modern"
          ? modern(request, reply, body, context, door.context)
          : sessions.answer(request, reply, body);
      },
    );
    scope.get(
      PATH,
      { schema: { ...SCHEMA, ...STREAM, headers: sessionHeaders }, exposeHeadRoute: false },
      (request, reply) => sessions.answer(request, reply),
    );
    scope.delete(
      PATH,
      { schema: { ...SCHEMA, summary: "End an MCP session", headers: sessionHeaders } },
      (request, reply) => sessions.answer(request, reply),
    );
    if (door.legacySse) legacySse(scope, context, door.sessions, door.context.catalog);
  });
}

function fail(request: FastifyRequest, reply: FastifyReply, error: HubError, context: HttpContext): FastifyReply {
  if (error.code === "INTERNAL") request.log.error(logFields(error.cause ?? error, request), "an MCP request failed");
  reply.headers(errorHeaders(error, context));
  const { code, message, data } = asMcpError(error);
  return sendJson(reply.status(error.status), rpcError(undefined, { code, message, data }));
}

const SCHEMA = {
  description:
    "Streamable HTTP of the Model Context Protocol: revision 2026-07-28 without sessions, and 2024-11-05 to " +
    "2025-11-25 with them (GET and DELETE belong to a session).",
  tags: ["mcp"],
};

const STREAM = {
  summary: "Messages of an MCP session",
  response: {
    200: { description: "A stream that stays open", content: { "text/event-stream": { schema: z.string() } } },
  },
};
