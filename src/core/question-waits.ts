import type { RecordIndex } from "./record-index.ts";
import type { QuestionEntry } from "./question.ts";

/** Someone who is told of each change of a question. */
interface Watch {
  /** The last one that it was told of. */
  version: number;
  readonly changed: () => void;
}

/** Those who wait for questions to be closed, or to change: told by what the index of all nodes is told. */
export class QuestionWaits {
  readonly #index: Pick<RecordIndex<QuestionEntry>, "get">;
  readonly #byId = new Map<string, Set<() => void>>();
  readonly #watches = new Map<string, Set<Watch>>();
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

  /** Calls back whenever a question has changed, until the function returned is called. */
  watch(id: string, changed: () => void): () => void {
    const watch: Watch = { version: this.#index.get(id)?.version ?? 0, changed };
    const watches = this.#watches.get(id) ?? new Set();
    this.#watches.set(id, watches.add(watch));
    return () => {
      watches.delete(watch);
      if (watches.size === 0 && this.#watches.get(id) === watches) this.#watches.delete(id);
    };
  }

  /** Wakes those who wait for a question, if it is closed, and those who watch it. */
  told({ id, isOpen }: QuestionEntry): void {
    if (!isOpen) this.#wake(id);
    this.#tellChange(id);
  }

  /** Wakes those who wait for what the index does not know as open. */
  refreshed(): void {
    for (const id of this.#byId.keys()) if (this.#index.get(id)?.isOpen !== true) this.#wake(id);
    for (const id of this.#watches.keys()) this.#tellChange(id);
  }

  /** Wakes everyone, for good. */
  close(): void {
    this.#isClosed = true;
    for (const id of this.#byId.keys()) this.#wake(id);
  }

  #tellChange(id: string): void {
    const version = this.#index.get(id)?.version ?? 0;
    for (const watch of this.#watches.get(id) ?? []) {
      if (version <= watch.version) continue;
      watch.version = version;
      watch.changed();
    }
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
