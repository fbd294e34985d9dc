import type { z } from "zod";
import { parseJson } from "../../protocol/json.ts";
import { oneLineData, quoted } from "../../protocol/text.ts";
import { hookSchema, type HookRecord } from "./hook-record.ts";
import { PROVIDERS } from "./providers.ts";

/** Why a file of hooks is not taken; the sentence names the place in it. */
export class HookFault extends Error {}

/** Hooks in one file. */
const MAX_HOOKS = 1000;
const MAX_SHOWN = 64;

/** The hooks as a file has them, unchecked. */
export function hookEntries(fileText: string): readonly unknown[] {
  let file: unknown;
  try {
    file = parseJson(fileText, "it");
  } catch (cause) {
    throw new HookFault((cause as Error).message, { cause });
  }
  const { hooks, ...others } = (typeof file === "object" && file !== null ? file : {}) as { hooks?: unknown };
  if (!Array.isArray(hooks)) throw new HookFault('it is not an object such as {"hooks": []}');
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new HookFault(`it has ${quoted(other.slice(0, MAX_SHOWN))} beside hooks; leave that out`);
  if (hooks.length > MAX_HOOKS) throw new HookFault(`it has ${hooks.length} hooks; at most ${MAX_HOOKS} are allowed`);
  return hooks;
}

/** The text of a file with these hooks. */
export function hooksFileText(hooks: readonly unknown[]): string {
  return `${JSON.stringify({ hooks }, undefined, 2)}\n`;
}

/** Reads the text of a file of hooks. Throws `HookFault` if anything in it is wrong, and takes nothing of it. */
export function hookRecords(fileText: string): readonly HookRecord[] {
  const places = new Map<string, number>();
  return hookEntries(fileText).map((entry, index) => {
    const record = hookRecord(entry, `hooks[${index}]`);
    const first = places.get(record.name);
    if (first !== undefined) {
      throw new HookFault(
        `hooks[${index}].name is ${quoted(record.name)}, as is hooks[${first}].name; rename one of them`,
      );
    }
    places.set(record.name, index);
    return record;
  });
}

function hookRecord(entry: unknown, where: string): HookRecord {
  const { error, data } = hookSchema.safeParse(withProvider(entry));
  if (data !== undefined) return data;
  const [issue] = error.issues;
  if (issue === undefined) throw error;
  throw new HookFault(sentence(issue, entry, where));
}

/** The entry of a file with what its provider adds to `verify`. */
function withProvider(entry: unknown): unknown {
  if (typeof entry !== "object" || entry === null) return entry;
  const { provider, verify: own = {} } = entry as { provider?: unknown; verify?: unknown };
  const known = typeof provider === "string" && Object.hasOwn(PROVIDERS, provider) ? PROVIDERS[provider] : undefined;
  if (typeof own !== "object" || own === null || Array.isArray(own)) return entry;
  const { scheme } = own as { scheme?: unknown };
  // Another scheme than that of the provider is said as a whole.
  const base = scheme === undefined || scheme === known?.verify?.["scheme"] ? known?.verify : undefined;
  const whole = { ...base, ...own };
  return Object.keys(whole).length === 0 ? entry : { ...entry, verify: whole };
}

/** What is wrong at one place. Values of secrets are not shown: someone reads the sentence in a log. */
function sentence(issue: z.core.$ZodIssue, entry: unknown, where: string): string {
  const path = issue.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  const at = `${where}${path.slice(0, 2 * MAX_SHOWN)}`;
  if (issue.code === "unrecognized_keys") {
    return `${at} has the field ${quoted((issue.keys[0] ?? "").slice(0, MAX_SHOWN))}, which is not known; leave it out`;
  }
  const value = issue.path.reduce<unknown>(
    (found, part) => (found as Record<PropertyKey, unknown> | undefined)?.[part],
    entry,
  );
  const remedy = issue.message;
  if (value === undefined) return `${at} is missing: ${remedy}`;
  if (path === "" || issue.path[0] === "secrets") return `${at}: ${remedy}`;
  const shown = typeof value === "string" ? quoted(value.slice(0, MAX_SHOWN)) : oneLineData(value).slice(0, MAX_SHOWN);
  return `${at} is ${shown}: ${remedy}`;
}
