import { HubError } from "../core/errors.ts";

/** Milliseconds for which one proof of delivery answers every caller. */
const MAX_AGE = 1000;
/** Milliseconds that a proof may take. */
const TIMEOUT = 3000;

/** Proves that messages are delivered, once at a time, and caches the result for all who ask. */
export class DeliveryProof {
  readonly #prove: () => Promise<void>;
  #at = -Infinity;
  #state = "";
  #running: Promise<void> | undefined;

  constructor(prove: () => Promise<void>) {
    this.#prove = prove;
  }

  /** `ok`, or why no message reached the log and came back. */
  async state(): Promise<string> {
    if (performance.now() - this.#at < MAX_AGE) return this.#state;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise<string>((resolve) => {
      late = setTimeout(() => resolve(`no message came back within ${TIMEOUT / 1000} seconds`), TIMEOUT);
    });
    const state = await Promise.race([this.#running.then(() => this.#state), tooLate]);
    clearTimeout(late);
    return state;
  }

  async #run(): Promise<void> {
    try {
      await this.#prove();
      this.#state = "ok";
    } catch (error) {
      this.#state = error instanceof HubError ? error.message : "failed";
    }
    this.#at = performance.now();
  }
}
