import { randomUUID } from "node:crypto";
import { keptJson } from "../../protocol/json.ts";

/** What a text begins with that stands for a number; it cannot be guessed. */
const MARK = `number-${randomUUID()}:`;
const MARKED = new RegExp(`"${MARK}([^"]*)"`, "g");
/** What a JSON text holds if a number in it may have more digits than a double, or an exponent. */
const SUSPECT = /[\d.]{15}|\d[eE]|-0/;
const DATA = /(?<![^\r\n])data:[^\r\n]*/g;

/** JSON whose numbers survive a reader with `JSON.parse` if `stringifyExactly` writes what it has read. */
export function markNumbers(json: string): string {
  if (!SUSPECT.test(json)) return json;
  try {
    return JSON.stringify(keptJson(json), (_, value: unknown) =>
      JSON.isRawJSON(value) ? `${MARK}${JSON.stringify(value)}` : value,
    );
  } catch {
    // Its reader says what is wrong with it.
    return json;
  }
}

/** The same for whole lines of server-sent events with JSON on one line each. */
export function markNumbersInEvents(text: string): string {
  return SUSPECT.test(text) ? text.replace(DATA, (line) => `data:${markNumbers(line.slice(5))}`) : text;
}

export function stringifyExactly(message: object): string {
  const json = JSON.stringify(message);
  return json.includes(MARK) ? json.replace(MARKED, "$1") : json;
}
