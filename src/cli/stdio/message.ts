import { PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/client";
import { isObject } from "../../protocol/json.ts";

export type JsonObject = Readonly<Record<string, unknown>>;
export type Id = string | number;

/** A JSON-RPC message: a request has an id and a method, a notification has a method, and a response has neither. */
export interface Message {
  readonly jsonrpc: "2.0";
  readonly id?: Id;
  readonly method?: string;
  readonly params?: JsonObject;
  readonly result?: JsonObject;
  readonly error?: JsonObject;
}

export interface Request extends Message {
  readonly id: Id;
  readonly method: string;
}

/** A JSON value as a message; undefined if it is none. */
export function messageOf(body: unknown): Message | undefined {
  if (!isObject(body) || body["jsonrpc"] !== "2.0") return undefined;
  const { id, method, result, error, ...rest } = body;
  if (typeof method !== "string") return result === undefined && !isObject(error) ? undefined : (body as never);
  // Some write null for the id that a notification does not have.
  if (id === null && method.startsWith("notifications/")) return { ...rest, method } as never;
  return id === undefined || isId(id) ? (body as never) : undefined;
}

export function isRequest(message: Message): message is Request {
  return message.method !== undefined && message.id !== undefined;
}

export function isId(value: unknown): value is Id {
  return typeof value === "string" || typeof value === "number";
}

/** The version of the protocol that a message says it speaks, as all do since there is no handshake. */
export function versionOf({ params }: Message): string | undefined {
  const meta = isObject(params) ? params["_meta"] : undefined;
  if (!isObject(meta) || !Object.hasOwn(meta, PROTOCOL_VERSION_META_KEY)) return undefined;
  return String(meta[PROTOCOL_VERSION_META_KEY]);
}

export function notification(name: string, params: JsonObject = {}): Message {
  return { jsonrpc: "2.0", method: `notifications/${name}`, params };
}
