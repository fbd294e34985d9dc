import type { Message, Request } from "./message.ts";
import type { Output } from "./output.ts";

/** A request of the client that is not answered yet. */
export class PendingRequest {
  readonly message: Request;
  readonly #output: Output;
  readonly #cancelled = new AbortController();
  readonly #begun = Promise.withResolvers<void>();
  #isMuted = false;

  constructor(message: Request, output: Output) {
    this.message = message;
    this.#output = output;
  }

  /** Aborted when the answer is no longer wanted. */
  get signal(): AbortSignal {
    return this.#cancelled.signal;
  }

  /** Resolves when the hub has begun to answer, or never will. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  readonly begin = (): void => this.#begun.resolve();

  readonly write = (message: Message): void => {
    if (!this.#isMuted) this.#output.write(message);
  };

  /** Writes nothing more. */
  mute(): void {
    this.#isMuted = true;
  }

  /** Ends its connection, and writes nothing more. */
  abort(): void {
    this.mute();
    this.#cancelled.abort();
    this.begin();
  }
}
