import type { RpcRequest } from "./message.ts";
import type { Output } from "./output.ts";

/** One request of the client on its way to its answer. */
export class Job {
  readonly request: RpcRequest;
  readonly #output: Output;
  readonly #gone = new AbortController();
  #isMuted = false;
  readonly #accepted = Promise.withResolvers<void>();

  constructor(request: RpcRequest, output: Output) {
    this.request = request;
    this.#output = output;
  }

  /** Aborted when nobody wants the answer any more. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Resolves once the hub has begun to answer, or it is all over. */
  get accepted(): Promise<void> {
    return this.#accepted.promise;
  }

  accept(): void {
    this.#accepted.resolve();
  }

  /** Writes nothing more. */
  mute(): void {
    this.#isMuted = true;
  }

  /** Lets go of it, and writes nothing more. */
  abort(): void {
    this.#gone.abort();
    this.#accepted.resolve();
  }

  /** Writes a message to the client; resolves when the next may come. */
  async write(text: string): Promise<void> {
    if (!this.#isMuted) await this.#output.write(text, this.signal);
  }
}

/** How requests of one generation of the protocol get to the hub. */
export interface Era {
  /** Resolves when all is written. Throws `Failure`. */
  answer(job: Job): Promise<void>;
  /** The client has cancelled it; `text` is how it said so. */
  cancel(job: Job, text: string): Promise<void>;
}
