/** Bytes that may be written in one turn of the event loop. */
const BURST = 8 * 1024 * 1024;

/**
 * Says whether more may be written to a client, by the bytes that wait for it to read: `slow` if more than `most` have
 * waited since an earlier turn of the event loop; `flood` if far more were written in this turn, in which the socket
 * had no time to send any of them.
 */
export class WriteGuard {
  readonly #most: number;
  #isNewTurn = true;

  constructor(most: number) {
    this.#most = most;
  }

  check(pending: number): "ok" | "slow" | "flood" {
    if (!this.#isNewTurn) return pending > BURST ? "flood" : "ok";
    if (pending > this.#most) return "slow";
    this.#isNewTurn = false;
    setImmediate(() => (this.#isNewTurn = true));
    return "ok";
  }
}
