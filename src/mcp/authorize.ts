import type { Principal } from "../core/principal.ts";
import { toolNamed } from "./apps.ts";
import type { Catalog, ResourceDefinition } from "./definitions.ts";
import { isObject, McpError, type JsonObject } from "./errors.ts";
import { authorizeEvents } from "./events/methods.ts";
import { findResource } from "./resources.ts";

const READS: ReadonlySet<unknown> = new Set(["resources/read", "resources/subscribe"]);

/**
 * Rejects with `UNAUTHENTICATED` or `FORBIDDEN`, or with Forbidden of MCP Events, if someone may not do what a request asks for: before its answer begins
 * as a stream, which could not say so as HTTP does. What is wrong with the request otherwise is for its method to say.
 */
export async function authorize({ method, params }: JsonObject, principal: Principal, catalog: Catalog): Promise<void> {
  if (principal.admin || !isObject(params)) return;
  if (method === "tools/call") {
    const tool = toolNamed(catalog, params["name"]);
    const input = params["arguments"] ?? undefined;
    if (input === undefined || isObject(input)) await tool?.authorize?.(input, principal);
  } else if (READS.has(method) && typeof params["uri"] === "string") {
    resourceOf(catalog, params["uri"])?.authorize?.(principal);
  } else if (catalog.events !== undefined) {
    authorizeEvents({ method, params }, principal, catalog.events);
  }
}

function resourceOf(catalog: Catalog, uri: string): Omit<ResourceDefinition, "listing"> | undefined {
  try {
    return findResource(catalog, uri);
  } catch (error) {
    if (error instanceof McpError) return undefined;
    throw error;
  }
}
