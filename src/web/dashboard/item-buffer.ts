/** The last items of a stream, and those among them that match a filter. */
export class ItemBuffer<Item> {
  /** Called with every change. */
  changed: () => void = () => {};
  readonly #capacity: number;
  readonly #items: Item[] = [];
  /** What came while paused. */
  readonly #held: Item[] = [];
  #heldCount = 0;
  #matches: (item: Item) => boolean = () => true;
  #shown: Item[] = [];
  #paused = false;

  /** Keeps at least this many, and an eighth more at most: dropping one at a time would move all the others each time. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** What matches the filter, oldest first. */
  get shown(): readonly Item[] {
    return this.#shown;
  }

  /** How many there are, whatever the filter; while paused, with those that came since, up to as many again. */
  get size(): number {
    return this.#items.length + this.#held.length;
  }

  /** How many the filter looks at: while paused, those from before the pause. */
  get candidates(): number {
    return this.#items.length;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** How many came while paused. */
  get held(): number {
    return this.#heldCount;
  }

  push(item: Item): void {
    if (this.#paused) {
      this.#heldCount++;
      this.#held.push(item);
      this.#trim(this.#held);
    } else {
      this.#items.push(item);
      if (this.#matches(item)) this.#shown.push(item);
      const dropped = this.#trim(this.#items).filter(this.#matches).length;
      if (dropped > 0) this.#shown.splice(0, dropped);
    }
    this.changed();
  }

  /** Filters old and new items; while paused, only items from before the pause. */
  filter(matches: (item: Item) => boolean): void {
    this.#matches = matches;
    this.#show();
  }

  /** Leaves what is shown as it is until this is called with false; what comes meanwhile is held back, and shown then. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) {
      this.#items.push(...this.#held.splice(0));
      this.#heldCount = 0;
      this.#trim(this.#items);
    }
    this.#show();
  }

  #show(): void {
    this.#shown = this.#items.filter(this.#matches);
    this.changed();
  }

  /** Takes the oldest out if there are too many. */
  #trim(items: Item[]): readonly Item[] {
    return items.length > this.#capacity * 1.125 ? items.splice(0, items.length - this.#capacity) : [];
  }
}
