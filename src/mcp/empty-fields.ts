import { isObject, META } from "./errors.ts";

/** Messages in one batch. */
export const MAX_BATCH = 100;

/** What these hold is not the protocol's: tools, prompts and clients look at it themselves. */
const NOT_OURS: ReadonlySet<string> = new Set([
  "arguments",
  "error",
  "experimental",
  "extensions",
  "inputResponses",
  "result",
]);
/** Texts that mean something when they are empty, or that no message can do without. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set([
  META.protocolVersion,
  ..."id jsonrpc level message method name progressToken protocolVersion requestId type uri value version".split(" "),
]);

/**
 * A body as its sender meant it: no field of MCP has the value `null`, so a field with that is one left out, and so is
 * an optional one that is an empty text. Changes what it is given; `text` is the JSON of it, if that is at hand.
 */
export function dropEmptyFields(body: unknown, text?: string): unknown {
  // Nearly all that comes.
  if (text !== undefined && !text.includes("null") && !text.includes('""')) return body;
  if (!Array.isArray(body)) dropFrom(body);
  // More is refused without a look at it.
  else if (body.length <= MAX_BATCH) for (const message of body) dropFrom(message);
  return body;
}

function dropFrom(message: unknown): void {
  if (!isObject(message)) return;
  const { id, method } = message;
  // Without its null a request would become a notification, which is never answered; one with an id is refused.
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
