import { z } from "zod";
import { channelName } from "../core/channel.ts";
import { checkPublish, hasGrants, refusal } from "../core/principal.ts";
import { inputFault } from "./checked-input.ts";
import { readQuestion, USER } from "./question-input.ts";
import { answerOf } from "./question-wait.ts";
import { askQuestion, visibleQuestion } from "./questions.ts";
import { tool, type Tool } from "./tool.ts";

// Every agent reads all of this, so it is short; `POST /questions` has the other fields.
const timeoutSeconds = z.number().optional().describe("To wait");
const NO_USER = "This client cannot show its user the question: only people on the hub can answer it";
const NO_TIME = "With timeoutSeconds 0 your user is not asked: only people on the hub can answer it";

export const askPerson: Tool = tool({
  name: "ask_person",
  title: "Ask a person",
  description: "Ask people, yes or no by default",
  input: z.strictObject({
    question: z.string().describe("One sentence"),
    channel: z.string().optional().describe("Where"),
    options: z.array(z.string()).optional().describe("2 to 10"),
    answer: z.unknown().optional().meta({ type: "object", description: "{kind: text} or {kind: form, schema}" }),
    context: z.string().optional().describe("Markdown"),
    proposal: z.unknown().optional().meta({ type: "object", description: "{name, arguments}" }),
    assignees: z.array(z.string()).optional().describe(`Who, or ${USER}`),
    urgency: z.string().optional().describe("low, normal or high"),
    dedupeKey: z.string().optional().describe("Retries"),
    deadlineSeconds: z.number().optional().describe("Due in"),
    onTimeout: z.enum(["keep", "deny"]).optional().describe("Then"),
    timeoutSeconds,
  }),
  readOnly: false,
  publishes: true,
  asksQuestion: true,
  authorize: ({ channel = "default" }, principal) => checkPublish(principal, channelName(channel)),
  async run({ question, options, answer, assignees, timeoutSeconds: seconds, ...asked }, context) {
    if (options !== undefined && answer !== undefined) {
      throw inputFault("options", "and answer both say what may be answered; give one of them");
    }
    const choice = options && { kind: "choice", options: options.map((value) => ({ value })) };
    const form = choice ?? answer;
    const isForUser = assignees?.length === 1 && assignees[0] === USER;
    const asksUser = isForUser && seconds !== 0;
    const input = readQuestion({
      ...asked,
      text: question,
      ...(form === undefined ? {} : { answer: form }),
      ...(isForUser ? {} : { assignees }),
    });
    const { questionDoor: door, principal, questions } = context;
    const kept =
      door?.earlier === undefined
        ? (await askQuestion({ ...input, asksUser }, undefined, context)).kept
        : await visibleQuestion(door.earlier, principal, questions);
    const canAskUser = asksUser && kept.question.asksUser === true;
    const outcome = await door?.settle(kept, { asksUser: canAskUser, seconds });
    const note = !isForUser || canAskUser ? undefined : asksUser ? NO_USER : NO_TIME;
    return outcome ?? answerOf(kept, seconds, context, note);
  },
});

export const awaitAnswer: Tool = tool({
  name: "await_answer",
  title: "Await answer",
  description: "Wait on for an answer",
  input: z.strictObject({ questionId: z.string().describe("Its id"), timeoutSeconds }),
  readOnly: true,
  authorize(_, principal) {
    if (!hasGrants(principal)) throw refusal(principal, "read", "wait for answers");
  },
  async run({ questionId, timeoutSeconds: seconds }, context) {
    const kept = await visibleQuestion(questionId, context.principal, context.questions);
    return answerOf(kept, seconds, context);
  },
});
