import { checkSubscribe, type Principal } from "../../core/principal.ts";
import { parseCursor } from "../../protocol/cursor.ts";
import { lenient, problems } from "../../tools/index.ts";
import { invalidParams, isObject, shown, type JsonObject } from "../errors.ts";
import type { EventCatalog } from "./event-catalog.ts";
import { eventError } from "./event-error.ts";
import type { EventSelection, EventType } from "./event-type.ts";

/** The way in which occurrences reach a client. */
export type DeliveryMode = "poll" | "push" | "webhook";

/** What every method of events is asked: of which type, which of them, and from where on. */
export interface EventQuery {
  readonly type: EventType;
  /** Checked, without what was left out. */
  readonly args: JsonObject;
  readonly selection: EventSelection;
  /** Undefined for now. */
  readonly cursor: string | undefined;
  /** Milliseconds; undefined if even the oldest counts. */
  readonly maxAge: number | undefined;
}

/** Reads the params that all methods have. Throws `NotFound`, `InvalidParams`, or that something may not be read. */
export function eventQuery(
  params: JsonObject,
  { limits, principal }: { readonly limits: { readonly channels: number }; readonly principal: Principal },
  catalog: EventCatalog,
): EventQuery {
  const type = eventTypeOf(params, catalog);
  const args = argumentsOf(params, type);
  const selection = type.selection(args, limits);
  checkSubscribe(principal, selection.channels);
  return { type, args, selection, cursor: cursorOf(params), maxAge: wholeNumber(params, "maxAgeMs", 0) };
}

function cursorOf({ cursor = null }: JsonObject): string | undefined {
  if (cursor === null) return undefined;
  if (typeof cursor !== "string") throw invalidParams("cursor must be a text; leave it out to begin now");
  if (parseCursor(cursor) !== undefined) return cursor;
  throw invalidParams(`cursor is ${shown(cursor)}, which this server never gave; leave it out to begin now`);
}

/** The type that a request names. Throws `NotFound`. */
export function eventTypeOf({ name }: JsonObject, { types, dialect }: EventCatalog): EventType {
  if (typeof name !== "string") throw invalidParams("name is missing; give the name of a type that events/list lists");
  const type = types.find((one) => one.name === name);
  if (type !== undefined) return type;
  const known = types.map((one) => one.name).join(", ");
  throw eventError(dialect, "notFound", `There is no event ${shown(name)}; there are ${known}`, { kind: "event" });
}

/** The arguments of a subscription, checked. Throws `InvalidParams`. */
export function argumentsOf({ arguments: given = {} }: JsonObject, { input }: EventType): JsonObject {
  if (!isObject(given)) throw invalidParams('arguments must be an object such as {"channels": ["orders.*"]}');
  const meant = lenient(input, given);
  const { data, error } = input.safeParse(meant);
  if (error === undefined) return data;
  throw invalidParams(`arguments: ${problems(error, meant, Object.keys(input.shape))}`);
}

/** A whole number among the params; undefined if it was left out. */
export function wholeNumber(params: JsonObject, field: string, least: number): number | undefined {
  const value = params[field] ?? undefined;
  if (value === undefined) return undefined;
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= least) return number;
  throw invalidParams(`${field} must be a whole number, ${least} or more`);
}
