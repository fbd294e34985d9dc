import type { AnswerForm, ChoiceForm, FormSchema, Question } from "../../protocol/question.ts";
import { questionText, visibleText } from "../../protocol/visible.ts";
import type { InputRequest } from "../definitions.ts";
import { isObject, type JsonObject } from "../errors.ts";

/** How a user reacted to a form, or to a URL. */
type Reaction = "accept" | "decline" | "cancel";

/** The revision from which on clients show lists, and choices with `oneOf`. */
const FIRST_WITH_LISTS = "2025-11-25";
/** The fields of the form; a question with a form of its own has its own. */
const ANSWER = "answer";
const OTHER = "other";
const [YES, NO] = ["yes", "no"];

export type AskMode = "form" | "url";

/** What a client can show its user, as it has declared (MCP, "Elicitation"). */
export interface UserSurface {
  readonly canShowForms: boolean;
  readonly canOpenUrls: boolean;
  /** The revision that it speaks. */
  readonly revision: string;
}

export function surfaceOf(capabilities: JsonObject, revision: string): UserSurface {
  const { elicitation } = capabilities;
  if (!isObject(elicitation)) return { canShowForms: false, canOpenUrls: false, revision };
  const canOpenUrls = isObject(elicitation["url"]);
  // A client that declares elicitation without details supports forms.
  return { canShowForms: isObject(elicitation["form"]) || !canOpenUrls, canOpenUrls, revision };
}

/**
 * How a client asks its user: by a form, or by the URL of the page, which is empty if it is not known; undefined if it
 * can do neither.
 */
export function modeFor(form: AnswerForm, surface: UserSurface, pageUrl: string): AskMode | undefined {
  const isShown = surface.revision >= FIRST_WITH_LISTS || !hasList(form);
  if (surface.canShowForms && isShown) return "form";
  return surface.canOpenUrls && pageUrl !== "" ? "url" : undefined;
}

/** The request that asks the user. */
export function requestFor(
  question: Question,
  mode: AskMode,
  { revision }: UserSurface,
  pageUrl: string,
): InputRequest {
  return mode === "form" ? formRequest(question, revision) : urlRequest(question, revision, pageUrl);
}

/** The request that asks the user with a form. The proposal is in it as a whole, since they approve exactly that. */
function formRequest(question: Question, revision: string): InputRequest {
  const message = questionText(question);
  return { method: "elicitation/create", params: { message, requestedSchema: schemaOf(question.answer, revision) } };
}

/** The request that sends the user to the page with the channel of the question. */
function urlRequest({ id, text, channel }: Question, revision: string, pageUrl: string): InputRequest {
  const url = `${pageUrl}/chat#${encodeURIComponent(channel)}`;
  // Revisions with sessions say when the user is done there, by this id.
  const elicitationId = revision < "2026" ? { elicitationId: id } : {};
  return { method: "elicitation/create", params: { mode: "url", message: visibleText(text), url, ...elicitationId } };
}

/** What the user did, and the answer in it; undefined if it is no response. */
export function reactionIn(response: unknown): { readonly action: Reaction; readonly content: unknown } | undefined {
  if (!isObject(response)) return undefined;
  const { action, content } = response;
  return action === "accept" || action === "decline" || action === "cancel" ? { action, content } : undefined;
}

/** What the user filled in, as an answer that is still to be checked. */
export function answerIn(form: AnswerForm, content: unknown): unknown {
  if (form.kind === "form" || !isObject(content)) return content;
  const { [ANSWER]: value, [OTHER]: other } = content;
  if (form.kind === "confirm") return value === YES ? true : value === NO ? false : value;
  if (form.kind !== "choice" || form.other !== true || typeof other !== "string" || other.trim() === "") return value;
  return form.multiple === true ? [...(Array.isArray(value) ? (value as readonly unknown[]) : []), other] : other;
}

function hasList(form: AnswerForm): boolean {
  if (form.kind === "choice") return form.multiple === true;
  return form.kind === "form" && Object.values(form.schema.properties).some(({ type }) => type === "array");
}

function schemaOf(form: AnswerForm, revision: string): FormSchema | JsonObject {
  switch (form.kind) {
    case "form":
      return { ...form.schema, properties: visibleFields(form.schema.properties) };
    case "text":
      return objectOf({ [ANSWER]: { type: "string", title: "Answer", minLength: 1, maxLength: form.maxLength } });
    case "confirm": {
      const { yes, no } = form;
      if (yes === undefined && no === undefined) return objectOf({ [ANSWER]: { type: "boolean", title: "Yes" } });
      const [first, second] = [oneOption(YES, yes ?? "Yes"), oneOption(NO, no ?? "No")];
      // What cannot be undone is not what a hasty user chooses.
      const options = form.destructive === true ? [second, first] : [first, second];
      return objectOf({ [ANSWER]: { type: "string", title: "Answer", ...oneOf(options, revision) } });
    }
    default:
      return choiceSchema(form, revision);
  }
}

function choiceSchema({ options, multiple, other }: ChoiceForm, revision: string): JsonObject {
  const titled = options.map(({ value, label = value, description }) =>
    oneOption(value, description === undefined ? label : `${label} (${description})`),
  );
  const field =
    multiple === true
      ? { type: "array", title: "Answer", items: { anyOf: titled } }
      : { type: "string", title: "Answer", ...oneOf(titled, revision) };
  return other === true
    ? objectOf({ [ANSWER]: field, [OTHER]: { type: "string", title: "Another answer" } }, [])
    : objectOf({ [ANSWER]: field });
}

/** Fields whose titles and descriptions hide nothing. */
function visibleFields(properties: FormSchema["properties"]): FormSchema["properties"] {
  const visible = (key: string, value: unknown): unknown =>
    (key === "title" || key === "description") && typeof value === "string" ? visibleText(value) : value;
  return JSON.parse(JSON.stringify(properties, visible)) as FormSchema["properties"];
}

interface Titled {
  readonly const: string;
  readonly title: string;
}

function oneOption(value: string, title: string): Titled {
  return { const: value, title: visibleText(title) };
}

function oneOf(options: readonly Titled[], revision: string): JsonObject {
  if (revision >= FIRST_WITH_LISTS) return { oneOf: options };
  return { enum: options.map((one) => one.const), enumNames: options.map(({ title }) => title) };
}

function objectOf(properties: JsonObject, required: readonly string[] = [ANSWER]): JsonObject {
  return { type: "object", properties, required };
}
