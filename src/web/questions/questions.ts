import { isQuestionId, QUESTION_EVENTS, type Answer, type Question } from "../../protocol/question.ts";
import { askServer, Refusal } from "../shared/ask-server.ts";

/** Open questions that are shown at most; the server lists the oldest first. */
const LISTED = 100;
/** Closed questions that are remembered. */
const MAX_CLOSED = 500;
/** Milliseconds between two looks at what is open on channels that the page does not read. */
const LOOK_INTERVAL = 5000;
/** Milliseconds after a message about a question: others may come with it. */
const LOOK_DELAY = 100;

export interface QuestionsOptions {
  /** Something is to be rendered. */
  readonly changed: () => void;
  /** A question was asked since the page was opened. */
  readonly asked?: (question: Question) => void;
}

/**
 * The questions that this person may see, as the server has them. Messages about questions only say that there is
 * something to look at: whoever may publish on a channel can publish such a message.
 */
export class Questions {
  /** Those that wait for an answer, the oldest first. */
  open: readonly Question[] = [];
  /** Whether there are more than those. */
  hasMore = false;
  readonly #options: QuestionsOptions;
  readonly #closed = new Map<string, Question>();
  /** Ids that the server does not know, or does not show to this person. */
  readonly #missing = new Set<string>();
  readonly #fetching = new Set<string>();
  #looking: Promise<void> | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #hasLooked = false;

  constructor(options: QuestionsOptions) {
    this.#options = options;
    setInterval(() => document.hidden || void this.look(), LOOK_INTERVAL);
    document.addEventListener("visibilitychange", () => document.hidden || void this.look());
    void this.look();
  }

  /** The question that a message is about; undefined if the server has none, or has not said yet. */
  of(message: { readonly event: string; readonly data: unknown }): Question | undefined {
    const id = idIn(message);
    if (id === undefined) return undefined;
    const known = this.open.find((question) => question.id === id) ?? this.#closed.get(id);
    if (known === undefined && this.#hasLooked && !this.#missing.has(id)) void this.#fetch(id);
    return known;
  }

  /** A message came that may be about a question. */
  hear(message: { readonly event: string; readonly data: unknown }): void {
    const id = idIn(message);
    if (id === undefined) return;
    this.#missing.delete(id);
    if (this.#soon !== undefined) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      void this.look();
    }, LOOK_DELAY);
  }

  /** Finds out what is open. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
  }

  /** Answers a question as someone of this name. Rejects with a `Refusal`; whoever was faster has answered then. */
  async answer({ id, proposal }: Question, value: Answer, by: string | undefined): Promise<void> {
    const body = { value, by, proposalHash: proposal?.hash, via: "page" };
    try {
      const answered = await askServer(`questions/${id}/answer`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      this.#put(answered as Question);
    } catch (error) {
      if (error instanceof Refusal && error.code === "QUESTION_CLOSED") await this.#fetch(id);
      throw error;
    } finally {
      this.#options.changed();
    }
  }

  async #look(): Promise<void> {
    let page: { readonly questions: readonly Question[]; readonly next: string | null };
    try {
      page = (await askServer(`questions?state=open&limit=${LISTED}`)) as typeof page;
    } catch {
      // The page says elsewhere that the server is away.
      return;
    }
    const before = this.open;
    const isKnown = (id: string): boolean => before.some((question) => question.id === id);
    this.open = page.questions;
    this.hasMore = page.next !== null;
    if (this.#hasLooked) {
      for (const question of this.open) if (!isKnown(question.id)) this.#options.asked?.(question);
    }
    this.#hasLooked = true;
    const gone = before.filter(({ id }) => !this.open.some((question) => question.id === id));
    await Promise.all(gone.map(({ id }) => this.#fetch(id)));
    this.#options.changed();
  }

  async #fetch(id: string): Promise<void> {
    if (this.#fetching.has(id)) return;
    this.#fetching.add(id);
    try {
      this.#put((await askServer(`questions/${id}`)) as Question);
    } catch (error) {
      if (error instanceof Refusal && error.final) this.#missing.add(id);
    } finally {
      this.#fetching.delete(id);
      this.#options.changed();
    }
  }

  #put(question: Question): void {
    this.open = this.open.filter(({ id }) => id !== question.id);
    if (question.state === "open") {
      this.open = [...this.open, question].sort((a, b) => (a.askedAt < b.askedAt ? -1 : 1));
      return;
    }
    this.#closed.set(question.id, question);
    const [oldest] = this.#closed.keys();
    if (this.#closed.size > MAX_CLOSED && oldest !== undefined) this.#closed.delete(oldest);
  }
}

/** The id of the question that a message is about, if it is. */
function idIn({ event, data }: { readonly event: string; readonly data: unknown }): string | undefined {
  if (!Object.values<string>(QUESTION_EVENTS).includes(event)) return undefined;
  const { id } = (typeof data === "object" && data !== null ? data : {}) as { readonly id?: unknown };
  return isQuestionId(id) ? id : undefined;
}
