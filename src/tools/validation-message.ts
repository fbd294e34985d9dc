import type { z } from "zod";
import { oneLine, quoted } from "../protocol/text.ts";

const SHOWN = 3;
const MAX_SHOWN = 64;
/** Clearer names for the types that a schema expects. */
const WANTED: Readonly<Record<string, string>> = { int: "a whole number", nonoptional: "any JSON value" };

/** Says what is wrong with the first few fields of an input, and what would be right; `known` are the allowed fields. */
export function problems(error: z.ZodError, input: unknown, known: readonly string[]): string {
  return error.issues
    .slice(0, SHOWN)
    .map((issue) => problem(issue, input, known))
    .join("; ");
}

function problem(issue: z.core.$ZodIssue, input: unknown, known: readonly string[]): string {
  const path = oneLine(issue.path.map(String).join(".").slice(0, MAX_SHOWN));
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys.slice(0, SHOWN).map((key) => quoted(key.slice(0, MAX_SHOWN)));
    return `unknown property ${unknown.join(", ")}; ${known.length === 0 ? "none is taken" : `there are ${known.join(", ")}`}`;
  }
  if (issue.code === "invalid_type") {
    const wanted = WANTED[issue.expected] ?? `${/^[aeiou]/.test(issue.expected) ? "an" : "a"} ${issue.expected}`;
    const given = valueAt(input, issue.path);
    if (path === "") return `it must be ${wanted}, not ${kind(given)}`;
    return given === undefined ? `${path} is missing; give ${wanted}` : `${path} must be ${wanted}, not ${kind(given)}`;
  }
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], input);
}

function kind(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (JSON.isRawJSON(value)) return "a number with more digits than a double holds";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
