import type { KeptQuestion } from "./question.ts";
import { digestId } from "./record-id.ts";
import type { Records } from "./records.ts";

/** A key that leads from a request to the question that it asked. */
export interface QuestionKey {
  /** Made by `keyName`. */
  readonly name: string;
  /** Whether it also leads to a question that is closed: an idempotency key does, a dedupe key does not. */
  readonly isForClosed: boolean;
}

/** The kind of the records that name the question of each key. */
const KIND = "question-key";

/** The name of a key of one asker. */
export function keyName(purpose: "idempotency" | "dedupe", asker: string, key: string): Promise<string> {
  return digestId(`${purpose}\n${asker}\n${key}`);
}

/** Leads several requests with one key to one question, on all nodes. */
export class QuestionKeys {
  readonly #records: Records;
  readonly #get: (id: string) => Promise<KeptQuestion | undefined>;

  constructor(records: Records, get: (id: string) => Promise<KeptQuestion | undefined>) {
    this.#records = records;
    this.#get = get;
  }

  /** The question that a key leads to; undefined if it leads to none. */
  async find({ name, isForClosed }: QuestionKey): Promise<KeptQuestion | undefined> {
    const id = await this.#records.get(KIND, name);
    const kept = id === undefined ? undefined : await this.#get(id);
    return kept !== undefined && (isForClosed || kept.question.state === "open") ? kept : undefined;
  }

  /** Makes a key lead to a question that is kept, unless it leads to another: resolves with that one then. */
  async claim(key: QuestionKey, id: string): Promise<KeptQuestion | undefined> {
    for (;;) {
      const before = await this.#records.get(KIND, key.name);
      if (before === id) return undefined;
      const other = await this.find(key);
      if (other !== undefined && other.question.id !== id) return other;
      if (await this.#records.replace(KIND, key.name, before, id)) return undefined;
    }
  }

  /** Forgets the keys of a question that is not kept any more. */
  async release(names: readonly string[], id: string): Promise<void> {
    await Promise.all(names.map((name) => this.#records.replace(KIND, name, id, undefined)));
  }
}
