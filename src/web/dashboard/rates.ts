/** How many messages a second channels had in the last seconds. */
export class Rates {
  readonly #seconds: number;
  readonly #most: number;
  readonly #counts = new Map<string, Uint32Array>();
  #second = 0;
  /** Seconds that have been counted whole. */
  #whole = 0;

  /** Looks back this many seconds, at no more channels than `most`. */
  constructor(seconds: number, most: number) {
    this.#seconds = seconds;
    this.#most = most;
  }

  get channels(): Iterable<string> {
    return this.#counts.keys();
  }

  count(channel: string): void {
    let counts = this.#counts.get(channel);
    if (counts === undefined) {
      if (this.#counts.size >= this.#most) return;
      this.#counts.set(channel, (counts = new Uint32Array(this.#seconds + 1)));
    }
    counts[this.#second] = (counts[this.#second] ?? 0) + 1;
  }

  /** A second is over. Forgets channels that had nothing. */
  tick(): void {
    this.#whole = Math.min(this.#whole + 1, this.#seconds);
    this.#second = (this.#second + 1) % (this.#seconds + 1);
    for (const [channel, counts] of this.#counts) {
      counts[this.#second] = 0;
      if (counts.every((count) => count === 0)) this.#counts.delete(channel);
    }
  }

  /** Over the whole seconds that were looked at. */
  of(channel: string): number {
    const counts = this.#counts.get(channel);
    if (counts === undefined || this.#whole === 0) return 0;
    const sum = counts.reduce((total, count) => total + count, 0) - (counts[this.#second] ?? 0);
    return sum / this.#whole;
  }

  /** Nothing was looked at for a while. */
  clear(): void {
    this.#counts.clear();
    this.#whole = 0;
  }
}
