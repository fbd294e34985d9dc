import { z } from "zod";
import { channelName } from "../core/channel.ts";
import { dueTime } from "../core/due-time.ts";
import { HubError } from "../core/errors.ts";
import { readAnswer } from "../protocol/answer.ts";
import { canonicalJson, sha256 } from "../protocol/canonical-json.ts";
import { isDeeper } from "../protocol/json.ts";
import {
  isQuestionId,
  type Answer,
  type AnswerForm,
  type OnTimeout,
  type Proposal,
  type Question,
  type Urgency,
} from "../protocol/question.ts";
import { checkedForm } from "./answer-form.ts";
import { checkedInput, inputFault, line } from "./checked-input.ts";

const MAX_TEXT = 2048;
const MAX_CONTEXT = 32_768;
const MAX_ASSIGNEES = 50;
const MAX_SUBJECT = 128;
const MAX_KEY = 255;
const MAX_DEPTH = 32;
// eslint-disable-next-line no-control-regex -- it must match control characters
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;
const utf8 = new TextEncoder();

/** The assignee of `ask_person` that stands for the user at the caller's client. */
export const USER = "@user";

/** A question as askers give it, to every door: what `readQuestion` reads. */
export const questionInput: z.ZodObject = z.strictObject({
  channel: z.string().default("default").describe("Where to ask; `default` unless given"),
  text: z.string().meta({ description: "What is asked, in one sentence", examples: ["Deploy 2.14?"] }),
  context: z.string().optional().describe("What one has to know to answer, in Markdown"),
  answer: z.looseObject({}).optional().describe("`{kind: confirm | choice | text | form, …}`; confirm unless given"),
  proposal: z
    .strictObject({ name: line(MAX_SUBJECT), arguments: z.looseObject({}).default({}) })
    .optional()
    .describe("What the asker wants to do, exactly"),
  assignees: z.array(line(MAX_SUBJECT)).optional().describe("Who may answer, by their subjects"),
  notAsker: z.boolean().optional().describe("Whether the asker may not answer"),
  urgency: z.enum(["low", "normal", "high"]).default("normal"),
  deadline: z.string().optional().describe("When an answer is due: ISO 8601 with an offset, or with Z"),
  deadlineSeconds: z.number().optional().describe("The same in seconds from now; not with `deadline`"),
  onTimeout: z.enum(["keep", "deny", "default"]).default("keep").describe("What happens at the deadline"),
  defaultAnswer: z.unknown().optional().describe("The answer that counts after it, with `onTimeout: default`"),
  asker: z.string().optional().describe("Who asks; the name of the credential unless given"),
  supersedes: z.string().optional().describe("The id of an older question that this one takes the place of"),
  dedupeKey: line(MAX_KEY).optional().describe("While a question with it is open, asking again joins that one"),
});

/** A question as askers give it, with fields of the right types: `checkedQuestion` checks the rest. */
export interface QuestionInput {
  readonly channel: string;
  readonly text: string;
  readonly context?: string | undefined;
  readonly answer?: Readonly<Record<string, unknown>> | undefined;
  readonly proposal?: Omit<Proposal, "hash"> | undefined;
  readonly assignees?: readonly string[] | undefined;
  readonly notAsker?: boolean | undefined;
  readonly urgency: Urgency;
  readonly deadline?: string | undefined;
  readonly deadlineSeconds?: number | undefined;
  readonly onTimeout: OnTimeout;
  readonly defaultAnswer?: unknown;
  readonly asker?: string | undefined;
  readonly supersedes?: string | undefined;
  readonly dedupeKey?: string | undefined;
  /** Whether the user at the asker's client is asked, too, if that is possible. */
  readonly asksUser?: boolean;
}

/** Reads a question that came as JSON. Throws `INVALID_INPUT`, naming the field. */
export function readQuestion(given: Readonly<Record<string, unknown>>): QuestionInput {
  return checkedInput([], questionInput, given) as unknown as QuestionInput;
}

