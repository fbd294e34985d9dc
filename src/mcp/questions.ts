import { cannotAsk, type AskAnswer, type RequestContext } from "../tools/index.ts";
import type { ContentResult, InputRequired } from "./definitions.ts";
import { isObject, McpError } from "./errors.ts";
import { checkInputRequests } from "./input-requests.ts";
import type { McpRequestContext } from "./request-context.ts";

/** A question that was answered in an earlier round. */
interface Answered {
  readonly message: string;
  readonly answer: AskAnswer;
}

/** The state that is sealed between two rounds. */
interface Rounds {
  readonly answered: readonly Answered[];
  /** The question that this round answers. */
  readonly open: string;
}

/** The name of the only question of a round. */
const QUESTION = "question";
/** Milliseconds that a person has to answer, even across a restart of the server: a week. */
const LIFETIME = 7 * 86_400_000;
const NO_ROUNDS: Rounds = { answered: [], open: "" };

/** Ends a run of a tool at a question that has not been answered yet. */
class Unanswered extends Error {}

/**
 * Runs a tool that may ask the caller's user (MCP, "Elicitation"). At a question without an answer the run ends, and
 * the result asks the client for the answer. The next round runs the tool again from its beginning, with all answers so
 * far (2026-07-28, "Multi Round-Trip Requests").
 */
export async function runWithQuestions(
  context: McpRequestContext,
  run: (context: RequestContext) => Promise<ContentResult>,
): Promise<ContentResult | InputRequired> {
  const { responses, state = NO_ROUNDS } = context.inputs;
  const { answered, open } = state as Rounds;
  const answer = responses[QUESTION];
  const answers = open !== "" && isAnswer(answer) ? [...answered, { message: open, answer }] : answered;
  let asked = 0;
  let next: Question | undefined;
  let lack: McpError | undefined;
  context.askPerson = async (message, schema) => {
    const known = answers[asked++];
    if (known === undefined) {
      const question = { message, schema };
      lack = lackOf(question, context);
      if (lack !== undefined) throw cannotAsk("this client has not declared elicitation");
      next ??= question;
      throw new Unanswered("The tool runs again with the answer");
    }
    if (known.message !== message) throw cannotAsk("its questions have changed since the first answer; call it again");
    return known.answer;
  };
  let result: ContentResult | undefined;
  try {
    result = await run(context);
  } catch (error) {
    if (next === undefined) throw error;
  }
  if (next !== undefined) {
    const rounds: Rounds = { answered: answers, open: next.message };
    const requestState = await context.seal(rounds, LIFETIME);
    return { resultType: "input_required", inputRequests: requestsOf(next), requestState };
  }
  // The tool did not handle the error, and the protocol defines its own for the client.
  if (lack !== undefined && result?.isError === true) throw lack;
  return result as ContentResult;
}

interface Question {
  readonly message: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** The error if the client cannot be asked; undefined if it can. */
function lackOf(question: Question, context: McpRequestContext): McpError | undefined {
  try {
    checkInputRequests({ resultType: "input_required", inputRequests: requestsOf(question) }, context);
    return undefined;
  } catch (error) {
    if (error instanceof McpError) return error;
    throw error;
  }
}

function requestsOf({ message, schema }: Question): NonNullable<InputRequired["inputRequests"]> {
  const { type, properties, required = [] } = schema;
  const params = { message, requestedSchema: { type, properties, required } };
  return { [QUESTION]: { method: "elicitation/create", params } };
}

function isAnswer(response: unknown): response is AskAnswer {
  return isObject(response) && ["accept", "decline", "cancel"].includes(response["action"] as string);
}
