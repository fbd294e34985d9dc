import { oneLine, quoted } from "./text.ts";

/** Levels of arrays and objects in the JSON that is taken: what reads it later may need stack for each. */
export const MAX_DEPTH = 128;

declare global {
  // ECMAScript 2026, "JSON.parse source text access", which the library of the compiler does not have yet.
  interface JSON {
    rawJSON(text: string): object;
    isRawJSON(value: unknown): boolean;
    parse(
      text: string,
      reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/** Why a text is not taken as JSON, as a sentence. */
export class JsonFault extends Error {
  /** What `JSON.parse` makes of the text; undefined if it is not JSON at all. */
  readonly value: unknown;

  constructor(sentence: string, value?: unknown, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "JsonFault";
    this.value = value;
  }
}

/**
 * Reads JSON without losing any of it: a number with more digits than a double holds becomes `JSON.rawJSON`, which is
 * written out as it came. `subject` begins the sentence of a `JsonFault`, which is thrown for what is not JSON, for a
 * number beyond the range of doubles, for a name that an object has twice, and for more than `levels`.
 */
export function parseJson(text: string, subject: string, levels: number = MAX_DEPTH): unknown {
  // RFC 8259 section 8.1 lets a reader ignore a byte order mark.
  const json = text.startsWith("\uFEFF") ? text.slice(1) : text;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new JsonFault(`${subject} is not JSON`, undefined, { cause });
  }
  const names = namesIn(value, levels);
  if (Number.isNaN(names)) throw new JsonFault(`${subject} is nested deeper than ${levels} levels; flatten it`, value);
  const tokens = new Tokens(json);
  if (tokens.names !== names) {
    const name = quoted(repeatedName(json).slice(0, MAX_SHOWN));
    throw new JsonFault(`${subject} has an object with the name ${name} twice; give each name once`, value);
  }
  if (tokens.areNumbersExact) return value;
  let beyond: string | undefined;
  const exact = readExactly(json, (source) => (beyond = source));
  if (beyond === undefined) return exact;
  const place = oneLine(placeOf(exact)?.join(".").slice(0, MAX_SHOWN) ?? "");
  const number = `${beyond.slice(0, MAX_NUMBER)}${place === "" ? "" : ` at ${place}`}`;
  throw new JsonFault(`${subject} holds ${number}, which no double can hold; send it as a string`, value);
}

/** Reads JSON with every digit of its numbers, and nothing that `parseJson` checks; throws a `SyntaxError`. */
export function keptJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return SUSPECT.test(text) && !new Tokens(text).areNumbersExact ? readExactly(text, () => {}) : value;
}

/** Whether a media type, in lower case and without parameters, is one of JSON. */
export function isJsonMedia(media: string): boolean {
  return JSON_TYPE.test(media);
}

/** Whether a JSON value is an object: neither an array nor a number kept as `JSON.rawJSON`. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** Whether a JSON value has more levels of arrays and objects. */
export function isDeeper(value: unknown, levels: number): boolean {
  return Number.isNaN(namesIn(value, levels));
}

const JSON_TYPE = /^(?:application|text)\/(?:[\w!#$&^.+-]+\+)?json$/;
const MAX_SHOWN = 100;
const MAX_NUMBER = 32;
/** Decimal digits that every double brings back (`DBL_DIG`). */
const SAFE_DIGITS = 15;
/** What a text holds if a number in it may have more digits, an exponent, or be -0. */
const SUSPECT = /[\d.]{15}|\d[eE]|-0/;
const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** How many names all objects in a value have; `NaN` if it has more levels. */
function namesIn(value: unknown, levels: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (levels === 0) return NaN;
  const inner: readonly unknown[] = Object.values(value);
  let names = Array.isArray(value) ? 0 : inner.length;
  for (const one of inner) if (typeof one === "object" && one !== null) names += namesIn(one, levels - 1);
  return names;
}

/** What a JSON text says that the value parsed from it does not. */
class Tokens {
  /** Names of all objects, repeated ones included. */
  names = 0;
  areNumbersExact = true;

  constructor(json: string) {
    if (SUSPECT.test(json)) this.#scan(json);
    else this.#countNames(json);
  }

  /** Looks at strings only: no number in this text can be inexact. */
  #countNames(json: string): void {
    for (let at = json.indexOf('"'); at !== -1; at = json.indexOf('"', at + 1)) {
      at = endOfString(json, at);
      if (isName(json, at)) this.names++;
    }
  }

  #scan(json: string): void {
    for (let at = 0; at < json.length; at++) {
      const code = json.charCodeAt(at);
      if (code === QUOTE) {
        at = endOfString(json, at);
        if (isName(json, at)) this.names++;
      } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
        const start = at;
        while (isOfNumber(json.charCodeAt(at + 1))) at++;
        this.areNumbersExact &&= isExact(json.slice(start, at + 1));
      }
    }
  }
}

