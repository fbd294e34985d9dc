import { APP_TOOLS, listing } from "../tools/index.ts";
import type { AppCatalog, Catalog, ResourceDefinition, ToolDefinition } from "./definitions.ts";
import { isObject, type JsonObject } from "./errors.ts";

/** The extension "MCP Apps" (SEP-1865, 2026-01-26): views of this server that a client shows beside its conversation. */
const APPS_EXTENSION = "io.modelcontextprotocol/ui";
/** The type of a view, which a client has to declare. */
const VIEW_TYPE = "text/html;profile=mcp-app";

/** The views, each one HTML file that needs nothing else. */
const VIEW_NAMES = ["question", "channel"] as const;
export type ViewName = (typeof VIEW_NAMES)[number];
const TITLES: Readonly<Record<ViewName, string>> = {
  question: "A question to people, with what it takes to answer it",
  channel: "The last messages of a channel, and those that come",
};
/** The tools whose results a view shows. */
const VIEW_OF: ReadonlyMap<string, ViewName> = new Map([
  ["ask_person", "question"],
  ["read_messages", "channel"],
]);

/** The views, and the tools that only they call. `html` gives the file of a view. */
export function appCatalog(
  offered: (tool: (typeof APP_TOOLS)[number], listing: ToolDefinition["listing"]) => ToolDefinition,
  html: (name: ViewName) => string,
): AppCatalog {
  return {
    tools: APP_TOOLS.map((tool) => offered(tool, { ...listing(tool), _meta: { ui: { visibility: ["app"] } } })),
    resources: VIEW_NAMES.map((name) => viewResource(name, html)),
  };
}

/** Whether a client shows views. Capabilities are as it declared them, unchecked. */
export function showsViews({ extensions }: JsonObject): boolean {
  const settings = isObject(extensions) ? extensions[APPS_EXTENSION] : undefined;
  const types = isObject(settings) ? settings["mimeTypes"] : undefined;
  return Array.isArray(types) && types.includes(VIEW_TYPE);
}

/** What such a client declares. */
export const VIEWS_DECLARED: JsonObject = { extensions: { [APPS_EXTENSION]: { mimeTypes: [VIEW_TYPE] } } };

/** The tools as a client with these capabilities is told of them: those for views have a mark that keeps them from models. */
export function listedTools({ tools, apps }: Catalog, capabilities: JsonObject): readonly ToolDefinition["listing"][] {
  const listings = tools.map((tool) => tool.listing);
  if (apps === undefined || !showsViews(capabilities)) return listings;
  return [...listings.map(withView), ...apps.tools.map((tool) => tool.listing)];
}

/** The tools that a client with these capabilities may call. */
export function callableTools({ tools, apps }: Catalog, capabilities: JsonObject): readonly ToolDefinition[] {
  return apps !== undefined && showsViews(capabilities) ? [...tools, ...apps.tools] : tools;
}

/** The definition of a tool, whoever may call it. */
export function toolNamed({ tools, apps }: Catalog, name: unknown): ToolDefinition | undefined {
  return [...tools, ...(apps?.tools ?? [])].find((tool) => tool.listing.name === name);
}

function withView(listed: ToolDefinition["listing"]): ToolDefinition["listing"] {
  const view = VIEW_OF.get(listed.name);
  return view === undefined ? listed : { ...listed, _meta: { ui: { resourceUri: uriOf(view) } } };
}

function uriOf(name: ViewName): string {
  return `ui://hub/${name}`;
}

function viewResource(name: ViewName, html: (name: ViewName) => string): ResourceDefinition {
  const uri = uriOf(name);
  // A view asks its host for everything, so it needs no network; its own border is enough.
  const _meta = { ui: { csp: {}, prefersBorder: false } };
  return {
    listing: { uri, name: `${name}-view`, description: TITLES[name], mimeType: VIEW_TYPE, _meta },
    read: async () => ({ contents: [{ uri, mimeType: VIEW_TYPE, text: html(name), _meta }] }),
  };
}
