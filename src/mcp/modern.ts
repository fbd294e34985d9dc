import type { Principal } from "../core/principal.ts";
import type { ToolContext } from "../tools/index.ts";
import { isId, rpcError, rpcResult } from "../wire/jsonrpc.ts";
import { accepts } from "./accept.ts";
import type { Call, Inputs, Outlet } from "./call.ts";
import { idProblem, kindOf } from "./era.ts";
import { checkHeaders, checkParamHeaders, mismatch, type Headers } from "./headers.ts";
import { checkInputRequests } from "./input-requests.ts";
import { logOf, malformed, metaOf, progressOf } from "./meta.ts";
import { CACHING, isInputRequired, METHODS, type Result } from "./methods.ts";
import type { Offer } from "./offer.ts";
import { asMcpError, CODES, isObject, McpError, META, shown, type JsonObject } from "./protocol.ts";
import { scopeOf, type RequestStates, type StateScope } from "./request-state.ts";

/** What both eras answer with: made by `server.ts`. */
export interface McpContext extends Pick<ToolContext, "hub" | "limits" | "info"> {
  readonly offer: Offer;
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
  stream(): Outlet;
  /** Makes the answer a stream that stays open for long; nothing else will go over the connection. */
  takeOver(): Outlet;
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
  id: string | number,
  body: JsonObject,
  request: ModernRequest,
  { hub, limits, info, offer, states, serverInfo }: McpContext,
): Promise<Result> {
  const { headers, principal } = request;
  const method = body["method"] as string;
  const { capabilities, sender, progressToken, logLevel } = metaOf(body["params"], headers);
  // What has a `_meta` is an object.
  const params = body["params"] as JsonObject;
  checkHeaders(headers, method, params);
  const perform = METHODS.get(method);
  if (perform === undefined) throw unknownMethod(method);
  if (method === "tools/call") checkParamHeaders(headers, offer, params);
  const scope = (): StateScope => scopeOf(method, params, { principal });
  let outlet: Outlet | undefined;
  const notify = (name: string, what: JsonObject): void => {
    if (!accepts(headers("accept") ?? null, "text/event-stream")) return;
    outlet ??= request.stream();
    outlet.write(JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params: what }));
  };
  const call = new ModernCall(request, {
    id,
    hub,
    sender,
    limits,
    info,
    capabilities,
    inputs: INPUT_METHODS.has(method) ? await inputsOf(params, (sealed) => states.open(sealed, scope())) : NO_INPUTS,
    seal: (state) => states.seal(state, scope()),
    progress: progressOf(progressToken, (what) => notify("progress", what)),
    log: logOf(logLevel, (what) => notify("message", what)),
  });
  const result = await perform(params, call, offer);
  const own = isObject(result) && isObject(result["_meta"]) ? result["_meta"] : {};
  const _meta = { ...own, [META.serverInfo]: serverInfo };
  if (isInputRequired(result)) {
    checkInputRequests(result, call);
    return { ...result, _meta };
  }
  return { resultType: "complete", ...result, ...CACHING[method], _meta };
}

/** A class for the sake of `signal`, which costs nothing unless someone asks for it. */
class ModernCall implements Call {
  readonly id: Call["id"];
  readonly hub: Call["hub"];
  readonly principal: Principal;
  readonly sender: Call["sender"];
  readonly limits: Call["limits"];
  readonly info: Call["info"];
  readonly stay: Call["stay"];
  readonly capabilities: JsonObject;
  readonly inputs: Inputs;
  readonly seal: Call["seal"];
  readonly progress: Call["progress"];
  readonly log: Call["log"];
  readonly #request: ModernRequest;

  constructor(request: ModernRequest, call: Omit<Call, "principal" | "signal" | "stay" | "takeOver">) {
    this.id = call.id;
    this.hub = call.hub;
    this.principal = request.principal;
    this.sender = call.sender;
    this.limits = call.limits;
    this.info = call.info;
    this.stay = request.stay;
    this.capabilities = call.capabilities;
    this.inputs = call.inputs;
    this.seal = call.seal;
    this.progress = call.progress;
    this.log = call.log;
    this.#request = request;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  readonly takeOver = (): Outlet => this.#request.takeOver();
}

/** The input that came back, and the state it belongs to. Throws where that was not sealed here for this request. */
async function inputsOf(
  { inputResponses, requestState }: JsonObject,
  open: (sealed: unknown) => Promise<unknown>,
): Promise<Inputs> {
  if (inputResponses === undefined && requestState === undefined) return NO_INPUTS;
  if (inputResponses !== undefined && !isObject(inputResponses)) throw malformed("inputResponses must be an object");
  return {
    responses: inputResponses ?? {},
    state: requestState === undefined ? undefined : await open(requestState),
  };
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
