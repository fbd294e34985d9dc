import { isObject, META } from "./errors.ts";

/** Messages in one batch. */
export const MAX_BATCH = 100;

/** Fields whose content is not defined by the protocol: tools, prompts and clients validate it. */
const NOT_OURS: ReadonlySet<string> = new Set([
  "arguments",
  "error",
  "experimental",
  "extensions",
  "inputResponses",
  "result",
]);
/** Fields that are required, or that have a meaning if they are an empty text. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set([
  META.protocolVersion,
  ..."id jsonrpc level message method name progressToken protocolVersion requestId type uri value version".split(" "),
]);

/**
 * Removes fields that are `null`, which no field of MCP may be, and optional ones that are an empty text: clients send
 * them for fields that they leave out. Changes the body in place; `text` is its JSON, if available.
 */
export function dropEmptyFields(body: unknown, text?: string): unknown {
  // The fast path, for nearly all bodies.
  if (text !== undefined && !text.includes("null") && !text.includes('""')) return body;
  if (!Array.isArray(body)) dropFrom(body);
  // A longer batch is refused anyway.
  else if (body.length <= MAX_BATCH) for (const message of body) dropFrom(message);
  return body;
}

function dropFrom(message: unknown): void {
  if (!isObject(message)) return;
  const { id, method } = message;
  // Without `id: null` a request would become a notification, which is not answered; with it, it is refused.
  const isRequest = typeof method === "string" && !method.startsWith("notifications/");
  dropFromObject(message);
  if (id === null && isRequest) (message as Record<string, unknown>)["id"] = null;
}

function dropFromObject(object: Record<string, unknown>): void {
  for (const key in object) {
    const value = object[key];
    if (value === null || (value === "" && !MAY_BE_EMPTY.has(key))) delete object[key];
    else if (typeof value === "object" && !NOT_OURS.has(key)) dropFromValue(value);
  }
}

function dropFromValue(value: unknown): void {
  if (isObject(value)) dropFromObject(value);
  else if (Array.isArray(value)) for (const item of value) dropFromValue(item);
}
