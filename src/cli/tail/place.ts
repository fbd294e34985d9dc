import { accessSync, closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CommandFailed } from "../usage.ts";

const CURSOR = /^[a-z\d]+(?:-[a-z\d]+)*-\d+$/;
/** Bytes of a file that may be a place. */
const MAX_BYTES = 1000;

/** What SQLite says of a file that is locked. */
const BUSY = 5;

/**
 * A file that keeps how far a reader has come. It is replaced as a whole, so that it is never half written, and belongs to
 * one process at a time.
 */
export class PlaceFile implements Disposable {
  readonly #path: string;
  readonly #lock: DatabaseSync;
  #cursor: string | undefined;
  #saved: string | undefined;

  /** Throws `CommandFailed` if there is such a file that holds no place, or another process has it. */
  constructor(path: string) {
    this.#path = path;
    this.#lock = this.#locked();
    try {
      const text = readFileSync(path, "utf8");
      if (text.length > MAX_BYTES || !CURSOR.test(text.trim())) {
        throw new CommandFailed(
          `--place is ${JSON.stringify(path)}, which holds no place; name a file that does not exist`,
        );
      }
      this.#cursor = this.#saved = text.trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      this.#lock.close();
      throw this.#failure(error);
    }
  }

  /** Lets another process have it. */
  [Symbol.dispose](): void {
    this.#lock.close();
  }

  /** What to go on after; undefined if there is no place yet. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Notes how far the reader has come, to be saved with what it does next, or when it ends. */
  pass(cursor: string | null | undefined): void {
    if (cursor != null) this.#cursor = cursor;
  }

  /** Throws `CommandFailed` if it cannot be written. */
  save(): void {
    if (this.#cursor === undefined || this.#cursor === this.#saved) return;
    const beside = `${this.#path}.new`;
    try {
      const file = openSync(beside, "w", 0o600);
      try {
        writeSync(file, `${this.#cursor}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(beside, this.#path);
    } catch (error) {
      throw this.#failure(error);
    }
    this.#saved = this.#cursor;
  }

  /** The system frees it, however the process ends. */
  #locked(): DatabaseSync {
    let database: DatabaseSync | undefined;
    try {
      // SQLite would say less.
      accessSync(dirname(this.#path), constants.W_OK);
      database = new DatabaseSync(`${this.#path}.lock`, { timeout: 0 });
      database.exec("BEGIN EXCLUSIVE");
      return database;
    } catch (error) {
      database?.close();
      if ((error as { errcode?: number }).errcode !== BUSY) throw this.#failure(error);
      const sentence = `--place is ${JSON.stringify(this.#path)}, which another process uses; end that, or name another file`;
      throw new CommandFailed(sentence, { cause: error });
    }
  }

  #failure(error: unknown): unknown {
    if (error instanceof CommandFailed) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    return new CommandFailed(`--place is ${JSON.stringify(this.#path)}: ${code ?? message}`, { cause: error });
  }
}
