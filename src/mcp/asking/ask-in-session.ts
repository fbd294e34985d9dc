import type { KeptQuestion } from "../../core/question.ts";
import { outcomeOf, waited, type ToolOutcome } from "../../tools/index.ts";
import type { InputRequest } from "../definitions.ts";
import { McpError } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";
import { reactionIn } from "./elicitation.ts";
import { declined, userAnswered } from "./user-answer.ts";

/** Seconds that a user has by default, and at most if the caller is not told of progress. */
const SECONDS = 300;
const STREAMED_SECONDS = 86_400;

/**
 * Asks the client's user while the call is open, and waits for an answer on the hub at the same time: the first counts.
 * If it is not the user's, the request to them is withdrawn.
 */
export async function askInSession(
  kept: KeptQuestion,
  { method, params = {} }: InputRequest,
  seconds: number | undefined,
  context: McpRequestContext,
): Promise<ToolOutcome> {
  const most = context.progress === undefined ? SECONDS : STREAMED_SECONDS;
  const patience = Math.max(0, Math.min(seconds ?? most, most));
  const isUrl = params["mode"] === "url";
  const waitIsOver = new AbortController();
  const userIsDone = new AbortController();
  let response: unknown;
  let note: string | undefined;
  const asked = context.ask?.(method, params, { signal: waitIsOver.signal, milliseconds: patience * 1000 });
  const asking = (async () => {
    try {
      response = await asked;
      // Whoever has opened the page answers there.
      if (!isUrl || reactionIn(response)?.action !== "accept") userIsDone.abort();
    } catch (error) {
      if (!(error instanceof McpError)) throw error;
      if (!waitIsOver.signal.aborted) note = `Your user could not be asked: ${error.message}`;
      userIsDone.abort();
    }
  })();
  const { questions, presence, progress, signal } = context;
  const waiter = {
    questions,
    presence,
    progress,
    signal: AbortSignal.any([signal, userIsDone.signal]),
    stay: (end: () => void) => context.stay(end),
  };
  let known: KeptQuestion;
  try {
    known = await waited(kept, patience, waiter);
  } finally {
    waitIsOver.abort();
  }
  await asking;
  const { question } = known;
  if (isUrl && question.state === "closed") context.notify("elicitation/complete", { elicitationId: question.id });
  const reply = reactionIn(response);
  if (reply?.action === "accept" && !isUrl) return userAnswered(question, reply.content, context);
  if (reply?.action === "decline" || reply?.action === "cancel") note = declined(reply.action);
  return outcomeOf(question, note);
}
