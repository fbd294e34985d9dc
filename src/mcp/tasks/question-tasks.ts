import { HubError } from "../../core/errors.ts";
import type { KeptQuestion } from "../../core/question.ts";
import { KEPT_CLOSED } from "../../core/question-upkeep.ts";
import { isQuestionId } from "../../protocol/question.ts";
import { cancelQuestion, hasAsked, isAskedBy, outcomeOf, seenBy } from "../../tools/index.ts";
import { modeFor, reactionIn, requestFor, surfaceOf, type AskMode } from "../asking/elicitation.ts";
import { answerAsUser } from "../asking/user-answer.ts";
import type { InputRequired, Task, TaskCreated, TaskSource } from "../definitions.ts";
import { invalidParams } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";

/** Milliseconds between two looks at a task. */
const POLL = 5000;
/** The key of the only input request that a task has. */
const ANSWER = "answer";

/** Questions as tasks, under their own ids, for whoever asked them: the question is all that is kept. */
export const questionTasks: TaskSource = {
  async get(id, call) {
    const kept = await askedBy(id, call);
    return kept && taskOf(kept, call);
  },
  async update(id, responses, call) {
    const kept = await askedBy(id, call);
    if (kept === undefined) return false;
    const mode = openMode(kept, call);
    const reaction = reactionIn(responses[ANSWER]);
    if (mode === undefined || responses[ANSWER] === undefined) return true;
    if (reaction === undefined) {
      throw invalidParams(`inputResponses.${ANSWER}.action must be accept, decline or cancel`);
    }
    if (reaction.action === "accept" && mode === "form") await answered(kept, reaction.content, call);
    else await call.questions.noteReaction(id, reaction.action);
    return true;
  },
  async cancel(id, call) {
    const kept = await askedBy(id, call);
    if (kept === undefined) return false;
    if (kept.question.state === "open") await unlessClosed(cancelQuestion(id, undefined, call));
    return true;
  },
  follow(id, changed, { principal, questions }) {
    return hasAsked(id, principal, questions) ? questions.watch(id, changed) : undefined;
  },
};

/** A question that was asked, as the task that its call is answered with. */
export function createdTask({ question, changed }: KeptQuestion): TaskCreated {
  return { resultType: "task", status: "working", statusMessage: seenBy(question), ...common({ question, changed }) };
}

function taskOf(kept: KeptQuestion, call: McpRequestContext): Task {
  const { question } = kept;
  const { outcome, deadline } = question;
  const { text, structured } = outcomeOf(question);
  const known = common(kept);
  if (outcome === "cancelled") return { status: "cancelled", statusMessage: text, ...known };
  // A question that stays open after its deadline can still be answered, and whoever waits is told at the deadline.
  const isDue = deadline !== undefined && Date.parse(deadline) <= Date.now();
  if (outcome !== undefined || isDue) {
    return {
      status: "completed",
      ...known,
      result: { resultType: "complete", content: [{ type: "text", text }], structuredContent: structured },
    };
  }
  const statusMessage = seenBy(question);
  const inputRequests = inputRequestsOf(kept, call);
  if (inputRequests === undefined) return { status: "working", statusMessage, ...known };
  return { status: "input_required", statusMessage, ...known, inputRequests };
}

function common({
  question: { id, askedAt, closedAt },
  changed,
}: Pick<KeptQuestion, "question" | "changed">): Pick<
  Task,
  "taskId" | "createdAt" | "lastUpdatedAt" | "ttlMs" | "pollIntervalMs"
> {
  return {
    taskId: id,
    createdAt: askedAt,
    lastUpdatedAt: new Date(changed).toISOString(),
    ttlMs: closedAt === undefined ? null : Date.parse(closedAt) - Date.parse(askedAt) + KEPT_CLOSED,
    pollIntervalMs: POLL,
  };
}

/** How the client is to ask its user; undefined if it is not to, or has done so. */
function openMode({ question, userReaction }: KeptQuestion, call: McpRequestContext): AskMode | undefined {
  if (question.state === "closed" || question.asksUser !== true || userReaction !== undefined) return undefined;
  return modeFor(question.answer, surfaceOf(call.capabilities, call.revision), call.pageUrl());
}

function inputRequestsOf(kept: KeptQuestion, call: McpRequestContext): InputRequired["inputRequests"] {
  const mode = openMode(kept, call);
  const surface = surfaceOf(call.capabilities, call.revision);
  return mode && { [ANSWER]: requestFor(kept.question, mode, surface, call.pageUrl()) };
}

/** Throws `-32602` if the answer does not fit; the question stays open then. */
async function answered({ question }: KeptQuestion, content: unknown, call: McpRequestContext): Promise<void> {
  try {
    await unlessClosed(answerAsUser(question, content, call));
  } catch (error) {
    if (error instanceof HubError && error.code === "INVALID_INPUT") throw invalidParams(error.message);
    throw error;
  }
}

/** Someone else was faster: the task says so. */
async function unlessClosed(change: Promise<unknown>): Promise<void> {
  await change.catch((error: unknown) => {
    if (!(error instanceof HubError) || error.code !== "QUESTION_CLOSED") throw error;
  });
}

/** The question, if the caller asked it. */
async function askedBy(id: string, { principal, questions }: McpRequestContext): Promise<KeptQuestion | undefined> {
  // It is read, since this node may not have heard of it yet.
  const kept = isQuestionId(id) ? await questions.get(id) : undefined;
  return kept !== undefined && isAskedBy(kept, principal) ? kept : undefined;
}
