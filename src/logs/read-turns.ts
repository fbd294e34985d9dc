import { setImmediate as turn } from "node:timers/promises";

/** Milliseconds of one turn of the event loop that reads may take, and what is made of them. */
const MOST = 2;

/** Has readers that replay take turns with everything else, however many there are. */
export class ReadTurns {
  /** When the first read of this turn began. */
  #since: number | undefined;

  /** Resolves when there is time for another read. */
  async next(): Promise<void> {
    do await turn();
    while (performance.now() - (this.#since ??= this.#begin()) > MOST);
  }

  #begin(): number {
    setImmediate(() => (this.#since = undefined));
    return performance.now();
  }
}
