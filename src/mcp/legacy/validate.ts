import { specTypeSchemas, type RequestId } from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { HubError } from "../../core/errors.ts";
import { problems } from "../../tools/index.ts";
import { isId, rpcError, type RpcId } from "../../protocol/jsonrpc.ts";
import { idProblem, kindOf } from "../classify.ts";
import { asMcpError, BATCH_VERSION, CODES, isObject, type JsonObject } from "../errors.ts";
import { MAX_BATCH } from "../empty-fields.ts";
import { senderOf } from "../modern/envelope.ts";
import type { SessionTransport } from "./session-store.ts";

/** Requests of one session that are answered at once. */
const MAX_AT_WORK = 256;
/** Characters of what a client says it can do. */
const MAX_CAPABILITIES = 8192;
/** Names of an object that the SDK walks, each several times; what tools are given is not among them. */
const MAX_NAMES = 1000;
/** Codes of the official SDK for what HTTP refuses in a session. */
export const REFUSED = -32000;
export const NO_SESSION = -32001;

/** What is wrong with a POST in a session that speaks this version; undefined where the SDK can take it. */
export function checkPost(
  body: unknown,
  version: string | undefined,
  transport: Pick<SessionTransport, "atWork" | "isInUse">,
): Response | undefined {
  if (Array.isArray(body)) {
    if (version !== BATCH_VERSION) {
      const spoken = version ?? "no revision yet";
      return error(400, CODES.invalidRequest, `Batches exist in ${BATCH_VERSION} only; this session speaks ${spoken}`);
    }
    if (body.length === 0 || body.length > MAX_BATCH) {
      return error(400, CODES.invalidRequest, `A batch has 1 to ${MAX_BATCH} messages; this one has ${body.length}`);
    }
  }
  for (const message of messagesOf(body)) {
    const wrong = checkMessage(message);
    if (wrong !== undefined) return wrong;
    if (version !== undefined && isObject(message) && message["method"] === "initialize") {
      const sentence = "This session is initialized already; open another without Mcp-Session-Id";
      return error(400, CODES.invalidRequest, sentence, idOf(message));
    }
  }
  const ids = idsOf(body);
  const again = ids.find((id, index) => transport.isInUse(id) || ids.indexOf(id) < index);
  if (again !== undefined) {
    return error(400, CODES.invalidRequest, "A request with this id is being answered; use another id", again);
  }
  if (transport.atWork + ids.length > MAX_AT_WORK) {
    return error(503, 503, `${MAX_AT_WORK} requests of this session are being answered; wait for some`, ids[0]);
  }
  return undefined;
}

/** What is wrong with a request to open a session. */
export function checkInitialize(body: JsonObject): Response | undefined {
  const wrong = checkMessage(body);
  if (wrong !== undefined) return wrong;
  const { protocolVersion, capabilities, clientInfo: client } = isObject(body["params"]) ? body["params"] : {};
  // Before they are looked into: a fault in each of many parts would cost more than they do.
  if (JSON.stringify(capabilities ?? {}).length > MAX_CAPABILITIES) {
    const sentence = `params.capabilities has more than ${MAX_CAPABILITIES} characters; say only what the client can do`;
    return error(400, CODES.invalidParams, sentence, idOf(body));
  }
  const clientInfo = isObject(client) ? { name: client["name"], version: client["version"] } : client;
  const params = body["params"] === undefined ? undefined : { protocolVersion, capabilities, clientInfo };
  const found = problemsOf("InitializeRequestParams", params, { params });
  return found === undefined ? undefined : error(400, CODES.invalidParams, found, idOf(body));
}

/** A request to open a session without what no one will ask for: a session keeps it for as long as it lasts. */
export function essential(body: JsonObject): JsonObject {
  const { protocolVersion, capabilities, clientInfo } = body["params"] as JsonObject;
  const client = { name: senderOf(clientInfo) ?? "", version: "" };
  return { ...body, params: { protocolVersion, capabilities, clientInfo: client } };
}

