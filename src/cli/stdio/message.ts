import { isObject } from "../../protocol/json.ts";
import type { RpcId } from "../../protocol/jsonrpc.ts";

export { isObject };

export type JsonObject = Readonly<Record<string, unknown>>;
export type Id = Exclude<RpcId, null>;

/** One JSON-RPC message; `text` is all of it, in one line. */
export type Message = RpcRequest | RpcNotification | RpcResponse;

export interface RpcRequest {
  readonly kind: "request";
  readonly text: string;
  readonly id: Id;
  readonly method: string;
  /** Empty where there are none. */
  readonly params: JsonObject;
}

export interface RpcNotification {
  readonly kind: "notification";
  readonly text: string;
  readonly method: string;
  readonly params: JsonObject;
}

export interface RpcResponse {
  readonly kind: "response";
  readonly text: string;
  readonly id: RpcId;
  readonly result: unknown;
  readonly error: JsonObject | undefined;
}

/** JSON-RPC 2.0 error codes. */
export const CODES = { parse: -32700, invalidRequest: -32600, internal: -32603, headerMismatch: -32020 } as const;

/** Names in `_meta` that the protocol reserves (2026-07-28, "_meta"). */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;

/** A JSON value as a message; undefined where it is none. */
export function messageOf(body: unknown, text: string = JSON.stringify(body)): Message | undefined {
  if (!isObject(body) || body["jsonrpc"] !== "2.0") return undefined;
  const { id, method, params, result, error } = body;
  // Between two tokens a line break is as good as a blank, and inside of one there is none.
  const line = text.replace(/[\r\n]+/g, " ");
  if (typeof method === "string") {
    const rest = { text: line, method, params: isObject(params) ? params : {} };
    // Some write null for the id that a notification does not have.
    const isUnasked = id === undefined || (id === null && method.startsWith("notifications/"));
    if (isUnasked) return { kind: "notification", ...rest };
    return isId(id) ? { kind: "request", id, ...rest } : undefined;
  }
  if (result === undefined && !isObject(error)) return undefined;
  return { kind: "response", text: line, id: isId(id) ? id : null, result, error: isObject(error) ? error : undefined };
}

/** A notification as the text of a message. */
export function notification(name: string, params: JsonObject = {}): string {
  return JSON.stringify({ jsonrpc: "2.0", method: `notifications/${name}`, params });
}

/** The `_meta` of params; empty where there is none. */
export function metaOf(params: JsonObject): JsonObject {
  const meta = params["_meta"];
  return isObject(meta) ? meta : {};
}

export function isId(value: unknown): value is Id {
  return typeof value === "string" || typeof value === "number";
}
