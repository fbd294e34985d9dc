import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { HubError } from "../../core/errors.ts";
import { SqliteFiles, type ReplacementCheck } from "./files.ts";

/** A write-ahead log that starts over is cut to this many bytes, so above that its size is what it holds. */
export const WAL_KEPT: number = 16 * 1024 * 1024;
/** What is worth a checkpoint: so many commits, or so many bytes that the write-ahead log has grown. */
const COMMITS_BETWEEN = 1000;
const BYTES_BETWEEN = WAL_KEPT;
/** Bytes above which no more messages are dropped than are kept until a checkpoint has moved them. */
const LONG = 32 * 1024 * 1024;
/** Bytes above which writing waits for a checkpoint that is running. */
const TOO_LONG = 64 * 1024 * 1024;
/** Bytes above which publishers are refused. */
const MOST = 1024 * 1024 * 1024;

/** `move` what was committed into the database; `empty` the write-ahead log as well, to give its room back to the disk. */
export type CheckpointOrder = "move" | "empty";

export interface WalOptions {
  /** The bytes that it may reach while another program keeps it from starting over; 1 GiB. */
  readonly most?: number | undefined;
  /** The size of the database in bytes, as SQLite knows it. */
  readonly databaseSize: () => number;
  readonly replacement: ReplacementCheck;
  /** Called when a checkpoint is over, and told whether the write-ahead log can start over. */
  readonly onCheckpoint: (isMoved: boolean) => void;
}

/** Keeps the write-ahead log of a SQLite log short, and sees that its files are still those that were opened. */
export class SqliteWal {
  readonly #files: SqliteFiles;
  readonly #checkpoints: Checkpoints;
  readonly #most: number;
  #size = 0;
  /** Set when a checkpoint has moved all that is in it. */
  #isMoved = false;

  constructor(path: string, { most = MOST, databaseSize, replacement, onCheckpoint }: WalOptions) {
    this.#most = most;
    this.#files = new SqliteFiles(path, databaseSize, replacement);
    this.#checkpoints = new Checkpoints(path, (isMoved) => {
      this.#isMoved = isMoved;
      if (isMoved) this.#size = 0;
      onCheckpoint(isMoved);
    });
  }

  get isLong(): boolean {
    return this.#size > LONG;
  }

  /** Whether writing should wait until a checkpoint is over. */
  get isBusy(): boolean {
    return this.#size > TOO_LONG && this.#checkpoints.running;
  }

  /** Throws `LOG_UNAVAILABLE` if nothing may be written now. */
  look(): void {
    const size = this.#files.look(this.#checkpoints.running);
    // It starts over with the next commit, and is cut then.
    this.#size = this.#isMoved && size <= this.#most ? 0 : size;
    this.#isMoved = false;
    if (this.#size <= this.#most) return;
    this.empty();
    throw new HubError(
      "LOG_UNAVAILABLE",
      "The log cannot keep messages: another program has been reading its database for too long; publish again when that has ended",
    );
  }

  /** Counts a commit, and has what was committed moved when enough has gathered. */
  committed(): void {
    this.#checkpoints.committed(this.#size);
  }

  /** Has what was committed moved now. */
  move(): void {
    this.#checkpoints.order("move");
  }

  /** Gives its room back to the disk. */
  empty(): void {
    this.#checkpoints.order("empty");
  }

  /** Called once a second; throws `LOG_UNAVAILABLE` if the files are not those that were opened. */
  tend(): void {
    if (this.#size > this.#most) this.empty();
    this.#files.look(this.#checkpoints.running);
  }

  close(): Promise<void> {
    return this.#checkpoints.close();
  }
}

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

/** Opens a write-ahead log to sync it. */
export function openWal(path: string): number {
  // The name of a new file is in its folder, which has its own fsync.
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
  return openSync(`${path}-wal`, "r+");
}
