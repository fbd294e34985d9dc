import type { McpRequestContext } from "./request-context.ts";
import type { InputRequest, InputRequired } from "./definitions.ts";
import { CODES, isObject, McpError, type JsonObject } from "./errors.ts";

/** A capability of a client, and the part of it that is needed. */
interface Need {
  readonly name: string;
  readonly part?: string;
}

/**
 * Throws `-32021` if the client did not declare the capability to answer one of the input requests (2026-07-28, "Multi
 * Round-Trip Requests", server requirement 7).
 */
export function checkInputRequests(
  { inputRequests = {} }: InputRequired,
  { capabilities }: Pick<McpRequestContext, "capabilities">,
): void {
  const missing = Object.values(inputRequests)
    .map(needOf)
    .filter((need) => !isMet(need, capabilities));
  if (missing.length === 0) return;
  const required: Record<string, JsonObject> = {};
  for (const { name, part } of missing)
    required[name] = { ...required[name], ...(part === undefined ? {} : { [part]: {} }) };
  throw new McpError(CODES.missingCapability, `This needs a client with ${Object.keys(required).join(" and ")}`, {
    status: 400,
    data: { requiredCapabilities: required },
  });
}

function needOf({ method, params = {} }: InputRequest): Need {
  if (method === "roots/list") return { name: "roots" };
  if (method === "elicitation/create") return { name: "elicitation", part: params["mode"] === "url" ? "url" : "form" };
  return { name: "sampling", ...("tools" in params || "toolChoice" in params ? { part: "tools" } : {}) };
}

function isMet({ name, part }: Need, capabilities: JsonObject): boolean {
  const capability = capabilities[name];
  if (!isObject(capability)) return false;
  if (part === undefined || isObject(capability[part])) return true;
  // A client that declares elicitation without details supports forms ("Elicitation").
  return part === "form" && !isObject(capability["url"]);
}
