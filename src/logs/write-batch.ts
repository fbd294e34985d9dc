import { HubError } from "../core/errors.ts";
import type { Draft, Message } from "../core/message.ts";

/** Something waiting for its turn to be written; without a draft, only to see that writing works. */
export interface Waiting {
  readonly draft: Draft | undefined;
  readonly resolve: (message: Message | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_WAITING = 20_000;
const MAX_WAITING_CHARACTERS = 128 * 1024 * 1024;

/** Collects what one turn of the event loop appends, so that it is written together when the turn ends. */
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

  /** Characters of payload that wait. */
  get characters(): number {
    return this.#characters;
  }

  /** Waits for its turn; rejects with `OVERLOADED` where too much waits already. */
  add(draft: Draft | undefined): Promise<Message | undefined> {
    const characters = draft?.data.length ?? 0;
    if (this.#waiting.length >= MAX_WAITING || this.#characters + characters > MAX_WAITING_CHARACTERS) {
      return Promise.reject(
        new HubError("OVERLOADED", "Too many messages wait for the log; publish again in a moment"),
      );
    }
    this.#characters += characters;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ draft, resolve, reject });
      this.schedule();
    });
  }

  /** Has the writer called when this turn ends. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  /** Everything that waits, which goes on waiting. */
  peek(): readonly Waiting[] {
    return this.#waiting;
  }

  /** Everything that waits, which waits no longer. */
  take(): readonly Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#characters = 0;
    return waiting;
  }

  /** Refuses everything that waits. */
  fail(error: unknown): void {
    for (const waiting of this.take()) waiting.reject(error);
  }
}
