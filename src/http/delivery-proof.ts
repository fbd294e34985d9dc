import { HubError } from "../core/errors.ts";

/** Milliseconds for which one proof of delivery answers every caller. */
const FRESH = 1000;
/** Milliseconds that a proof may take. */
const PATIENCE = 3000;

/** Keeps one proof of delivery for a while, and makes one at a time. */
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
    if (performance.now() - this.#at < FRESH) return this.#state;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise<string>((resolve) => {
      late = setTimeout(() => resolve(`no message came back within ${PATIENCE / 1000} seconds`), PATIENCE);
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
