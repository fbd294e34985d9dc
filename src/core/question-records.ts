import type { Answer, Notice, Outcome, Question } from "../protocol/question.ts";
import { HubError } from "./errors.ts";
import { QuestionKeys } from "./question-keys.ts";
import { entryOf, questionIn, questionText, type KeptQuestion, type QuestionEntry } from "./question.ts";
import { RecordIndex } from "./record-index.ts";
import type { Records } from "./records.ts";
import type { SharedStore } from "./shared-store.ts";

export interface QuestionRecordsOptions {
  readonly records: Records;
  readonly shared: SharedStore;
  readonly now: () => number;
  /** Called as by `RecordIndex`. */
  readonly onChange: (entry?: QuestionEntry) => void;
}

/** The kind of the records, and the topic on which nodes announce what they do with them. */
const KIND = "question";

/** The records of all questions, and what this node knows of them without reading them. */
export class QuestionRecords {
  readonly index: RecordIndex<QuestionEntry>;
  readonly keys: QuestionKeys;
  readonly #records: Records;
  readonly #now: () => number;

  constructor({ records, shared, now, onChange }: QuestionRecordsOptions) {
    this.#records = records;
    this.#now = now;
    this.keys = new QuestionKeys(records, (id) => this.get(id));
    this.index = new RecordIndex({
      shared,
      topic: KIND,
      list: () => records.list(KIND),
      entryIn: (_, text) => entryOf(questionIn(text), text.length),
      isEntry: ({ version, asked, channel }) =>
        typeof version === "number" && typeof asked === "number" && typeof channel === "string",
      isNewer: (change, known) => change.version >= known.version,
      onChange,
    });
  }

  /** Undefined if there is none, or it was removed. */
  async get(id: string): Promise<KeptQuestion | undefined> {
    const text = await this.#records.get(KIND, id);
    return text === undefined ? undefined : questionIn(text);
  }

  /** Adds a question, if `check` does not throw. */
  async add(kept: KeptQuestion, check: (all: readonly QuestionEntry[], entry: QuestionEntry) => void): Promise<void> {
    const text = questionText(kept);
    const entry = entryOf(kept, text.length);
    check(this.index.all(), entry);
    await this.#records.replace(KIND, entry.id, undefined, text);
    this.index.add(entry);
  }

  /**
   * Replaces a record by what `change` makes of it, which is called again if another change came first; undefined leaves
   * it as it is. Rejects with `NOT_FOUND` if there is none, and as the records do.
   */
  async change(
    id: string,
    change: (kept: KeptQuestion) => KeptQuestion | undefined,
  ): Promise<{ readonly kept: KeptQuestion; readonly isChanged: boolean }> {
    for (;;) {
      const text = await this.#records.get(KIND, id);
      if (text === undefined) throw noQuestion();
      const before = questionIn(text);
      const changed = change(before);
      if (changed === undefined) return { kept: before, isChanged: false };
      const kept = { ...changed, version: before.version + 1, changed: this.#now() };
      const next = questionText(kept);
      if (!(await this.#records.replace(KIND, id, text, next))) continue;
      this.index.add(entryOf(kept, next.length));
      return { kept, isChanged: true };
    }
  }

  /** Removes a question with its keys. */
  async remove(id: string): Promise<void> {
    const kept = await this.get(id);
    const entry = this.index.get(id);
    if (kept !== undefined) {
      await this.keys.release(kept.keys, id);
      await this.#records.delete(KIND, id);
    }
    if (entry !== undefined) this.index.remove(entry);
  }
}

/** A question as it is closed; undefined if it is closed already. */
export function closed(
  kept: KeptQuestion,
  outcome: Outcome,
  now: number,
  more: Pick<Question, "closedBy" | "supersededBy"> = {},
): KeptQuestion | undefined {
  if (kept.question.state === "closed") return undefined;
  const closedAt = new Date(now).toISOString();
  const question: Question = { ...kept.question, ...more, state: "closed", outcome, closedAt };
  return { ...kept, question, untold: [...kept.untold, outcome === "answered" ? "answered" : "closed"] };
}

/** Whether the log or the records cannot be reached, so that it works later. */
export function isAway(error: unknown): boolean {
  return error instanceof HubError && (error.code === "LOG_UNAVAILABLE" || error.code === "SHUTTING_DOWN");
}

/** An open question with a notice; undefined if it has it, or is closed. */
export function noted(kept: KeptQuestion, notice: Notice): KeptQuestion | undefined {
  const { state, notices = [] } = kept.question;
  if (state === "closed" || notices.some(({ name }) => name === notice.name)) return undefined;
  return { ...kept, question: { ...kept.question, notices: [...notices, notice] } };
}

/** The error for a question that does not exist, or that the caller may not see. */
export function noQuestion(): HubError {
  return new HubError("NOT_FOUND", "There is no such question: it was removed, or never existed");
}

/** The error for one that is closed, with the answer that counts. */
export function questionClosed(question: Question): HubError {
  const { outcome, answered, closedAt } = question;
  const said: Answer | undefined = answered?.value;
  const how =
    outcome === "answered"
      ? `${JSON.stringify(answered?.by)} answered it with ${JSON.stringify(said)} at ${closedAt}`
      : `it was closed as ${outcome} at ${closedAt}`;
  return new HubError("QUESTION_CLOSED", `This question is closed: ${how}`, { details: { question } });
}
