import type { FastifyReply, FastifyRequest } from "fastify";
import { answerModern, type McpContext, type ModernPost } from "../../mcp/index.ts";
import { ConnectionCall } from "../connection-calls.ts";
import type { HttpContext } from "../context.ts";
import { sendJson } from "../json-body.ts";
import { RETRY_AFTER } from "../problem-details.ts";
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
  using connection = new ConnectionCall(request.raw.socket);
  const post = new HttpPost(request, reply, body, connection, context);
  const answer = await answerModern(post, mcpContext);
  if (answer.cause !== undefined) request.log.error(answer.cause, "an MCP method failed");
  if (post.opened !== undefined) {
    post.opened.end(answer.text);
    return reply;
  }
  if (answer.retry === true) reply.header("retry-after", RETRY_AFTER);
  if (answer.text === "") return reply.status(answer.status).send();
  return sendJson(reply.status(answer.status), answer.text);
}

/** A POST as it came over HTTP. */
class HttpPost implements ModernPost {
  readonly body: unknown;
  readonly principal: ModernPost["principal"];
  /** What the answer goes through if it is a stream. */
  opened: McpStream | undefined;
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

  stream(): McpStream {
    return (this.opened ??= McpStream.answer(this.#reply, streamBounds(this.#context)));
  }

  openDedicated(): McpStream {
    const socket = freeSocket(this.#request, this.#reply);
    socket.once("close", this.#context.connections.enter("mcp", socket));
    this.#reply.hijack();
    return (this.opened = McpStream.dedicated(socket, this.#request, this.#reply));
  }
}

/** One header of a request, by lower-case name; where it came more than once, all its values. */
export function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join(", ");
}