/** Where the closing quote of a string is. */
function endOfString(json: string, opening: number): number {
  let end = opening;
  for (;;) {
    end = json.indexOf('"', end + 1);
    let backslashes = 0;
    while (json.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

/** Whether the string that ends here is the name of a property. */
function isName(json: string, end: number): boolean {
  let next = end + 1;
  while (json.charCodeAt(next) <= 0x20) next++;
  return json.charCodeAt(next) === COLON;
}

function isOfNumber(code: number): boolean {
  // Digits, and the signs, the point and the letter of an exponent.
  return (
    (code >= ZERO && code <= NINE) || code === 0x2e || code === 0x45 || code === 0x65 || code === 0x2b || code === MINUS
  );
}

/** Whether a double says the same as the text of a number, to the last digit. */
function isExact(source: string): boolean {
  if (source.length <= SAFE_DIGITS && !/[eE]|^-0/.test(source)) return true;
  const value = Number(source);
  return !Object.is(value, -0) && decimal(source) === decimal(String(value));
}

/** A number in one way of writing it: all its digits as an integer, and the exponent. */
function decimal(source: string): string | undefined {
  const [, whole = "", fraction = "", exponent = "0"] = NUMBER.exec(source) ?? [];
  const digits = `${whole}${fraction}`;
  let from = 0;
  let to = digits.length;
  while (digits.charCodeAt(from) === ZERO) from++;
  while (to > from && digits.charCodeAt(to - 1) === ZERO) to--;
  if (from === to) return "0";
  return `${source.startsWith("-") ? "-" : ""}${digits.slice(from, to)}e${Number(exponent) - fraction.length + digits.length - to}`;
}

/** `beyond` is called with the first number that is too great or too small for a double, which becomes `NaN`. */
function readExactly(json: string, beyond: (source: string) => void): unknown {
  let isBeyond = false;
  return JSON.parse(json, (_, value, { source = "" }) => {
    // After the first, all that follows is refused with it, and each look costs.
    if (isBeyond || typeof value !== "number" || isExact(source)) return value;
    const isHeld = Number.isFinite(value) && (value !== 0 || decimal(source) === "0");
    if (isHeld) return JSON.rawJSON(source);
    isBeyond = true;
    beyond(source);
    return NaN;
  });
}

/** The names that lead to the first `NaN`. */
function placeOf(value: unknown): readonly string[] | undefined {
  if (Number.isNaN(value)) return [];
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const place = placeOf(inner);
    if (place !== undefined) return [name, ...place];
  }
  return undefined;
}

/** The first name that an object has twice; empty if none has. */
function repeatedName(json: string): string {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    const char = json[at] as string;
    if (char === "{" || char === "[") open.push(new Set());
    else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const start = at;
      at = endOfString(json, at);
      if (!isName(json, at)) continue;
      const name = JSON.parse(json.slice(start, at + 1)) as string;
      if (open.at(-1)?.has(name)) return name;
      open.at(-1)?.add(name);
    }
  }
  return "";
}
