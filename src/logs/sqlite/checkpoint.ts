import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { WAL_KEPT } from "./schema.ts";

/** What is worth a checkpoint: so many commits, or so many bytes that the write-ahead log has grown. */
const COMMITS_BETWEEN = 1000;
const BYTES_BETWEEN = WAL_KEPT;

/** `move` what was committed into the database; `empty` the write-ahead log as well, to give its room back to the disk. */
export type CheckpointOrder = "move" | "empty";

/**
 * Moves committed pages from the write-ahead log into the database, on a thread of its own because it waits for the
 * disk. The thread starts with the first checkpoint that is due, so small servers never have one.
 */
export class Checkpoints {
  readonly #path: string;
  readonly #ended: (isMoved: boolean) => void;
  #worker: Worker | undefined;
  #commits = 0;
  /** The size of the write-ahead log when a checkpoint was asked for last. */
  #size = 0;
  #running = false;

  /** `ended` is called when a checkpoint is over, and told whether the write-ahead log can start over. */
  constructor(path: string, ended: (isMoved: boolean) => void = () => {}) {
    this.#path = path;
    this.#ended = ended;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Counts a commit that left a write-ahead log of so many bytes, and asks for a checkpoint when enough has gathered. */
  committed(size: number): void {
    this.#commits++;
    // It has started over.
    if (size < this.#size) this.#size = 0;
    const isDue = this.#commits >= COMMITS_BETWEEN || (size > WAL_KEPT && size >= this.#size + BYTES_BETWEEN);
    if (isDue && !this.#running) {
      this.#size = size > WAL_KEPT ? size : 0;
      this.order("move");
    }
  }

  /** Asks for a checkpoint, unless one is running. */
  order(order: CheckpointOrder): void {
    if (this.#running) return;
    this.#commits = 0;
    try {
      this.#worker ??= this.#start();
    } catch {
      // The system has no thread to give now; the write-ahead log grows until it has.
      return;
    }
    this.#running = true;
    this.#worker.postMessage(order);
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
    const database = pathToFileURL(this.#path);
    // A database that is gone must not be made again here.
    database.searchParams.set("mode", "rw");
    const worker = new Worker(file, { workerData: database.href });
    worker.unref();
    worker.on("message", (isMoved: boolean) => this.#end(isMoved));
    // A checkpoint that fails costs nothing but room in the write-ahead log; the next one starts a new thread.
    worker.on("error", () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#end(false);
    });
    return worker;
  }

  #end(isMoved: boolean): void {
    this.#running = false;
    this.#ended(isMoved);
  }
}
