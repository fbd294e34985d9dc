import type { FastifyReply, FastifyRequest } from "fastify";
import { answerModern, type McpContext } from "../mcp/index.ts";
import { ConnectionCall } from "./connection-calls.ts";
import type { HttpContext } from "./context.ts";
import { RETRY_AFTER } from "./failures.ts";
import { sendJson } from "./json-body.ts";
import { AnswerOutlet, StayingOutlet, type EndedOutlet } from "./mcp-outlets.ts";
import { freeSocket } from "./stream.ts";

/** Answers a POST of the era without sessions; `body` is any JSON. */
export async function modern(
  request: FastifyRequest,
  reply: FastifyReply,
  body: unknown,
  { hub, connections, limits, heartbeat, principal }: HttpContext,
  mcpContext: McpContext,
): Promise<FastifyReply> {
  using connection = new ConnectionCall(request.raw.socket);
  let outlet: EndedOutlet | undefined;
  const answer = await answerModern(
    {
      headers: (name) => headerOf(request, name),
      body,
      principal: principal(),
      get signal() {
        return connection.signal;
      },
      stay: () => connections.enter("waiting", request.raw.socket),
      stream: () => (outlet ??= new AnswerOutlet(reply, heartbeat * 1000, limits.pending, hub.backlog)),
      takeOver: () => {
        const free = freeSocket(request, reply);
        free.once("close", connections.enter("mcp", free));
        return (outlet = new StayingOutlet(free, request, reply));
      },
    },
    mcpContext,
  );
  if (answer.cause !== undefined) request.log.error(answer.cause, "an MCP method failed");
  if (outlet !== undefined) {
    outlet.end(answer.text);
    return reply;
  }
  if (answer.retry === true) reply.header("retry-after", RETRY_AFTER);
  if (answer.text === "") return reply.status(answer.status).send();
  return sendJson(reply.status(answer.status), answer.text);
}

/** One header of a request, by lower-case name; where it came more than once, all its values. */
export function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join(", ");
}
