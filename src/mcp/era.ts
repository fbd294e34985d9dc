import type { Headers } from "./headers.ts";
import { isObject, LEGACY_VERSIONS, META, MODERN_VERSIONS, type JsonObject } from "./protocol.ts";

/**
 * Which generation of the protocol a POST speaks (2026-07-28, "Versioning"): modern where it names a version in
 * `_meta`, or has the headers of that era; all else belongs to a session, or asks for one.
 */
export function eraOf(body: unknown, headers: Headers): "modern" | "legacy" {
  if (!isObject(body)) return "legacy";
  const { params, method } = body;
  const meta = isObject(params) ? params["_meta"] : undefined;
  if (isObject(meta) && Object.hasOwn(meta, META.protocolVersion)) return "modern";
  const version = headers("mcp-protocol-version");
  if (version !== undefined && MODERN_VERSIONS.includes(version)) return "modern";
  if (headers("mcp-session-id") !== undefined || method === "initialize") return "legacy";
  if (version !== undefined && !LEGACY_VERSIONS.includes(version)) return "modern";
  return version === undefined && headers("mcp-method") !== undefined ? "modern" : "legacy";
}

/** Whether a body is a JSON-RPC request, a notification, a response, or none of these. */
export function kindOf(body: JsonObject): "request" | "notification" | "response" | undefined {
  const { jsonrpc, id, method, result, error } = body;
  if (jsonrpc !== "2.0") return undefined;
  const hasId = typeof id === "string" || (typeof id === "number" && Number.isInteger(id));
  if (typeof method === "string") return hasId ? "request" : id === undefined ? "notification" : undefined;
  return result !== undefined || error !== undefined ? "response" : undefined;
}
