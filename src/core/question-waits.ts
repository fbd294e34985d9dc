import type { RecordIndex } from "./record-index.ts";
import { CLOCK_CHECK } from "./leased-work.ts";
import type { KeptQuestion, QuestionEntry } from "./question.ts";

/** Milliseconds after which a caller that waits looks itself, since announcements may be lost. */
const LOOK = 15_000;

/** Someone who is told of each change of a question. */
interface Watch {
  /** The last one that it was told of. */
  version: number;
  readonly changed: () => void;
}

/** Those who wait for questions to be closed, or to change: told by what the index of all nodes is told. */
export class QuestionWaits {
  readonly #index: Pick<RecordIndex<QuestionEntry>, "get">;
  readonly #get: (id: string) => Promise<KeptQuestion | undefined>;
  readonly #now: () => number;
  readonly #byId = new Map<string, Set<() => void>>();
  readonly #watches = new Map<string, Set<Watch>>();
  #count = 0;
  #isClosed = false;

  constructor(
    index: Pick<RecordIndex<QuestionEntry>, "get">,
    get: (id: string) => Promise<KeptQuestion | undefined>,
    now: () => number,
  ) {
    this.#index = index;
    this.#get = get;
    this.#now = now;
  }

  get size(): number {
    return this.#count;
  }

  /**
   * Resolves with a question when it is closed, when a deadline passes at which it stays open, after so many
   * milliseconds, or when the signal is aborted or this is closed; at once if it is closed already.
   */
  async wait(kept: KeptQuestion, milliseconds: number, signal: AbortSignal): Promise<KeptQuestion> {
    const end = performance.now() + milliseconds;
    const { id, deadline } = kept.question;
    const due = deadline === undefined ? Infinity : Date.parse(deadline);
    const isLate = due <= this.#now();
    let known = kept;
    let read = performance.now();
    for (;;) {
      const left = end - performance.now();
      const untilDue = isLate ? Infinity : due - this.#now();
      const isOver = left <= 0 || (untilDue <= 0 && known.question.onTimeout === "keep");
      if (known.question.state === "closed" || isOver || signal.aborted || this.#isClosed) return known;
      const pause = untilDue === Infinity ? LOOK : Math.max(Math.min(untilDue, CLOCK_CHECK), 50);
      await this.#next(id, known.version, Math.min(left, pause), signal);
      if (signal.aborted || this.#isClosed) return known;
      const isOpen = this.#index.get(id)?.isOpen === true;
      if (isOpen && performance.now() - read < LOOK) continue;
      // What cannot be read now can be when it is asked for the next time.
      known = (await this.#get(id).catch(() => undefined)) ?? known;
      read = performance.now();
    }
  }

  /**
   * Resolves when a question is closed, after so many milliseconds, or when the signal is aborted; at once if it was
   * changed since the caller read this version of it.
   */
  #next(id: string, version: number, milliseconds: number, signal: AbortSignal): Promise<void> {
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
