import type { Principal } from "../../core/principal.ts";
import type { ToolContext } from "../../tools/index.ts";
import { isId, rpcError, rpcResult } from "../../protocol/jsonrpc.ts";
import { accepts } from "../accept.ts";
import type { RequestContext, Inputs, NotificationStream } from "../request-context.ts";
import { idProblem, kindOf } from "../classify.ts";
import { checkHeaders, checkParamHeaders, mismatch, type Headers } from "./headers.ts";
import { checkInputRequests } from "../input-requests.ts";
import { logOf, malformed, metaOf, progressOf, type Meta } from "./envelope.ts";
import { CACHING, isInputRequired, METHODS, type Result } from "../methods.ts";
import type { Catalog } from "../definitions.ts";
import { asMcpError, CODES, isObject, McpError, META, shown, type JsonObject } from "../errors.ts";
import { scopeOf, type RequestStates, type StateScope } from "../request-state.ts";

/** What both eras answer with: made by `server.ts`. */
export interface McpContext extends Pick<ToolContext, "hub" | "limits" | "info"> {
  readonly catalog: Catalog;
  readonly states: RequestStates;
  /** The name and version this server goes by. */
  readonly serverInfo: { readonly name: string; readonly title: string; readonly version: string };
}

/** One POST of the modern era, as whatever carries it hands it over. */
export interface ModernRequest {
  readonly headers: Headers;
  /** Any JSON. */
  readonly body: unknown;
  readonly principal: Principal;
  /** Aborted when the caller closes the connection, which cancels the request. */
  readonly signal: AbortSignal;
  readonly stay: ToolContext["stay"];
  /** Makes the answer a stream, for what comes before the result; the result goes there, too. */
  stream(): NotificationStream;
  /** Makes the answer a stream that stays open for long; nothing else will go over the connection. */
  openDedicated(): NotificationStream;
}

/** The answer to a POST: an HTTP status and a JSON text, empty for a notification. */
export interface ModernAnswer {
  readonly status: number;
  readonly text: string;
  /** Whether the same may succeed later. */
  readonly retry?: boolean;
  /** What failed inside, for the log. */
  readonly cause?: unknown;
}

const ACCEPTED: ModernAnswer = { status: 202, text: "" };
const INPUT_METHODS: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);
const NO_INPUTS: Inputs = { responses: {}, state: undefined };

/** Answers one request of the modern era: checks what HTTP and `_meta` say, runs the method, says how it went. */
export async function answerModern(request: ModernRequest, context: McpContext): Promise<ModernAnswer> {
  const { body, headers } = request;
  const kind = kindOf(body);
  // A response names a request of the server's, not one that could be answered.
  const id = isObject(body) && kind !== "response" && isId(body["id"]) ? body["id"] : undefined;
  try {
    if (kind === "notification") return acceptNotification(body as JsonObject, headers);
    if (kind !== "request" || id === undefined) throw notARequest(kind, idProblem(body));
    return { status: 200, text: rpcResult(id, await run(id, body as JsonObject, request, context)) };
  } catch (error) {
    const { code, message, data, status, cause } = asMcpError(error);
    const text = rpcError(id, { code, message, ...(data === undefined ? {} : { data }) });
    return { status, text, retry: data?.["retry"] === true, cause };
  }
}

async function run(
  id: RequestContext["id"],
  body: JsonObject,
  request: ModernRequest,
  context: McpContext,
): Promise<Result> {
  const { headers } = request;
  const { catalog, serverInfo } = context;
  const method = body["method"] as string;
  const meta = metaOf(body["params"], headers);
  // What has a `_meta` is an object.
  const params = body["params"] as JsonObject;
  checkHeaders(headers, method, params);
  const perform = METHODS.get(method);
  if (perform === undefined) throw unknownMethod(method);
  if (method === "tools/call") checkParamHeaders(headers, catalog, params);
  const call = new ModernCall({ id, method, params, meta }, request, context);
  if (INPUT_METHODS.has(method)) await call.takeInputs();
  const result: Result & { readonly _meta?: unknown } = await perform(params, call, catalog);
  const own = result._meta;
  const _meta = { ...(isObject(own) ? own : {}), [META.serverInfo]: serverInfo };
  if (isInputRequired(result)) {
    checkInputRequests(result, call);
    return { ...result, _meta };
  }
  return { resultType: "complete", ...result, ...CACHING[method], _meta };
}

