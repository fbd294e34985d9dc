/** The last items of a stream, and those among them that a filter lets through. */
export class Kept<Item> {
  readonly #capacity: number;
  readonly #all: Item[] = [];
  #matches: (item: Item) => boolean = () => true;
  #shown: Item[] = [];
  #paused = false;
  #held = 0;

  /** Keeps this many at least, and an eighth more at most: dropping one by one would move all the others each time. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** What passes the filter, oldest first. */
  get shown(): readonly Item[] {
    return this.#shown;
  }

  /** How many are kept, whatever the filter. */
  get size(): number {
    return this.#all.length;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** How many came while paused. */
  get held(): number {
    return this.#held;
  }

  /** Returns how many of what was shown first are no longer. */
  push(item: Item): number {
    this.#all.push(item);
    if (this.#all.length > this.#capacity * 1.125) this.#all.splice(0, this.#all.length - this.#capacity);
    if (this.#paused) {
      this.#held++;
      return 0;
    }
    if (!this.#matches(item)) return 0;
    this.#shown.push(item);
    if (this.#shown.length <= this.#capacity * 1.125) return 0;
    return this.#shown.splice(0, this.#shown.length - this.#capacity).length;
  }

  /** Lets through what this says, of what is kept and of what comes. */
  filter(matches: (item: Item) => boolean): void {
    this.#matches = matches;
    this.#shown = this.#all.filter(matches);
    this.#held = 0;
  }

  /** What is shown stays as it is until this is called with false; what comes meanwhile is kept. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.filter(this.#matches);
  }
}
