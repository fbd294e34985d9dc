import { HubError } from "../core/errors.ts";
import { ANYONE, mayPublish, maySubscribe, refusal, type Principal } from "../core/principal.ts";
import { keyName, type QuestionKey } from "../core/question-keys.ts";
import type { KeptQuestion } from "../core/question.ts";
import { noQuestion } from "../core/question-records.ts";
import type { Questions } from "../core/questions.ts";
import { readAnswer } from "../protocol/answer.ts";
import { canonicalJson, sha256 } from "../protocol/canonical-json.ts";
import { isCovered, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import { QUESTION_EVENTS, type Question } from "../protocol/question.ts";
import { inputFault } from "./checked-input.ts";
import { admittedDraft, checkedSender } from "./publish.ts";
import { checkedQuestion, type QuestionInput } from "./question-input.ts";
import type { RequestContext } from "./tool.ts";

/** What callers do with the questions of a hub, each within its rights. */
type QuestionContext = Pick<
  RequestContext,
  "hub" | "limits" | "principal" | "sender" | "admit" | "questions" | "questionDoor"
>;

/** An answer as callers give it, unchecked. */
export interface AnswerRequest {
  readonly value: unknown;
  readonly proposalHash?: string | undefined;
  /** Who answers; the name of the credential unless given. */
  readonly by?: string | undefined;
  readonly via: string;
  /** An idempotency key. */
  readonly key?: string | undefined;
}

export interface QuestionPage {
  readonly questions: readonly Question[];
  /** What to go on with as `after`; null at the end. */
  readonly next: string | null;
}

/** Open questions of a channel among which one is looked for by its text. */
const MAX_COMPARED = 50;
/** Milliseconds for which it is: older ones of the same text are other questions. */
const JUST_ASKED = 120_000;
/** In place of the members that a question gets when it is asked. */
const SAMPLE = { id: "0".repeat(24), askedAt: new Date(0).toISOString(), state: "open" };

/**
 * Asks a question, if the caller may publish on its channel, or joins the one that its keys lead to. Throws a `HubError`
 * that names the field, and as `Questions.ask` does.
 */
export async function askQuestion(
  input: QuestionInput,
  key: string | undefined,
  context: QuestionContext,
): Promise<{ readonly kept: KeptQuestion; readonly joined: boolean }> {
  const { principal, questions } = context;
  const question = await checkedQuestion(input);
  const { sender: asker, verified } = admitted(question, QUESTION_EVENTS.opened, input.asker, context);
  if (question.supersedes !== undefined) await checkOwn(question.supersedes, "replace", principal, questions);
  // Those who ask without a credential are told apart by the names they give, as far as that goes.
  const askerId = askerIdOf(principal);
  const owner = askerId ?? asker;
  const request = key === undefined ? undefined : await sha256(canonicalJson([input]));
  const keys: QuestionKey[] = [];
  if (key !== undefined) keys.push({ name: await keyName("idempotency", owner, key), isForClosed: true });
  if (input.dedupeKey !== undefined) {
    const name = await keyName("dedupe", owner, `${question.channel}\n${input.dedupeKey}`);
    keys.push({ name, isForClosed: false });
  }
  const channel = question.channel as ChannelName;
  // Who could not see the question could not answer it.
  const asksUser =
    input.asksUser === true &&
    isReadable({ channel, askerId }, principal) &&
    context.questionDoor?.canAskUser(question.answer) === true;
  const asked = {
    ...question,
    asker,
    ...(verified ? { verified } : {}),
    ...(asksUser ? { asksUser } : {}),
  };
  const answer = await questions.ask({ question: asked, askerId, keys, request });
  const isOther = key !== undefined && answer.joined && answer.kept.request !== undefined;
  if (isOther && answer.kept.request !== request && answer.kept.keys.includes(keys[0]?.name ?? "")) {
    throw new HubError("IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key asked another question; use a new key");
  }
  return answer;
}

/** A question that the caller may see. Throws `NOT_FOUND` also for one that it may not. */
export async function visibleQuestion(id: string, principal: Principal, questions: Questions): Promise<KeptQuestion> {
  const kept = await questions.get(id);
  if (kept === undefined || !isVisible(kept, principal)) throw noQuestion();
  return kept;
}

/** Whether the caller asked a question and may see it, as far as askers can be told apart. */
export function isAskedBy({ question, askerId }: KeptQuestion, principal: Principal): boolean {
  return isAskersOwn({ channel: question.channel as ChannelName, askerId }, principal);
}

/** The same of the question with an id, as far as this node knows. */
export function hasAsked(id: string, principal: Principal, questions: Questions): boolean {
  const entry = questions.entry(id);
  return entry !== undefined && isAskersOwn(entry, principal);
}

/** Whether the caller may see a question, as far as this node knows. */
export function mayLookAt(id: string, principal: Principal, questions: Questions): boolean {
  const entry = questions.entry(id);
  return entry !== undefined && isReadable(entry, principal);
}

/**
 * Answers a question, if the caller may. Throws `NOT_FOUND`, `UNAUTHENTICATED`, `FORBIDDEN`, `INVALID_INPUT` with the
 * field, and `QUESTION_CLOSED`.
 */
export async function answerQuestion(id: string, request: AnswerRequest, context: QuestionContext): Promise<Question> {
  const { principal, questions, sender } = context;
  const { question, askerId } = await visibleQuestion(id, principal, questions);
  const { channel, text, answer, proposal } = question;
  if (!mayPublish(principal, channel as ChannelName)) {
    throw refusal(principal, "publish", `answer questions on ${JSON.stringify(channel)}`);
  }
  const by = checkedSender(request.by, sender, principal);
  checkMayAnswer(question, askerId, by, principal);
  const read = readAnswer(answer, request.value);
  if ("problem" in read) throw new HubError("INVALID_INPUT", read.problem);
  const { proposalHash, via, key } = request;
  if (proposalHash !== undefined && proposalHash.toLowerCase() !== proposal?.hash) {
    const hash = proposal?.hash ?? "none";
    throw inputFault("proposalHash", `is not that of the proposal, which is ${hash}; look at the question again`);
  }
  const { value } = read;
  const said = { id, text, outcome: "answered", value, via };
  const { verified } = admitted({ channel, ...said }, QUESTION_EVENTS.answered, request.by, context);
  const answered = {
    value,
    by,
    via,
    ...(verified ? { verified } : {}),
    ...(proposal === undefined || proposalHash === undefined ? {} : { proposalHash: proposal.hash }),
  };
  return questions.answer(id, { answered, key: key === undefined ? undefined : `${principal.id}\n${key}` });
}

/** Closes a question without an answer, if the caller asked it or is an admin. Throws as `answerQuestion` does. */
export async function cancelQuestion(
  id: string,
  by: string | undefined,
  { principal, sender, questions }: QuestionContext,
): Promise<Question> {
  await checkOwn(id, "cancel", principal, questions);
  return questions.cancel(id, checkedSender(by, sender, principal));
}

/** Questions that the caller may see, in the order in which they were asked. */
export async function listQuestions(
  query: {
    readonly pattern: ChannelPattern;
    readonly state?: "open" | "closed" | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  },
  principal: Principal,
  questions: Questions,
): Promise<QuestionPage> {
  const { pattern, state, after, limit } = query;
  const found = questions
    .list()
    .filter(({ isOpen }) => state === undefined || isOpen === (state === "open"))
    .filter(({ channel, askerId }) => isCovered([pattern], channel) && isReadable({ channel, askerId }, principal))
    .filter(({ asked, id }) => after === undefined || place(asked, id) > after);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const kept = await Promise.all(page.map(({ id }) => questions.get(id)));
  const now = kept.flatMap((one) => (one === undefined ? [] : [one.question]));
  return {
    // One that was closed while it was looked for is not among the open ones.
    questions: now.filter((one) => state === undefined || one.state === state),
    next: last !== undefined && found.length > limit ? place(last.asked, last.id) : null,
  };
}

/**
 * The newest open question of a text on a channel that the caller has just asked; undefined if there is none. Without
 * authentication, callers cannot be told apart.
 */
export async function justAsked(
  { text, channel }: { readonly text: string; readonly channel: ChannelName },
  principal: Principal,
  questions: Questions,
): Promise<KeptQuestion | undefined> {
  const newest = questions
    .list()
    .filter((entry) => entry.isOpen && entry.channel === channel && entry.asked > Date.now() - JUST_ASKED)
    .filter(({ askerId }) => (principal.id === ANYONE.id ? askerId === undefined : isAsker(askerId, principal)))
    .slice(-MAX_COMPARED);
  for (const { id } of newest.toReversed()) {
    const kept = await questions.get(id);
    if (kept?.question.state === "open" && kept.question.text === text) return kept;
  }
  return undefined;
}

/** Where it is in the order, as text that has that order. */
function place(asked: number, id: string): string {
  return `${String(asked).padStart(16, "0")}-${id}`;
}

/** Counts a message about a question as published by the caller, and checks that it may, and that it is not too large. */
function admitted(
  { channel, ...data }: { readonly channel: string } & object,
  event: string,
  sender: string | undefined,
  context: QuestionContext,
): { readonly sender: string; readonly verified?: true } {
  try {
    return admittedDraft({ channel, data: { ...SAMPLE, channel, ...data }, event, sender }, context).item;
  } catch (error) {
    if (!(error instanceof HubError) || !error.message.startsWith("data ")) throw error;
    const sentence = error.message.replace("data has", "the question, or its answer, has as JSON");
    throw new HubError(error.code, sentence, { cause: error });
  }
}

function isVisible({ question, askerId }: KeptQuestion, principal: Principal): boolean {
  return isReadable({ channel: question.channel as ChannelName, askerId }, principal);
}

function isReadable(
  { channel, askerId }: { readonly channel: ChannelName; readonly askerId?: string | undefined },
  principal: Principal,
): boolean {
  return maySubscribe(principal, channel) || isAsker(askerId, principal);
}

function isAskersOwn(
  entry: { readonly channel: ChannelName; readonly askerId?: string | undefined },
  principal: Principal,
): boolean {
  return entry.askerId === askerIdOf(principal) && isReadable(entry, principal);
}

/** What whoever asks is known by; undefined if no one needs a credential, so that no asker is told from another. */
function askerIdOf({ id }: Principal): string | undefined {
  return id === ANYONE.id ? undefined : id;
}

/** Those without a credential cannot be told apart. */
function isAsker(askerId: string | undefined, { id, kind }: Principal): boolean {
  return kind !== "anonymous" && askerId === id;
}

async function checkOwn(id: string, what: string, principal: Principal, questions: Questions): Promise<void> {
  const { askerId } = await visibleQuestion(id, principal, questions);
  if (!principal.admin && !isAsker(askerId, principal)) {
    throw refusal(principal, "admin", `${what} a question that someone else asked`);
  }
}

function checkMayAnswer(question: Question, askerId: string | undefined, by: string, principal: Principal): void {
  const { assignees, notAsker, asker } = question;
  // Without authentication, a name is what one says it is; beside credentials, it would be a forgery.
  const isNamed = principal.kind !== "anonymous" || principal.id === ANYONE.id;
  if (assignees !== undefined && !(isNamed && assignees.includes(by))) {
    const [first] = assignees;
    const who = JSON.stringify(first) + (assignees.length === 1 ? "" : ` and ${assignees.length - 1} more`);
    throw new HubError("FORBIDDEN", `Only ${who} may answer this question; you are ${JSON.stringify(by)}`);
  }
  if (notAsker && (by === asker || (askerId !== undefined && askerId === principal.id))) {
    throw new HubError("FORBIDDEN", `Whoever asked this question may not answer it; you are ${JSON.stringify(by)}`);
  }
}
