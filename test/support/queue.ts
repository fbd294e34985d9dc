const DEADLINE = 30_000;

/** What came, in its order, for a test that asks for one thing after the other. */
export class Queue<Item> {
  readonly waiting: Item[] = [];
  readonly #what: string;
  #ended = false;
  #wake: () => void = () => {};

  constructor(what: string) {
    this.#what = what;
  }

  put(item: Item): void {
    this.waiting.push(item);
    this.#wake();
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The next item; rejects when none comes before a deadline, or nothing will. */
  async next(): Promise<Item> {
    const late = AbortSignal.timeout(DEADLINE);
    while (this.waiting.length === 0) {
      if (this.#ended) throw new Error(`the stream ended, and ${this.#what} was waited for`);
      if (late.aborted) throw new Error(`${this.#what} did not come within ${DEADLINE} ms`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        late.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    return this.waiting.shift() as Item;
  }
}
