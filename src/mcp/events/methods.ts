import type { Principal } from "../../core/principal.ts";
import type { Catalog } from "../definitions.ts";
import { CODES, McpError, type JsonObject } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";
import type { EventCatalog } from "./event-catalog.ts";
import { asEventError, inDialect } from "./event-error.ts";
import { eventQuery } from "./event-query.ts";
import { listEvents, pollEvents } from "./poll.ts";
import { streamEvents } from "./stream.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";

/** The name of the extension in capabilities. */
const EVENTS_EXTENSION = "io.modelcontextprotocol/events";

type EventMethod = (
  params: JsonObject,
  call: McpRequestContext,
  catalog: EventCatalog,
) => Promise<JsonObject> | JsonObject;

const METHODS: readonly (readonly [string, EventMethod])[] = [
  ["events/list", listEvents],
  ["events/poll", pollEvents],
  ["events/stream", streamEvents],
  ["events/subscribe", subscribe],
  ["events/unsubscribe", unsubscribe],
];
/** Those that name what is to be read. */
const READS: ReadonlySet<unknown> = new Set(["events/poll", "events/stream", "events/subscribe"]);

/** The methods of MCP Events, which both eras have. */
export const EVENT_METHODS: readonly (readonly [
  string,
  (params: JsonObject, call: McpRequestContext, catalog: Catalog) => Promise<JsonObject>,
])[] = METHODS.map(([name, perform]) => [
  name,
  async (params, call, { events }) => {
    if (events === undefined) throw new McpError(CODES.methodNotFound, "This server offers no events", { status: 404 });
    const result = await inDialect(events.dialect, () => perform(params, call, events));
    return { resultType: "complete", ...result };
  },
]);

/** What `initialize` and `server/discover` say of events. */
export function eventCapabilities(events: EventCatalog | undefined): JsonObject {
  if (events === undefined) return {};
  // Clients of the design sketch look for the first, those of SEP-3415 for the second.
  const settings = { listChanged: false };
  return { events: settings, extensions: { [EVENTS_EXTENSION]: settings } };
}

/**
 * Throws Forbidden if someone may not read what a request asks for; what else is wrong is for its method to say, which
 * also knows how many channels it may name.
 */
export function authorizeEvents(
  { method, params }: { readonly method: unknown; readonly params: JsonObject },
  principal: Principal,
  events: EventCatalog,
): void {
  if (!READS.has(method)) return;
  try {
    eventQuery(params, { principal, limits: { channels: Infinity } }, events);
  } catch (error) {
    const found = asEventError(error, events.dialect);
    if (found instanceof McpError && found.challenge !== undefined) throw found;
  }
}