/** What a request asks for, checked as far as all methods have it in common. */
interface Asked {
  readonly id: RequestContext["id"];
  readonly method: string;
  readonly params: JsonObject;
  readonly meta: Meta;
}

/** What a method gets to know of a request; made for each, so that what few ask for is made when they do. */
class ModernCall implements RequestContext {
  inputs: Inputs = NO_INPUTS;
  readonly #asked: Asked;
  readonly #request: ModernRequest;
  readonly #context: McpContext;
  #outlet: NotificationStream | undefined;
  #progress: RequestContext["progress"];

  constructor(asked: Asked, request: ModernRequest, context: McpContext) {
    this.#asked = asked;
    this.#request = request;
    this.#context = context;
  }

  get id(): RequestContext["id"] {
    return this.#asked.id;
  }

  get hub(): RequestContext["hub"] {
    return this.#context.hub;
  }

  get limits(): RequestContext["limits"] {
    return this.#context.limits;
  }

  get info(): RequestContext["info"] {
    return this.#context.info;
  }

  get principal(): Principal {
    return this.#request.principal;
  }

  get sender(): RequestContext["sender"] {
    return this.#asked.meta.sender;
  }

  get capabilities(): JsonObject {
    return this.#asked.meta.capabilities;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  get stay(): RequestContext["stay"] {
    return this.#request.stay;
  }

  get progress(): RequestContext["progress"] {
    const { progressToken } = this.#asked.meta;
    return (this.#progress ??= progressOf(progressToken, (what) => this.#notify("progress", what)));
  }

  log(...what: Parameters<RequestContext["log"]>): void {
    logOf(this.#asked.meta.logLevel, (params) => this.#notify("message", params))(...what);
  }

  seal(state: unknown): Promise<string> {
    return this.#context.states.seal(state, this.#scope());
  }

  openDedicated(): NotificationStream {
    return this.#request.openDedicated();
  }

  /** Opens what came back of the round before. Throws if it was not sealed here for this request. */
  async takeInputs(): Promise<void> {
    const { inputResponses, requestState } = this.#asked.params;
    if (inputResponses === undefined && requestState === undefined) return;
    if (inputResponses !== undefined && !isObject(inputResponses)) throw malformed("inputResponses must be an object");
    const { states } = this.#context;
    this.inputs = {
      responses: inputResponses ?? {},
      state: requestState === undefined ? undefined : await states.open(requestState, this.#scope()),
    };
  }

  #scope(): StateScope {
    const { method, params } = this.#asked;
    return scopeOf(method, params, { principal: this.principal });
  }

  #notify(name: string, params: JsonObject): void {
    if (!accepts(this.#request.headers("accept") ?? null, "text/event-stream")) return;
    this.#outlet ??= this.#request.stream();
    this.#outlet.write(JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params }));
  }
}

function acceptNotification({ method }: JsonObject, headers: Headers): ModernAnswer {
  const named = headers("mcp-method");
  if (named !== undefined && named !== method) {
    throw mismatch(`The Mcp-Method header says ${shown(named)}, the body says ${shown(String(method))}`);
  }
  return ACCEPTED;
}

function notARequest(kind: string | undefined, wrongId: string | undefined): McpError {
  const sentence =
    kind === "response"
      ? "The body is a JSON-RPC response; clients send requests"
      : 'The body is no JSON-RPC 2.0 request such as {"jsonrpc":"2.0","id":1,"method":"tools/list","params":{…}}, ' +
        "whose id is a short text or a whole number";
  return new McpError(CODES.invalidRequest, wrongId ?? sentence, { status: 400 });
}

function unknownMethod(method: string): McpError {
  const sentence = `Unknown method: ${shown(method)}; there are ${[...METHODS.keys()].join(", ")}`;
  return new McpError(CODES.methodNotFound, sentence, { status: 404 });
}
