import { HubError } from "../core/errors.ts";
import type { Appended } from "../core/log.ts";
import type { Draft } from "../core/message.ts";

/** A draft that is waiting to be written. */
export interface Waiting {
  readonly draft: Draft;
  /** Answers its publisher with what was appended, or with the error. */
  readonly settle: (outcome: Appended | Error) => void;
}

const MAX_WAITING = 20_000;
const MAX_WAITING_CHARACTERS = 128 * 1024 * 1024;

/** Collects what one turn of the event loop appends, to write it together when the turn ends. */
export class WriteBatch {
  readonly #write: () => void;
  #waiting: Waiting[] = [];
  #characters = 0;
  #scheduled = false;

  constructor(write: () => void) {
    this.#write = write;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Characters of payload that are waiting. */
  get characters(): number {
    return this.#characters;
  }

  /** Adds a draft; rejects with `OVERLOADED` if too much is waiting already. */
  add(draft: Draft): Promise<Appended> {
    const characters = draft.data.length;
    if (this.#waiting.length >= MAX_WAITING || this.#characters + characters > MAX_WAITING_CHARACTERS) {
      return Promise.reject(
        new HubError("OVERLOADED", "Too many messages wait for the log; publish again in a moment"),
      );
    }
    this.#characters += characters;
    return new Promise((resolve, reject) => {
      const settle = (outcome: Appended | Error): void =>
        outcome instanceof Error ? reject(outcome) : resolve(outcome);
      this.#waiting.push({ draft, settle });
      this.schedule();
    });
  }

  /** Calls the writer when this turn ends. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  /** Everything that is waiting, without removing it. */
  peek(): readonly Waiting[] {
    return this.#waiting;
  }

  /** Removes and returns everything that is waiting; or the first of it, up to bounds that one draft may pass. */
  take(most: number = Infinity, characters: number = Infinity): readonly Waiting[] {
    let [count, sum] = [0, 0];
    for (const { draft } of this.#waiting) {
      if (count === most || (count > 0 && sum + draft.data.length > characters)) break;
      sum += draft.data.length;
      count++;
    }
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    this.#characters -= sum;
    return taken;
  }

  /** Rejects everything that is waiting. */
  fail(error: Error): void {
    for (const { settle } of this.take()) settle(error);
  }
}
