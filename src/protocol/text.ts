/**
 * Moves the cursor, breaks or reorders lines, or is invisible. Emoji and words need joiners and variation selectors, one
 * after what it changes; more in a row hide text.
 */
const UNSAFE =
  /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]--[\u200c\u200d\p{VS}]]|[\u200c\u200d]{2,}|\p{VS}{2,}|[\u200c\u200d\p{VS}]{3,}/v;
const EVERY_UNSAFE = new RegExp(UNSAFE, "gv");
/** In names these are invisible, too, and these characters are what text outputs put between fields. */
const UNSAFE_IN_NAME = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800:"\[\]]/v;
const EVERY_UNSAFE_IN_NAME = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]/gv;

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]/v;

/** What JSON allows in a string and others take for the end of a line. */
const LINE_BREAK = /[\u0085\u2028\u2029]/;
const EVERY_LINE_BREAK = /[\u0085\u2028\u2029]/g;

/**
 * A text from outside as part of a line for people, agents or a terminal: as it is, or as a JSON string if it would
 * break the line, move the cursor, hide or reorder characters, or look like such a JSON string. No two texts come out
 * alike.
 */
export function oneLine(text: string): string {
  return UNSAFE.test(text) || text.startsWith('"') ? escaped(JSON.stringify(text), EVERY_UNSAFE) : text;
}

/** The same for a name that stands between others, such as a sender: quoted if it could be taken for two fields. */
export function oneLineName(text: string): string {
  if (text !== "" && text === text.trim() && !UNSAFE_IN_NAME.test(text)) return text;
  return quoted(text);
}

/** The same for what a message carries: a text by `oneLine`, any other value as JSON. */
export function oneLineData(data: unknown): string {
  return typeof data === "string" ? oneLine(data) : escaped(JSON.stringify(data), EVERY_UNSAFE);
}

/** The same with nothing in it that is invisible: joiners and variation selectors are escaped, too. */
export function plainData(data: unknown): string {
  const isPlain = typeof data === "string" && !data.startsWith('"') && !INVISIBLE.test(data);
  return isPlain ? data : escaped(JSON.stringify(data), EVERY_UNSAFE_IN_NAME);
}

/** A text as a JSON string on one line, whatever it holds. */
export function quoted(text: string): string {
  return escaped(JSON.stringify(text), EVERY_UNSAFE_IN_NAME);
}

/**
 * JSON that no reader of lines takes for several: what JSON leaves as it is, and Python among others calls the end of a
 * line, is escaped.
 */
export function escapeLineBreaks(json: string): string {
  return LINE_BREAK.test(json) ? escaped(json, EVERY_LINE_BREAK) : json;
}

/** JSON text, which holds such characters in its strings only. */
function escaped(json: string, unsafe: RegExp): string {
  return json.replace(unsafe, (char) => char.split("").map(unicodeEscape).join(""));
}

function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
