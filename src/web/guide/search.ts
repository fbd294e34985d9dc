/** A part of a page below a heading, as `scripts/guide.js` writes it. */
export interface Part {
  /** The address of the page from the root of the guide; empty for the first one. */
  readonly page: string;
  /** The anchor of the part; empty for the beginning of the page. */
  readonly id: string;
  /** What the page is called. */
  readonly title: string;
  readonly heading: string;
  readonly text: string;
}

export interface Hit {
  readonly part: Part;
  /** Some of the text around the first word that was found. */
  readonly excerpt: string;
}

/** Letters before the first word that was found, and after. */
const BEFORE = 40;
const AFTER = 100;

/** The text around the first of these words that is in it; the beginning if none is. */
export function excerptOf(text: string, words: readonly string[]): string {
  const lower = text.toLowerCase();
  const at = words.map((word) => lower.indexOf(word.toLowerCase())).find((place) => place !== -1);
  if (at === undefined || at < BEFORE) return cut(text, 0, BEFORE + AFTER);
  const start = text.indexOf(" ", at - BEFORE) + 1;
  return `… ${cut(text, start > at || start === 0 ? at : start, BEFORE + AFTER)}`;
}

/** As many letters, up to the end of a word. */
function cut(text: string, start: number, length: number): string {
  if (text.length <= start + length) return text.slice(start);
  return `${text.slice(start, text.lastIndexOf(" ", start + length))} …`;
}
