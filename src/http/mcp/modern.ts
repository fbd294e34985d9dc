import type { FastifyReply, FastifyRequest } from "fastify";
import type { Principal } from "../../core/principal.ts";
import { answerModern, type McpContext, type ModernRequest, type NotificationStream } from "../../mcp/index.ts";
import { ConnectionCall } from "../connection-calls.ts";
import type { HttpContext } from "../context.ts";
import { RETRY_AFTER } from "../problem-details.ts";
import { sendJson } from "../json-body.ts";
import { AnswerOutlet, StayingOutlet, type EndedOutlet } from "./streams.ts";
import { freeSocket } from "../sse/raw-socket.ts";

/** Answers a POST of the era without sessions; `body` is any JSON. */
export async function modern(
  request: FastifyRequest,
  reply: FastifyReply,
  body: unknown,
  context: HttpContext,
  mcpContext: McpContext,
): Promise<FastifyReply> {
  using connection = new ConnectionCall(request.raw.socket);
  const asked = new HttpRequest(request, reply, body, connection, context);
  const answer = await answerModern(asked, mcpContext);
  const { outlet } = asked;
  if (answer.cause !== undefined) request.log.error(answer.cause, "an MCP method failed");
  if (outlet !== undefined) {
    outlet.end(answer.text);
    return reply;
  }
  if (answer.retry === true) reply.header("retry-after", RETRY_AFTER);
  if (answer.text === "") return reply.status(answer.status).send();
  return sendJson(reply.status(answer.status), answer.text);
}

/** A POST as it came over HTTP. */
class HttpRequest implements ModernRequest {
  readonly body: unknown;
  readonly principal: Principal;
  /** What the answer goes through if it is a stream. */
  outlet: EndedOutlet | undefined;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #connection: ConnectionCall;
  readonly #context: HttpContext;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    body: unknown,
    connection: ConnectionCall,
    context: HttpContext,
  ) {
    this.#request = request;
    this.#reply = reply;
    this.#connection = connection;
    this.#context = context;
    this.body = body;
    this.principal = context.principal();
  }

  get signal(): AbortSignal {
    return this.#connection.signal;
  }

  readonly headers = (name: string): string | undefined => headerOf(this.#request, name);

  readonly stay = (): (() => void) => this.#context.connections.enter("waiting", this.#request.raw.socket);

  stream(): NotificationStream {
    const { heartbeat, limits, hub } = this.#context;
    return (this.outlet ??= new AnswerOutlet(this.#reply, heartbeat * 1000, limits.pending, hub.backlog));
  }

  openDedicated(): NotificationStream {
    const free = freeSocket(this.#request, this.#reply);
    free.once("close", this.#context.connections.enter("mcp", free));
    return (this.outlet = new StayingOutlet(free, this.#request, this.#reply));
  }
}

/** One header of a request, by lower-case name; where it came more than once, all its values. */
export function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join(", ");
}
