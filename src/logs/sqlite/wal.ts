import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { HubError } from "../../core/errors.ts";
import { SqliteFiles, type ReplacementCheck } from "./files.ts";

/** SQLite truncates the write-ahead log to this many bytes when it restarts, so a larger file is in use as a whole. */
export const WAL_KEPT: number = 16 * 1024 * 1024;
/** A checkpoint is due after so many commits, or when the write-ahead log has grown by so many bytes. */
const COMMITS_BETWEEN = 1000;
const BYTES_BETWEEN = WAL_KEPT;
/** Bytes above which a transaction drops no more messages than it adds, until a checkpoint has run. */
const LONG = 32 * 1024 * 1024;
/** Bytes above which writes wait for a running checkpoint. */
const TOO_LONG = 64 * 1024 * 1024;
/** Bytes above which publishers are refused. */
const MAX_BYTES = 1024 * 1024 * 1024;

/** `move` copies committed pages into the database; `empty` also truncates the write-ahead log, to free disk space. */
export type CheckpointOrder = "move" | "empty";

export interface WalOptions {
  /** The bytes that it may reach while another program keeps it from restarting; 1 GiB by default. */
  readonly most?: number | undefined;
  /** The size of the database in bytes, according to SQLite. */
  readonly databaseSize: () => number;
  readonly replacement: Pick<ReplacementCheck, "isGone">;
  /** Called after a checkpoint, with whether the write-ahead log can restart. */
  readonly onCheckpoint: (isMoved: boolean) => void;
}

/**
 * Keeps the write-ahead log of a SQLite log short, and checks that its files are still those that were opened.
 * Checkpoints run on a thread of their own, because they wait for the disk. The thread starts with the first checkpoint
 * that is due, so small servers never have one.
 */
export class SqliteWal {
  readonly #path: string;
  readonly #files: SqliteFiles;
  readonly #most: number;
  readonly #onCheckpoint: (isMoved: boolean) => void;
  #size = 0;
  /** Its size at the last checkpoint. */
  #sizeAtCheckpoint = 0;
  /** Commits since then. */
  #commits = 0;
  /** Set after a checkpoint has copied everything in it. */
  #isMoved = false;
  #worker: Worker | undefined;
  #isMoving = false;

  constructor(path: string, { most = MAX_BYTES, databaseSize, replacement, onCheckpoint }: WalOptions) {
    this.#path = path;
    this.#most = most;
    this.#onCheckpoint = onCheckpoint;
    this.#files = new SqliteFiles(path, databaseSize, replacement);
  }

  get isLong(): boolean {
    return this.#size > LONG;
  }

  /** Whether writes should wait until the running checkpoint has ended. */
  get isBusy(): boolean {
    return this.#size > TOO_LONG && this.#isMoving;
  }

  /** Throws `LOG_UNAVAILABLE` if nothing may be written now. */
  look(): void {
    const size = this.#files.look(this.#isMoving);
    // It restarts with the next commit, which truncates it.
    this.#size = this.#isMoved && size <= this.#most ? 0 : size;
    this.#isMoved = false;
    if (this.#size <= this.#most) return;
    this.checkpoint("empty");
    throw new HubError(
      "LOG_UNAVAILABLE",
      "The log cannot keep messages: another program has been reading its database for too long; publish again when that has ended",
    );
  }

  /** Called once a second; throws `LOG_UNAVAILABLE` if the files are not those that were opened. */
  tend(): void {
    if (this.#size > this.#most) this.checkpoint("empty");
    this.#files.look(this.#isMoving);
  }

  /** Counts a commit, and starts a checkpoint if one is due. */
  committed(): void {
    const size = this.#size;
    this.#commits++;
    // It has restarted.
    if (size < this.#sizeAtCheckpoint) this.#sizeAtCheckpoint = 0;
    const isGrown = size > WAL_KEPT && size >= this.#sizeAtCheckpoint + BYTES_BETWEEN;
    if (this.#isMoving || (this.#commits < COMMITS_BETWEEN && !isGrown)) return;
    this.#sizeAtCheckpoint = size > WAL_KEPT ? size : 0;
    this.checkpoint("move");
  }

  /** Starts a checkpoint, unless one is running. */
  checkpoint(order: CheckpointOrder): void {
    if (this.#isMoving) return;
    this.#commits = 0;
    try {
      this.#worker ??= this.#start();
    } catch {
      // The system could not start a thread; the write-ahead log grows until it can.
      return;
    }
    this.#isMoving = true;
    this.#worker.postMessage(order);
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    // The caller waits for the worker, which must keep the process alive until it exits.
    worker.ref();
    worker.postMessage("close");
    await ended;
  }

  #start(): Worker {
    const own = import.meta.url;
    const file = new URL(own.endsWith(".ts") ? "./checkpoint-worker.ts" : "./checkpoint-worker.js", own);
    const database = pathToFileURL(this.#path);
    // Opening a database that was removed must not create it again.
    database.searchParams.set("mode", "rw");
    const worker = new Worker(file, { workerData: database.href });
    worker.unref();
    worker.on("message", (isMoved: boolean) => this.#ended(isMoved));
    // If a checkpoint fails, the write-ahead log stays longer; the next one starts a new thread.
    worker.on("error", () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#ended(false);
    });
    return worker;
  }

  #ended(isMoved: boolean): void {
    this.#isMoving = false;
    this.#isMoved = isMoved;
    if (isMoved) this.#size = 0;
    this.#onCheckpoint(isMoved);
  }
}

/** Opens a write-ahead log to sync it. */
export function openWal(path: string): number {
  // The name of a new file is stored in its folder, which needs its own fsync.
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
  return openSync(`${path}-wal`, "r+");
}
