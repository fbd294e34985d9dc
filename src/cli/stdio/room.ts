/** Lets in so many at once, and so many bytes; others wait at the door. */
export class Room {
  readonly #most: number;
  readonly #mostBytes: number;
  #waiting: (() => void)[] = [];
  #count = 0;
  #bytes = 0;

  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /** Resolves with the way out. One alone is let in whatever its size. */
  async enter(bytes: number): Promise<() => void> {
    while (this.#count >= this.#most || (this.#count > 0 && this.#bytes + bytes > this.#mostBytes))
      await this.#change();
    this.#count++;
    this.#bytes += bytes;
    return () => {
      this.#count--;
      this.#bytes -= bytes;
      for (const wake of this.#waiting.splice(0)) wake();
    };
  }

  /** Resolves when nobody is inside. */
  async empty(): Promise<void> {
    while (this.#count > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
