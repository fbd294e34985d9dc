import type { Answered, Notice, Question } from "../protocol/question.ts";
import { HubError } from "./errors.ts";
import { LeasedWork } from "./leased-work.ts";
import type { Draft, Published } from "./message.ts";
import type { QuestionKey } from "./question-keys.ts";
import { closed, isAway, noted, questionClosed, QuestionRecords } from "./question-records.ts";
import { QuestionUpkeep, checkRoom } from "./question-upkeep.ts";
import { QuestionWaits } from "./question-waits.ts";
import {
  dueTimeOf,
  inOrderAsked,
  messageOf,
  noticeMessage,
  type KeptQuestion,
  type QuestionEntry,
} from "./question.ts";
import type { Records } from "./records.ts";
import { randomId } from "./record-id.ts";
import type { SharedStore } from "./shared-store.ts";

export interface QuestionsOptions {
  readonly records: Records;
  readonly shared: SharedStore;
  /** Appends to the log; a draft with the key of one that was appended before is not appended again. */
  readonly publish: (draft: Draft) => Promise<Pick<Published, "receivers" | "repeated">>;
  /** Called with a sentence for the operator. */
  readonly report?: (sentence: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A question to ask, checked. */
export interface NewQuestion {
  readonly question: Omit<Question, "id" | "state" | "askedAt">;
  readonly askerId?: string | undefined;
  readonly keys: readonly QuestionKey[];
  readonly request?: string | undefined;
}

/** An answer to give, checked. */
export interface NewAnswer {
  readonly answered: Omit<Answered, "at">;
  readonly key?: string | undefined;
}

/** What is looked after by one node at a time. */
const WORK = "questions";

/**
 * Questions to people: kept in the records, so they survive a restart, and the same on all nodes. Each change replaces
 * the record as it was read, so the first valid answer wins, once. Then it is told on the channel; what a node that died
 * has not told, the node with the lease does, which also closes what is due.
 */
export class Questions {
  readonly #options: QuestionsOptions;
  readonly #now: () => number;
  readonly #records: QuestionRecords;
  readonly #work: LeasedWork;
  readonly #waits: QuestionWaits;
  readonly #upkeep: QuestionUpkeep;
  #isClosed = false;
  /** Called with each question that is asked or changed on any node, and without one after all have been read. */
  onChange: (entry?: QuestionEntry) => void = () => {};
  /** On this node since its start. */
  asked = 0;
  answered = 0;
  timedOut = 0;

  constructor(options: QuestionsOptions) {
    const { shared, records, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#records = new QuestionRecords({
      records,
      shared,
      now,
      onChange: (entry) => {
        if (entry === undefined) {
          this.#waits.refreshed();
          this.#work.arm();
        } else {
          this.#waits.told(entry);
          this.#work.armFor(this.#upkeep.dueTime(entry));
        }
        this.onChange(entry);
      },
    });
    const { index } = this.#records;
    this.#waits = new QuestionWaits(index, (id) => this.get(id), now);
    this.#upkeep = new QuestionUpkeep({
      index,
      now,
      timeOut: (id) => this.#timeOut(id),
      tell: (id) => this.#tell(id),
      remove: (id) => this.#records.remove(id),
      report: (sentence) => options.report?.(sentence),
    });
    this.#work = new LeasedWork({
      shared,
      name: WORK,
      now,
      next: () => this.#upkeep.next(),
      run: (signal) => this.#upkeep.run(signal),
      prepare: () => index.refresh(),
      report: (error) => options.report?.(`questions cannot be looked after: ${String(error)}`),
    });
  }

  /** Open questions, as far as this node knows. */
  get open(): number {
    return this.#records.index.all().reduce((count, { isOpen }) => count + (isOpen ? 1 : 0), 0);
  }

  /** Callers that wait on this node. */
  get waiting(): number {
    return this.#waits.size;
  }

  /**
   * Asks, unless one of its keys leads to a question that was asked before: then that one is joined. Throws
   * `TOO_MANY_QUESTIONS`, `QUESTION_CLOSED` if the question to supersede is closed, and as the records and the log do.
   */
  async ask(asked: NewQuestion): Promise<{ readonly kept: KeptQuestion; readonly joined: boolean }> {
    this.#checkOpen();
    await this.#records.index.ready();
    for (const key of asked.keys) {
      const known = await this.#records.keys.find(key);
      if (known !== undefined) return { kept: known, joined: true };
    }
    const { question, askerId, keys, request } = asked;
    const now = this.#now();
    const kept: KeptQuestion = {
      question: { id: randomId(), ...question, askedAt: new Date(now).toISOString(), state: "open" },
      version: 1,
      changed: now,
      askerId,
      keys: keys.map(({ name }) => name),
      request,
      untold: ["opened"],
    };
    const { id } = kept.question;
    await this.#records.add(kept, checkRoom);
    for (const key of keys) {
      const other = await this.#records.keys.claim(key, id);
      if (other === undefined) continue;
      await this.#records.remove(id);
      return { kept: other, joined: true };
    }
    try {
      if (question.supersedes !== undefined) await this.#supersede(question.supersedes, id);
      await this.#tell(id);
    } catch (error) {
      const isKept = question.supersedes === undefined && isAway(error);
      if (!isKept) await this.#records.remove(id);
      if (!isKept) throw error;
    }
    this.asked++;
    return { kept: (await this.get(id).catch(() => undefined)) ?? kept, joined: false };
  }

  /** Undefined if there is none, or it was removed. */
  get(id: string): Promise<KeptQuestion | undefined> {
    return this.#records.get(id);
  }

  /** What this node knows of it without reading it. */
  entry(id: string): QuestionEntry | undefined {
    return this.#records.index.get(id);
  }

  /** Resolves once this node knows all questions. */
  ready(): Promise<void> {
    return this.#records.index.ready();
  }

  /** Calls back whenever a question has changed, until the function returned is called. */
  watch(id: string, changed: () => void): () => void {
    return this.#waits.watch(id, changed);
  }

  /** In the order in which they were asked, as far as this node knows. */
  list(): readonly QuestionEntry[] {
    return this.#records.index.all().sort(inOrderAsked);
  }

  /** Answers a question. Throws `QUESTION_CLOSED` if it is closed. */
  async answer(id: string, { answered, key }: NewAnswer): Promise<Question> {
    let isReplayed = false;
    const { kept, isChanged } = await this.#records.change(id, (before) => {
      isReplayed = key !== undefined && before.answerKey === key;
      if (isReplayed) return undefined;
      if (this.#isDue(before.question)) return closed(before, "timed_out", this.#now());
      const at = new Date(this.#now()).toISOString();
      const next = closed(before, "answered", this.#now());
      return next && { ...next, answerKey: key, question: { ...next.question, answered: { ...answered, at } } };
    });
    if (isChanged) await this.#count(kept);
    if (isReplayed) return kept.question;
    if (!isChanged || kept.question.outcome !== "answered") throw questionClosed(kept.question);
    return kept.question;
  }

  /** Notes in an open question how people were told of it beside its channel, and tells that there. */
  async addNotice(id: string, notice: Notice): Promise<void> {
    const { kept, isChanged } = await this.#records.change(id, (before) => noted(before, notice));
    // The question has it in any case.
    if (isChanged) await this.#options.publish(noticeMessage(kept.question, notice)).catch(() => {});
  }

  /** Keeps how the user at the asker's client reacted without an answer. */
  async noteReaction(id: string, userReaction: string): Promise<void> {
    await this.#records.change(id, (kept) => (kept.question.state === "open" ? { ...kept, userReaction } : undefined));
  }

  /** Closes a question without an answer. Throws `QUESTION_CLOSED` if it is closed. */
  async cancel(id: string, by: string): Promise<Question> {
    const { kept, isChanged } = await this.#records.change(id, (before) =>
      closed(before, "cancelled", this.#now(), { closedBy: by }),
    );
    if (!isChanged) throw questionClosed(kept.question);
    await this.#count(kept);
    return kept.question;
  }

  /** As `QuestionWaits.wait`; also when the server stops. */
  wait(kept: KeptQuestion, milliseconds: number, signal: AbortSignal): Promise<KeptQuestion> {
    return this.#waits.wait(kept, milliseconds, signal);
  }

  /** Does what is due, if this node holds the lease. */
  wake(): void {
    this.#work.wake();
  }

  /** Ends all who wait; another node goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waits.close();
    await this.#work.close();
    this.#records.index.close();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new HubError("SHUTTING_DOWN", "The server is stopping; ask again in a few seconds");
  }

  #isDue(question: Question): boolean {
    return question.state === "open" && (dueTimeOf(question) ?? Infinity) <= this.#now();
  }

  async #supersede(older: string, by: string): Promise<void> {
    const { kept, isChanged } = await this.#records.change(older, (before) =>
      closed(before, "superseded", this.#now(), { supersededBy: by }),
    );
    if (!isChanged) throw questionClosed(kept.question);
    await this.#count(kept);
  }

  /** Closes a question whose time is up, if it still is. */
  async #timeOut(id: string): Promise<void> {
    const { kept, isChanged } = await this.#records.change(id, (before) =>
      this.#isDue(before.question) ? closed(before, "timed_out", this.#now()) : undefined,
    );
    if (isChanged) await this.#count(kept);
  }

  /** Counts a question that was closed here, and tells it; what cannot be told now is told later. */
  async #count({ question }: KeptQuestion): Promise<void> {
    if (question.outcome === "answered") this.answered++;
    if (question.outcome === "timed_out") this.timedOut++;
    await this.#tell(question.id).catch(() => {});
  }

  /** Publishes what is not told yet, in order. Rejects as the log does. */
  async #tell(id: string): Promise<void> {
    for (;;) {
      const kept = await this.get(id);
      const [event] = kept?.untold ?? [];
      if (kept === undefined || event === undefined) return;
      const { receivers, repeated } = await this.#options.publish(messageOf(kept, event));
      await this.#records.change(id, (before) => {
        if (before.untold[0] !== event) return undefined;
        const isFirst = event === "opened" && !repeated;
        const question = isFirst ? { ...before.question, notified: receivers } : before.question;
        return { ...before, question, untold: before.untold.slice(1) };
      });
    }
  }
}
