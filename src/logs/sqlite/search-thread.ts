import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { LogSearch } from "../../core/log.ts";
import { reasonOf } from "./errors.ts";
import type { FoundOffsets } from "./search-index.ts";

export interface SearchOrder {
  readonly number: number;
  /** Undefined to forget the index. */
  readonly query: LogSearch | undefined;
}

export interface SearchAnswer {
  readonly number: number;
  readonly found: FoundOffsets | undefined;
}

/** Milliseconds after a failure before there is another attempt. */
const RETRY_AFTER = 600_000;

/** The path of the index of a log. */
export function indexOf(path: string): string {
  return `${path}.search`;
}

/**
 * Searches a SQLite log on a thread of its own, which makes an index beside the log. The thread starts with the first
 * search, so servers that no one searches never have one, and publishers never wait for it.
 */
export class SearchThread {
  readonly #path: string;
  readonly #report: (sentence: string) => void;
  readonly #waiting = new Map<number, (found: FoundOffsets | undefined) => void>();
  #worker: Worker | undefined;
  #count = 0;
  #failed = -Infinity;
  #isClosing = false;

  constructor(path: string, report: (sentence: string) => void) {
    this.#path = path;
    this.#report = report;
  }

  /** Resolves with undefined if there is no index now; the log has to be read then. */
  search(query: LogSearch): Promise<FoundOffsets | undefined> {
    return this.#order(query);
  }

  /** Resolves once the index has no words of what was in the log until now. */
  async forget(): Promise<void> {
    if (existsSync(indexOf(this.#path))) await this.#order(undefined);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    // The caller waits for the worker, which must keep the process alive until it exits.
    worker.ref();
    worker.postMessage("close");
    await ended;
  }

  #order(query: LogSearch | undefined): Promise<FoundOffsets | undefined> {
    const isUsable = !this.#isClosing && performance.now() - this.#failed > RETRY_AFTER;
    if (!isUsable) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<FoundOffsets | undefined>();
    const number = ++this.#count;
    this.#waiting.set(number, resolve);
    try {
      this.#worker ??= this.#start();
      this.#worker.postMessage({ number, query } satisfies SearchOrder);
    } catch (error) {
      this.#fail(error);
    }
    return promise;
  }

  #start(): Worker {
    const own = import.meta.url;
    const file = new URL(own.endsWith(".ts") ? "./search-worker.ts" : "./search-worker.js", own);
    const worker = new Worker(file, { workerData: this.#path });
    worker.unref();
    worker.on("message", ({ number, found }: SearchAnswer) => this.#settle(number, found));
    worker.on("error", (error) => this.#fail(error));
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const number of this.#waiting.keys()) this.#settle(number, undefined);
    });
    return worker;
  }

  #settle(number: number, found: FoundOffsets | undefined): void {
    this.#waiting.get(number)?.(found);
    this.#waiting.delete(number);
  }

  #fail(error: unknown): void {
    this.#failed = performance.now();
    this.#worker = undefined;
    for (const number of this.#waiting.keys()) this.#settle(number, undefined);
    this.#report(
      `searches read the log itself for ${RETRY_AFTER / 60_000} minutes: the index beside it cannot be used: ${reasonOf(error)}`,
    );
  }
}
