import { setImmediate as turn } from "node:timers/promises";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { kindOf } from "../../mcp/classify.ts";
import { dropEmptyFields } from "../../mcp/empty-fields.ts";
import { CODES } from "../../mcp/errors.ts";
import type { SessionStore } from "../../mcp/legacy/session-store.ts";
import { checkedPost, checkInitialize, NO_SESSION, Refusal, REFUSED } from "../../mcp/legacy/validate.ts";
import { authorize } from "../../mcp/authorize.ts";
import type { Catalog } from "../../mcp/definitions.ts";
import { sseEvent } from "../../protocol/sse.ts";
import { principalOf } from "../authentication.ts";
import { queryOf } from "../channel-query.ts";
import { callerOf, enter, openedBy, type HttpContext } from "../context.ts";
import { jsonBody } from "../json-body.ts";
import { freeSocket } from "../sse/raw-socket.ts";
import { admitted, refuse, refused } from "./legacy.ts";
import { actorIn, ownerOf, sessionStream } from "./session-owner.ts";
import { McpStream, streamBounds } from "./streams.ts";

const STREAM = "/sse";
const MESSAGES = "/messages";
/** Methods that may come before `initialize` (2024-11-05, "Lifecycle"). */
const EARLY: ReadonlySet<unknown> = new Set(["initialize", "ping"]);

/** `GET /sse` and `POST /messages`: MCP over HTTP+SSE, the transport of revision 2024-11-05 that others replaced. */
export function legacySse(scope: FastifyInstance, context: HttpContext, store: SessionStore, catalog: Catalog): void {
  const schema = {
    tags: ["mcp"],
    description: "HTTP+SSE of the Model Context Protocol, as revision 2024-11-05 has it.",
  };
  scope.get(
    STREAM,
    { schema: { ...schema, summary: "Open an MCP session" }, exposeHeadRoute: false },
    (request, reply) => open(request, reply, context, store),
  );
  scope.post(MESSAGES, { schema: { ...schema, summary: "Send to an MCP session" } }, async (request, reply) => {
    try {
      await receive(request, context, store, catalog);
    } catch (error) {
      if (error instanceof Refusal) return refuse(reply, error, context);
      throw error;
    }
    return reply.status(202).send();
  });
}

/** Begins a session that lasts as long as its stream. */
async function open(
  request: FastifyRequest,
  reply: FastifyReply,
  context: HttpContext,
  store: SessionStore,
): Promise<FastifyReply> {
  const socket = freeSocket(request, reply);
  const caller = callerOf(request.raw, principalOf(request, context), context);
  const countOut = enter(context, "mcp", socket, caller);
  let session: ReturnType<SessionStore["beginOnConnection"]>;
  try {
    session = store.beginOnConnection(ownerOf(request, context));
  } catch (error) {
    countOut();
    throw error;
  }
  // Never ended to make room for others: it could not be resumed.
  store.use(session);
  const over = (): void => {
    countOut();
    // At once: it is stored nowhere.
    void store.end(session);
  };
  reply.hijack();
  // Not inside the parser, which may go on to requests after this one: their answers would end up in the stream.
  await turn();
  if (!socket.writable) over();
  else {
    const release = context.lifetimes.hold(session.principal, { end: over });
    const unlist = context.open.add(sessionStream(session, openedBy(request.raw, caller), socket, over));
    const depart = session.state.connect();
    socket.once("close", () => {
      unlist();
      release();
      depart(true);
      over();
    });
    const opening = sseEvent({ event: "endpoint", data: `${context.basePath}${MESSAGES}?sessionId=${session.id}` });
    session.own.connection = McpStream.dedicated(socket, request, reply, streamBounds(context), opening);
  }
  return reply;
}

/** Takes what was posted to a session; its answers go down the stream. Throws `Refusal`. */
async function receive(
  request: FastifyRequest,
  context: HttpContext,
  store: SessionStore,
  catalog: Catalog,
): Promise<void> {
  const id = queryOf(request.url).get("sessionId");
  const body = dropEmptyFields(jsonBody(request.body));
  if (id === null || id === "") {
    const sentence = "sessionId is missing; post to the address that the endpoint event of GET /sse names";
    throw new Refusal(400, REFUSED, sentence, body);
  }
  const owner = ownerOf(request, context);
  const session = store.findOnConnection(id, owner);
  if (session === undefined) {
    const sentence = "Session not found: its stream has ended or never was; open another with GET /sse";
    throw new Refusal(404, NO_SESSION, sentence, body);
  }
  const messages = checkedPost(body, session);
  const [first] = messages;
  if (session.version === undefined && first !== undefined && kindOf(first) === "request") {
    if (!EARLY.has(first["method"])) throw new Refusal(400, CODES.invalidRequest, "Send initialize first", first);
    if (first["method"] === "initialize") checkInitialize(first);
  }
  const caller = callerOf(request.raw, owner.principal, context);
  for (const message of messages) {
    admitted(message, caller, context, catalog);
    await authorize(message, owner.principal, catalog).catch((error: unknown) => refused(error, body));
  }
  session.receive(messages, actorIn(session, owner, request, context));
}
