import { cannotAsk, type AskAnswer, type ToolContext } from "../tools/index.ts";
import type { ContentResult, InputRequired } from "./definitions.ts";
import { isObject } from "./errors.ts";
import type { RequestContext } from "./request-context.ts";

/** A question that was answered in a round before this one. */
interface Answered {
  readonly message: string;
  readonly answer: AskAnswer;
}

/** What is sealed between two rounds. */
interface Rounds {
  readonly answered: readonly Answered[];
  /** The question whose answer this round brings. */
  readonly open: string;
}

/** The name of the one question of a round. */
const QUESTION = "question";
/** Milliseconds that a person has to answer, a restart of the server included: a week. */
const LIFETIME = 7 * 86_400_000;
const NO_ROUNDS: Rounds = { answered: [], open: "" };

/** Thrown out of a tool at a question that has no answer yet. */
class Unanswered extends Error {}

/**
 * Runs a tool that may ask the person at the other end (MCP, "Elicitation"). At a question without an answer it ends,
 * and the result asks for the answer; the round that brings it runs the tool from its beginning, with all answers so
 * far (2026-07-28, "Multi Round-Trip Requests").
 */
export async function runWithQuestions(
  context: RequestContext,
  run: (context: ToolContext) => Promise<ContentResult>,
): Promise<ContentResult | InputRequired> {
  const { responses, state = NO_ROUNDS } = context.inputs;
  const { answered, open } = state as Rounds;
  const answer = responses[QUESTION];
  const answers = open !== "" && isAnswer(answer) ? [...answered, { message: open, answer }] : answered;
  let asked = 0;
  let next: InputRequired | undefined;
  context.askPerson = async (message, schema) => {
    const known = answers[asked++];
    if (known === undefined) {
      next ??= await question(message, schema, { answered: answers, open: message }, context);
      throw new Unanswered("The tool runs again with the answer");
    }
    if (known.message !== message) throw cannotAsk("its questions have changed since the first answer; call it again");
    return known.answer;
  };
  try {
    const result = await run(context);
    return next ?? result;
  } catch (error) {
    if (next === undefined) throw error;
    return next;
  }
}

async function question(
  message: string,
  { type, properties, required }: Readonly<Record<string, unknown>>,
  rounds: Rounds,
  context: RequestContext,
): Promise<InputRequired> {
  const requestedSchema = { type, properties, required: required ?? [] };
  return {
    resultType: "input_required",
    inputRequests: { [QUESTION]: { method: "elicitation/create", params: { message, requestedSchema } } },
    requestState: await context.seal(rounds, LIFETIME),
  };
}

function isAnswer(response: unknown): response is AskAnswer {
  return isObject(response) && ["accept", "decline", "cancel"].includes(response["action"] as string);
}
