import { unknownTool } from "../tools/index.ts";
import type { McpRequestContext } from "./request-context.ts";
import { callableTools, listedTools, showsViews } from "./apps.ts";
import { completions } from "./completions.ts";
import { listen } from "./listen.ts";
import type { InputRequired, Catalog, PromptDefinition, ResourceListing } from "./definitions.ts";
import { invalidParams, isObject, MODERN_VERSIONS, shown, type JsonObject } from "./errors.ts";
import { EVENT_METHODS, eventCapabilities } from "./events/methods.ts";
import { findResource } from "./resources.ts";
import { TASK_CAPABILITY, TASK_METHODS } from "./tasks/methods.ts";

/** The result of a method, without the fields that an era adds. */
export type Result = object;

/** Whether the result asks the client for input. */
export function isInputRequired(result: Result): result is InputRequired {
  return (result as { resultType?: unknown }).resultType === "input_required";
}

/** A method of the protocol. Throws `McpError` or `HubError`. */
type Method = (params: JsonObject, call: McpRequestContext, catalog: Catalog) => Promise<Result> | Result;

/** Entries on one page of a list. */
const PAGE = 100;

/** The methods that both eras have, and those of the modern era only. */
export const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["server/discover", (_, __, catalog) => discover(catalog)],
  ["tools/list", (params, call, catalog) => whole(params, { tools: listedTools(catalog, call.capabilities) })],
  ["tools/call", callTool],
  ["resources/list", listResources],
  ["resources/templates/list", (params, _, catalog) => whole(params, { resourceTemplates: templates(catalog) })],
  ["resources/read", readResource],
  ["prompts/list", (params, _, catalog) => whole(params, { prompts: catalog.prompts.map(({ listing }) => listing) })],
  ["prompts/get", getPrompt],
  ["completion/complete", completions],
  ["subscriptions/listen", listen],
  ...TASK_METHODS,
  ...EVENT_METHODS,
]);

/** How long, and by whom, the result of a method may be cached (2026-07-28, "Caching"). */
const CACHING: Readonly<Record<string, { readonly ttlMs: number; readonly cacheScope: "public" | "private" }>> = {
  "server/discover": { ttlMs: 3_600_000, cacheScope: "public" },
  "tools/list": { ttlMs: 300_000, cacheScope: "public" },
  "prompts/list": { ttlMs: 300_000, cacheScope: "public" },
  "resources/templates/list": { ttlMs: 300_000, cacheScope: "public" },
  // Channels change at any time, and which ones are listed may depend on the caller.
  "resources/list": { ttlMs: 0, cacheScope: "private" },
  "resources/read": { ttlMs: 0, cacheScope: "private" },
};

/** The same for a client with these capabilities: one that shows views has other tools than the rest. */
export function cachingOf(method: string, client: JsonObject): object {
  const isOwn = method === "tools/list" && showsViews(client);
  return { ...CACHING[method], ...(isOwn ? { cacheScope: "private" } : {}) };
}

/** The capabilities of a server with this catalog, of those that both eras have. */
export function capabilities({ changes, logs, events }: Catalog): JsonObject {
  const listChanged = changes === undefined ? {} : { listChanged: true };
  return {
    tools: listChanged,
    prompts: listChanged,
    resources: { subscribe: true, listChanged: true },
    completions: {},
    ...(logs ? { logging: {} } : {}),
    ...eventCapabilities(events),
  };
}

function discover(catalog: Catalog): Result {
  const { extensions, ...shared } = capabilities(catalog);
  return {
    supportedVersions: MODERN_VERSIONS,
    capabilities: { ...shared, extensions: { ...(isObject(extensions) ? extensions : {}), ...TASK_CAPABILITY } },
    instructions: catalog.instructions,
  };
}

async function callTool(params: JsonObject, call: McpRequestContext, catalog: Catalog): Promise<Result> {
  const tools = callableTools(catalog, call.capabilities);
  const name = textOf(params, "name");
  const input = params["arguments"];
  if (input !== undefined && !isObject(input)) throw invalidParams("arguments must be an object");
  const tool = tools.find(({ listing }) => listing.name === name);
  if (tool === undefined) {
    throw unknownTool(
      name,
      tools.map(({ listing }) => listing.name),
    );
  }
  return tool.call(input, call);
}

