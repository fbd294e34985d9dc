import { Worker } from "node:worker_threads";

/** What is worth a checkpoint: so many commits, or so many characters of payload. */
const COMMITS_BETWEEN = 1000;
const CHARACTERS_BETWEEN = 16 * 1024 * 1024;

/**
 * Moves committed pages from the write-ahead log into the database, on a thread of its own because it waits for the
 * disk. The thread starts with the first checkpoint that is due, so small servers never have one.
 */
export class Checkpoints {
  readonly #path: string;
  #worker: Worker | undefined;
  #commits = 0;
  #characters = 0;
  #running = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Counts a commit of so much payload, and asks for a checkpoint when enough has gathered. */
  committed(characters: number): void {
    this.#commits++;
    this.#characters += characters;
    if (this.#running || (this.#commits < COMMITS_BETWEEN && this.#characters < CHARACTERS_BETWEEN)) return;
    this.#commits = 0;
    this.#characters = 0;
    try {
      this.#worker ??= this.#start();
    } catch {
      // The system has no thread to give now; the write-ahead log grows until it has.
      return;
    }
    this.#running = true;
    this.#worker.postMessage("checkpoint");
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    // Someone waits for it now; without this, the process would end first when nothing else is left to do.
    worker.ref();
    worker.postMessage("close");
    await ended;
  }

  #start(): Worker {
    const own = import.meta.url;
    const file = new URL(own.endsWith(".ts") ? "./checkpoint-worker.ts" : "./checkpoint-worker.js", own);
    const worker = new Worker(file, { workerData: this.#path });
    worker.unref();
    worker.on("message", () => (this.#running = false));
    // A checkpoint that fails costs nothing but room in the write-ahead log; the next one starts a new thread.
    worker.on("error", () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#running = false;
    });
    return worker;
  }
}
