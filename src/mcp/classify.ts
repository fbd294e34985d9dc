import { ID_RULE, isId } from "../protocol/jsonrpc.ts";
import type { Headers } from "./modern/headers.ts";
import { isObject, LEGACY_VERSIONS, META, MODERN_VERSIONS } from "./errors.ts";

const NOT_AT_ALL = /^q=0(?:\.0*)?$/;

/**
 * Which era of the protocol a POST speaks (2026-07-28, "Versioning"): modern if it names a version in `_meta` or has
 * the headers of that era; anything else belongs to a session, or opens one.
 */
export function eraOf(body: unknown, headers: Headers): "modern" | "legacy" {
  const { params, method } = isObject(body) ? body : {};
  const meta = isObject(params) ? params["_meta"] : undefined;
  if (isObject(meta) && Object.hasOwn(meta, META.protocolVersion)) return "modern";
  const version = headers("mcp-protocol-version") || undefined;
  if (version !== undefined && MODERN_VERSIONS.includes(version)) return "modern";
  if (headers("mcp-session-id") !== undefined || method === "initialize") return "legacy";
  if (version !== undefined && !LEGACY_VERSIONS.includes(version)) return "modern";
  return version === undefined && headers("mcp-method") !== undefined ? "modern" : "legacy";
}

/** Whether a body is a JSON-RPC request, a notification or a response; undefined if it is something else. */
export function kindOf(body: unknown): "request" | "notification" | "response" | undefined {
  if (!isObject(body) || body["jsonrpc"] !== "2.0") return undefined;
  const { id, method, result, error } = body;
  if (typeof method === "string") {
    if (id === undefined) return "notification";
    return isId(id) ? "request" : undefined;
  }
  return result !== undefined || error !== undefined ? "response" : undefined;
}

/** Says what is wrong with the id of a request; undefined if the id is valid, or the message is not a request. */
export function idProblem(body: unknown): string | undefined {
  if (!isObject(body) || typeof body["method"] !== "string" || body["id"] === undefined) return undefined;
  return isId(body["id"]) ? undefined : `id: ${ID_RULE}`;
}

/** Whether an `Accept` header accepts a media type (RFC 9110, section 12.5.1); the most specific range decides. */
export function accepts(header: string | null, type: string): boolean {
  if (header === null || header.trim() === "") return true;
  const ranges = [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"];
  let closest = ranges.length;
  let isTaken = false;
  for (const item of header.toLowerCase().replaceAll(/[ \t]/g, "").split(",")) {
    const [range = "", ...parameters] = item.split(";");
    const rank = ranges.indexOf(range);
    if (rank === -1 || rank >= closest) continue;
    closest = rank;
    isTaken = !parameters.some((parameter) => NOT_AT_ALL.test(parameter));
  }
  return isTaken;
}
