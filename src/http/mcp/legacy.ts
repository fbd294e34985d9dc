import { setImmediate as turn } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { challengeHeader } from "../../auth/challenge.ts";
import { HubError } from "../../core/errors.ts";
import { accepts, idProblem, kindOf } from "../../mcp/classify.ts";
import { asMcpError, CODES, isObject, LEGACY_VERSIONS, McpError, shown, type JsonObject } from "../../mcp/errors.ts";
import { OWN_STREAM } from "../../mcp/legacy/event-ring.ts";
import { clientOf } from "../../mcp/legacy/session-state.ts";
import type { SessionOwner, SessionStore } from "../../mcp/legacy/session-store.ts";
import { Answers } from "./answers.ts";
import type { SessionConnection, SessionStream } from "../../mcp/legacy/session-stream.ts";
import type { LegacySession } from "../../mcp/legacy/session.ts";
import { checkedPost, checkInitialize, idsOf, NO_SESSION, Refusal, REFUSED } from "../../mcp/legacy/validate.ts";
import { authorize } from "../../mcp/authorize.ts";
import type { Catalog } from "../../mcp/definitions.ts";
import { rpcError } from "../../protocol/jsonrpc.ts";
import type { Caller } from "../../ops/connections.ts";
import { callerOf, enter, openedBy, type HttpContext } from "../context.ts";
import { sendJson } from "../json-body.ts";
import { RETRY_AFTER, rateLimitHeaders } from "../problem-details.ts";
import { admitMessage } from "./admission.ts";
import { actorIn, ownerOf, sessionStream } from "./session-owner.ts";
import { freeSocket } from "../sse/raw-socket.ts";
import { headerOf } from "./modern.ts";
import { McpStream, streamBounds } from "./streams.ts";

const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";
const ID_HEADER = "mcp-session-id";
const NO_ERA =
  "Say which protocol this is: send initialize to open a session and its Mcp-Session-Id from then on, or the " +
  "MCP-Protocol-Version header and params._meta of revision 2026-07-28. Plain JSON-RPC without either is answered at " +
  "/mcp/tools/list and /mcp/tools/call";

/** Streamable HTTP of the revisions with sessions (2025-11-25, "Transports"). */
export class StreamableHttp {
  readonly #context: HttpContext;
  readonly #store: SessionStore;
  readonly #catalog: Catalog;
  /** How to count out the connection that a stream was given by GET. */
  readonly #places = new WeakMap<SessionConnection, () => void>();

  constructor(context: HttpContext, store: SessionStore, catalog: Catalog) {
    this.#context = context;
    this.#catalog = catalog;
    this.#store = store;
  }

