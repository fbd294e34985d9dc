import type { Principal } from "../core/principal.ts";
import type { ToolContext } from "../tools/index.ts";
import { rpcError, rpcResult } from "../wire/jsonrpc.ts";
import type { Call, Inputs, Outlet } from "./call.ts";
import { idProblem, isId, kindOf } from "./era.ts";
import { checkHeaders, checkParamHeaders, mismatch, type Headers } from "./headers.ts";
import { checkInputRequests } from "./input-requests.ts";
import { logOf, malformed, metaOf, progressOf } from "./meta.ts";
import { CACHING, isInputRequired, METHODS, type Result } from "./methods.ts";
import type { Offer } from "./offer.ts";
import { asMcpError, CODES, isObject, McpError, META, shown, type JsonObject } from "./protocol.ts";
import { scopeOf, type RequestStates } from "./request-state.ts";

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
  const { headers, principal, stay } = request;
  const method = body["method"] as string;
  const { capabilities, sender, progressToken, logLevel } = metaOf(body["params"], headers);
  // What has a `_meta` is an object.
  const params = body["params"] as JsonObject;
  checkHeaders(headers, method, params);
  const perform = METHODS.get(method);
  if (perform === undefined) throw unknownMethod(method);
  if (method === "tools/call") checkParamHeaders(headers, offer, params);
  const scope = scopeOf(method, params, { principal });
  let outlet: Outlet | undefined;
  const notify = (name: string, what: JsonObject): void => {
    outlet ??= request.stream();
    outlet.write(JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params: what }));
  };
  const call: Call = {
    id,
    hub,
    principal,
    sender,
    limits,
    info,
    stay,
    get signal() {
      return request.signal;
    },
    capabilities,
    inputs: INPUT_METHODS.has(method) ? await inputsOf(params, (sealed) => states.open(sealed, scope)) : NO_INPUTS,
    seal: (state) => states.seal(state, scope),
    progress: progressOf(progressToken, (what) => notify("progress", what)),
    log: logOf(logLevel, (what) => notify("message", what)),
    takeOver: () => request.takeOver(),
  };
  const result = await perform(params, call, offer);
  const own = isObject(result) && isObject(result["_meta"]) ? result["_meta"] : {};
  const _meta = { ...own, [META.serverInfo]: serverInfo };
  if (isInputRequired(result)) {
    checkInputRequests(result, call);
    return { ...result, _meta };
  }
  return { resultType: "complete", ...result, ...CACHING[method], _meta };
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
