/** Limits how many jobs run at once, and how many may wait for that. */
export class ConcurrencyLimit {
  readonly #atOnce: number;
  readonly #most: number;
  readonly #mostBytes: number;
  #count = 0;
  #bytes = 0;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  #emptied = Promise.withResolvers<void>();

  /** `most` counts the jobs that wait, too; without it none does. */
  constructor(atOnce: number, mostBytes: number, most: number = atOnce) {
    this.#atOnce = atOnce;
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /**
   * Begins a job now or when its turn comes; false if the queue is full. A job that would run alone is accepted whatever
   * its size. Jobs never reject.
   */
  admit(bytes: number, job: () => Promise<void>): boolean {
    if (this.#count >= this.#most || (this.#count > 0 && this.#bytes + bytes > this.#mostBytes)) return false;
    this.#count++;
    this.#bytes += bytes;
    this.#waiting.push(() => {
      void job().finally(() => {
        this.#count--;
        this.#bytes -= bytes;
        this.#running--;
        if (this.#count === 0) this.#emptied.resolve();
        this.#next();
      });
    });
    this.#next();
    return true;
  }

  /** Resolves when no job is left. */
  async empty(): Promise<void> {
    while (this.#count > 0) {
      this.#emptied = Promise.withResolvers();
      await this.#emptied.promise;
    }
  }

  #next(): void {
    const begin = this.#running < this.#atOnce ? this.#waiting.shift() : undefined;
    if (begin === undefined) return;
    this.#running++;
    begin();
  }
}