  /** Answers a POST, GET or DELETE; `body` is the JSON of a POST. */
  async answer(request: FastifyRequest, reply: FastifyReply, body?: unknown): Promise<FastifyReply> {
    try {
      return await this.#answer(request, reply, body);
    } catch (error) {
      if (error instanceof Refusal) return refuse(reply, error, this.#context);
      throw error;
    }
  }

  async #answer(request: FastifyRequest, reply: FastifyReply, body: unknown): Promise<FastifyReply> {
    const { method } = request;
    const asked = headerOf(request, ID_HEADER);
    const owner = ownerOf(request, this.#context);
    const session = asked === undefined ? undefined : await this.#find(asked, owner, body);
    if (session === undefined || session.isOver) {
      // A client whose session is over begins another, and some go on sending the old id until they have it.
      const isInitialize = isObject(body) && body["method"] === "initialize";
      if (method === "POST" && (asked === undefined || isInitialize)) return this.#open(request, reply, body, owner);
      if (asked === undefined) {
        reply.header("allow", "POST");
        const sentence = "GET and DELETE belong to a session; send its Mcp-Session-Id, or use POST";
        throw new Refusal(405, CODES.invalidRequest, sentence, undefined);
      }
      throw new Refusal(404, NO_SESSION, "Session not found: it has ended or never was; initialize again", body);
    }
    // The revision agreed on holds, whichever of those there are the header names.
    const named = headerOf(request, "mcp-protocol-version") ?? "";
    if (named !== "" && !LEGACY_VERSIONS.includes(named)) {
      const sentence = `MCP-Protocol-Version says ${shown(named)}; sessions speak ${LEGACY_VERSIONS.join(", ")}`;
      throw new Refusal(400, REFUSED, sentence, body);
    }
    if (method === "GET") return this.#listen(request, reply, session, owner);
    if (method === "DELETE") {
      await this.#store.end(session).catch((error: unknown) => refused(error, body));
      return reply.status(200).send();
    }
    const messages = checkedPost(body, session);
    checkAccept(request, body);
    const caller = callerOf(request.raw, owner.principal, this.#context);
    for (const message of messages) {
      admitted(message, caller, this.#context, this.#catalog);
      await authorize(message, owner.principal, this.#catalog).catch((error: unknown) => refused(error, body));
    }
    const leave = this.#store.use(session);
    const { isPrimed } = session;
    return this.#post(request, reply, {
      session,
      owner: actorIn(session, owner, request, this.#context),
      leave,
      messages,
      isBatch: Array.isArray(body),
      isPrimed,
    });
  }

  #find(id: string, owner: SessionOwner, body: unknown): Promise<LegacySession | undefined> {
    return this.#store.find(id, owner).catch((error: unknown) => refused(error, body));
  }

  async #open(request: FastifyRequest, reply: FastifyReply, body: unknown, owner: SessionOwner): Promise<FastifyReply> {
    if (!isObject(body) || body["method"] !== "initialize" || kindOf(body) !== "request")
      throw new Refusal(400, REFUSED, idProblem(body) ?? NO_ERA, body);
    checkInitialize(body);
    // Before another session makes room for this one.
    checkAccept(request, body);
    const params = body["params"] as JsonObject;
    const client = clientOf(params);
    const { session, leave } = await this.#store.begin(owner, client).catch((error: unknown) => refused(error, body));
    // A client that asked for a revision that there is not may not understand what the one it is given allows.
    const isPrimed = session.isPrimed && params["protocolVersion"] === client.version;
    return this.#post(request, reply, {
      session,
      owner: actorIn(session, owner, request, this.#context),
      leave,
      messages: [body],
      isBatch: false,
      isPrimed,
    });
  }

