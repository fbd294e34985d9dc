import type { KeptQuestion } from "../../core/question.ts";
import type { AnswerForm } from "../../protocol/question.ts";
import { isAskedBy, outcomeOf, type QuestionDoor, type RequestContext, type ToolOutcome } from "../../tools/index.ts";
import type { ContentResult, InputRequired, TaskCreated } from "../definitions.ts";
import { isObject } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";
import { takesTasks } from "../tasks/task.ts";
import { createdTask } from "../tasks/question-tasks.ts";
import { askInSession } from "./ask-in-session.ts";
import { modeFor, reactionIn, requestFor, surfaceOf, type AskMode, type UserSurface } from "./elicitation.ts";
import { declined, userAnswered } from "./user-answer.ts";

/** The name of the only input request of a round. */
const ANSWER = "answer";
/** Milliseconds for which a user may answer after the deadline of a question, or if it has none. */
const GRACE = 7 * 86_400_000;

/** The state that is sealed between two rounds. */
interface Round {
  readonly question: string;
  readonly mode: AskMode;
}

/** Ends a call of a tool whose result is of another kind than a tool's. */
class Instead extends Error {
  readonly result: InputRequired | TaskCreated;

  constructor(result: InputRequired | TaskCreated) {
    super("The call ends with another result");
    this.result = result;
  }
}

/**
 * Runs a tool that asks a question. The result is a task for clients that take tasks, or asks the client's user if the
 * question is for them; otherwise the call waits for the answer.
 */
export async function askOverMcp(
  context: McpRequestContext,
  run: (context: RequestContext) => Promise<ContentResult>,
): Promise<ContentResult | InputRequired | TaskCreated> {
  context.questionDoor = new McpQuestionDoor(context);
  try {
    return await run(context);
  } catch (error) {
    if (error instanceof Instead) return error.result;
    throw error;
  }
}

class McpQuestionDoor implements QuestionDoor {
  readonly #context: McpRequestContext;
  readonly #surface: UserSurface;
  readonly #round: Round | undefined;

  constructor(context: McpRequestContext) {
    this.#context = context;
    this.#surface = surfaceOf(context.capabilities, context.revision);
    const { state } = context.inputs;
    this.#round = isObject(state) && typeof state["question"] === "string" ? (state as unknown as Round) : undefined;
  }

  get earlier(): string | undefined {
    return this.#round?.question;
  }

  canAskUser(form: AnswerForm): boolean {
    const { ask, takesStream } = this.#context;
    return this.#modeFor(form) !== undefined && (ask === undefined || takesStream);
  }

  async settle(
    kept: KeptQuestion,
    { asksUser, seconds }: Parameters<QuestionDoor["settle"]>[1],
  ): Promise<ToolOutcome | undefined> {
    const context = this.#context;
    const { question } = kept;
    const reply = this.#round && reactionIn(context.inputs.responses[ANSWER]);
    if (reply?.action === "accept" && this.#round?.mode === "form") {
      return userAnswered(question, reply.content, context);
    }
    if (question.state === "closed") return undefined;
    if (reply !== undefined && reply.action !== "accept") return outcomeOf(question, declined(reply.action));
    if (takesTasks(context) && seconds !== 0 && isAskedBy(kept, context.principal))
      throw new Instead(createdTask(kept));
    // Whoever has opened the page answers there.
    const mode = asksUser && reply === undefined ? this.#modeFor(question.answer) : undefined;
    if (mode === undefined) return undefined;
    const request = requestFor(question, mode, this.#surface, context.pageUrl());
    if (context.ask !== undefined) return askInSession(kept, request, seconds, context);
    const round: Round = { question: question.id, mode };
    const due = question.deadline === undefined ? 0 : Date.parse(question.deadline) - Date.now();
    const requestState = await context.seal(round, Math.max(due, 0) + GRACE);
    throw new Instead({ resultType: "input_required", inputRequests: { [ANSWER]: request }, requestState });
  }

  #modeFor(form: AnswerForm): AskMode | undefined {
    return modeFor(form, this.#surface, this.#context.pageUrl());
  }
}
