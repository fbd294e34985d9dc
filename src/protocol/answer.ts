import { isObject } from "./json.ts";
import type {
  Answer,
  AnswerForm,
  ChoiceForm,
  FieldValue,
  FormField,
  FormSchema,
  ListField,
  NumberField,
  TextField,
  TitledValue,
} from "./question.ts";
import { quoted } from "./text.ts";

/** An answer, or the sentence that says why it is not one. */
export type ReadAnswer = { readonly value: Answer } | { readonly problem: string };

/** Characters of a text in an answer, unless the form allows fewer. */
const MAX_ANSWER_TEXT = 4096;
/** Bytes of an answer as JSON. */
const MAX_BYTES = 32 * 1024;
const MAX_SHOWN = 64;
const YES: ReadonlySet<string> = new Set(["yes", "true"]);
const NO: ReadonlySet<string> = new Set(["no", "false"]);
const utf8 = new TextEncoder();

/** Stops reading an answer; its sentence names the field. */
class Problem extends Error {}

/**
 * Reads what someone answered by the form of the question, as leniently as is safe: `"yes"` is `true`, and a label is
 * its value. The server and the page both use it, so that a page can say what is wrong before it sends an answer.
 */
export function readAnswer(form: AnswerForm, given: unknown): ReadAnswer {
  try {
    const value = valueOf(form, given);
    const bytes = utf8.encode(JSON.stringify(value)).length;
    if (bytes > MAX_BYTES) throw new Problem(`value has ${bytes} bytes as JSON; at most ${MAX_BYTES} are allowed`);
    return { value };
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message };
    throw error;
  }
}

function valueOf(form: AnswerForm, given: unknown): Answer {
  if (given === undefined) throw new Problem("value is missing; give the answer");
  switch (form.kind) {
    case "confirm":
      return confirmed(form, given);
    case "choice":
      return chosen(form, given);
    case "text":
      return checkedText("value", given, form.maxLength);
    default:
      return fields(form.schema, given);
  }
}

function confirmed({ yes, no }: { readonly yes?: string; readonly no?: string }, given: unknown): boolean {
  if (typeof given === "boolean") return given;
  const said = typeof given === "string" ? given.trim().toLowerCase() : undefined;
  if (said === undefined) throw new Problem(`value must be true or false, not ${shown(given)}`);
  // A label counts first, and the one for no before the one for yes: "no" may be what yes is called.
  if (said === no?.toLowerCase()) return false;
  if (said === yes?.toLowerCase()) return true;
  if (NO.has(said)) return false;
  if (YES.has(said)) return true;
  throw new Problem(`value is ${shown(given)}; use true for yes, or false for no`);
}

function chosen(form: ChoiceForm, given: unknown): Answer {
  if (!form.multiple) return optionOf(form, "value", given);
  const several: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (several.length === 0) throw new Problem(`value is an empty array; choose at least one of ${optionsOf(form)}`);
  const values = several.map((one, index) => optionOf(form, `value.${index}`, one));
  if (new Set(values).size < values.length) throw new Problem("value names an option twice; name each once");
  return values;
}

function optionOf(form: ChoiceForm, field: string, given: unknown): string {
  const { options, other } = form;
  if (options.some(({ value }) => value === given)) return given as string;
  const labelled = options.filter(({ label }) => label !== undefined && label === given);
  if (labelled.length === 1) return (labelled[0] as { readonly value: string }).value;
  if (other) return checkedText(field, given, MAX_ANSWER_TEXT);
  throw new Problem(`${field} is ${shown(given)}; use one of ${optionsOf(form)}`);
}

function optionsOf({ options }: ChoiceForm): string {
  return options.map(({ value }) => quoted(value.slice(0, MAX_SHOWN))).join(", ");
}

function fields({ properties, required = [] }: FormSchema, given: unknown): Readonly<Record<string, FieldValue>> {
  if (!isObject(given)) throw new Problem(`value must be an object with the fields of the form, not ${shown(given)}`);
  const known = Object.keys(properties);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(properties, name));
  if (unknown !== undefined) {
    throw new Problem(`value has the unknown field ${shown(unknown)}; there are ${known.join(", ")}`);
  }
  const read: [string, FieldValue][] = [];
  for (const [name, field] of Object.entries(properties)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    const isRequired = required.includes(name);
    const isLeftOut = value === undefined || value === null || (value === "" && !isRequired);
    if (!isLeftOut) read.push([name, fieldValue(`value.${name}`, field, value)]);
    else if (isRequired) throw new Problem(`value.${name} is missing; give ${wanted(field)}`);
  }
  return Object.fromEntries(read);
}

