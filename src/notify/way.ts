import type { Question } from "../protocol/question.ts";
import { oneLineName } from "../protocol/text.ts";

/** What people are sent about a question that is open. */
export interface Notification {
  readonly question: Question;
  /** Where it is answered by whoever has the right to. */
  readonly page: string;
  /** Answers that a link or a button gives, in the order of the question; empty if only the page takes them. */
  readonly choices: readonly LinkedChoice[];
}

/** One answer that can be given without a credential, by whoever has its link. */
export interface LinkedChoice {
  readonly label: string;
  /** Where a page asks once more before it answers. */
  readonly url: string;
  /** Set if it cannot be undone, so that no single touch gives it. */
  readonly isDestructive: boolean;
}

/** One way to reach people beside the channel of a question. */
export interface Way {
  readonly kind: "ntfy" | "slack" | "web-push";
  /** Resolves with how many it was sent to. Rejects with a `PostFault`, or a `Refused`, or when the signal is aborted. */
  send(notification: Notification, signal: AbortSignal): Promise<number>;
}

/** What was sent was not taken; the sentence is for the operator and for whoever asked. */
export class Refused extends Error {
  /** Whether the same may be taken later. */
  readonly mayRetry: boolean;

  constructor(sentence: string, mayRetry: boolean) {
    super(sentence);
    this.mayRetry = mayRetry;
  }
}

/** Throws `Refused` unless the status of an answer says that it was taken. */
export function checkTaken(status: number): void {
  if (status >= 200 && status < 300) return;
  throw new Refused(`it answered ${status}`, status === 408 || status === 429 || status >= 500);
}

/** The beginning of a text, of so many characters at most. */
export function beginning(text: string, most: number): string {
  const characters = Array.from(text);
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}

/** Who asks, and where: in one line. */
export function headline({ asker, channel }: Question, most: number): string {
  return beginning(`${oneLineName(asker)} asks in ${channel}`, most);
}
