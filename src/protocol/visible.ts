// What others wrote as people have to see it before they approve or answer something; pages need no newer regex.

/** What turns letters around or is invisible, but for the line breaks between the values of JSON. */
const HIDDEN = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]/gu;
/** The same but for what words and emoji are joined and drawn with, and the marks of Arabic and Hebrew. */
const HIDDEN_IN_TEXT = /(?!\n|\t|[\u200c-\u200f\u061c]|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]/gu;

/** A value as JSON in which nothing is invisible or turned around: what people approve has to be what they read. */
export function visibleJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, undefined, indent).replace(HIDDEN, escaped);
}

/** A text in which nothing is hidden or turned around: such characters are escaped as in JSON; its lines stay. */
export function visibleText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(HIDDEN_IN_TEXT, escaped);
}

function escaped(char: string): string {
  return Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`).join(
    "",
  );
}
