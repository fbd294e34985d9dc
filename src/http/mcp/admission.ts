import { toolNamed } from "../../mcp/apps.ts";
import type { Catalog } from "../../mcp/definitions.ts";
import { isObject, type JsonObject } from "../../mcp/errors.ts";
import type { Rate } from "../../limits/rate-limits.ts";
import type { Caller } from "../../ops/connections.ts";
import type { HttpContext } from "../context.ts";

/** What each method counts as; the others are cheap. */
const COUNTED: ReadonlyMap<unknown, Rate> = new Map<unknown, Rate>([
  ["tools/call", "tool_calls"],
  ["resources/read", "history_pages"],
  ["tasks/get", "history_pages"],
  ["tasks/update", "tool_calls"],
  ["tasks/cancel", "tool_calls"],
  ["events/poll", "history_pages"],
  ["events/stream", "history_pages"],
  ["events/subscribe", "tool_calls"],
]);

/**
 * Counts a message of MCP before its answer begins, and throws `RATE_LIMITED`: also if what its tool is about to publish
 * would be refused, which an answer that has begun as a stream could not say as HTTP does.
 */
export function admitMessage(
  { method, params }: JsonObject,
  caller: Caller,
  { rateLimits }: HttpContext,
  catalog: Catalog,
): void {
  const what = COUNTED.get(method);
  if (what === undefined || !rateLimits.isOn) return;
  const { principal, address } = caller;
  rateLimits.admit(principal, address, what);
  if (what !== "tool_calls" || !isObject(params)) return;
  const tool = toolNamed(catalog, params["name"]);
  if (tool?.publishes !== true) return;
  for (const later of ["publishes", "publish_bytes"] as const) rateLimits.admit(principal, address, later, 0);
}
