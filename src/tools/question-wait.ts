import type { KeptQuestion } from "../core/question.ts";
import type { Question } from "../protocol/question.ts";
import { oneLine, oneLineData, oneLineName } from "../protocol/text.ts";
import type { RequestContext, ToolOutcome } from "./tool.ts";

/** Seconds, for a caller that hears nothing meanwhile; below the 60 after which many clients give up. */
const MAX_SECONDS = 50;
const SECONDS = 25;
/** Seconds, for a caller that is told of progress on a stream. */
const MAX_STREAMED_SECONDS = 86_400;
/** Seconds between two reports of progress. */
const PROGRESS = 20;
/** Reports in a row that no one hears, after which the wait ends. */
const MAX_UNHEARD = 3;

/** What a wait needs of its caller. */
type Waiter = Pick<RequestContext, "questions" | "presence" | "progress" | "signal" | "stay">;

/** Waits for an answer as long as the caller can, and says what it is, or how to wait on; `note` comes first. */
export async function answerOf(
  kept: KeptQuestion,
  seconds: number | undefined,
  context: Waiter,
  note?: string,
): Promise<ToolOutcome> {
  const isStreamed = context.progress !== undefined;
  const most = isStreamed ? MAX_STREAMED_SECONDS : MAX_SECONDS;
  const usual = isStreamed ? MAX_STREAMED_SECONDS : SECONDS;
  const { question } = await waited(kept, Math.max(0, Math.min(seconds ?? usual, most)), context);
  return outcomeOf(question, note);
}

/** What a tool answers with a question as it is; `note` comes first. */
export function outcomeOf(question: Question, note?: string): ToolOutcome {
  const text = note === undefined ? textOf(question) : `${note}\n${textOf(question)}`;
  return { text, structured: { ...resultOf(question), ...(note === undefined ? {} : { note }) } };
}

/** Resolves with the question when it is closed, its deadline passes, the time is up, or no one hears of it any more. */
export async function waited(kept: KeptQuestion, seconds: number, context: Waiter): Promise<KeptQuestion> {
  const { questions, progress, signal } = context;
  if (kept.question.state === "closed" || seconds === 0) return kept;
  const end = new AbortController();
  const leave = context.stay(() => end.abort());
  const { id, channel } = kept.question;
  const done = context.presence?.wait({ for: "answer", channel, question: id });
  const ended = AbortSignal.any([signal, end.signal]);
  const start = performance.now();
  const past = (): number => (performance.now() - start) / 1000;
  let known = kept;
  let unheard = 0;
  try {
    for (;;) {
      unheard = progress?.(past(), seconds) === false ? unheard + 1 : 0;
      const slice = progress === undefined ? seconds - past() : Math.min(PROGRESS, seconds - past());
      const before = performance.now();
      known = await questions.wait(known, slice * 1000, ended);
      const isCut = performance.now() - before < slice * 1000 - 50;
      // What ends a wait early is an answer, the deadline, the caller or the server.
      if (known.question.state === "closed" || isCut || past() >= seconds || unheard >= MAX_UNHEARD) return known;
    }
  } finally {
    done?.(signal.aborted);
    leave();
  }
}

function resultOf(question: Question): object {
  const { id, state, outcome = "open", answered, notified = 0 } = question;
  const isDefault = outcome === "timed_out" && question.onTimeout === "default";
  const value = answered?.value ?? (isDefault ? question.defaultAnswer : undefined);
  return {
    status: state === "open" ? "open" : outcome,
    questionId: id,
    ...(value === undefined ? {} : { value }),
    ...(answered === undefined ? {} : { by: answered.by, at: answered.at, via: answered.via }),
    ...(question.supersededBy === undefined ? {} : { supersededBy: question.supersededBy }),
    notified,
    ...(state === "open" ? { next: `await_answer with questionId ${id}` } : {}),
  };
}

function textOf(question: Question): string {
  const { id, outcome, answered, supersededBy, deadline } = question;
  switch (outcome) {
    case "answered":
      return `${oneLineName(answered?.by ?? "someone")} answered: ${oneLineData(answered?.value)}`;
    case "timed_out":
      return question.onTimeout === "default"
        ? `No one answered before the deadline; what counts is the default: ${oneLineData(question.defaultAnswer)}`
        : "No one answered before the deadline. That is no consent: do not go ahead";
    case "cancelled":
      return `The question was cancelled by ${oneLineName(question.closedBy ?? "someone")}`;
    case "superseded":
      return `Question ${supersededBy ?? ""} took the place of this one; wait for that`;
    default: {
      const isLate = deadline !== undefined && Date.parse(deadline) <= Date.now();
      const late = isLate ? " Its deadline has passed, and it can still be answered." : "";
      return `Not answered yet: ${oneLine(question.text)}\n${seenBy(question)}${late}\nGo on with await_answer, questionId: ${id}`;
    }
  }
}

/** Who has seen a question, in a sentence. */
export function seenBy({
  notified,
  channel,
  notices = [],
}: Pick<Question, "notified" | "channel" | "notices">): string {
  if (notified === undefined) return "It is kept, and will be told on its channel as soon as the log can take it.";
  const told = notices.filter(({ count }) => count > 0).map(({ name, way }) => `${name} (${way})`);
  if (told.length > 0) return `${readers(notified)} told of it on ${channel}, and so was ${told.join(", ")}.`;
  if (notified === 0) {
    return `NO ONE HAS SEEN IT: no reader was on ${channel} when it was asked. Tell your user, or ask on another channel.`;
  }
  return `${readers(notified)} told of it on ${channel}.`;
}

function readers(count: number): string {
  return count === 1 ? "1 reader was" : `${count} readers were`;
}