/** Checks a question, except for who asks. Throws `INVALID_INPUT` or `INVALID_CHANNEL`, naming the field. */
export async function checkedQuestion(
  given: QuestionInput,
): Promise<Omit<Question, "id" | "state" | "askedAt" | "asker">> {
  const { proposal, assignees, notAsker, urgency, onTimeout, supersedes } = given;
  const answer = given.answer === undefined ? ({ kind: "confirm" } as const) : checkedForm(given.answer);
  const deadline = deadlineOf(given);
  if (onTimeout !== "keep" && deadline === undefined) {
    throw inputFault("onTimeout", `is ${onTimeout}, and there is no deadline; give deadlineSeconds`);
  }
  if (supersedes !== undefined && !isQuestionId(supersedes))
    throw inputFault("supersedes", "is not the id of a question");
  if (assignees !== undefined && assignees.length > MAX_ASSIGNEES) {
    throw inputFault("assignees", `names ${assignees.length}; at most ${MAX_ASSIGNEES} are allowed`);
  }
  if (assignees?.includes(USER) === true) {
    const sentence = `names ${USER}, the user at an MCP client; only ask_person knows that one, and it stands alone`;
    throw inputFault("assignees", sentence);
  }
  const defaultAnswer = defaultOf(given, answer);
  return {
    channel: channelName(given.channel),
    text: checkedText("text", given.text, MAX_TEXT),
    ...(given.context === undefined ? {} : { context: checkedText("context", given.context, MAX_CONTEXT) }),
    answer,
    ...(proposal === undefined ? {} : { proposal: await checkedProposal(proposal) }),
    ...(assignees === undefined || assignees.length === 0 ? {} : { assignees: [...new Set(assignees)] }),
    ...(notAsker === true ? { notAsker } : {}),
    urgency,
    ...(deadline === undefined ? {} : { deadline: new Date(deadline).toISOString() }),
    onTimeout,
    ...(defaultAnswer === undefined ? {} : { defaultAnswer }),
    ...(supersedes === undefined ? {} : { supersedes }),
  };
}

function deadlineOf({ deadline: at, deadlineSeconds: delaySeconds }: QuestionInput): number | undefined {
  if (at === undefined && delaySeconds === undefined) return undefined;
  try {
    return dueTime({ at, delaySeconds }).time;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const sentence = error.message.replace(/^at\b/, "deadline").replace("delaySeconds", "deadlineSeconds");
    throw new HubError(error.code, sentence, { cause: error });
  }
}

function defaultOf({ onTimeout, defaultAnswer }: QuestionInput, form: AnswerForm): Answer | undefined {
  const isGiven = defaultAnswer !== undefined && defaultAnswer !== null;
  if (onTimeout !== "default") {
    if (isGiven)
      throw inputFault("defaultAnswer", "counts only with onTimeout default; give that, too, or leave it out");
    return undefined;
  }
  if (!isGiven) throw inputFault("defaultAnswer", "is missing; give the answer that counts after the deadline");
  const read = readAnswer(form, defaultAnswer);
  if ("problem" in read) throw inputFault("defaultAnswer:", read.problem);
  // Consent that no one gave is for what can be undone.
  if (isDestructive(form, read.value)) {
    throw inputFault("defaultAnswer", "is destructive, and what cannot be undone needs a person; use another");
  }
  return read.value;
}

function isDestructive(form: AnswerForm, value: Answer): boolean {
  if (form.kind === "confirm") return form.destructive === true && value === true;
  if (form.kind !== "choice") return false;
  const chosen: readonly unknown[] = Array.isArray(value) ? value : [value];
  return form.options.some((option) => option.destructive === true && chosen.includes(option.value));
}

async function checkedProposal({ name, arguments: given }: Omit<Proposal, "hash">): Promise<Proposal> {
  if (isDeeper(given, MAX_DEPTH)) throw inputFault("proposal.arguments", `is nested deeper than ${MAX_DEPTH} levels`);
  const inexact = inexactNumber(given);
  if (inexact !== undefined) {
    // People would be shown other digits than those that they approve.
    throw inputFault(
      "proposal.arguments",
      `holds ${inexact.slice(0, 64)}, which no double can hold; send it as a string`,
    );
  }
  return { name, arguments: given, hash: await sha256(canonicalJson({ name, arguments: given })) };
}

function inexactNumber(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (JSON.isRawJSON(value)) return JSON.stringify(value);
  for (const inner of Object.values(value)) {
    const found = inexactNumber(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function checkedText(field: string, text: string, most: number): string {
  const bytes = utf8.encode(text).length;
  if (text.trim() === "") throw inputFault(field, "is empty; say what is asked");
  if (bytes > most) throw inputFault(field, `has ${bytes} bytes; at most ${most} are allowed`);
  if (CONTROL.test(text) || !text.isWellFormed())
    throw inputFault(field, "holds control characters, or half a character");
  return text;
}
