import { MAX_HELD } from "./bus.ts";

/** A queue of what a driver has delivered and the bridge has not asked for yet. */
export class Inbox<T> {
  readonly #sizeOf: (item: T) => number;
  #items: T[] = [];
  #sizes: number[] = [];
  #bytes = 0;
  #failure: Error | undefined;
  #isClosed = false;
  /** Set while someone waits. */
  #change: PromiseWithResolvers<void> | undefined;

  /** `sizeOf`: the bytes of an item, as `heldBytes` counts them. */
  constructor(sizeOf: (item: T) => number) {
    this.#sizeOf = sizeOf;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Whether it holds as many bytes as a driver may hold, whatever their number. */
  get isHeavy(): boolean {
    return this.#bytes >= MAX_HELD;
  }

  add(item: T): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    const size = this.#sizeOf(item);
    this.#items.push(item);
    this.#sizes.push(size);
    this.#bytes += size;
    this.#wake();
  }

  /** Resolves when there is something to take, or it is closed or failed. */
  async whenAny(): Promise<void> {
    while (this.#isOpen && this.#items.length === 0) await this.#changed();
  }

  /** Takes the oldest items as soon as there are any; none once it is closed. Throws once it has failed. */
  async take(most: number): Promise<readonly T[]> {
    await this.whenAny();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) return [];
    const taken = this.#items.splice(0, most);
    for (const size of this.#sizes.splice(0, most)) this.#bytes -= size;
    this.#wake();
    return taken;
  }

  /** Resolves when there is room for more: less than `count` items, and less bytes than a driver may hold. */
  async whenRoom(count: number): Promise<void> {
    while (this.#isOpen && (this.#items.length >= count || this.isHeavy)) await this.#changed();
  }

  /** Resolves when there is no room for more. */
  async whenFull(count: number): Promise<void> {
    while (this.#isOpen && this.#items.length < count && !this.isHeavy) await this.#changed();
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#clear();
  }

  close(): void {
    this.#isClosed = true;
    this.#clear();
  }

  get #isOpen(): boolean {
    return !this.#isClosed && this.#failure === undefined;
  }

  #clear(): void {
    this.#items = [];
    this.#sizes = [];
    this.#bytes = 0;
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
