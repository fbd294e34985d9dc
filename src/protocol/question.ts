/** A question that someone asks on a channel, and that one person answers: what every door gives, as JSON. */
export interface Question {
  /** 24 hexadecimal digits that no one can guess. */
  readonly id: string;
  /** Where it is asked: who may read the channel sees it, and who may publish there may answer. */
  readonly channel: string;
  /** What is asked, in plain text: at most 2 KiB. */
  readonly text: string;
  /** What one has to know to answer, in Markdown: at most 32 KiB. Whoever asks wrote it, so it is not to be trusted. */
  readonly context?: string;
  readonly answer: AnswerForm;
  readonly proposal?: Proposal;
  /** The subjects of those who may answer; anyone who may publish on the channel if it is absent. */
  readonly assignees?: readonly string[];
  /** Set if the asker may not answer. */
  readonly notAsker?: true;
  /** Set if the user at the asker's MCP client is asked there, too; the first answer counts. */
  readonly asksUser?: true;
  /** Changes how people are told of it, and not the order. */
  readonly urgency: Urgency;
  /** When an answer is due, by the clock of the server: ISO 8601 in UTC. */
  readonly deadline?: string;
  readonly onTimeout: OnTimeout;
  /** The answer that counts after the deadline, with `onTimeout: "default"`. */
  readonly defaultAnswer?: Answer;
  /** The subject of whoever asks, or the name they gave if the server asks no one for credentials. */
  readonly asker: string;
  /** Set if `asker` is the name of the credential it was asked with. */
  readonly verified?: true;
  /** ISO 8601 in UTC, as all times here. */
  readonly askedAt: string;
  /** The id of an older question that this one takes the place of. */
  readonly supersedes?: string;
  readonly state: "open" | "closed";
  /** Set if it is closed. */
  readonly outcome?: Outcome;
  /** Set if a person answered. */
  readonly answered?: Answered;
  /** Set if it is closed. */
  readonly closedAt?: string;
  /** Who cancelled it. */
  readonly closedBy?: string;
  /** The id of the question that took its place. */
  readonly supersededBy?: string;
  /** How many live readers `question.opened` reached; absent until it was published, so also in that message itself. */
  readonly notified?: number;
  /** How people were told beside the channel, in order. */
  readonly notices?: readonly Notice[];
}

/** A step in which people were told of a question beside its channel. */
export interface Notice {
  /** The name of the step in the configuration of the server. */
  readonly name: string;
  /** Such as `ntfy` or `slack`. */
  readonly way: string;
  readonly at: string;
  /** To how many it was sent: 0 if it failed. */
  readonly count: number;
  /** Why it failed. */
  readonly error?: string;
}

/** What may be answered, and what a page shows for it. */
export type AnswerForm = ConfirmForm | ChoiceForm | TextForm | FieldsForm;

/** Yes or no: the answer is `true` or `false`. */
interface ConfirmForm {
  readonly kind: "confirm";
  /** What the two buttons say, such as "Delete 3 rows" and "Keep them". */
  readonly yes?: string;
  readonly no?: string;
  /** Set if yes cannot be undone: its button is not the first, has no focus, and no key presses it. */
  readonly destructive?: true;
}

/** One of the options: the answer is its `value`; or an array of them with `multiple`. */
export interface ChoiceForm {
  readonly kind: "choice";
  /** 2 to 10, each with a value of its own. */
  readonly options: readonly Option[];
  readonly multiple?: true;
  /** Set if another text may be given in place of an option, or beside options with `multiple`. */
  readonly other?: true;
}

interface Option {
  readonly value: string;
  /** What people see; the value if it is absent. */
  readonly label?: string;
  readonly description?: string;
  /** Set if it cannot be undone. */
  readonly destructive?: true;
}

/** A text: the answer is a string that is not empty. */
interface TextForm {
  readonly kind: "text";
  /** Characters. */
  readonly maxLength: number;
}

/** A form: the answer is an object with the fields of the schema. */
interface FieldsForm {
  readonly kind: "form";
  readonly schema: FormSchema;
}

/** The JSON Schema of a form, as MCP's elicitation has it: one flat object. */
export interface FormSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, FormField>>;
  readonly required?: readonly string[];
}

