import { hash } from "node:crypto";
import { MAX_EVENT, RESERVED_EVENTS } from "../../core/message.ts";
import { oneLineData } from "../../protocol/text.ts";
import { cloudEventId } from "./cloud-events.ts";
import { headerOf, type Delivery } from "./delivery.ts";
import type { Condition, HookRecord } from "./hook-record.ts";
import { picked, pointer, valueAt } from "./pointer.ts";
import { providerOf, type Place } from "./providers.ts";

/** The message of a delivery. */
export interface HookMessage {
  readonly event: string;
  readonly data: unknown;
  /** By which its provider knows it, also when it delivers it again; undefined if it has none. */
  readonly id: string | undefined;
  /** Whether it may end the wait of an agent. */
  readonly wakes: boolean;
}

type Event = Readonly<Record<string, unknown>>;

/** Characters of one value in a text. */
const MAX_VALUE = 500;
/** A pointer, or the event, in braces. */
const FIELD = /\{(event|\/[^{}]*)\}/g;
const EVENT = "event";
/** In place of an event that has no name. */
const UNNAMED = "message";

/**
 * The message of one body of a delivery; undefined if the hook filters it out. `provedId` is the id that its signature
 * covers, if there is one.
 */
export function hookMessage(
  record: HookRecord,
  delivery: Delivery,
  body: unknown,
  provedId?: string,
): HookMessage | undefined {
  const { provider, pick, text, events, filter = [], wakes } = record;
  const event = eventOf(record, delivery, body);
  if (events !== undefined && !events.includes(event)) return undefined;
  if (!meetsAll(filter, body)) return undefined;
  let data = body;
  if (pick !== undefined) data = picked(body, pick.map(pointer));
  else if (text !== undefined) data = filled(text, body, event);
  return {
    event,
    data,
    id: provider === "cloudevents" ? cloudEventId(body as Event) : idOf(record, delivery, body, event, provedId),
    wakes: typeof wakes === "boolean" ? wakes : meetsAll(wakes, body),
  };
}

/** Whether a body meets all conditions. */
function meetsAll(conditions: readonly Condition[], body: unknown): boolean {
  return conditions.every(({ pointer: path, equals, in: some, notIn }) => {
    const value = valueAt(body, pointer(path)) as string;
    if (some !== undefined) return some.includes(value);
    return notIn === undefined ? value === equals : !notIn.includes(value);
  });
}

function idOf(
  record: HookRecord,
  delivery: Delivery,
  body: unknown,
  event: string,
  provedId?: string,
): string | undefined {
  // The id that is signed, before any other: who sends a delivery again can add another one.
  if (record.id === undefined && provedId !== undefined) return provedId;
  return found(record.id === undefined ? providerOf(record).id : [record.id], delivery, body, event);
}

function eventOf(record: HookRecord, delivery: Delivery, body: unknown): string {
  const { name, event } = record;
  if (typeof event === "string") return event;
  const given = found(event === undefined ? providerOf(record).event : [event], delivery, body) ?? UNNAMED;
  const line =
    given
      .replaceAll(/[\p{C}\p{Z}]+/gu, " ")
      .trim()
      .slice(0, MAX_EVENT)
      .toWellFormed() || UNNAMED;
  // Readers would take a reserved name for a signal of the hub.
  return RESERVED_EVENTS.has(line) ? `${name}.${line}`.slice(0, MAX_EVENT) : line;
}

/** The value at the first of these places that has one. */
function found(places: readonly Place[] = [], delivery: Delivery, body: unknown, event = ""): string | undefined {
  for (const place of places) {
    if (place === "body") return hash("sha256", delivery.body);
    if (place === "event and body") return hash("sha256", `${event}\n${hash("sha256", delivery.body)}`);
    const value = "header" in place ? headerOf(delivery, place.header) : valueAt(body, pointer(place.pointer));
    if (typeof value === "string" && value !== "") return value;
    if (typeof value === "number") return String(value);
  }
  return undefined;
}

/** A text with values in place of its pointers: each on one line and shortened, and nothing in it is read again. */
function filled(text: string, body: unknown, event: string): string {
  return text.replaceAll(FIELD, (_, field: string) => {
    const value = field === EVENT ? event : valueAt(body, pointer(field));
    if (value === undefined || value === null) return "";
    const line =
      typeof value === "string" ? value.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim() : oneLineData(value);
    return line.length > MAX_VALUE ? `${line.slice(0, MAX_VALUE).toWellFormed()}…` : line;
  });
}