  async #post(
    request: FastifyRequest,
    reply: FastifyReply,
    { session, owner, leave, messages, isBatch, isPrimed }: SessionPost,
  ): Promise<FastifyReply> {
    if (idsOf(messages).length === 0) {
      const unclaimed = session.receive(messages, owner);
      leave();
      await this.#store.forward(session, unclaimed).catch((error: unknown) => refused(error, messages[0]));
      return reply.status(202).send();
    }
    reply.header(ID_HEADER, session.id);
    if (!reply.raw.destroyed) {
      const depart = session.state.connect();
      reply.raw.once("close", () => depart(!reply.raw.writableFinished));
    }
    if (!accepts(headerOf(request, "accept") ?? null, EVENTS_TYPE)) {
      const answers = await new Promise<readonly string[]>((resolve) => {
        this.#receive(messages, owner, session, session.stream(new Answers(resolve), isPrimed));
      });
      leave();
      // What was cancelled is never answered.
      if (answers.length === 0) return reply.status(202).send();
      return sendJson(reply, isBatch ? `[${answers.join()}]` : (answers[0] as string));
    }
    const { raw } = reply;
    if (raw.destroyed) {
      this.#receive(messages, owner, session, session.stream(undefined, isPrimed));
      leave();
      return reply;
    }
    const connection = McpStream.sessionAnswer(reply, streamBounds(this.#context));
    if (!isPrimed) raw.flushHeaders();
    const stream = session.stream(connection, isPrimed);
    raw.once("close", () => {
      session.detach(stream.name, connection);
      leave();
    });
    this.#receive(messages, owner, session, stream);
    return reply;
  }

  /** Its answers go down the stream, whatever becomes of the responses of the client beside them. */
  #receive(messages: readonly JsonObject[], owner: SessionOwner, session: LegacySession, stream: SessionStream): void {
    const unclaimed = session.receive(messages, owner, stream);
    this.#store.forward(session, unclaimed).catch(() => {});
  }

  /** Answers a GET: with the session's own stream, or with one that broke and is asked for again. */
  async #listen(
    request: FastifyRequest,
    reply: FastifyReply,
    session: LegacySession,
    owner: SessionOwner,
  ): Promise<FastifyReply> {
    if (!accepts(headerOf(request, "accept") ?? null, EVENTS_TYPE)) {
      const sentence = `The stream of a session is ${EVENTS_TYPE}; Accept must take that`;
      throw new Refusal(406, REFUSED, sentence, undefined);
    }
    const last = headerOf(request, "last-event-id") ?? "";
    const isForgotten = session.isForgotten(last);
    const isNew = last === "" || isForgotten;
    const name = isNew ? OWN_STREAM : session.streamOf(last);
    if (name === undefined) {
      const sentence = "Last-Event-ID is none of this session's, or too old; leave it out for a new stream";
      throw new Refusal(400, REFUSED, sentence, undefined);
    }
    const socket = freeSocket(request, reply);
    // It would not come back if the connection it had were any good.
    const previous = session.connectionOf(name);
    if (previous !== undefined) {
      session.detach(name, previous);
      previous.cut();
      this.#places.get(previous)?.();
    }
    const caller = callerOf(request.raw, owner.principal, this.#context);
    const countOut = enter(this.#context, "mcp", socket, caller);
    const leave = this.#store.use(session);
    const over = (): void => {
      countOut();
      leave();
    };
    reply.header(ID_HEADER, session.id);
    const bounds = streamBounds(this.#context);
    let connection: McpStream;
    if (name === OWN_STREAM) {
      reply.hijack();
      // Not inside the parser, which may go on to requests after this one: their answers would end up in the stream.
      await turn();
      if (!socket.writable) {
        over();
        return reply;
      }
      connection = McpStream.dedicated(socket, request, reply, bounds);
    } else {
      connection = McpStream.sessionAnswer(reply, bounds);
      reply.raw.flushHeaders();
    }
    const release = this.#context.lifetimes.hold(owner.principal, { end: () => connection.end() });
    const unlist = this.#context.open.add(
      sessionStream(session, openedBy(request.raw, caller), name === OWN_STREAM ? socket : undefined, () =>
        connection.end(),
      ),
    );
    this.#places.set(connection, over);
    const depart = session.state.connect();
    (name === OWN_STREAM ? socket : reply.raw).once("close", () => {
      session.detach(name, connection);
      unlist();
      depart(true);
      release();
      over();
    });
    // The server cannot know what it missed, nor what went to a connection that it no longer had.
    if (isForgotten || (isNew && (previous !== undefined || session.state.isShared)))
      session.subscriptions.allChanged();
    if (name === OWN_STREAM) this.#store.recordStreamNode(session);
    if (isNew) session.listen(connection);
    else session.resume(name, connection, last);
    return reply;
  }
}

/** A POST in a session, which is in use until `leave` is called. */
interface SessionPost {
  readonly session: LegacySession;
  readonly owner: SessionOwner;
  readonly leave: () => void;
  readonly messages: readonly JsonObject[];
  readonly isBatch: boolean;
  /** Whether the client is told how to come back for the answers. */
  readonly isPrimed: boolean;
}

/** As `admitMessage`, with a refusal of the message. */
export function admitted(message: JsonObject, caller: Caller, context: HttpContext, catalog: Catalog): void {
  try {
    admitMessage(message, caller, context, catalog);
  } catch (error) {
    refused(error, message);
  }
}

/** Throws: what the hub refuses as a refusal of this request, everything else as it is. */
export function refused(error: unknown, body: unknown): never {
  if (!(error instanceof HubError) && !(error instanceof McpError)) throw error;
  const { code, message, data, challenge, retryAfter, rateLimit } = asMcpError(error);
  throw new Refusal(error.status, code, message, body, { data, challenge, retryAfter, rateLimit });
}

export function refuse(reply: FastifyReply, refusal: Refusal, { metadataUrl }: HttpContext): FastifyReply {
  const { status, code, message, id, data, retryAfter = status === 503 ? RETRY_AFTER : undefined } = refusal;
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  reply.headers(rateLimitHeaders(refusal));
  const challenge = challengeHeader(refusal, metadataUrl);
  if (challenge !== undefined) reply.header("www-authenticate", challenge);
  return sendJson(reply.status(status), rpcError(id, { code, message, ...(data === undefined ? {} : { data }) }));
}

/** Throws if the answer to a POST could be of no type that the client takes. */
function checkAccept(request: FastifyRequest, body: unknown): void {
  const accept = headerOf(request, "accept") ?? null;
  if (accepts(accept, EVENTS_TYPE) || accepts(accept, JSON_TYPE)) return;
  throw new Refusal(406, REFUSED, `Accept must take ${EVENTS_TYPE} or ${JSON_TYPE}`, body);
}
