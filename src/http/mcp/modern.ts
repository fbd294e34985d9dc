import type { FastifyReply, FastifyRequest } from "fastify";
import type { McpContext } from "../../mcp/catalog.ts";
import { isObject, META } from "../../mcp/errors.ts";
import { senderOf } from "../../mcp/modern/envelope.ts";
import { answerModern, type ModernPost } from "../../mcp/modern/handler.ts";
import { challengeHeader } from "../../auth/challenge.ts";
import { principalOf } from "../authentication.ts";
import { ConnectionCall } from "../connection-call.ts";
import { admitFor, callerOf, enter, openedBy, stayFor, type HttpContext } from "../context.ts";
import { sendJson } from "../json-body.ts";
import { RETRY_AFTER, rateLimitHeaders } from "../problem-details.ts";
import { logFields } from "../request-id.ts";
import { admitMessage } from "./admission.ts";
import { freeSocket } from "../sse/raw-socket.ts";
import { McpStream, streamBounds } from "./streams.ts";

/** Answers a POST of the era without sessions; `body` is any JSON. */
export async function modern(
  request: FastifyRequest,
  reply: FastifyReply,
  body: unknown,
  context: HttpContext,
  mcpContext: McpContext,
): Promise<FastifyReply> {
  const { socket } = request.raw;
  const principal = principalOf(request, context);
  const caller = callerOf(request.raw, principal, context);
  using connection = new ConnectionCall(socket);
  let stream: McpStream | undefined;
  const by = (): ReturnType<typeof openedBy> => {
    const { client, ...rest } = openedBy(request.raw, caller);
    return { ...rest, client: clientIn(body) ?? client };
  };
  const post: ModernPost = {
    body,
    principal,
    signal: () => connection.signal,
    headers: (name) => headerOf(request, name),
    stay: (end, channels) => stayFor(context, socket, caller, by().client)(end, channels),
    admit: admitFor(context, caller),
    correlation: request,
    begin: (message) => admitMessage(message, caller, context, mcpContext.catalog),
    stream: () => (stream ??= McpStream.answer(reply, streamBounds(context))),
    openDedicated(channels, onEnd = () => connection.abort()) {
      const free = freeSocket(request, reply);
      free.once("close", enter(context, "mcp", free, caller));
      free.once("close", context.lifetimes.hold(principal, { end: onEnd }));
      const listed = { ...by(), door: "listen", channels, watches: false, socket: free, end: () => onEnd() } as const;
      free.once("close", context.open.add(listed));
      reply.hijack();
      return (stream = McpStream.dedicated(free, request, reply));
    },
  };
  const answer = await answerModern(post, mcpContext);
  const { status, text, retry, cause, retryAfter = retry === true ? RETRY_AFTER : undefined } = answer;
  if (cause !== undefined) request.log.error(logFields(cause, request), "an MCP method failed");
  if (stream !== undefined) {
    stream.end(text);
    return reply;
  }
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  reply.headers(rateLimitHeaders(answer));
  const challenge = challengeHeader(answer, context.metadataUrl);
  if (challenge !== undefined) reply.header("www-authenticate", challenge);
  if (text === "") return reply.status(status).send();
  return sendJson(reply.status(status), text);
}

/** One header of a request, by lower-case name; where it came more than once, all its values. */
export function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join(", ");
}

/** The name by which a client introduces itself in a request; undefined if it does not. */
function clientIn(body: unknown): string | undefined {
  const params = isObject(body) ? body["params"] : undefined;
  const meta = isObject(params) ? params["_meta"] : undefined;
  return isObject(meta) ? senderOf(meta[META.clientInfo]) : undefined;
}
