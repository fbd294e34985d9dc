import { z } from "zod";
import { occurrenceData } from "../../core/occurrence.ts";
import type { Message } from "../../core/message.ts";
import { keptJson } from "../../protocol/json.ts";
import { invalidParams, type JsonObject } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";
import type { EventCatalog } from "./event-catalog.ts";
import { eventQuery, wholeNumber, type DeliveryMode } from "./event-query.ts";
import { eventStart } from "./event-start.ts";
import { isOccurrence } from "./event-type.ts";

/** Occurrences in one answer: unless the client says so, and at most. */
const [DEFAULT_EVENTS, MAX_EVENTS] = [50, 100];
/** Pages of the log that one answer is made from: others may hold nothing that was asked for. */
const MAX_PAGES = 8;
/** Milliseconds to the next poll: when there was something, and when there was nothing. */
const [BUSY, QUIET] = [1000, 5000];

/** `events/list`: the types of events, with the ways in which this caller can have them. */
export function listEvents(
  { cursor }: JsonObject,
  { principal }: McpRequestContext,
  { types, subscriptions }: EventCatalog,
): JsonObject {
  if (cursor !== undefined) throw invalidParams("cursor is not a nextCursor: this list has one page; leave it out");
  // Whose subscription it is has to be known before messages are posted to an address.
  const mayHook = subscriptions !== undefined && principal.kind !== "anonymous";
  const delivery: readonly DeliveryMode[] = mayHook ? ["webhook", "push", "poll"] : ["push", "poll"];
  const events = types.map(({ name, description, input, payloadSchema }) => {
    const { $schema: _, ...inputSchema } = z.toJSONSchema(input, { io: "input" }) as Record<string, unknown>;
    return { name, description, delivery, inputSchema, payloadSchema };
  });
  return { events };
}

/** `events/poll`: the occurrences after a cursor, a page at a time. Nothing is kept between two polls. */
export async function pollEvents(
  params: JsonObject,
  call: McpRequestContext,
  catalog: EventCatalog,
): Promise<JsonObject> {
  const { hub } = call;
  const { type, selection, ...from } = eventQuery(params, call, catalog);
  const most = Math.min(wholeNumber(params, "maxEvents", 1) ?? DEFAULT_EVENTS, MAX_EVENTS);
  const { channels } = selection;
  let { cursor, truncated } = await eventStart(hub, channels, from);
  let hasMore = from.cursor !== undefined;
  const found: Message[] = [];
  for (let pages = 0; hasMore && pages < MAX_PAGES && found.length < most; pages++) {
    const page = await hub.history({ channels, after: cursor, limit: MAX_EVENTS });
    truncated ||= page.gap !== undefined;
    const some = page.messages.filter((message) => isOccurrence(selection, message));
    const room = most - found.length;
    found.push(...some.slice(0, room));
    const last = found.at(-1);
    // What did not fit comes with the next poll.
    const isCut = some.length > room;
    cursor = isCut && last !== undefined ? hub.cursor(last.offset) : page.next;
    hasMore = isCut || page.more;
  }
  const events = found.map((message) => occurrence(type.name, message, hub.cursor(message.offset)));
  return { events, cursor, truncated, hasMore, nextPollMs: events.length > 0 ? BUSY : QUIET };
}

function occurrence(name: string, message: Message, eventId: string): JsonObject {
  const data = keptJson(occurrenceData(name, message));
  return { eventId, name, timestamp: new Date(message.time).toISOString(), data };
}
