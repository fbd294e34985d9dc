import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HubError } from "../core/errors.ts";
import { asMcpError, eraOf, Streamable, type McpContext, type Sessions } from "../mcp/index.ts";
import { rpcError } from "../wire/jsonrpc.ts";
import type { HttpContext } from "./context.ts";
import { asHubError, keepOpen, RETRY_AFTER } from "./failures.ts";
import { sendAnswer, webRequest } from "./mcp-legacy.ts";
import { headerOf, modern, sendJson } from "./mcp-modern.ts";

/** What the MCP endpoint works with: made by `server.ts`. */
export interface McpDoor {
  readonly context: McpContext;
  readonly sessions: Sessions;
}

const PATH = "/mcp";
/** Levels of arrays and objects in a body: what reads it later may need stack for each. */
const MAX_DEPTH = 128;

/** `/mcp`: the Model Context Protocol over Streamable HTTP, both eras on one address. */
export function mcp(app: FastifyInstance, context: HttpContext, door: McpDoor): void {
  const streamable = new Streamable(door.sessions);
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
    scope.addHook("onRequest", ({ raw }, _, done) => {
      // The framework refuses a Content-Type that it cannot read before any parser is asked.
      raw.headers["content-type"] = "application/json";
      done();
    });
    scope.setErrorHandler((error, request, reply) => {
      keepOpen(reply);
      return fail(request, reply, asHubError(error, context.limits.body));
    });
    scope.post(PATH, { schema: { ...SCHEMA, summary: "Model Context Protocol" } }, (request, reply) => {
      const body = parsed(request.body);
      return eraOf(body, (name) => headerOf(request, name)) === "modern"
        ? modern(request, reply, body, context, door.context)
        : legacy(request, reply, body, context, streamable);
    });
    scope.get(
      PATH,
      { schema: { ...SCHEMA, summary: "Messages of an MCP session" }, exposeHeadRoute: false },
      (request, reply) => legacy(request, reply, undefined, context, streamable),
    );
    scope.delete(PATH, { schema: { ...SCHEMA, summary: "End an MCP session" } }, (request, reply) =>
      legacy(request, reply, undefined, context, streamable),
    );
  });
}

async function legacy(
  request: FastifyRequest,
  reply: FastifyReply,
  body: unknown,
  context: HttpContext,
  streamable: Streamable,
): Promise<FastifyReply> {
  const leave = request.method === "GET" ? context.connections.enter("mcp") : (): void => {};
  let release = leave;
  try {
    const answer = await streamable.handle(webRequest(request), body, context.principal());
    release = (): void => {
      answer.release();
      leave();
    };
    return await sendAnswer(reply, answer, context.limits.pending, release);
  } catch (error) {
    release();
    throw error;
  }
}

/** A body as JSON. Throws `INVALID_JSON` or `INVALID_REQUEST`. */
function parsed(body: unknown): unknown {
  let json: unknown;
  try {
    json = JSON.parse(body as string);
  } catch (cause) {
    throw new HubError("INVALID_JSON", "The body is not JSON", { cause });
  }
  if (isDeeper(json, MAX_DEPTH)) {
    throw new HubError("INVALID_REQUEST", `The body is nested deeper than ${MAX_DEPTH} levels; flatten it`);
  }
  return json;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

function fail(request: FastifyRequest, reply: FastifyReply, error: HubError): FastifyReply {
  if (error.code === "INTERNAL") request.log.error(error.cause ?? error, "an MCP request failed");
  if (error.retry) reply.header("retry-after", RETRY_AFTER);
  const { code, message, data } = asMcpError(error);
  return sendJson(reply.status(error.status), rpcError(undefined, { code, message, data }));
}

const SCHEMA = {
  description:
    "Streamable HTTP of the Model Context Protocol: revision 2026-07-28 without sessions, and 2024-11-05 to " +
    "2025-11-25 with them (GET and DELETE belong to a session).",
  tags: ["mcp"],
};
