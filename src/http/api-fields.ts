import { escaped, sentence } from "./html.ts";

/** As much of JSON Schema as the routes use. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

/** What someone sends or is answered under one name. */
export interface Field {
  readonly name: string;
  /** Where it is sent: path, query or header; undefined in a body. */
  readonly place?: string;
  readonly isRequired: boolean;
  readonly description?: string | undefined;
  readonly schema: Schema;
  readonly example?: unknown;
}

/** Beyond these, JSON has no integers: they rule nothing out. */
const LIMITS: ReadonlySet<number> = new Set([Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
const NULL = "null";

/** Fields that are sent, and which of them have to be, or fields of an answer, and which of them may be missing. */
export function fieldList(fields: readonly Field[], way: "sent" | "answered"): string {
  return `<dl class="fields">${fields.map((field) => fieldItem(field, way === "sent")).join("")}</dl>`;
}

function fieldItem({ name, place, isRequired, description, schema, example }: Field, isSent: boolean): string {
  const marks = [...(place === undefined ? [] : [place]), kindOf(schema)].map((mark) => `<i>${escaped(mark)}</i>`);
  if (isRequired && isSent) marks.push("<b>required</b>");
  if (!isRequired && !isSent) marks.push("<i>optional</i>");
  const [shown = example] = schema.examples ?? [];
  const parts = [
    ...(description === undefined ? [] : [sentence(description)]),
    ...(schema.default === undefined ? [] : [`Default: <code>${escaped(textOf(schema.default))}</code>`]),
    ...(shown === undefined ? [] : [`Example: <code>${escaped(textOf(shown))}</code>`]),
  ].map((part) => `<dd>${part}</dd>`);
  return `<div><dt><code>${escaped(name)}</code> ${marks.join(" ")}</dt>${parts.join("") || "<dd></dd>"}</div>`;
}

/** The fields of an object and of the objects in it, by their paths: `checks.delivery`, `messages[].id`. */
export function fieldsOf(schema: Schema, path = ""): readonly Field[] {
  const [only, ...others] = alternatives(schema);
  if (only === undefined || others.length > 0) return [];
  if (only.items !== undefined) return fieldsOf(only.items, `${path}[]`);
  const { properties = {}, required = [] } = only;
  return Object.entries(properties).flatMap(([key, inner]) => {
    const name = path === "" ? key : `${path}.${key}`;
    const { description } = inner;
    return [{ name, isRequired: required.includes(key), description, schema: inner }, ...fieldsOf(inner, name)];
  });
}

/** What a value can be, in words. */
export function kindOf(schema: Schema): string {
  const { type, items, minimum, maximum, format } = schema;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  const kinds = schema.anyOf ?? schema.oneOf;
  if (kinds !== undefined) return [...new Set(kinds.map(kindOf))].join(" or ");
  if (Array.isArray(type)) return type.join(" or ");
  if (items !== undefined) {
    const of = kindOf(items);
    return /^\w+$/.test(of) ? `array of ${of}s` : `array of: ${of}`;
  }
  if (format === "date-time") return "time, ISO 8601";
  const from = minimum === undefined || LIMITS.has(minimum) ? "" : ` from ${minimum}`;
  const to = maximum === undefined || LIMITS.has(maximum) ? "" : ` to ${maximum}`;
  return type === undefined ? "any JSON value" : `${type as string}${from}${to}`;
}

/** What a value can be but null. */
function alternatives(schema: Schema): readonly Schema[] {
  return (schema.anyOf ?? schema.oneOf)?.filter(({ type }) => type !== NULL) ?? [schema];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A value as the schema allows it: its example, or as little as is required. */
export function sampleOf(schema: Schema): unknown {
  if (schema.examples !== undefined) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const [first = schema] = alternatives(schema);
  if (first !== schema) return sampleOf(first);
  const { properties = {}, required = [], items, minimum = 0 } = schema;
  switch ([schema.type].flat()[0]) {
    case "object":
      return Object.fromEntries(required.map((name) => [name, sampleOf(properties[name] ?? {})]));
    case "array":
      return items === undefined ? [] : [sampleOf(items)];
    case "integer":
    case "number":
      return Math.max(minimum, 1);
    case "boolean":
      return true;
    default:
      return "text";
  }
}
