import type { Records } from "../core/records.ts";
import { Sealer } from "../core/seal.ts";
import { isObject } from "../protocol/json.ts";
import type { Answer, Question } from "../protocol/question.ts";
import { visibleText } from "../protocol/visible.ts";
import type { LinkedChoice } from "./way.ts";

/** What a link answers: one question with one value, in one name. */
export interface LinkedAnswer {
  readonly id: string;
  readonly value: Answer;
  readonly by: string;
}

/** Below the address of the server; the token is the last part. */
export const ANSWER_PATH = "/answer";
/** The key that seals tokens, as 64 hexadecimal digits: kept with the log, so that links outlive a restart. */
const KEY = ["hub", "answer-key"] as const;
const KEY_BYTES = 32;
/** Characters of a token: far more than one has. */
const MAX_TOKEN = 4096;

/**
 * Links that answer a question without a credential: whoever has one can give this answer, once, in the name that it was
 * made for. A question is answered once, so a link ends with its question.
 */
export class AnswerLinks {
  readonly #sealer: Sealer;
  readonly #base: string;

  private constructor(sealer: Sealer, base: string) {
    this.#sealer = sealer;
    this.#base = base;
  }

  /** `base` is where people reach the server, such as `https://hub.example/hub`. */
  static async open(records: Records, base: string): Promise<AnswerLinks> {
    const made = Buffer.from(crypto.getRandomValues(new Uint8Array(KEY_BYTES))).toString("hex");
    // Of several nodes that start together, one makes it.
    await records.replace(...KEY, undefined, made);
    const key = (await records.get(...KEY)) ?? made;
    return new AnswerLinks(new Sealer(Uint8Array.from(Buffer.from(key, "hex"))), base);
  }

  /** The answers of a question that links can give, for someone of this name; none if a page has to be filled in. */
  async choicesFor(question: Question, by: string): Promise<readonly LinkedChoice[]> {
    const { id, answer, assignees, notAsker, asker } = question;
    if (assignees?.includes(by) === false || (notAsker === true && by === asker)) return [];
    if (answer.kind === "confirm") {
      const { yes = "Yes", no = "No", destructive = false } = answer;
      return [
        await this.#choice(yes, destructive, { id, value: true, by }),
        await this.#choice(no, false, { id, value: false, by }),
      ];
    }
    if (answer.kind !== "choice" || answer.multiple === true) return [];
    const { options } = answer;
    return Promise.all(
      options.map(({ value, label = value, destructive = false }) =>
        this.#choice(label, destructive, { id, value, by }),
      ),
    );
  }

  /** What a token answers; undefined if it is not one of ours. */
  async read(token: string): Promise<LinkedAnswer | undefined> {
    if (token.length > MAX_TOKEN) return undefined;
    const { payload } = (await this.#sealer.open(token, ANSWER_PATH)) ?? {};
    return isObject(payload) ? (payload as unknown as LinkedAnswer) : undefined;
  }

  async #choice(label: string, isDestructive: boolean, answer: LinkedAnswer): Promise<LinkedChoice> {
    const token = await this.#sealer.seal(answer, ANSWER_PATH);
    return { label: visibleText(label), url: `${this.#base}${ANSWER_PATH}/${token}`, isDestructive };
  }
}