function fieldValue(place: string, field: FormField, given: unknown): FieldValue {
  switch (field.type) {
    case "boolean": {
      const value = given === "true" ? true : given === "false" ? false : given;
      if (typeof value === "boolean") return value;
      throw new Problem(`${place} must be true or false, not ${shown(given)}`);
    }
    case "number":
    case "integer":
      return numberOf(place, field, given);
    case "array":
      return severalOf(place, field, given);
    default:
      if ("enum" in field) return oneOf(place, field.enum, given);
      return "oneOf" in field ? oneOf(place, constants(field.oneOf), given) : stringOf(place, field, given);
  }
}

function severalOf(place: string, { items, minItems = 0, maxItems = Infinity }: ListField, given: unknown): string[] {
  const allowed = "enum" in items ? items.enum : constants(items.anyOf);
  const several: readonly unknown[] = Array.isArray(given) ? given : [given];
  const values = several.map((one, index) => oneOf(`${place}.${index}`, allowed, one));
  if (new Set(values).size < values.length) throw new Problem(`${place} names a value twice; name each once`);
  if (values.length < minItems) throw new Problem(`${place} has ${values.length} values; give at least ${minItems}`);
  if (values.length > maxItems) throw new Problem(`${place} has ${values.length} values; give at most ${maxItems}`);
  return values;
}

function constants(values: readonly TitledValue[]): readonly string[] {
  return values.map((one) => one.const);
}

function numberOf(
  place: string,
  { type, minimum = -Infinity, maximum = Infinity }: NumberField,
  given: unknown,
): number {
  const value = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
  const what = type === "integer" ? "a whole number" : "a number";
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new Problem(`${place} must be ${what}, not ${shown(given)}`);
  }
  if (type === "integer" && !Number.isSafeInteger(value)) throw new Problem(`${place} is ${value}; use ${what}`);
  if (value < minimum) throw new Problem(`${place} is ${value}; use at least ${minimum}`);
  if (value > maximum) throw new Problem(`${place} is ${value}; use at most ${maximum}`);
  return value;
}

const FORMATS: Readonly<Record<NonNullable<TextField["format"]>, { is(text: string): boolean; example: string }>> = {
  email: { is: (text) => /^[^\s@]+@[^\s@]+$/.test(text), example: "an e-mail address such as ada@example.org" },
  uri: { is: (text) => URL.canParse(text), example: "a URL such as https://example.org/" },
  date: { is: isDate, example: "a date such as 2030-01-31" },
  "date-time": {
    is: (text) => isDate(text.slice(0, 10)) && /^.{10}T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/i.test(text),
    example: "a time such as 2030-01-31T09:00:00Z",
  },
};

function stringOf(place: string, { minLength = 0, maxLength, format }: TextField, given: unknown): string {
  const text = checkedText(place, given, Math.min(maxLength ?? MAX_ANSWER_TEXT, MAX_ANSWER_TEXT), minLength);
  if (format === undefined || FORMATS[format].is(text)) return text;
  throw new Problem(`${place} is ${shown(text)}; use ${FORMATS[format].example}`);
}

function isDate(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  // A parser takes the 30th of February for a day in March.
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function oneOf(place: string, allowed: readonly string[], given: unknown): string {
  if (allowed.includes(given as string)) return given as string;
  const some = allowed.map((value) => quoted(value.slice(0, MAX_SHOWN))).join(", ");
  throw new Problem(`${place} is ${shown(given)}; use one of ${some}`);
}

function checkedText(place: string, given: unknown, most: number, least = 1): string {
  if (typeof given !== "string") throw new Problem(`${place} must be a string, not ${shown(given)}`);
  if (least > 0 && given.trim() === "") throw new Problem(`${place} is empty; give a text`);
  if (given.length < least) {
    throw new Problem(`${place} has ${given.length} characters; give at least ${least}`);
  }
  if (given.length > most) {
    throw new Problem(`${place} has ${given.length} characters; at most ${most} are allowed`);
  }
  if (given.isWellFormed()) return given;
  throw new Problem(`${place} holds half a surrogate pair, which no UTF-8 text can carry`);
}

function wanted(field: FormField): string {
  if (field.type === "boolean") return "true or false";
  if (field.type === "array") return "an array of values";
  return field.type === "string" ? "a string" : "a number";
}

function shown(given: unknown): string {
  if (typeof given === "string") return quoted(given.slice(0, MAX_SHOWN).toWellFormed());
  return (JSON.stringify(given) ?? "nothing").slice(0, MAX_SHOWN);
}