async function getPrompt(params: JsonObject, call: McpRequestContext, { prompts }: Catalog): Promise<Result> {
  const name = textOf(params, "name");
  const given = params["arguments"] ?? {};
  const prompt = prompts.find(({ listing }) => listing.name === name);
  if (prompt === undefined) {
    const known = prompts.map(({ listing }) => listing.name).join(", ");
    throw invalidParams(`Unknown prompt: ${shown(name)}; there are ${known}`);
  }
  const input = isObject(given) ? withoutEmpty(given, prompt) : given;
  if (!isObject(input) || Object.values(input).some((value) => typeof value !== "string")) {
    throw invalidParams("arguments must be an object of texts");
  }
  const missing = prompt.listing.arguments?.find(({ name: key, required }) => required && !Object.hasOwn(input, key));
  if (missing !== undefined) throw invalidParams(`arguments.${missing.name} is missing; give a text`);
  return prompt.get(input as Readonly<Record<string, string>>, call);
}

/** Removes arguments that count as absent: `null`, and an empty text for an optional one. */
function withoutEmpty(input: JsonObject, { listing }: PromptDefinition): JsonObject {
  const required = new Set(
    (listing.arguments ?? []).flatMap(({ name, required: isRequired }) => (isRequired ? [name] : [])),
  );
  const kept = Object.entries(input).filter(([name, value]) => value !== null && (value !== "" || required.has(name)));
  return Object.fromEntries(kept);
}

async function readResource(params: JsonObject, call: McpRequestContext, catalog: Catalog): Promise<Result> {
  const uri = textOf(params, "uri");
  const resource = findResource(catalog, uri);
  resource.authorize?.(call.principal);
  return resource.read(call);
}

/** Fixed resources first, then those of the templates, page by page. */
function listResources({ cursor }: JsonObject, call: McpRequestContext, catalog: Catalog): Result {
  const { apps } = catalog;
  const resources = [...catalog.resources, ...(showsViews(call.capabilities) ? (apps?.resources ?? []) : [])];
  const of = catalog.templates.filter((template) => template.list !== undefined);
  const start = cursor === undefined ? { template: 0, after: "" } : placeOf(cursor, of.length);
  const found: ResourceListing[] = cursor === undefined ? resources.map(({ listing }) => listing) : [];
  for (let { template, after } = start; template < of.length; template++, after = "") {
    const room = Math.max(PAGE - found.length, 0);
    const some = of[template]?.list?.(after === "" ? undefined : after, room + 1, call) ?? [];
    const page = some.slice(0, room);
    found.push(...page);
    if (some.length > room) return { resources: found, nextCursor: `${template}:${page.at(-1)?.name ?? after}` };
  }
  return { resources: found };
}

/** Where a page begins: with which template, and after which name; an empty name for its first. */
function placeOf(cursor: unknown, templateCount: number): { readonly template: number; readonly after: string } {
  const [, template = "", after = ""] = typeof cursor === "string" ? (/^(\d{1,3}):(.{0,128})$/.exec(cursor) ?? []) : [];
  if (template !== "" && Number(template) < templateCount) return { template: Number(template), after };
  throw invalidParams("cursor is not a nextCursor of this list; leave it out to begin again");
}

function templates(catalog: Catalog): readonly JsonObject[] {
  return catalog.templates.map(({ listing }) => ({ ...listing }));
}

/** A list that has one page. */
function whole({ cursor }: JsonObject, list: JsonObject): Result {
  if (cursor !== undefined) throw invalidParams("cursor is not a nextCursor: this list has one page; leave it out");
  return list;
}

function textOf(params: JsonObject, field: string): string {
  const value = params[field];
  if (typeof value === "string") return value;
  throw invalidParams(value === undefined ? `${field} is missing; give a text` : `${field} must be a text`);
}
