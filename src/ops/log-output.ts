import { constants, fstatSync, write } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import type { Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

/** Where lines go. */
interface Target {
  /** Resolves with how many bytes were taken, and what kept it from taking the rest. */
  write(bytes: Buffer): Promise<Taken>;
  close(): Promise<void>;
}

interface Taken {
  readonly bytes: number;
  readonly error?: unknown;
}

/** Standard output, standard error, or something like them. */
export type LogStream = Writable & { readonly fd?: number };

/** A pipe without a reader is an error at once, and a full one never blocks a thread. */
export const LOG_FILE_FLAGS: number =
  // Windows has no O_NONBLOCK.
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | ((constants.O_NONBLOCK as number | undefined) ?? 0);

/** Bytes of lines that may wait to be written. */
const MAX_WAITING = 1024 * 1024;
/** Milliseconds between looks whether the file was moved or deleted. */
const CHECK_INTERVAL = 1000;
/** Milliseconds until a full pipe is tried again. */
const RETRY_INTERVAL = 100;

const written = promisify(write);

/**
 * Writes log lines without making anyone wait for them: what a full disk, a broken pipe or a reader that has stopped
 * does not take is dropped and counted.
 */
export class LogOutput {
  /** Lines that were dropped. */
  lost = 0;
  /** Told when lines begin to be dropped, with the reason. */
  onTrouble: (reason: string) => void = () => {};
  /** Told when a line was written after some had been dropped, with their number. */
  onRecovered: (lost: number) => void = () => {};
  readonly #target: Target;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  /** Lines dropped and not yet reported. */
  #unsaid = 0;
  /** Whether the last line that was written lacks its end. */
  #isTorn = false;

  private constructor(target: Target) {
    this.#target = target;
  }

  static toFile(path: string): LogOutput {
    return new LogOutput(new FileTarget(path));
  }

  static toStream(stream: LogStream): LogOutput {
    return new LogOutput(
      stream.fd !== undefined && !isPipe(stream.fd) ? new FdTarget(stream.fd) : new PipeTarget(stream),
    );
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#waitingBytes + bytes > MAX_WAITING) return this.#drop(1, "their reader has stopped");
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    this.#writing ??= this.#drain();
  }

  /** Waits until all lines are written, so many milliseconds at most; then closes the file. */
  async close(most: number): Promise<void> {
    const stop = new AbortController();
    const late = pause(most, undefined, { signal: stop.signal }).catch(() => {});
    await Promise.race([this.#writing, late]);
    stop.abort();
    if (this.#writing === undefined) await this.#target.close();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("");
      this.#waiting = [];
      const bytes = Buffer.from(this.#isTorn ? `\n${text}` : text);
      const taken = await this.#target.write(bytes);
      this.#waitingBytes -= Buffer.byteLength(text);
      const rest = bytes.subarray(taken.bytes);
      if (taken.bytes > 0) this.#isTorn = bytes[taken.bytes - 1] !== NEWLINE;
      if (rest.length > 0) this.#drop(rest.filter((byte) => byte === NEWLINE).length, reasonOf(taken.error));
      else if (this.#unsaid > 0) {
        const lost = this.#unsaid;
        this.#unsaid = 0;
        this.onRecovered(lost);
      }
    }
    this.#writing = undefined;
  }

  #drop(lines: number, reason: string): void {
    this.lost += lines;
    const isNew = this.#unsaid === 0;
    this.#unsaid += lines;
    if (isNew) this.onTrouble(reason);
  }
}

const NEWLINE = 10;

/** A file by its path: one that was moved or deleted is made again. */
class FileTarget implements Target {
  readonly #path: string;
  #file: FileHandle | undefined;
  #looked = -Infinity;

  constructor(path: string) {
    this.#path = path;
  }

  async write(bytes: Buffer): Promise<Taken> {
    try {
      return await writeAll((await this.#open()).fd, bytes);
    } catch (error) {
      return { bytes: 0, error };
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #open(): Promise<FileHandle> {
    if (this.#file !== undefined && performance.now() - this.#looked < CHECK_INTERVAL) return this.#file;
    this.#looked = performance.now();
    if (this.#file !== undefined && (await isAt(this.#file, this.#path))) return this.#file;
    const file = await open(this.#path, LOG_FILE_FLAGS);
    await this.close();
    return (this.#file = file);
  }
}

/** An open file or terminal. */
class FdTarget implements Target {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Buffer): Promise<Taken> {
    return writeAll(this.#fd, bytes);
  }

  async close(): Promise<void> {}
}

/** A pipe or socket, through the stream that Node has for it, which knows when more can be written. */
class PipeTarget implements Target {
  readonly #stream: LogStream;

  constructor(stream: LogStream) {
    this.#stream = stream;
  }

  write(bytes: Buffer): Promise<Taken> {
    return new Promise((resolve) => {
      this.#stream.write(bytes, (error) => resolve(error ? { bytes: 0, error } : { bytes: bytes.length }));
    });
  }

  async close(): Promise<void> {}
}

async function writeAll(fd: number, bytes: Buffer): Promise<Taken> {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += (await written(fd, bytes, done)).bytesWritten;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return { bytes: done, error };
      await pause(RETRY_INTERVAL, undefined, { ref: false });
    }
  }
  return { bytes: done };
}

/** Whether an open file is still the one at its path. */
async function isAt(file: FileHandle, path: string): Promise<boolean> {
  const [own, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return own.ino === there?.ino && own.dev === there.dev;
}

function isPipe(fd: number): boolean {
  try {
    const kind = fstatSync(fd);
    return kind.isFIFO() || kind.isSocket();
  } catch {
    // It is closed; so is the stream.
    return true;
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? String(error);
}
