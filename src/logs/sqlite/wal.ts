import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { HubError } from "../../core/errors.ts";
import { Checkpoints } from "./checkpoint.ts";
import { SqliteFiles } from "./files.ts";
import type { ReplacementCheck } from "./replacement-check.ts";

/** Bytes above which no more messages are dropped than are kept until a checkpoint has moved them. */
const LONG = 32 * 1024 * 1024;
/** Bytes above which writing waits for a checkpoint that is running. */
const TOO_LONG = 64 * 1024 * 1024;
/** Bytes above which publishers are refused. */
const MOST = 1024 * 1024 * 1024;

export interface WalOptions {
  /** The bytes that it may reach while another program keeps it from starting over; 1 GiB. */
  readonly most?: number | undefined;
  /** The size of the database in bytes, as SQLite knows it. */
  readonly databaseSize: () => number;
  readonly mark: ReplacementCheck;
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

  constructor(path: string, { most = MOST, databaseSize, mark, onCheckpoint }: WalOptions) {
    this.#most = most;
    this.#files = new SqliteFiles(path, databaseSize, mark);
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

/** Opens a write-ahead log to sync it. */
export function openWal(path: string): number {
  // The name of a new file is in its folder, which has its own fsync.
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
  return openSync(`${path}-wal`, "r+");
}
