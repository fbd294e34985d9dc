import { HubError } from "../../src/core/errors.ts";
import type { Draft } from "../../src/core/message.ts";
import { Questions, type NewQuestion } from "../../src/core/questions.ts";
import type { Records } from "../../src/core/records.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { MemoryRecords } from "../../src/logs/memory-records.ts";
import type { Question } from "../../src/protocol/question.ts";
import { SharedNode } from "./shared-node.ts";

/** What is kept, and what several nodes share: the questions of one hub, with a clock that a test sets. */
export class QuestionRig implements AsyncDisposable {
  readonly records: MemoryRecords = new MemoryRecords();
  readonly store: LocalStore = new LocalStore();
  /** What was published, in order; a second time with a key is not. */
  readonly log: Draft[] = [];
  /** Nodes that die where they would publish. */
  readonly dead: Set<string> = new Set();
  /** Why the log refuses a message; undefined if it takes it. */
  refuses: (draft: Draft) => HubError | undefined = () => undefined;
  now: number = Date.parse("2026-11-30T08:00:00Z");
  readonly #opened: Questions[] = [];

  /** One more node, or the same after a restart. */
  open(name = "a"): { readonly questions: Questions; readonly node: SharedNode } {
    const node = new SharedNode(this.store, name);
    const records = this.records as Records;
    const questions = new Questions({
      records,
      shared: node,
      publish: (draft) => this.#publish(name, draft),
      now: () => this.now,
    });
    this.#opened.push(questions);
    return { questions, node };
  }

  /** What was published, by event and what it says. */
  told(): readonly string[] {
    return this.log.map(({ event, data }) => {
      const { text, outcome = "" } = JSON.parse(data) as Question;
      return `${event.replace("question.", "")} ${text} ${outcome}`.trim();
    });
  }

  /** Goes to a time later, and has every node look at the clock. */
  later(milliseconds: number): void {
    this.now += milliseconds;
    for (const questions of this.#opened) questions.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((questions) => questions.close()));
    this.store.close();
  }

  async #publish(node: string, draft: Draft): Promise<{ receivers: number; repeated: boolean }> {
    await Promise.resolve();
    if (this.dead.has(node)) throw new HubError("LOG_UNAVAILABLE", "This node is dead");
    const refused = this.refuses(draft);
    if (refused !== undefined) throw refused;
    const repeated = this.log.some(({ key }) => key === draft.key);
    if (!repeated) this.log.push(draft);
    return { receivers: 2, repeated };
  }
}

/** A question for yes or no. */
export function asked(text: string, more: Partial<NewQuestion["question"]> = {}, askerId?: string): NewQuestion {
  const question = {
    channel: "a",
    text,
    answer: { kind: "confirm" },
    urgency: "normal",
    onTimeout: "keep",
    asker: "deployer",
    ...more,
  } as const;
  return { question, askerId, keys: [] };
}
