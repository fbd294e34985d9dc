// What others wrote as people have to see it before they approve or answer something; pages need no newer regex.
import type { Question } from "./question.ts";

/** What turns letters around or is invisible, but for the line breaks between the values of JSON. */
const HIDDEN = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]/gu;
/**
 * The same in a text, but for what words and emoji are made of: single joiners and variation selectors, flags of regions,
 * and signs of Arabic that stand around digits.
 */
const HIDDEN_IN_TEXT =
  /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{1,6}\u{e007f}|[\u200c\u200d]{2,}|\p{VS}{2,}|(?!\n|\t|\u200c|\u200d|\p{VS}|[\u0600-\u0605\u06dd])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]/gu;
/** Marks that words written from right to left need; elsewhere they only turn digits around. */
const MARK = /^[\u200e\u200f\u061c]$/;
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const FLAG = /^\u{1f3f4}/u;
const EMPTY_LINES = /\n(?:[^\S\n]*\n){2,}/g;

/** A value as JSON in which nothing is invisible or turned around: what people approve has to be what they read. */
export function visibleJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, undefined, indent).replace(HIDDEN, escaped);
}

/** The same for a text without a direction of its own: values written from right to left get lines of their own. */
export function visibleLines(value: unknown): string {
  const line = visibleJson(value);
  return RIGHT_TO_LEFT.test(line) ? visibleJson(value, 1) : line;
}

/** A text in which nothing is hidden or turned around: such characters are escaped as in JSON; its lines stay. */
export function visibleText(text: string): string {
  const keepsMarks = RIGHT_TO_LEFT.test(text);
  return text
    .replaceAll("\r\n", "\n")
    .replace(HIDDEN_IN_TEXT, (found) =>
      FLAG.test(found) || (keepsMarks && MARK.test(found)) ? found : escaped(found),
    );
}

/**
 * A question as plain text for people who may approve something. What is to be done comes first, where nothing that the
 * asker wrote can be taken for it, or push it out of sight.
 */
export function questionText({ text, context, proposal }: Pick<Question, "text" | "context" | "proposal">): string {
  const act = proposal && `What will be done: ${visibleText(proposal.name)} ${visibleLines(proposal.arguments)}`;
  const parts = [act, visibleText(text), context && visibleText(context)].filter((part) => part);
  return parts.join("\n\n").replace(EMPTY_LINES, "\n\n");
}

function escaped(char: string): string {
  return Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`).join(
    "",
  );
}
