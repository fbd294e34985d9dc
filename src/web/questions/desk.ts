import type { Answer, Question } from "../../protocol/question.ts";
import { visibleText } from "../../protocol/visible.ts";
import { readable } from "../shared/names.ts";
import { mayWrite, type Session } from "../shared/session.ts";

/** What the cards of a page do. */
export interface Desk {
  /** Why this person cannot answer a question now; undefined if they can. */
  readonly whyNot: (question: Question) => string | undefined;
  /** Rejects with a sentence for the person. */
  readonly answer: (question: Question, value: Answer) => Promise<void>;
  /** Begins a message about a question in its channel; absent if there is nowhere to write one. */
  readonly reply?: (question: Question) => void;
}

/** Why someone of this name may not answer a question; undefined if the server will probably let them. */
export function whyNot(
  { channel, assignees, notAsker, asker }: Question,
  session: Session,
  name: string,
): string | undefined {
  if (!mayWrite(session, channel)) return `You may not write in ${channel}`;
  if (assignees?.includes(name) === false) return `Only ${assignees.map(readable).join(", ")} may answer`;
  return notAsker === true && asker === name ? "Whoever asks may not answer" : undefined;
}

/** Tells someone who looks elsewhere of a question, if they wanted to be told. */
export function notify({ id, text, asker, channel }: Question, opened: () => void): void {
  notifyOf(text, `${readable(asker)} asks in ${channel}`, id, opened);
}

/** Shows a notification to someone who looks elsewhere, if they wanted that; those with the same tag are one. */
export function notifyOf(title: string, body: string, tag: string, opened: () => void): void {
  if (typeof Notification === "undefined" || Notification.permission !== "granted" || document.hasFocus()) return;
  const notification = new Notification(visibleText(title), { body: visibleText(body), tag });
  notification.addEventListener("click", () => {
    window.focus();
    opened();
  });
}
