import type { RecordIndex } from "./record-index.ts";
import type { QuestionEntry } from "./question.ts";

/** Those who wait for questions to be closed: woken by what the index of all nodes is told. */
export class QuestionWaits {
  readonly #index: Pick<RecordIndex<QuestionEntry>, "get">;
  readonly #byId = new Map<string, Set<() => void>>();
  #count = 0;
  #isClosed = false;

  constructor(index: Pick<RecordIndex<QuestionEntry>, "get">) {
    this.#index = index;
  }

  get size(): number {
    return this.#count;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Resolves when a question is closed, after so many milliseconds, or when the signal is aborted; at once if it was
   * changed since the caller read this version of it.
   */
  next(id: string, version: number, milliseconds: number, signal: AbortSignal): Promise<void> {
    const entry = this.#index.get(id);
    const isChanged = entry !== undefined && !entry.isOpen && entry.version > version;
    if (isChanged || this.#isClosed || signal.aborted || milliseconds <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#remove(id, end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener("abort", end);
      const waiting = this.#byId.get(id) ?? new Set();
      this.#byId.set(id, waiting.add(end));
      this.#count++;
    });
  }

  /** Wakes those who wait for a question, if it is closed. */
  told({ id, isOpen }: QuestionEntry): void {
    if (!isOpen) this.#wake(id);
  }

  /** Wakes those who wait for what the index does not know as open. */
  refreshed(): void {
    for (const id of this.#byId.keys()) if (this.#index.get(id)?.isOpen !== true) this.#wake(id);
  }

  /** Wakes everyone, for good. */
  close(): void {
    this.#isClosed = true;
    for (const id of this.#byId.keys()) this.#wake(id);
  }

  #wake(id: string): void {
    for (const end of this.#byId.get(id) ?? []) end();
  }

  #remove(id: string, end: () => void): void {
    const waiting = this.#byId.get(id);
    if (waiting?.delete(end)) this.#count--;
    if (waiting?.size === 0) this.#byId.delete(id);
  }
}
