import type { JsonObject } from "../../mcp/errors.ts";
import type { Rate } from "../../limits/rate-limits.ts";
import type { Caller } from "../../ops/connections.ts";
import type { HttpContext } from "../context.ts";

/** What each method counts as; the others are cheap. */
const COUNTED: ReadonlyMap<unknown, Rate> = new Map<unknown, Rate>([
  ["tools/call", "tool_calls"],
  ["resources/read", "history_pages"],
]);

/** Counts a message of MCP before its answer begins. Throws `RATE_LIMITED`. */
export function admitMessage(message: JsonObject, { principal, address }: Caller, { rateLimits }: HttpContext): void {
  const what = COUNTED.get(message["method"]);
  if (what !== undefined) rateLimits.admit(principal, address, what);
}
