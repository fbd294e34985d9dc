import { identityOf } from "../../core/attendance.ts";
import { hasGrants } from "../../core/principal.ts";
import { extractTrace } from "../../core/trace.ts";
import { isId, rpcError, rpcResult } from "../../protocol/jsonrpc.ts";
import type { RequestContext } from "../../tools/index.ts";
import type { McpContext } from "../catalog.ts";
import { accepts, idProblem, kindOf } from "../classify.ts";
import { asMcpError, CODES, isObject, McpError, META, MODERN_VERSIONS, shown, type JsonObject } from "../errors.ts";
import { checkInputRequests } from "../input-requests.ts";
import { cachingOf, isInputRequired, METHODS, type Result } from "../methods.ts";
import { McpRequestContext, type McpRequest, type NotificationStream, type RequestId } from "../request-context.ts";
import { malformed, metaOf, type Meta } from "./envelope.ts";
import { checkHeaders, checkParamHeaders, mismatch, type Headers } from "./headers.ts";

/** One POST of the modern era, as the transport passes it in. */
export interface ModernPost {
  readonly headers: Headers;
  /** Any JSON. */
  readonly body: unknown;
  readonly principal: RequestContext["principal"];
  /** Aborted when the caller closes the connection, which cancels the request. */
  signal(): AbortSignal;
  readonly stay: RequestContext["stay"];
  readonly admit: RequestContext["admit"];
  readonly correlation: RequestContext["correlation"];
  /** Throws `RATE_LIMITED` before the request is worked on. */
  begin(body: JsonObject): void;
  /** Turns the answer into a stream, for notifications before the result; the result is sent on it, too. */
  stream(): NotificationStream;
  /** Turns the answer into a long-lived stream, which has the connection to itself. */
  openDedicated: NonNullable<McpRequest["openDedicated"]>;
}

/** The answer to a POST: an HTTP status and a JSON text, empty for a notification. */
export interface ModernAnswer {
  readonly status: number;
  readonly text: string;
  /** Whether the same request may succeed later. */
  readonly retry?: boolean;
  readonly challenge?: McpError["challenge"];
  readonly retryAfter?: McpError["retryAfter"];
  readonly rateLimit?: McpError["rateLimit"];
  /** The cause of an internal error, for the log. */
  readonly cause?: unknown;
}

const ACCEPTED: ModernAnswer = { status: 202, text: "" };
const INPUT_METHODS: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** Answers one request of the modern era: checks the headers and `_meta`, runs the method, encodes the result. */
export async function answerModern(post: ModernPost, context: McpContext): Promise<ModernAnswer> {
  const { body, headers } = post;
  const kind = kindOf(body);
  // The id of a response is that of a request from the server, so it must not be answered.
  const id = isObject(body) && kind !== "response" && isId(body["id"]) ? body["id"] : undefined;
  try {
    if (kind === "notification") return acceptNotification(body as JsonObject, headers);
    if (kind !== "request" || id === undefined) throw notARequest(kind, idProblem(body));
    post.begin(body as JsonObject);
    return { status: 200, text: rpcResult(id, await run(id, body as JsonObject, post, context)) };
  } catch (error) {
    const { code, message, data, status, cause, challenge, retryAfter, rateLimit } = asMcpError(error);
    const text = rpcError(id, { code, message, ...(data === undefined ? {} : { data }) });
    return { status, text, retry: data?.["retry"] === true, cause, challenge, retryAfter, rateLimit };
  }
}

async function run(id: RequestId, body: JsonObject, post: ModernPost, context: McpContext): Promise<Result> {
  const { headers } = post;
  const { catalog, serverInfo } = context;
  const method = body["method"] as string;
  const meta = metaOf(body["params"], headers);
  // `metaOf` throws if it is not an object.
  const params = body["params"] as JsonObject;
  checkHeaders(headers, method, params);
  const perform = METHODS.get(method);
  if (perform === undefined) throw unknownMethod(method);
  if (method === "tools/call") checkParamHeaders(headers, catalog, params);
  if (hasGrants(post.principal)) context.participants.called(identityOf(post.principal, "agent", meta.sender));
  const request = requestOf(id, method, params, meta, post);
  const requestContext = new McpRequestContext(context, request);
  const { inputResponses, requestState } = params;
  if (INPUT_METHODS.has(method) && (inputResponses !== undefined || requestState !== undefined)) {
    if (inputResponses !== undefined && !isObject(inputResponses)) throw malformed("inputResponses must be an object");
    await requestContext.resume(inputResponses ?? {}, requestState);
  }
  let result: Result & { readonly _meta?: unknown };
  try {
    result = await perform(params, requestContext, catalog);
  } finally {
    request.end();
  }
  const own = result._meta;
  const _meta = { ...(isObject(own) ? own : {}), [META.serverInfo]: serverInfo };
  if (isInputRequired(result)) {
    checkInputRequests(result, requestContext);
    return { ...result, _meta };
  }
  return { resultType: "complete", ...result, ...cachingOf(method, meta.capabilities), _meta };
}

/** `end` must be called before it is answered: later notifications of a tool are dropped. */
function requestOf(
  id: RequestId,
  method: string,
  params: JsonObject,
  meta: Meta,
  post: ModernPost,
): McpRequest & { end(): void } {
  let isOver = false;
  let stream: NotificationStream | undefined;
  return {
    id,
    method,
    params,
    principal: post.principal,
    stay: post.stay,
    admit: post.admit,
    correlation: extractTrace(post.correlation, params["_meta"]),
    sender: meta.sender,
    capabilities: meta.capabilities,
    revision: MODERN_VERSIONS[0] as string,
    progressToken: meta.progressToken,
    logLevel: () => meta.logLevel,
    signal: () => post.signal(),
    openDedicated: (channels, onEnd) => post.openDedicated(channels, onEnd),
    end: () => (isOver = true),
    get takesStream() {
      return accepts(post.headers("accept") ?? null, "text/event-stream");
    },
    notify(name, what) {
      if (isOver || !this.takesStream) return false;
      stream ??= post.stream();
      stream.write(JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params: what }));
      return true;
    },
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
      : 'The body is not a JSON-RPC 2.0 request such as {"jsonrpc":"2.0","id":1,"method":"tools/list","params":{…}}, ' +
        "whose id is a short text or a whole number";
  return new McpError(CODES.invalidRequest, wrongId ?? sentence, { status: 400 });
}

function unknownMethod(method: string): McpError {
  const sentence = `Unknown method: ${shown(method)}; there are ${[...METHODS.keys()].join(", ")}`;
  return new McpError(CODES.methodNotFound, sentence, { status: 404 });
}
