/** Has so much done at once, and so much wait its turn. */
export class Room {
  readonly #atOnce: number;
  readonly #most: number;
  readonly #mostBytes: number;
  #atWork = 0;
  #count = 0;
  #bytes = 0;
  readonly #turns: (() => void)[] = [];
  readonly #leaving: (() => void)[] = [];

  /** `most` counts what waits, too; without it nothing does. */
  constructor(atOnce: number, mostBytes: number, most: number = atOnce) {
    this.#atOnce = atOnce;
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /**
   * Begins the work at once where it can, else when its turn comes; false where there is no room for it. One alone is
   * let in whatever its size. Work never rejects.
   */
  admit(bytes: number, work: () => Promise<void>): boolean {
    if (this.#count >= this.#most || (this.#count > 0 && this.#bytes + bytes > this.#mostBytes)) return false;
    this.#count++;
    this.#bytes += bytes;
    void this.#inTurn(work).finally(() => {
      this.#count--;
      this.#bytes -= bytes;
      if (this.#count === 0) for (const wake of this.#leaving.splice(0)) wake();
    });
    return true;
  }

  /** Resolves when nothing is inside. */
  async empty(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#leaving.push(resolve));
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#atWork < this.#atOnce) this.#atWork++;
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
    try {
      await work();
    } finally {
      const next = this.#turns.shift();
      if (next === undefined) this.#atWork--;
      else next();
    }
  }
}
