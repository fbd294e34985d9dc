import type { Question } from "./question.ts";
import { visibleLines, visibleText } from "./visible.ts";

const EMPTY_LINES = /\n(?:[^\S\n]*\n){2,}/g;

/**
 * A question as plain text for people who may approve something. What is to be done comes first, where nothing that the
 * asker wrote can be taken for it, or push it out of sight.
 */
export function questionText({ text, context, proposal }: Pick<Question, "text" | "context" | "proposal">): string {
  const act = proposal && `What will be done: ${visibleText(proposal.name)} ${visibleLines(proposal.arguments)}`;
  const parts = [act, visibleText(text), context && visibleText(context)].filter((part) => part);
  return parts.join("\n\n").replace(EMPTY_LINES, "\n\n");
}