function checkMessage(message: unknown): Response | undefined {
  const kind = isObject(message) ? kindOf(message) : undefined;
  if (kind === undefined) {
    const example = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    const sentence = idProblem(message) ?? `The body is no JSON-RPC 2.0 message such as ${example}`;
    return error(400, CODES.invalidRequest, sentence, idOf(message));
  }
  const found = crowded(message as JsonObject) ?? problemsOf(SCHEMAS[kind], message, message);
  if (found === undefined) return undefined;
  const code = found.startsWith("params") ? CODES.invalidParams : CODES.invalidRequest;
  return error(400, code, found, kind === "response" ? null : idOf(message));
}

/** Says which object of a message has more names than any should. */
function crowded(message: JsonObject): string | undefined {
  for (const field of ["params", "result"]) {
    const value = message[field];
    if (!isObject(value)) continue;
    for (const [path, object] of [
      [field, value],
      [`${field}._meta`, value["_meta"]],
    ] as const) {
      const names = isObject(object) ? Object.keys(object).length : 0;
      if (names > MAX_NAMES) return `${path} has ${names} properties; at most ${MAX_NAMES} are allowed`;
    }
  }
  return undefined;
}

const SCHEMAS = {
  request: "JSONRPCRequest",
  notification: "JSONRPCNotification",
  response: "JSONRPCResponse",
} as const;

/** What the SDK finds wrong with a value, which lies somewhere in `whole`. */
function problemsOf(
  schema: (typeof SCHEMAS)[keyof typeof SCHEMAS] | "InitializeRequestParams",
  value: unknown,
  whole: unknown,
): string | undefined {
  const result = specTypeSchemas[schema]["~standard"].validate(value) as { issues?: z.core.$ZodIssue[] };
  if (result.issues === undefined) return undefined;
  const at = value === whole ? [] : ["params"];
  const issues = result.issues.map((issue) => ({ ...issue, path: [...at, ...issue.path] }));
  return problems({ issues } as z.ZodError, whole, []);
}

function messagesOf(body: unknown): readonly unknown[] {
  return Array.isArray(body) ? body : [body];
}

/** The ids of the requests in a body. */
export function idsOf(body: unknown): readonly RequestId[] {
  return messagesOf(body).flatMap((message) =>
    isObject(message) && kindOf(message) === "request" ? [message["id"] as RequestId] : [],
  );
}

/** The ids of the requests that a body cancels, as the SDK understands it. */
export function cancelledBy(body: unknown): readonly RpcId[] {
  return messagesOf(body).flatMap((message) => {
    if (!isObject(message) || kindOf(message) !== "notification") return [];
    if (message["method"] !== "notifications/cancelled") return [];
    const { params } = message;
    const isUnderstood = specTypeSchemas.CancelledNotificationParams["~standard"].validate(params).issues === undefined;
    return isUnderstood && isObject(params) ? [idOf({ id: params["requestId"] })] : [];
  });
}

/** A failure of the hub as an HTTP response with a JSON-RPC error. */
export function refusal(failure: HubError, id: RpcId): Response {
  const { code, message, data } = asMcpError(failure);
  return error(failure.status, code, message, id, {}, data);
}

/** A JSON-RPC error as an HTTP response. */
export function error(
  status: number,
  code: number,
  message: string,
  id: RpcId = null,
  headers: Readonly<Record<string, string>> = {},
  data?: JsonObject,
): Response {
  const text = rpcError(id, { code, message, ...(data === undefined ? {} : { data }) });
  return new Response(text, { status, headers: { "content-type": "application/json", ...headers } });
}

/** The id of a message, where it has one that JSON-RPC allows. */
export function idOf(body: unknown): RpcId {
  const id = isObject(body) ? body["id"] : null;
  return isId(id) ? id : null;
}
