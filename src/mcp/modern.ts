import type { Hub } from "../core/hub.ts";
import type { Principal } from "../core/principal.ts";
import type { ToolContext } from "../tools/index.ts";
import { rpcError, rpcResult, type RpcId } from "../wire/jsonrpc.ts";
import type { Call, Inputs, Outlet } from "./call.ts";
import { kindOf } from "./era.ts";
import { checkHeaders, checkParamHeaders, mismatch, type Headers } from "./headers.ts";
import { CACHING, METHODS, type Result } from "./methods.ts";
import type { InputRequest, InputRequired, Offer } from "./offer.ts";
import {
  asMcpError,
  CODES,
  isObject,
  LOG_LEVELS,
  McpError,
  META,
  MODERN_VERSIONS,
  type JsonObject,
  type LogLevel,
} from "./protocol.ts";
import { scopeOf, type RequestStates } from "./request-state.ts";

/** What both eras answer with: made by `server.ts`. */
export interface McpContext {
  readonly hub: Hub;
  readonly limits: ToolContext["limits"];
  readonly info: ToolContext["info"];
  readonly stay: ToolContext["stay"];
  readonly offer: Offer;
  readonly states: RequestStates;
  /** The name and version this server goes by. */
  readonly serverInfo: { readonly name: string; readonly title: string; readonly version: string };
}

/** One POST of the modern era, as whatever carries it hands it over. */
export interface ModernRequest {
  readonly headers: Headers;
  readonly body: JsonObject;
  readonly principal: Principal;
  /** Aborted when the caller closes the connection, which cancels the request. */
  readonly signal: AbortSignal;
  /** Makes the answer a stream, for what comes before the result; the result goes there, too. */
  stream(): Outlet;
  /** Makes the answer a stream that stays open for long; nothing else will go over the connection. */
  takeOver(): Outlet;
}

/** The answer to a POST: an HTTP status and a JSON text, empty for a notification. */
export interface ModernAnswer {
  readonly status: number;
  readonly text: string;
  /** What failed inside, for the log. */
  readonly cause?: unknown;
}

const ACCEPTED: ModernAnswer = { status: 202, text: "" };
const INPUT_METHODS: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** Answers one request of the modern era: checks what HTTP and `_meta` say, runs the method, says how it went. */
export async function answerModern(request: ModernRequest, context: McpContext): Promise<ModernAnswer> {
  const id = idOf(request.body);
  try {
    const kind = kindOf(request.body);
    if (kind === "notification") return acceptNotification(request);
    if (kind !== "request" || id === null) throw notARequest(kind);
    return { status: 200, text: rpcResult(id, await run(id, request, context)) };
  } catch (error) {
    const { code, message, data, status, cause } = asMcpError(error);
    return { status, text: rpcError(id, { code, message, ...(data === undefined ? {} : { data }) }), cause };
  }
}

async function run(id: string | number, request: ModernRequest, context: McpContext): Promise<Result> {
  const { headers, body, principal, signal } = request;
  const method = body["method"] as string;
  const params = body["params"] ?? {};
  const meta = checkMeta(params, headers);
  checkHeaders(headers, method, params as JsonObject);
  const perform = METHODS.get(method);
  if (perform === undefined) throw unknownMethod(method);
  if (method === "tools/call") checkParamHeaders(headers, context.offer, params as JsonObject);
  const { hub, limits, info, stay, offer, states, serverInfo } = context;
  const scope = { principal };
  let outlet: Outlet | undefined;
  const notify = (name: string, what: JsonObject): void => {
    outlet ??= request.stream();
    outlet.write(JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params: what }));
  };
  const call: Call = {
    id,
    era: "modern",
    hub,
    principal,
    limits,
    info,
    stay,
    signal,
    capabilities: meta[META.clientCapabilities] as JsonObject,
    inputs: INPUT_METHODS.has(method) ? await inputsOf(method, params as JsonObject, scope, states) : NO_INPUTS,
    seal: (state) => states.seal(state, scopeOf(method, params as JsonObject, scope)),
    progress: progressOf(meta["progressToken"], (what) => notify("progress", what)),
    log: logOf(meta[META.logLevel], (what) => notify("message", what)),
    takeOver: () => request.takeOver(),
  };
  const result = await perform(params as JsonObject, call, offer);
  const own = isObject(result) && isObject(result["_meta"]) ? result["_meta"] : {};
  const _meta = { ...own, [META.serverInfo]: serverInfo };
  if (isInputRequired(result)) {
    checkInputRequests(result, call);
    return { ...result, _meta };
  }
  return { resultType: "complete", ...result, ...CACHING[method], _meta };
}

