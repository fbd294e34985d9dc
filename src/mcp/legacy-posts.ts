import { rpcError, type RpcId } from "../wire/jsonrpc.ts";
import { kindOf } from "./era.ts";
import { BATCH_VERSION, CODES, isObject } from "./protocol.ts";

/** Messages in one batch. */
const MAX_BATCH = 100;
/** Requests of one session that are answered at once. */
const MAX_AT_WORK = 256;
/**
 * What is wrong with a POST in a session that speaks this version and is answering these requests; undefined where it
 * goes on to the SDK, and its requests are among those being answered.
 */
export function checkPost(body: unknown, version: string | undefined, answering: Set<RpcId>): Response | undefined {
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
    if (isObject(message) && kindOf(message) !== undefined) continue;
    return error(400, CODES.invalidRequest, "The body is no JSON-RPC 2.0 message", idOf(message));
  }
  const ids = idsOf(body);
  const again = ids.find((id, index) => answering.has(id) || ids.indexOf(id) < index);
  if (again !== undefined) {
    return error(400, CODES.invalidRequest, "A request with this id is being answered; use another id", again);
  }
  if (answering.size + ids.length > MAX_AT_WORK) {
    return error(503, 503, `${MAX_AT_WORK} requests of this session are being answered; wait for some`, ids[0]);
  }
  for (const id of ids) answering.add(id);
  return undefined;
}

function messagesOf(body: unknown): readonly unknown[] {
  return Array.isArray(body) ? body : [body];
}

/** The ids of the requests in a body. */
export function idsOf(body: unknown): readonly Exclude<RpcId, null>[] {
  return messagesOf(body).flatMap((message) =>
    isObject(message) && kindOf(message) === "request" ? [message["id"] as string | number] : [],
  );
}

/** The ids of the requests that a body cancels. */
export function cancelledBy(body: unknown): readonly RpcId[] {
  return messagesOf(body).flatMap((message) => {
    if (!isObject(message) || message["method"] !== "notifications/cancelled") return [];
    return isObject(message["params"]) ? [idOf({ id: message["params"]["requestId"] })] : [];
  });
}

/** A JSON-RPC error as an HTTP response. */
export function error(status: number, code: number, message: string, id: RpcId = null, headers = {}): Response {
  const text = rpcError(id, { code, message });
  return new Response(text, { status, headers: { "content-type": "application/json", ...headers } });
}

/** The id of a message, where it has one that JSON-RPC allows. */
export function idOf(body: unknown): RpcId {
  const id = isObject(body) ? body["id"] : null;
  return typeof id === "string" || typeof id === "number" ? id : null;
}