/** A field of a form (MCP 2025-11-25, "PrimitiveSchemaDefinition"). */
export type FormField = TextField | OptionsField | ListField | NumberField | TruthField;

interface Field {
  readonly title?: string;
  readonly description?: string;
}

export interface TextField extends Field {
  readonly type: "string";
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: "email" | "uri" | "date" | "date-time";
  readonly default?: string;
}

/** One of some values, with or without titles. */
type OptionsField = Field & { readonly type: "string"; readonly default?: string } & (
    | { readonly enum: readonly string[]; readonly enumNames?: readonly string[] }
    | { readonly oneOf: readonly TitledValue[] }
  );

/** Several of some values. */
export interface ListField extends Field {
  readonly type: "array";
  readonly items:
    | { readonly type: "string"; readonly enum: readonly string[] }
    | { readonly anyOf: readonly TitledValue[] };
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly default?: readonly string[];
}

export interface NumberField extends Field {
  readonly type: "number" | "integer";
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: number;
}

interface TruthField extends Field {
  readonly type: "boolean";
  readonly default?: boolean;
}

/** A value of a field, and what people see in its place. */
export interface TitledValue {
  readonly const: string;
  readonly title: string;
}

/** What the asker wants to do, exactly: people are shown all of it. */
export interface Proposal {
  /** What is to be done, such as the name of a tool. */
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /**
   * SHA-256, as 64 hexadecimal digits, of `{"arguments":…,"name":…}` as canonical JSON (RFC 8785). Whoever answers may
   * send it along as `proposalHash`, and the answer counts only if it is the same.
   */
  readonly hash: string;
}

/** From the least to the most. */
export const URGENCIES = ["low", "normal", "high"] as const;
export type Urgency = (typeof URGENCIES)[number];

/**
 * What happens at the deadline. `keep`: nothing, except that whoever waits is told; it can still be answered. `deny`: it
 * is closed as timed out, without an answer. `default`: it is closed as timed out, and `defaultAnswer` counts.
 */
export type OnTimeout = "keep" | "deny" | "default";

/** How a question ended: these are never the same thing as a no. */
export type Outcome = "answered" | "timed_out" | "cancelled" | "superseded";

/** `true` or `false`, a value or text, several, or the fields of a form. */
export type Answer = boolean | string | readonly string[] | Readonly<Record<string, FieldValue>>;
export type FieldValue = boolean | number | string | readonly string[];

/** The answer of a person. */
export interface Answered {
  readonly value: Answer;
  /** Their subject, or the name they gave if the server asks no one for credentials. */
  readonly by: string;
  /** Set if `by` is the name of the credential it was answered with. */
  readonly verified?: true;
  readonly at: string;
  readonly via: AnsweredVia;
  /** Set if it was sent along, so that the answer is to exactly this proposal. */
  readonly proposalHash?: string;
}

/** Where it was answered: `page`, `mcp`, `rest`, `cli`, `link`, or one that a newer server has. */
type AnsweredVia = string;

/** The event names of the messages about questions, each on the channel of its question and with `via: "question"`. */
export const QUESTION_EVENTS = {
  /** `data` is the `Question`. */
  opened: "question.opened",
  /** `data` is a `QuestionAnswered`. */
  answered: "question.answered",
  /** `data` is a `QuestionClosed`. */
  closed: "question.closed",
} as const;

/** The event name of the message that says how people were told of a question beside its channel, in the same way. */
export const NOTIFIED_EVENT = "question.notified";

/** What `question.notified` says. */
export interface QuestionNotified extends Notice {
  readonly id: string;
  readonly text: string;
}

/** What `question.answered` says. */
export interface QuestionAnswered extends Answered {
  readonly id: string;
  readonly text: string;
  readonly outcome: "answered";
}

/** What `question.closed` says. */
export interface QuestionClosed {
  readonly id: string;
  readonly text: string;
  readonly outcome: Exclude<Outcome, "answered">;
  readonly at: string;
  /** Who cancelled it. */
  readonly by?: string;
  /** The default answer, if it counts now. */
  readonly value?: Answer;
  /** The id of the question that took its place. */
  readonly supersededBy?: string;
}

/** Whether this can be the id of a question. */
export function isQuestionId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{24}$/.test(value);
}