/** The `_meta` of a request. Throws where it lacks what every request must say, or says what the headers do not. */
function checkMeta(params: unknown, headers: Headers): JsonObject {
  const header = headers("mcp-protocol-version");
  if (header === undefined) {
    throw mismatch(`The MCP-Protocol-Version header is missing; send one of ${MODERN_VERSIONS.join(", ")}`);
  }
  const meta = isObject(params) ? params["_meta"] : undefined;
  if (!isObject(meta)) throw malformed("params._meta is missing; it must be an object with the protocol version");
  const version = meta[META.protocolVersion];
  if (typeof version !== "string")
    throw malformed(`params._meta["${META.protocolVersion}"] is missing; give a version`);
  if (version !== header) {
    throw mismatch(`The MCP-Protocol-Version header says ${shown(header)}, params._meta says ${shown(version)}`);
  }
  if (!MODERN_VERSIONS.includes(version)) {
    const sentence = `Unsupported protocol version: ${shown(version)}; there is ${MODERN_VERSIONS.join(", ")}`;
    throw new McpError(CODES.unsupportedVersion, sentence, {
      status: 400,
      data: { supported: MODERN_VERSIONS, requested: version.slice(0, LONGEST_SHOWN) },
    });
  }
  if (!isObject(meta[META.clientCapabilities])) {
    throw malformed(`params._meta["${META.clientCapabilities}"] is missing; give an object, {} for none`);
  }
  return meta;
}

/** The input that came back, and the state it belongs to. Throws where that was not sealed here for this request. */
async function inputsOf(
  method: string,
  params: JsonObject,
  scope: Pick<Call, "principal">,
  states: RequestStates,
): Promise<Inputs> {
  const { inputResponses, requestState } = params;
  if (inputResponses === undefined && requestState === undefined) return NO_INPUTS;
  if (inputResponses !== undefined && !isObject(inputResponses)) throw malformed("inputResponses must be an object");
  const state =
    requestState === undefined ? undefined : await states.open(requestState, scopeOf(method, params, scope));
  return { responses: inputResponses ?? {}, state };
}

const NO_INPUTS: Inputs = { responses: {}, state: undefined };

/** Progress must grow, so what does not is not told. */
export function progressOf(token: unknown, notify: (params: JsonObject) => void): Call["progress"] {
  if (typeof token !== "string" && typeof token !== "number") return undefined;
  let told = -Infinity;
  return (progress, total, message) => {
    if (progress <= told) return;
    told = progress;
    notify({
      progressToken: token,
      progress,
      ...(total === undefined ? {} : { total }),
      ...(message === undefined ? {} : { message }),
    });
  };
}

/** Without a level nobody asked for log messages (2026-07-28, "Logging"). */
function logOf(least: unknown, notify: (params: JsonObject) => void): Call["log"] {
  const from = LOG_LEVELS.indexOf(least as LogLevel);
  if (from === -1) return () => {};
  return (level, data, logger) => {
    if (LOG_LEVELS.indexOf(level) >= from) notify({ level, data, ...(logger === undefined ? {} : { logger }) });
  };
}

function isInputRequired(result: Result): result is InputRequired {
  return (result as { resultType?: unknown }).resultType === "input_required";
}

const NEEDS: Readonly<Record<InputRequest["method"], string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};

/** Throws `-32021` where the client was asked for something it never said it can do. */
export function checkInputRequests(
  { inputRequests = {} }: InputRequired,
  { capabilities }: Pick<Call, "capabilities">,
): void {
  const missing = Object.values(inputRequests)
    .map(({ method }) => NEEDS[method])
    .filter((name) => !isObject(capabilities[name]));
  if (missing.length === 0) return;
  const requiredCapabilities = Object.fromEntries(missing.map((name) => [name, {}]));
  throw new McpError(CODES.missingCapability, `This needs a client with ${missing.join(" and ")}`, {
    status: 400,
    data: { requiredCapabilities },
  });
}

function acceptNotification({ headers, body }: ModernRequest): ModernAnswer {
  const method = headers("mcp-method");
  if (method !== undefined && method !== body["method"]) {
    throw mismatch(`The Mcp-Method header says ${shown(method)}, the body says ${shown(String(body["method"]))}`);
  }
  return ACCEPTED;
}

function notARequest(kind: string | undefined): McpError {
  const sentence =
    kind === "response"
      ? "The body is a JSON-RPC response; clients send requests"
      : 'The body is no JSON-RPC 2.0 request such as {"jsonrpc":"2.0","id":1,"method":"tools/list","params":{…}}';
  return new McpError(CODES.invalidRequest, sentence, { status: 400 });
}

function unknownMethod(method: string): McpError {
  const sentence = `Unknown method: ${shown(method)}; there are ${[...METHODS.keys()].join(", ")}`;
  return new McpError(CODES.methodNotFound, sentence, { status: 404 });
}

function malformed(sentence: string): McpError {
  return new McpError(CODES.invalidParams, sentence, { status: 400 });
}

const LONGEST_SHOWN = 100;

function shown(text: string): string {
  return JSON.stringify(text.slice(0, LONGEST_SHOWN));
}

function idOf({ id }: JsonObject): RpcId {
  return typeof id === "string" || typeof id === "number" ? id : null;
}
