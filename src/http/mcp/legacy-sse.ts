import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Backlog, Holder } from "../../core/backlog.ts";
import { dropEmptyFields, SseSessions, type MessageStream, type Sessions } from "../../mcp/index.ts";
import { HEARTBEAT, sseEvent, sseMessage } from "../../protocol/sse.ts";
import type { HttpContext } from "../context.ts";
import { RETRY_AFTER } from "../problem-details.ts";
import { jsonBody } from "../json-body.ts";
import { endGracefully, EventStream, freeSocket } from "../sse/raw-socket.ts";
import { queryOf } from "../channel-query.ts";
import { WriteGuard } from "../write-guard.ts";

const STREAM = "/sse";
const MESSAGES = "/messages";

/** `GET /sse` and `POST /messages`: MCP over HTTP+SSE, the transport of revision 2024-11-05 that others replaced. */
export function legacySse(scope: FastifyInstance, context: HttpContext, sessions: Sessions): void {
  const sse = new SseSessions(sessions);
  const schema = {
    tags: ["mcp"],
    description: "HTTP+SSE of the Model Context Protocol, as revision 2024-11-05 has it.",
  };
  scope.get(
    STREAM,
    { schema: { ...schema, summary: "Open an MCP session" }, exposeHeadRoute: false },
    (request, reply) => open(request, reply, context, sse),
  );
  scope.post(MESSAGES, { schema: { ...schema, summary: "Send to an MCP session" } }, async (request, reply) => {
    const id = queryOf(request.url).get("sessionId");
    const answer = await sse.receive(id, dropEmptyFields(jsonBody(request.body)), context.principal());
    if (answer.status === 503) reply.header("retry-after", RETRY_AFTER);
    reply.status(answer.status).headers(Object.fromEntries(answer.headers));
    return reply.send(answer.body === null ? undefined : await answer.text());
  });
}

async function open(
  request: FastifyRequest,
  reply: FastifyReply,
  { hub, connections, limits, heartbeat, principal }: HttpContext,
  sse: SseSessions,
): Promise<FastifyReply> {
  const socket = freeSocket(request, reply);
  const leave = connections.enter("mcp", socket);
  const client = connections.client(socket);
  const stream = new SessionStream(socket, limits.pending, hub.backlog);
  let session: Awaited<ReturnType<SseSessions["begin"]>>;
  try {
    session = await sse.begin(principal(), stream, () => connections.enter("waiting", client));
  } catch (error) {
    leave();
    throw error;
  }
  const heart = setInterval(() => stream.comment(), heartbeat * 1000).unref();
  const over = (): void => {
    clearInterval(heart);
    hub.backlog.forget(stream);
    leave();
    session.end();
  };
  reply.hijack();
  // Not inside the parser, which may go on to requests behind this one: their answers would end up in the stream.
  await turn();
  if (!socket.writable) over();
  else {
    socket.once("close", over);
    const opening = sseEvent({ event: "endpoint", data: `${MESSAGES}?sessionId=${session.id}` });
    stream.begin(new EventStream(socket, request, reply, opening));
  }
  return reply;
}

/** What a session says, as events on a connection that it has to itself. */
class SessionStream implements MessageStream, Holder {
  readonly #socket: Socket;
  readonly #guard: WriteGuard;
  readonly #backlog: Backlog;
  #stream: EventStream | undefined;

  constructor(socket: Socket, most: number, backlog: Backlog) {
    this.#socket = socket;
    this.#backlog = backlog;
    this.#guard = new WriteGuard(most);
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  cut(): void {
    this.#socket.destroy();
  }

  begin(stream: EventStream): void {
    this.#stream = stream;
  }

  write(message: string): void {
    this.#send(sseMessage(message));
  }

  comment(): void {
    this.#send(HEARTBEAT);
  }

  end(): void {
    if (this.#stream === undefined) endGracefully(this.#socket);
    else this.#stream.end();
  }

  #send(text: string): void {
    if (!this.#socket.writable || this.#stream === undefined) return;
    // This transport cannot be resumed, so the rest of what it says would be lost.
    if (this.#guard.check(this.pending) !== "ok") return this.cut();
    const bytes = this.#stream.framed(text);
    if (!this.#socket.write(bytes)) this.#backlog.add(this, bytes);
  }
}
