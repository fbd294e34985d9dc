import { z } from "zod";
import { isObject } from "../protocol/json.ts";
import type { AnswerForm, FormSchema } from "../protocol/question.ts";
import { visibleText } from "../protocol/visible.ts";
import { checkedInput, inputFault, label, line } from "./checked-input.ts";

const MAX_OPTIONS = 10;
const MAX_FIELDS = 32;
const MAX_VALUES = 100;
const MAX_VALUE = 128;
const MAX_DESCRIPTION = 1024;
/** Characters of a text that is an answer. */
const MAX_TEXT = 16_384;
const TEXT = 4096;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

const truth = z.boolean().optional();
const description = z.string().max(MAX_DESCRIPTION, `use at most ${MAX_DESCRIPTION} characters`).optional();
const value = line(MAX_VALUE);
/** What people see as it is, and answer with. */
const seen = z
  .string()
  .refine((text) => visibleText(text) === text, "has characters that are invisible or turn text around");
const count = z.number().int().min(0);
const confirm = z.strictObject({ kind: z.string(), yes: label, no: label, destructive: truth });
const option = z.strictObject({ value, label, description, destructive: truth });
const choice = z.strictObject({
  kind: z.string(),
  options: z
    .array(option)
    .min(2, `give 2 to ${MAX_OPTIONS} options`)
    .max(MAX_OPTIONS, `give 2 to ${MAX_OPTIONS} options`),
  multiple: truth,
  other: truth,
});
const text = z.strictObject({ kind: z.string(), maxLength: z.number().int().min(1).max(MAX_TEXT).default(TEXT) });
const form = z.strictObject({ kind: z.string(), schema: z.looseObject({}) });

const titles = { title: label, description };
const titled = z.strictObject({ const: value, title: line(MAX_VALUE) });
const values = z.array(value.and(seen)).min(1).max(MAX_VALUES);
const titledValues = z.array(titled).min(1).max(MAX_VALUES);
const type = z.string();
const FIELDS = {
  text: z.strictObject({
    type,
    ...titles,
    minLength: count.optional(),
    maxLength: count.optional(),
    format: z.enum(["email", "uri", "date", "date-time"]).optional(),
    default: z.string().max(TEXT).and(seen).optional(),
  }),
  enum: z.strictObject({ type, ...titles, enum: values, enumNames: values.optional(), default: seen.optional() }),
  oneOf: z.strictObject({ type, ...titles, oneOf: titledValues, default: seen.optional() }),
  array: z.strictObject({
    type,
    ...titles,
    items: z.union([z.strictObject({ type, enum: values }), z.strictObject({ anyOf: titledValues })], {
      error: "use { type, enum } or { anyOf }, with 1 to 100 values",
    }),
    minItems: count.optional(),
    maxItems: count.optional(),
    default: z.array(seen).max(MAX_VALUES).optional(),
  }),
  number: z.strictObject({
    type,
    ...titles,
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    default: z.number().optional(),
  }),
  boolean: z.strictObject({ type, ...titles, default: z.boolean().optional() }),
} as const;

/** Checks what may be answered, as an asker gives it. Throws `INVALID_INPUT`, naming the field. */
export function checkedForm(given: Readonly<Record<string, unknown>>): AnswerForm {
  const { kind } = given;
  switch (kind) {
    case "confirm":
      return withoutFalse(checkedInput(["answer"], confirm, given)) as unknown as AnswerForm;
    case "choice": {
      const { options, ...rest } = checkedInput(["answer"], choice, given);
      const all = options.map((one) => one.value);
      const twice = all.find((one, index) => all.indexOf(one) < index);
      if (twice !== undefined) throw inputFault("answer.options", `has the value ${JSON.stringify(twice)} twice`);
      return { ...withoutFalse(rest), options: options.map(withoutFalse) } as unknown as AnswerForm;
    }
    case "text":
      return checkedInput(["answer"], text, given) as AnswerForm;
    case "form":
      return { kind: "form", schema: checkedSchema(checkedInput(["answer"], form, given).schema) };
    default:
      throw inputFault("answer.kind", `is ${JSON.stringify(kind) ?? "missing"}; use confirm, choice, text or form`);
  }
}

/** The schema of a form, which is that of MCP's elicitation: a flat object of texts, numbers, booleans and choices. */
function checkedSchema(given: Readonly<Record<string, unknown>>): FormSchema {
  const { type: kind = "object", properties, required = [], $schema: _, additionalProperties: __, ...rest } = given;
  const path = "answer.schema";
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw inputFault(path, `has ${JSON.stringify(unknown)}; use type, properties and required`);
  if (kind !== "object") throw inputFault(`${path}.type`, "must be object");
  if (!isObject(properties)) throw inputFault(`${path}.properties`, "must be an object with a schema for each field");
  const names = Object.keys(properties);
  if (names.length === 0 || names.length > MAX_FIELDS) {
    throw inputFault(`${path}.properties`, `has ${names.length} fields; give 1 to ${MAX_FIELDS}`);
  }
  const odd = names.find((name) => !NAME.test(name));
  if (odd !== undefined) {
    throw inputFault(
      `${path}.properties`,
      `has a field ${JSON.stringify(odd.slice(0, 64))}; use letters, digits, _, . and -`,
    );
  }
  if (!Array.isArray(required) || required.some((name) => !names.includes(name as string))) {
    throw inputFault(`${path}.required`, `must be an array of fields; there are ${names.join(", ")}`);
  }
  const fields = names.map((name) => [name, checkedField(name, properties[name])]);
  return { type: "object", properties: Object.fromEntries(fields), required: required as string[] };
}

function checkedField(name: string, given: unknown): unknown {
  const path = ["answer", "schema", "properties", name];
  const shown = path.join(".");
  if (!isObject(given)) throw inputFault(shown, "must be a schema, such as { type: string }");
  if ("pattern" in given)
    throw inputFault(shown, "has a pattern, which is not checked here; use format, or leave it out");
  const { type: kind } = given;
  if (kind === "string") {
    const which = "enum" in given ? "enum" : "oneOf" in given ? "oneOf" : "text";
    return checkedInput(path, FIELDS[which], given);
  }
  if (kind === "number" || kind === "integer") return checkedInput(path, FIELDS.number, given);
  if (kind === "boolean" || kind === "array") return checkedInput(path, FIELDS[kind], given);
  const types = "string, number, integer, boolean or array";
  throw inputFault(
    `${shown}.type`,
    `is ${JSON.stringify(kind) ?? "missing"}; use ${types}: a form has no objects in it`,
  );
}

/** Without what is false, which is what it is if it is left out. */
function withoutFalse<Value extends object>(given: Value): Value {
  return Object.fromEntries(
    Object.entries(given).filter(([, inner]) => inner !== false && inner !== undefined),
  ) as Value;
}
