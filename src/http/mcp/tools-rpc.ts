import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { extractTrace } from "../../core/trace.ts";
import { callTool, lenient, problems } from "../../tools/index.ts";
import { isObject } from "../../protocol/json.ts";
import { ID_RULE, isId, MAX_ID, rpcError, rpcResult, type RpcId } from "../../protocol/jsonrpc.ts";
import { quoted } from "../../protocol/text.ts";
import { principalOf } from "../authentication.ts";
import { clientName } from "../../ops/open-connections.ts";
import { ConnectionCall } from "../connection-call.ts";
import { callerOf, requestContext, type HttpContext } from "../context.ts";
import { asHubError, errorHeaders, keepOpen } from "../problem-details.ts";
import { logFields } from "../request-id.ts";
import { bodyText, parsedBody, sendJson, takeAnyBody } from "../json-body.ts";

const id = z.union([z.string().max(MAX_ID, ID_RULE), z.int(ID_RULE), z.null()], { error: ID_RULE }).optional();
const anyRequest = z.looseObject({ jsonrpc: z.literal("2.0").optional(), id, method: z.string().optional() });
const listRequest = anyRequest.extend({ params: z.looseObject({}).optional() });
const callRequest = anyRequest.extend({
  params: z.looseObject({
    name: z.string().describe("A tool of /mcp/tools/list"),
    arguments: z.looseObject({}).optional().describe("Its input"),
  }),
});
const answer = z.object({ jsonrpc: z.literal("2.0"), id: z.union([z.string(), z.number(), z.null()]) });
const listAnswer = answer.extend({ result: z.object({ tools: z.array(z.looseObject({ name: z.string() })) }) });
const callAnswer = answer.extend({
  result: z.object({
    content: z.array(z.object({ type: z.literal("text"), text: z.string() })),
    structuredContent: z.looseObject({}).optional(),
    isError: z.boolean().optional().describe("The input was wrong; the text says how"),
  }),
});
const failure = answer.extend({
  error: z.object({ code: z.int(), message: z.string(), data: z.looseObject({}).optional() }),
});

type RpcBody = Readonly<Record<string, unknown>>;

interface CallParams {
  readonly name: string;
  readonly arguments?: unknown;
  readonly _meta?: unknown;
}

const MAX_SHOWN = 100;

/**
 * `POST /mcp/tools/list` and `POST /mcp/tools/call`: tools for callers with plain HTTP. The body is JSON whatever its
 * Content-Type says, which is safe because every Origin has been checked before.
 */
export function rpc(app: FastifyInstance, context: HttpContext): void {
  void app.register(async (scope) => {
    takeAnyBody(scope);
    scope.setErrorHandler((error, _, reply) => {
      keepOpen(reply);
      return fail(reply, null, asHubError(error, context.limits.body), context);
    });
    scope.post("/mcp/tools/list", { schema: listSchema }, (request, reply) => {
      const body = read(request.body);
      try {
        checked(body, listRequest, "tools/list");
      } catch (error) {
        return fail(reply, idOf(body), asHubError(error, context.limits.body), context);
      }
      return sendJson(reply, rpcResult(idOf(body), { tools: context.tools.listings }));
    });
    scope.post("/mcp/tools/call", { schema: callSchema }, (request, reply) => call(request, reply, context));
  });
}

async function call(request: FastifyRequest, reply: FastifyReply, context: HttpContext): Promise<FastifyReply> {
  const body = read(request.body);
  const { socket } = request.raw;
  using connection = new ConnectionCall(socket);
  try {
    const { name, arguments: input, _meta: meta } = calledIn(body) ?? checked(body, callRequest, "tools/call").params;
    const caller = callerOf(request.raw, principalOf(request, context), context);
    if (context.rateLimits.isOn) context.rateLimits.admit(caller.principal, caller.address, "tool_calls");
    const result = await callTool(
      context.tools.named(name),
      input,
      requestContext(context, connection, socket, caller, extractTrace(request, meta), {
        client: clientName(request.headers),
      }),
    );
    return sendJson(reply, rpcResult(idOf(body), result));
  } catch (error) {
    return fail(reply, idOf(body), asHubError(error, context.limits.body), context);
  }
}

/** A body as a JSON object, `{}` if there is none. Throws `INVALID_JSON` or `INVALID_REQUEST`. */
function read(body: unknown): RpcBody {
  const text = bodyText(body, "INVALID_JSON");
  const json = parsedBody(text.trim() === "" ? "{}" : text, "INVALID_REQUEST", "The body");
  if (!isObject(json)) {
    const sentence = 'The body must be a JSON object such as {"method": "tools/list"}; batches are not supported';
    throw new HubError("INVALID_REQUEST", sentence);
  }
  return json;
}

/** A request for one method, which may leave out its name. Throws `INVALID_REQUEST`, `INVALID_INPUT` or `UNKNOWN_METHOD`. */
function checked<Schema extends typeof listRequest | typeof callRequest>(
  body: RpcBody,
  schema: Schema,
  method: string,
): z.output<Schema> {
  const meant = lenient(schema, body);
  const { method: asked = method } = meant;
  if (asked !== method) {
    const shown = typeof asked === "string" ? quoted(asked.slice(0, MAX_SHOWN)) : "that";
    throw new HubError("UNKNOWN_METHOD", `This route answers ${method}, not ${shown}`);
  }
  const result = schema.safeParse(meant);
  if (!result.success) {
    const isAboutParams = result.error.issues.every(({ path }) => path[0] === "params");
    throw new HubError(isAboutParams ? "INVALID_INPUT" : "INVALID_REQUEST", problems(result.error, meant, []));
  }
  return result.data as z.output<Schema>;
}

/** The params of a call in its usual form, which needs no schema; undefined for `checked` to judge. */
function calledIn({
  jsonrpc = "2.0",
  id: given = null,
  method = "tools/call",
  params,
}: RpcBody): CallParams | undefined {
  const isKnown = given === null || isId(given);
  if (jsonrpc !== "2.0" || method !== "tools/call" || !isKnown || !isObject(params)) return undefined;
  const { name, arguments: input, _meta } = params;
  return typeof name === "string" && (input === undefined || isObject(input))
    ? { name, arguments: input, _meta }
    : undefined;
}

/** The id of a request; null if it has none that JSON-RPC allows. */
function idOf({ id: given }: RpcBody): RpcId {
  return isId(given) ? given : null;
}

function fail(reply: FastifyReply, callId: RpcId, error: HubError, context: HttpContext): FastifyReply {
  if (error.code === "INTERNAL") reply.log.error(logFields(error.cause ?? error, reply.request), "a tool failed");
  reply.headers(errorHeaders(error, context));
  const { rpcCode, message, code, retry } = error;
  return sendJson(reply.status(error.status), rpcError(callId, { code: rpcCode, message, data: { code, retry } }));
}

const listSchema = {
  summary: "List the tools",
  description: "JSON-RPC 2.0. The body may be a whole request, `{}` or nothing, sent as any Content-Type.",
  tags: ["tools"],
  body: listRequest.optional().meta({ examples: [{}] }),
  response: { 200: listAnswer, 400: failure },
};

const callSchema = {
  summary: "Call a tool",
  description: "JSON-RPC 2.0; `jsonrpc`, `id` and `method` may be left out. Any Content-Type.",
  tags: ["tools"],
  body: callRequest.meta({
    examples: [{ params: { name: "send_sse_message", arguments: { message: "Hello" } } }],
  }),
  response: { 200: callAnswer, 400: failure, 413: failure, 503: failure },
};
