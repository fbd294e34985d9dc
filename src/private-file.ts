import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  type Stats,
} from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** What a file of secrets held at one moment. */
export interface PrivateFile {
  readonly text: string;
  /** Other users of the machine may read it, or write it. */
  readonly isShared: boolean;
}

/** Why a file of secrets is not taken, as the end of a sentence. */
export class FileFault extends Error {}

/** Bytes of a file. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Milliseconds to wait for another process that changes the file. */
const BUSY_TIMEOUT = 5000;
/** `SQLITE_BUSY`. */
const BUSY = 5;
const OWNER_ONLY = 0o600;
/** Read or written by others, or written by the group. */
const SHARED = 0o026;
/**
 * Milliseconds between two looks at a file. A watch on its folder would be told of less: nothing of a file that is
 * mounted into a container, and of no change on the other side of a network.
 */
const CHECK_INTERVAL = 250;

/** Reads a file. Throws `FileFault`, or the error of the system. */
export function readPrivateFile(path: string): PrivateFile {
  const file = openSync(path, "r");
  try {
    const { size, mode } = fstatSync(file);
    if (size > MAX_BYTES) throw new FileFault(`it has ${size} bytes; at most ${MAX_BYTES} are allowed`);
    return { text: readFileSync(file, "utf8"), isShared: isShared(mode) };
  } finally {
    closeSync(file);
  }
}

/** Whether other users of the machine may read or write a file; false if there is none. */
export function isSharedFile(path: string): boolean {
  return isShared(statSync(path, { throwIfNoEntry: false })?.mode ?? 0);
}

/** What to tell the operator of such a file, which a setting names. */
export function sharedFileSentence(path: string, setting: string): string {
  return `other users of this machine can read or write ${path}, which ${setting} names; chmod 600 it`;
}

/**
 * Changes a file, which is made, for its owner only, if it does not exist: `change` is given its text, and returns what
 * it is to be. One process does this at a time, and readers see the file as it was or as it is to be. Throws `FileFault`,
 * or the error of the system.
 */
export function changePrivateFile(path: string, change: (text: string | undefined) => string): void {
  const target = targetOf(path);
  // Otherwise the lock would say less.
  accessSync(dirname(target), constants.W_OK);
  const lock = locked(`${target}.lock`);
  try {
    const before = statSync(target, { throwIfNoEntry: false });
    replace(target, change(before === undefined ? undefined : readPrivateFile(target).text), before);
  } finally {
    lock.close();
  }
}

/** The modes that Windows gives say nothing. */
function isShared(mode: number): boolean {
  return process.platform !== "win32" && (mode & SHARED) !== 0;
}

/** Calls back when one of some files is not what it was when it was seen last. */
export class FileWatch {
  readonly #paths: () => readonly string[];
  readonly #onChange: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  /** The versions that were seen last. */
  #seen: string;
  #isLooking = false;

  constructor(paths: () => readonly string[], onChange: () => void, seen: string) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#seen = seen;
    this.#timer = setInterval(() => void this.#look(), CHECK_INTERVAL).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // A file system that does not answer is asked once.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const versions = await Promise.all(
      this.#paths().map((path) => stat(path, { bigint: true }).then(versionOf, String)),
    );
    this.#isLooking = false;
    const seen = versions.join("\n");
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#onChange();
  }
}

/** What a file is now, for a watch that is to tell of what changes afterwards. Throws the error of the system. */
export function fileVersion(path: string): string {
  return versionOf(statSync(path, { bigint: true }));
}

/** Changes with everything that can be done to a file, also within one tick of its clock. */
function versionOf({ ino, size, mtimeNs, ctimeNs }: Record<"ino" | "size" | "mtimeNs" | "ctimeNs", bigint>): string {
  return [ino, size, mtimeNs, ctimeNs].join(" ");
}

/** The file behind symbolic links, which stay what they are. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    try {
      return targetOf(resolve(dirname(path), readlinkSync(path)));
    } catch {
      return resolve(path);
    }
  }
}

/** A database that stays locked until it is closed: the system frees it, however the process ends. */
function locked(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT });
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (cause) {
    database?.close();
    const { errcode, message } = cause as Error & { errcode?: number };
    const why = errcode === BUSY ? "another process is changing it; try again" : `its lock ${path}: ${message}`;
    throw new FileFault(why, { cause });
  }
}

function replace(path: string, text: string, before: Stats | undefined): void {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", OWNER_ONLY);
  try {
    writeSync(file, text);
    fsyncSync(file);
    closeSync(file);
    if (before !== undefined) keepOwner(temporary, before);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
}

/** The server may run as another user than the one who changes the file, and must go on being able to read it. */
function keepOwner(path: string, { uid, gid, mode }: Stats): void {
  try {
    chownSync(path, uid, gid);
    chmodSync(path, mode & 0o777);
  } catch {
    // Only root may give a file away; then it is its own user's.
  }
}
