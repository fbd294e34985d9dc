import type { ChannelName } from "../protocol/channel.ts";
import {
  NOTIFIED_EVENT,
  QUESTION_EVENTS,
  type Notice,
  type Question,
  type QuestionAnswered,
  type QuestionClosed,
  type QuestionNotified,
  type Urgency,
} from "../protocol/question.ts";
import type { Draft } from "./message.ts";

/** What becomes of a question, each told by a message on its channel. */
export type QuestionEvent = keyof typeof QUESTION_EVENTS;

/** A question as it is kept in a record. */
export interface KeptQuestion {
  readonly question: Question;
  /** Grows with each change. */
  readonly version: number;
  /** When it was changed last, in milliseconds since 1970. */
  readonly changed: number;
  /** The id of the principal that asked; undefined if those who ask cannot be told apart. */
  readonly askerId?: string | undefined;
  /** The names of the keys that lead to it: see `QuestionKeys`. */
  readonly keys: readonly string[];
  /** A digest of what was asked, if it was asked with an idempotency key. */
  readonly request?: string | undefined;
  /** How the user at the asker's client reacted without an answer: a task asks them once. */
  readonly userReaction?: string | undefined;
  /** The idempotency key that it was answered with. */
  readonly answerKey?: string | undefined;
  /** What is not yet told on the channel, in order. A node that dies before it has told leaves it to another. */
  readonly untold: readonly QuestionEvent[];
}

/** What the index of all nodes holds of a question. */
export interface QuestionEntry {
  readonly id: string;
  readonly channel: ChannelName;
  readonly isOpen: boolean;
  readonly version: number;
  readonly changed: number;
  /** Milliseconds since 1970, as all times here. */
  readonly asked: number;
  /** When the server closes it; undefined if it does not. */
  readonly due?: number | undefined;
  readonly closed?: number | undefined;
  readonly askerId?: string | undefined;
  readonly urgency: Urgency;
  /** Whether something is not yet told. */
  readonly isUntold: boolean;
  /** Characters of its record. */
  readonly bytes: number;
}

export function questionText(kept: KeptQuestion): string {
  return JSON.stringify(kept);
}

export function questionIn(text: string): KeptQuestion {
  return JSON.parse(text) as KeptQuestion;
}

export function entryOf({ question, version, changed, askerId, untold }: KeptQuestion, bytes: number): QuestionEntry {
  const { id, channel, state, askedAt, closedAt } = question;
  return {
    id,
    channel: channel as ChannelName,
    isOpen: state === "open",
    version,
    changed,
    asked: Date.parse(askedAt),
    due: state === "open" ? dueTimeOf(question) : undefined,
    closed: closedAt === undefined ? undefined : Date.parse(closedAt),
    askerId,
    urgency: question.urgency,
    isUntold: untold.length > 0,
    bytes,
  };
}

/** When the server closes a question; undefined if it stays open until someone does. */
export function dueTimeOf({ deadline, onTimeout }: Question): number | undefined {
  return deadline === undefined || onTimeout === "keep" ? undefined : Date.parse(deadline);
}

/** By when it was asked, and by their ids those that were asked at the same time. */
export function inOrderAsked(a: QuestionEntry, b: QuestionEntry): number {
  return a.asked - b.asked || (a.id < b.id ? -1 : 1);
}

/** The message that tells what became of a question: the log keeps it once, however often it is published. */
export function messageOf({ question }: KeptQuestion, event: QuestionEvent): Draft {
  const { id, channel, asker, verified, answered, closedBy } = question;
  const [data, sender, isVerified] = {
    opened: () => [asOpened(question), asker, verified] as const,
    answered: () => [asAnswered(question), answered?.by ?? "hub", answered?.verified] as const,
    closed: () => [asClosed(question), closedBy ?? "hub", undefined] as const,
  }[event]();
  return {
    channel: channel as ChannelName,
    event: QUESTION_EVENTS[event],
    data: JSON.stringify(data),
    sender,
    via: "question",
    ...(isVerified ? { verified: true } : {}),
    key: `\nquestion\n${id}\n${event}`,
  };
}

/** The message that tells how people were told of a question beside its channel. */
export function noticeMessage({ id, channel, text }: Question, notice: Notice): Draft {
  const data: QuestionNotified = { id, text, ...notice };
  return {
    channel: channel as ChannelName,
    event: NOTIFIED_EVENT,
    data: JSON.stringify(data),
    sender: "hub",
    via: "question",
    key: `\nquestion\n${id}\nnotified\n${notice.name}`,
  };
}

/** As it was when it was asked. */
function asOpened(question: Question): Question {
  const {
    outcome: _,
    answered: __,
    closedAt: ___,
    closedBy: ____,
    supersededBy: _____,
    notified: ______,
    notices: _______,
    ...asked
  } = question;
  return { ...asked, state: "open" };
}

function asAnswered({ id, text, answered }: Question): QuestionAnswered {
  if (answered === undefined) throw new Error("A question without an answer cannot be told as answered");
  return { id, text, outcome: "answered", ...answered };
}

function asClosed(question: Question): QuestionClosed {
  const { id, text, outcome, closedAt = "", closedBy, supersededBy } = question;
  const isDefault = outcome === "timed_out" && question.onTimeout === "default";
  return {
    id,
    text,
    outcome: outcome as QuestionClosed["outcome"],
    at: closedAt,
    ...(closedBy === undefined ? {} : { by: closedBy }),
    ...(isDefault && question.defaultAnswer !== undefined ? { value: question.defaultAnswer } : {}),
    ...(supersededBy === undefined ? {} : { supersededBy }),
  };
}
