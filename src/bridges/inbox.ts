/** A queue of what a driver has delivered and the bridge has not asked for yet. */
export class Inbox<T> {
  #items: T[] = [];
  #failure: Error | undefined;
  #isClosed = false;
  /** Set while someone waits. */
  #change: PromiseWithResolvers<void> | undefined;

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#items.push(item);
    this.#wake();
  }

  /** Takes the oldest items as soon as there are any; none once it is closed. Throws once it has failed. */
  async take(most: number): Promise<readonly T[]> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed) return [];
      if (this.#items.length > 0) break;
      await this.#changed();
    }
    const taken = this.#items.splice(0, most);
    this.#wake();
    return taken;
  }

  /** Resolves when fewer than this many are left, or when it is closed or failed. */
  async whenBelow(count: number): Promise<void> {
    while (this.#items.length >= count && !this.#isClosed && this.#failure === undefined) await this.#changed();
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#items = [];
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#items = [];
    this.#wake();
  }

  #changed(): Promise<void> {
    this.#change ??= Promise.withResolvers();
    return this.#change.promise;
  }

  #wake(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}
