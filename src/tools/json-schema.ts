import type { JsonSchema } from "./tool.ts";

// JSON Schema of the answers of tools: short, since agents may read it.
export const TEXT: JsonSchema = { type: "string" };
export const OPTIONAL_TEXT: JsonSchema = { type: ["string", "null"] };
export const WHOLE: JsonSchema = { type: "integer" };
export const NUMBER: JsonSchema = { type: "number" };
export const TRUTH: JsonSchema = { type: "boolean" };

type Properties = Readonly<Record<string, JsonSchema>>;

/** An object that has all of `properties`, may have `others`, and has nothing else. */
export function object(properties: Properties, others: Properties = {}): JsonSchema {
  return {
    type: "object",
    properties: { ...properties, ...others },
    required: Object.keys(properties),
    additionalProperties: false,
  };
}

/** An object whose values all have one schema. */
export function each(kind: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: kind };
}

export function list(items: JsonSchema): JsonSchema {
  return { type: "array", items };
}

export function orNull(schema: JsonSchema): JsonSchema {
  return { ...schema, type: [schema["type"], "null"] };
}
