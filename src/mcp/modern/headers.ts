import type { Catalog } from "../definitions.ts";
import { CODES, isObject, McpError, shown, type JsonObject } from "../errors.ts";

/** The headers of a request, by lower-case name. */
export type Headers = (name: string) => string | undefined;

/** The field of the params that the Mcp-Name header repeats, by method. */
const NAMED: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"],
]);
const VISIBLE = /^[\t\x20-\x7e]*$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** A JSON number; `Number()` would also accept hexadecimal and `Infinity`. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const BASE64 = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

/** Throws `-32020` with HTTP status 400. */
export function mismatch(sentence: string): McpError {
  return new McpError(CODES.headerMismatch, sentence, { status: 400 });
}

/**
 * Compares the headers that repeat parts of the body with the body (2026-07-28, "Server Validation"), all but
 * MCP-Protocol-Version. Throws `-32020` if one is missing, malformed or different.
 */
export function checkHeaders(headers: Headers, method: string, params: JsonObject): void {
  compare("Mcp-Method", visible("Mcp-Method", headers("mcp-method")), method);
  const field = NAMED.get(method);
  if (field === undefined) return;
  const value = params[field];
  // The method itself reports a missing or wrong field.
  if (typeof value === "string") compare("Mcp-Name", decoded("Mcp-Name", headers("mcp-name")), value);
}

/**
 * Compares the `Mcp-Param-*` headers of a tool call with its arguments, as the tool's schema maps them. Throws
 * `-32020`.
 */
export function checkParamHeaders(headers: Headers, { tools }: Catalog, params: JsonObject): void {
  const tool = tools.find(({ listing }) => listing.name === params["name"]);
  if (tool === undefined) return;
  for (const { header, path } of mappedParams(tool.listing.inputSchema)) {
    const value = valueAt(params["arguments"], path);
    const name = `Mcp-Param-${header}`;
    const given = headers(name.toLowerCase());
    if (value === undefined || value === null) {
      if (given !== undefined) throw mismatch(`${name} is given, but arguments.${path.join(".")} is not`);
      continue;
    }
    const text = decoded(name, given);
    if (typeof value === "number" && text !== undefined && NUMBER.test(text) && Number(text) === value) continue;
    compare(name, text, typeof value === "string" ? value : JSON.stringify(value));
  }
}

function compare(name: string, given: string | undefined, wanted: string): void {
  if (given === undefined) throw mismatch(`The ${name} header is missing; it must repeat ${shown(wanted)} of the body`);
  if (given !== wanted) throw mismatch(`The ${name} header says ${shown(given)}, the body says ${shown(wanted)}`);
}

/** The value of a header. Throws if it has characters that are not allowed in headers. */
function visible(name: string, given: string | undefined): string | undefined {
  if (given === undefined || VISIBLE.test(given)) return given;
  throw mismatch(`The ${name} header has characters other than visible ASCII`);
}

/** The decoded value of a header ("Value Encoding"). */
function decoded(name: string, header: string | undefined): string | undefined {
  const given = visible(name, header);
  if (given === undefined || !given.startsWith("=?base64?") || !given.endsWith("?=")) return given;
  const encoded = BASE64.exec(given)?.[1];
  try {
    // `atob` also accepts Base64 without padding, which is not valid here.
    if (encoded !== undefined && encoded.length % 4 === 0)
      return utf8.decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
  } catch {
    // The error below covers this.
  }
  throw mismatch(`The ${name} header is not Base64 of UTF-8 between =?base64? and ?=`);
}

interface MappedParam {
  readonly header: string;
  /** The path of property names from the arguments down. */
  readonly path: readonly string[];
}

const mapped = new WeakMap<object, readonly MappedParam[]>();

/** The arguments of a schema that are repeated in headers (`x-mcp-header`). */
function mappedParams(schema: object): readonly MappedParam[] {
  let found = mapped.get(schema);
  if (found === undefined) mapped.set(schema, (found = [...search(schema, [])]));
  return found;
}

function* search(schema: unknown, path: readonly string[]): Generator<MappedParam> {
  if (!isObject(schema)) return;
  const header = schema["x-mcp-header"];
  if (typeof header === "string") yield { header, path };
  const { properties } = schema;
  if (isObject(properties))
    for (const [name, inner] of Object.entries(properties)) yield* search(inner, [...path, name]);
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (isObject(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined),
    value,
  );
}
