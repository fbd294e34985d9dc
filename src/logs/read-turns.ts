/** Milliseconds of one turn of the event loop that reads may take, and what is made of them. */
const MOST = 2;

/** Has readers that replay take turns with everything else, however many there are. */
export class ReadTurns {
  #waiting: (() => void)[] = [];
  /** How many of those have been let go. */
  #gone = 0;
  /** When the first read of this turn began. */
  #since = 0;

  /** Resolves when there is time for another read. */
  next(): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(this.#begin);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  readonly #begin = (): void => {
    this.#since = performance.now();
    this.#go();
  };

  readonly #go = (): void => {
    this.#waiting[this.#gone++]?.();
    if (this.#gone < this.#waiting.length) {
      // What the one before does at once are microtasks, which all run before the next tick of Node.
      queueMicrotask(() => process.nextTick(this.#goOn));
    } else {
      this.#waiting = [];
      this.#gone = 0;
    }
  };

  readonly #goOn = (): void => {
    if (performance.now() - this.#since > MOST) setImmediate(this.#begin);
    else this.#go();
  };
}
