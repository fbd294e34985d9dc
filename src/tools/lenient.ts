import type { z } from "zod";
import { HubError } from "../core/errors.ts";
import { isObject } from "../protocol/json.ts";

/** The type of a field of a schema, as far as it decides how a value is read. */
interface Field {
  readonly name: string;
  readonly isOptional: boolean;
  readonly type: string;
  /** The fields of an object. */
  readonly inner: z.ZodObject | undefined;
}

type Values = Readonly<Record<string, unknown>>;

/** Items of a list that are validated at most; `MAX_CHANNELS_PER_READER` cannot be higher. */
const MAX_ITEMS = 10_000;
/** Fields that an empty text does not leave out: a message whose time is missing would be published at once. */
const NEVER_EMPTY: ReadonlySet<string> = new Set(["at", "delaySeconds"]);
const fieldsOf = new WeakMap<z.ZodObject, readonly Field[]>();

/**
 * Corrects common mistakes of agents before a schema checks the values: drops `null` and `""` of optional fields,
 * parses a text that is JSON of the expected type, and makes any other text a list of one if a list is expected.
 * Throws `TOO_MANY_CHANNELS` for a list longer than `MAX_ITEMS`, since all lists in inputs name channels.
 */
export function lenient(schema: z.ZodObject, values: Values): Values {
  let meant: Record<string, unknown> | undefined;
  for (const field of fieldsIn(schema)) {
    const { name } = field;
    const given = values[name];
    // The fast path, for nearly all values.
    if (given === undefined || (typeof given === field.type && typeof given !== "object" && given !== "")) continue;
    const isLeftOut = field.isOptional && (given === null || (given === "" && !NEVER_EMPTY.has(name)));
    const value = isLeftOut ? undefined : asMeant(field, given);
    if (field.type === "array" && Array.isArray(value) && value.length > MAX_ITEMS) {
      throw new HubError(
        "TOO_MANY_CHANNELS",
        `${name} names ${value.length} channels; no reader may name more than ${MAX_ITEMS}; use a pattern such as orders.*`,
      );
    }
    if (value === given) continue;
    meant ??= { ...values };
    if (value === undefined) delete meant[name];
    else meant[name] = value;
  }
  return meant ?? values;
}

function asMeant({ type, inner }: Field, given: unknown): unknown {
  if (inner !== undefined && isObject(given)) return lenient(inner, given);
  if (typeof given !== "string") return given;
  // A coerced number would be 0.
  if (type === "number" && given.trim() === "") return NaN;
  if (type === "number" || type === "boolean") {
    const value = parsed(given);
    // JSON.parse reads 1e400 as Infinity.
    return typeof value === type && value !== Infinity && value !== -Infinity ? value : given;
  }
  if (type !== "array") return given;
  const value = parsed(given);
  return Array.isArray(value) ? value : [given];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldsIn(schema: z.ZodObject): readonly Field[] {
  let fields = fieldsOf.get(schema);
  if (fields === undefined) {
    fields = Object.entries(schema.shape).map(([name, of]) => fieldOf(name, of as z.ZodType));
    fieldsOf.set(schema, fields);
  }
  return fields;
}

function fieldOf(name: string, of: z.ZodType): Field {
  const { type } = of.def;
  if (type === "optional" || type === "default") {
    const { innerType } = of.def as unknown as { readonly innerType: z.ZodType };
    return { ...fieldOf(name, innerType), isOptional: true };
  }
  return { name, isOptional: false, type, inner: type === "object" ? (of as z.ZodObject) : undefined };
}
