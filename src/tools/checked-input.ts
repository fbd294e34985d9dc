import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { lenient } from "./lenient.ts";
import { problems } from "./validation-message.ts";

/** Characters of what a button says. */
const MAX_LABEL = 80;
// eslint-disable-next-line no-control-regex -- it must match control characters
const LINE = /^[^\u0000-\u001f\u007f\u0085\u2028\u2029]+$/;

/** A text on one line that is not empty. */
export function line(most: number): z.ZodString {
  return z
    .string()
    .regex(LINE, "use one line of text without control characters")
    .max(most, `use at most ${most} characters`)
    .refine((text) => text.isWellFormed(), "holds half a surrogate pair, which no UTF-8 text can carry");
}

/** What a button or a field is called. */
export const label: z.ZodOptional<z.ZodString> = line(MAX_LABEL).optional();

/** Checks a part of an input that is at this path. Throws `INVALID_INPUT`, naming the field. */
export function checkedInput<Schema extends z.ZodObject>(
  path: readonly string[],
  schema: Schema,
  given: Readonly<Record<string, unknown>>,
): z.output<Schema> {
  const meant = lenient(schema, given);
  const { error, data } = schema.safeParse(meant);
  if (error === undefined) return data;
  const issues = error.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
  const root = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), meant);
  throw new HubError("INVALID_INPUT", problems({ issues } as unknown as z.ZodError, root, Object.keys(schema.shape)));
}

export function inputFault(field: string, sentence: string): HubError {
  return new HubError("INVALID_INPUT", `${field} ${sentence}`);
}
