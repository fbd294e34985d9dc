import { HubError } from "../../core/errors.ts";
import type { Principal } from "../../core/principal.ts";
import { SseParser } from "../../protocol/sse.ts";
import { accepts } from "../accept.ts";
import { idProblem, kindOf } from "../classify.ts";
import { SentEvents } from "./event-store.ts";
import {
  cancelledBy,
  checkInitialize,
  checkPost,
  error,
  essential,
  idOf,
  idsOf,
  NO_SESSION,
  REFUSED,
  refusal,
} from "./validate.ts";
import { HttpTransport, OWN_STREAM, RETRY } from "./http-transport.ts";
import { CODES, isObject, LEGACY_VERSIONS, shown } from "../errors.ts";
import type { Entry, Sessions } from "./session-store.ts";

/** Bytes that all sessions together keep of what they sent, for clients that come back. */
const SENT_BYTES = 16 * 1024 * 1024;
const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";
/** From this revision on clients understand an event without data, which gives them a place to come back to. */
const FIRST_PRIMED = "2025-11-25";

/** The answer to a request. */
export interface Answer {
  readonly response: Response;
  /** How many requests are answered on a stream; none on that of the session itself. */
  readonly requests?: number;
  /** What a stream begins with, before its body. */
  readonly opening?: string;
  /** Aborted when the client has come back for a stream on another connection. */
  readonly gone?: AbortSignal;
  /** Says that it has been read to its end, or never will be. */
  readonly release: () => void;
}

/** Counts what a client holds open; the function returned counts it out again. Throws if there is no room. */
export interface Places {
  /** For a stream asked for by GET. */
  enter(): () => void;
  /** For the calls of a session that wait. */
  session(): () => () => void;
}

const FREE: Places = { enter: () => () => {}, session: () => () => () => {} };

type HttpEntry = Entry<HttpTransport>;

/** A connection that a stream was asked for on, by GET. */
interface Connection {
  readonly gone: AbortController;
  readonly release: () => void;
}

/** Streamable HTTP of the initialize era (2025-11-25, "Transports"), one request at a time. */
export class Streamable {
  readonly #sessions: Sessions;
  readonly #sent = new SentEvents(SENT_BYTES);
  readonly #streams = new WeakMap<HttpEntry, Map<string, Connection>>();

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** Answers one request; `body` is the JSON of a POST. */
  async handle(request: Request, body: unknown, principal: Principal, places: Places = FREE): Promise<Answer> {
    const asked = request.headers.get("mcp-session-id");
    if (asked === null)
      return request.method === "POST" ? this.#open(request, body, principal, places) : refused(notAllowed());
    const entry = this.#sessions.find(asked, principal, HttpTransport);
    if (entry === undefined) {
      // A client whose session is over begins another, and some go on sending the old id until they have it.
      if (isObject(body) && body["method"] === "initialize") return this.#open(request, body, principal, places);
      const sentence = "Session not found: it has ended or never was; initialize again";
      return refused(error(404, NO_SESSION, sentence, idOf(body)));
    }
    const { version } = entry.session;
    const named = request.headers.get("mcp-protocol-version");
    if (named !== null && named !== "" && !LEGACY_VERSIONS.includes(named)) {
      const sentence = `MCP-Protocol-Version says ${shown(named)}; sessions speak ${LEGACY_VERSIONS.join(", ")}`;
      return refused(error(400, REFUSED, sentence, idOf(body)));
    }
    // What was agreed on holds: some clients name another revision, and the SDK takes none for 2025-03-26.
    if (version !== undefined) request.headers.set("mcp-protocol-version", version);
    if (request.method === "GET") return this.#listen(entry, request, places);
    if (request.method !== "POST") return refused(await entry.transport.handleRequest(request));
    const wrong = checkPost(body, version, entry.transport) ?? refusedType(request, body);
    return wrong === undefined ? this.#post(entry, request, body) : refused(wrong);
  }

