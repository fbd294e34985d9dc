/** Bytes that may be written in one turn of the event loop. */
const BURST = 8 * 1024 * 1024;

/**
 * Judges what a client leaves untaken, before more is written: `slow` where more than `most` bytes wait from turns
 * before this one; `flood` where far more came in this turn, in which the socket had no time to take any of it.
 */
export class Untaken {
  readonly #most: number;
  #isNewTurn = true;

  constructor(most: number) {
    this.#most = most;
  }

  judge(pending: number): "little" | "slow" | "flood" {
    if (!this.#isNewTurn) return pending > BURST ? "flood" : "little";
    if (pending > this.#most) return "slow";
    this.#isNewTurn = false;
    setImmediate(() => (this.#isNewTurn = true));
    return "little";
  }
}
