import { isObject } from "./message.ts";

/** An argument of a tool that a header repeats (2026-07-28, "Custom Headers from Tool Parameters"). */
interface Mirrored {
  readonly header: string;
  /** From the arguments down. */
  readonly path: readonly string[];
}

interface Annotation {
  readonly name: unknown;
  readonly type: unknown;
  /** Undefined where arguments cannot be looked up by it. */
  readonly path: readonly string[] | undefined;
}

const ANNOTATION = "x-mcp-header";
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const TYPES: ReadonlySet<unknown> = new Set(["string", "integer", "boolean"]);
/** What these hold is data, not schemas. */
const DATA: ReadonlySet<string> = new Set(["const", "default", "enum", "examples"]);
const PLAIN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** The tools that have been listed, and which of their arguments headers repeat. */
export class MirroredParams {
  readonly #byTool = new Map<string, readonly Mirrored[]>();

  /** Remembers the tools of a list. Returns those that may not be offered, with the reason. */
  learn(tools: readonly unknown[]): ReadonlyMap<unknown, string> {
    const refused = new Map<unknown, string>();
    for (const tool of tools) {
      if (!isObject(tool) || typeof tool["name"] !== "string") continue;
      const annotations = [...search(tool["inputSchema"], [])];
      const wrong = problem(annotations);
      if (wrong !== undefined) refused.set(tool, wrong);
      if (wrong !== undefined || annotations.length === 0) this.#byTool.delete(tool["name"]);
      else
        this.#byTool.set(
          tool["name"],
          annotations.map(({ name, path }) => ({ header: String(name), path: path ?? [] })),
        );
    }
    return refused;
  }

  /** The headers of a call. */
  headers(tool: unknown, input: unknown): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const { header, path } of this.#byTool.get(String(tool)) ?? []) {
      const value = valueAt(input, path);
      if (["string", "number", "boolean"].includes(typeof value)) {
        headers[`mcp-param-${header.toLowerCase()}`] = headerValue(String(value));
      }
    }
    return headers;
  }
}

/** A text as the value of a header ("Value Encoding"). */
export function headerValue(text: string): string {
  const looksEncoded = text.startsWith("=?base64?") && text.endsWith("?=");
  if (PLAIN.test(text) && !looksEncoded) return text;
  return `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

/** Every annotation in a schema, those included that stand where none may. */
function* search(schema: unknown, path: readonly string[] | undefined): Generator<Annotation> {
  if (Array.isArray(schema)) for (const inner of schema) yield* search(inner, undefined);
  if (!isObject(schema)) return;
  if (Object.hasOwn(schema, ANNOTATION)) yield { name: schema[ANNOTATION], type: schema["type"], path };
  for (const [key, inner] of Object.entries(schema)) {
    if (key === "properties" && isObject(inner)) {
      for (const [name, property] of Object.entries(inner)) yield* search(property, path && [...path, name]);
    } else if (!DATA.has(key)) yield* search(inner, undefined);
  }
}

function problem(annotations: readonly Annotation[]): string | undefined {
  const names = new Set<string>();
  for (const { name, type, path } of annotations) {
    if (typeof name !== "string" || !TOKEN.test(name)) return `its ${ANNOTATION} is no name of a header`;
    if (names.has(name.toLowerCase())) return `it has ${ANNOTATION} ${name} twice`;
    if (!TYPES.has(type)) return `${ANNOTATION} ${name} stands at no text, integer or boolean`;
    if (path === undefined || path.length === 0) return `${ANNOTATION} ${name} stands where no argument is found by it`;
    names.add(name.toLowerCase());
  }
  return undefined;
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
    input,
  );
}
