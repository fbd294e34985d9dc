import { HubError } from "../../core/errors.ts";
import type { Question } from "../../protocol/question.ts";
import { answerQuestion, outcomeOf, type ToolOutcome } from "../../tools/index.ts";
import type { McpRequestContext } from "../request-context.ts";
import { answerIn } from "./elicitation.ts";

/** An idempotency key that no other door can send: the same round again is the same answer. */
const KEY = "\nuser";

/** Answers a question with what the user filled in; says so if another answer was first, or if it does not fit. */
export async function userAnswered(
  question: Question,
  content: unknown,
  context: McpRequestContext,
): Promise<ToolOutcome> {
  try {
    return outcomeOf(await answerAsUser(question, content, context));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.code === "QUESTION_CLOSED") {
      const { question: closed = question } = (error.details ?? {}) as { readonly question?: Question };
      return outcomeOf(closed, "Your user has answered, too, but later, so that does not count");
    }
    if (error.code !== "INVALID_INPUT" && error.code !== "FORBIDDEN") throw error;
    return outcomeOf(question, `What your user answered does not count: ${error.message}`);
  }
}

/** What the agent is told if its user did not answer. */
export function declined(action: "decline" | "cancel"): string {
  return action === "decline"
    ? "Your user declined to answer. That is neither an answer nor consent; someone else may answer on the channel"
    : "Your user dismissed the question without an answer; someone else may answer on the channel";
}

/** Answers a question with what the user filled in. Throws as `answerQuestion` does. */
export function answerAsUser(
  { id, answer, proposal }: Question,
  content: unknown,
  context: McpRequestContext,
): Promise<Question> {
  // They were shown the whole proposal.
  const request = { value: answerIn(answer, content), via: "mcp", proposalHash: proposal?.hash, key: KEY };
  return answerQuestion(id, request, context);
}
