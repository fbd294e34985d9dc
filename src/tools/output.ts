import type { JsonSchema } from "./tool.ts";

// JSON Schema of what tools answer: short, since every agent reads it. An object may have more than it names.
export const TEXT: JsonSchema = { type: "string" };
export const OPTIONAL_TEXT: JsonSchema = { type: ["string", "null"] };
export const WHOLE: JsonSchema = { type: "integer" };
export const TRUTH: JsonSchema = { type: "boolean" };

/** An object that has all of these. */
export function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: "object", properties, required: Object.keys(properties) };
}

/** A list of objects that have these. */
export function list(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: "array", items: { type: "object", properties } };
}