  async #open(request: Request, body: unknown, principal: Principal, places: Places): Promise<Answer> {
    if (!isObject(body) || body["method"] !== "initialize" || kindOf(body) !== "request") {
      return refused(error(400, REFUSED, idProblem(body) ?? NO_ERA, idOf(body)));
    }
    const wrong = checkInitialize(body);
    if (wrong !== undefined) return refused(wrong);
    // Before another session makes room for this one.
    const unacceptable = refusedType(request, body);
    if (unacceptable !== undefined) return refused(unacceptable);
    let entry: HttpEntry;
    try {
      const { keepAlive } = this.#sessions.options;
      const sent = this.#sent.session(OWN_STREAM);
      const transportOf = (id: string, ended: () => void): HttpTransport =>
        new HttpTransport({ id, sent, keepAlive, ended });
      entry = await this.#sessions.begin(principal, transportOf, places.session());
    } catch (failure) {
      if (failure instanceof HubError) return refused(refusal(failure, idOf(body)));
      throw failure;
    }
    let answer: Answer | undefined;
    try {
      answer = await this.#post(entry, request, essential(body));
      return answer;
    } finally {
      if (answer?.response.ok !== true) this.#sessions.end(entry);
    }
  }

  async #post(entry: HttpEntry, request: Request, body: unknown): Promise<Answer> {
    const { transport } = entry;
    const ids = idsOf(body);
    const takesEvents = accepts(request.headers.get("accept"), EVENTS_TYPE);
    request.headers.set("accept", `${JSON_TYPE}, ${EVENTS_TYPE}`);
    transport.begin(ids);
    const release = this.#sessions.use(entry);
    try {
      const response = await transport.handleRequest(request, { parsedBody: body });
      if (response.ok) for (const id of cancelledBy(body)) await transport.retire(id);
      else transport.forgo(ids);
      return { response: takesEvents ? response : await asJson(response, body), requests: ids.length, release };
    } catch (failure) {
      transport.forgo(ids);
      release();
      throw failure;
    }
  }

  /** Answers a GET: with the stream of what the session says by itself, or with one that broke and is asked for again. */
  async #listen(entry: HttpEntry, request: Request, places: Places): Promise<Answer> {
    if (!accepts(request.headers.get("accept"), EVENTS_TYPE)) {
      return refused(error(406, REFUSED, `The stream of a session is ${EVENTS_TYPE}; Accept must take that`));
    }
    request.headers.set("accept", EVENTS_TYPE);
    const { session, transport } = entry;
    const last = request.headers.get("last-event-id") ?? "";
    const isForgotten = transport.sent.isForgotten(last);
    const stream = last === "" || isForgotten ? OWN_STREAM : transport.sent.streamOf(last);
    if (stream === undefined) {
      const sentence = "Last-Event-ID is none of this session's, or too old; leave it out for a new stream";
      return refused(error(400, REFUSED, sentence));
    }
    if (isForgotten) request.headers.delete("last-event-id");
    const streams = this.#streamsOf(entry);
    const requests = transport.requestsOn(stream).length;
    let response = await transport.handleRequest(request);
    if (response.status === 409) {
      // It would not come back if the connection it had were any good.
      transport.detach(stream);
      response = await transport.handleRequest(request);
    }
    if (!response.ok) return refused(response);
    const previous = streams.get(stream);
    previous?.release();
    previous?.gone.abort();
    let countOut: () => void;
    try {
      countOut = places.enter();
    } catch (failure) {
      await response.body?.cancel();
      throw failure;
    }
    const leave = this.#sessions.use(entry);
    const connection: Connection = {
      gone: new AbortController(),
      release: () => {
        leave();
        countOut();
        if (streams.get(stream) !== connection) return;
        streams.delete(stream);
        if (stream === OWN_STREAM) session.listening(false);
      },
    };
    streams.set(stream, connection);
    const isNew = last === "" || isForgotten;
    const isPrimed = isNew && (session.version ?? "") >= FIRST_PRIMED;
    const opening = isPrimed ? `id: ${transport.sent.begin(stream)}\nretry: ${RETRY}\ndata: \n\n` : "";
    // Nobody knows what it missed, nor what went to a connection that it no longer had.
    if (isForgotten || (isNew && previous !== undefined)) session.allChanged();
    if (stream === OWN_STREAM) session.listening(true);
    return { response, requests, opening, gone: connection.gone.signal, release: connection.release };
  }

  #streamsOf(entry: HttpEntry): Map<string, Connection> {
    let streams = this.#streams.get(entry);
    if (streams === undefined) this.#streams.set(entry, (streams = new Map<string, Connection>()));
    return streams;
  }
}

const NO_ERA =
  "Say which protocol this is: send initialize to open a session and its Mcp-Session-Id from then on, or the " +
  "MCP-Protocol-Version header and params._meta of revision 2026-07-28. Plain JSON-RPC without either is answered at " +
  "/mcp/tools/list and /mcp/tools/call";

function refused(response: Response): Answer {
  return { response, release: () => {} };
}

/** The refusal of a POST whose answer could be of no type that the client takes. */
function refusedType(request: Request, body: unknown): Response | undefined {
  const accept = request.headers.get("accept");
  if (accepts(accept, EVENTS_TYPE) || accepts(accept, JSON_TYPE)) return undefined;
  return error(406, REFUSED, `Accept must take ${EVENTS_TYPE} or ${JSON_TYPE}`, idOf(body));
}

/** The answers of a stream without what comes before them, for a client that takes no stream. */
async function asJson(response: Response, body: unknown): Promise<Response> {
  if (response.body === null || response.headers.get("content-type") !== EVENTS_TYPE) return response;
  const answers: string[] = [];
  new SseParser(({ data }) => {
    if (data !== "" && !("method" in (JSON.parse(data) as object))) answers.push(data);
  }).feed(await response.text());
  const headers = new Headers(response.headers);
  headers.set("content-type", JSON_TYPE);
  // What was cancelled is never answered.
  if (answers.length === 0) return new Response(null, { status: 202 });
  return new Response(Array.isArray(body) ? `[${answers.join()}]` : answers[0], { headers });
}

function notAllowed(): Response {
  const sentence = "GET and DELETE belong to a session; send its Mcp-Session-Id, or use POST";
  return error(405, CODES.invalidRequest, sentence, null, { allow: "POST" });
}
