import { z } from "zod";
import { channelName } from "../core/channel.ts";
import { hasGrants, refusal, type Principal } from "../core/principal.ts";
import { oneLine, oneLineData } from "../protocol/text.ts";
import { inputFault } from "./checked-input.ts";
import { answerQuestion, justAsked, visibleQuestion } from "./questions.ts";
import { tool, type Tool } from "./tool.ts";

/** What an answer says of the way it came. */
const VIA = "app";

const lookAtQuestion: Tool = tool({
  name: "look_at_question",
  title: "Look at a question",
  description: "The question of this id, or the one of this text that was just asked, for the view that shows it",
  input: z.strictObject({
    questionId: z.string().optional().describe("Its id"),
    text: z.string().optional().describe("Its text, while its id is not known"),
    channel: z.string().optional().describe("Where it was asked, beside text"),
  }),
  readOnly: true,
  authorize(_, principal) {
    checkGrants(principal, "read", "look at questions");
  },
  async run({ questionId, text, channel = "default" }, { principal, questions }) {
    if (questionId === undefined && text === undefined) throw inputFault("questionId", "is missing; give it, or text");
    const kept =
      questionId === undefined
        ? await justAsked({ text: (text ?? "").trim(), channel: channelName(channel) }, principal, questions)
        : await visibleQuestion(questionId, principal, questions);
    const question = kept?.question ?? null;
    return {
      text: question === null ? "No such question was just asked" : oneLine(question.text),
      structured: { question },
    };
  },
});

const answerInView: Tool = tool({
  name: "answer_question",
  title: "Answer a question",
  description: "The answer of the person who looks at the view",
  input: z.strictObject({
    questionId: z.string().describe("Its id"),
    value: z.unknown().describe("true or false, a value or text, an array of values, or the fields of the form"),
    proposalHash: z.string().optional().describe("The hash of the proposal as it was shown; required if there is one"),
  }),
  readOnly: false,
  publishes: true,
  authorize(_, principal) {
    checkGrants(principal, "publish", "answer questions");
  },
  async run({ questionId, value, proposalHash }, context) {
    const { question } = await visibleQuestion(questionId, context.principal, context.questions);
    if (question.proposal !== undefined && proposalHash === undefined) {
      throw inputFault("proposalHash", "is missing; give the hash of the proposal that was shown");
    }
    const answered = await answerQuestion(questionId, { value, proposalHash, via: VIA }, context);
    return { text: `Answered: ${oneLineData(answered.answered?.value)}`, structured: { question: answered } };
  },
});

/**
 * What the views of MCP Apps call for the person who looks at them. They are not among the tools that every door offers:
 * a model must not answer for people.
 */
export const APP_TOOLS: readonly Tool[] = [lookAtQuestion, answerInView];

function checkGrants(principal: Principal, right: "read" | "publish", what: string): void {
  if (!hasGrants(principal)) throw refusal(principal, right, what);
}
