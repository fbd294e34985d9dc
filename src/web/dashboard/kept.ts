/** The last items of a stream, and those among them that a filter lets through. */
export class Kept<Item> {
  readonly #capacity: number;
  readonly #all: Item[] = [];
  /** What came while paused. */
  readonly #held: Item[] = [];
  #heldCount = 0;
  #matches: (item: Item) => boolean = () => true;
  /** Those of `#all` that match. */
  #shown: Item[] = [];
  #paused = false;

  /** Keeps this many at least, and an eighth more at most: dropping one by one would move all the others each time. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** What passes the filter, oldest first. */
  get shown(): readonly Item[] {
    return this.#shown;
  }

  /** How many are kept, whatever the filter; while paused, what came meanwhile is kept beside as many as there were. */
  get size(): number {
    return this.#all.length + this.#held.length;
  }

  /** How many the filter chooses from: while paused, those that were there before that. */
  get candidates(): number {
    return this.#all.length;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** How many came while paused. */
  get held(): number {
    return this.#heldCount;
  }

  /** Returns how many of what was shown first are no longer. */
  push(item: Item): number {
    if (this.#paused) {
      this.#heldCount++;
      this.#held.push(item);
      this.#trim(this.#held);
      return 0;
    }
    this.#all.push(item);
    if (this.#matches(item)) this.#shown.push(item);
    const gone = this.#trim(this.#all).filter(this.#matches).length;
    if (gone > 0) this.#shown.splice(0, gone);
    return gone;
  }

  /** Lets through what this says, of what is kept and of what comes; while paused, of what was there before that. */
  filter(matches: (item: Item) => boolean): void {
    this.#matches = matches;
    this.#shown = this.#all.filter(matches);
  }

  /**
   * What is shown stays as it is until this is called with false; what comes meanwhile is kept. Returns how many of
   * what was shown first are no longer.
   */
  pause(paused: boolean): number {
    this.#paused = paused;
    if (paused) return 0;
    const came = this.#held.splice(0);
    this.#heldCount = 0;
    this.#all.push(...came);
    const shown = this.#shown.length;
    const gone = this.#trim(this.#all).filter(this.#matches).length;
    this.#shown = this.#all.filter(this.#matches);
    return Math.min(gone, shown);
  }

  /** Takes the first ones out where there are too many. */
  #trim(items: Item[]): readonly Item[] {
    return items.length > this.#capacity * 1.125 ? items.splice(0, items.length - this.#capacity) : [];
  }
}
