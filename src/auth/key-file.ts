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
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { KeyFault, keyFileText, keyRecords, MAX_KEYS, type KeyRecord } from "./key-record.ts";

/** What a file of keys held at one moment. */
export interface KeyFile {
  readonly keys: readonly KeyRecord[];
  /** Other users of the machine may read it, or write it. */
  readonly isShared: boolean;
}

/** Bytes of a file. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Milliseconds to wait for another process that changes the file. */
const PATIENCE = 5000;
/** `SQLITE_BUSY`. */
const BUSY = 5;
const OWNER_ONLY = 0o600;
/** Read or written by others, or written by the group. */
const SHARED = 0o026;

/** Reads a file of keys. Throws `KeyFault`, or the error of the system. */
export function readKeyFile(path: string): KeyFile {
  const file = openSync(path, "r");
  try {
    const { size, mode } = fstatSync(file);
    if (size > MAX_BYTES) throw new KeyFault(`it has ${size} bytes; at most ${MAX_BYTES} are allowed`);
    // The modes that Windows gives say nothing.
    const isShared = process.platform !== "win32" && (mode & SHARED) !== 0;
    return { keys: keyRecords(readFileSync(file, "utf8")), isShared };
  } finally {
    closeSync(file);
  }
}

/**
 * Changes a file of keys, which is made if it does not exist: `change` is given its keys and returns what they are to
 * be. One process does this at a time, and readers see the file as it was or as it is to be. Throws `KeyFault`, or the
 * error of the system.
 */
export function changeKeyFile(path: string, change: (keys: readonly KeyRecord[]) => readonly KeyRecord[]): void {
  const target = targetOf(path);
  // Otherwise the lock would say less.
  accessSync(dirname(target), constants.W_OK);
  const lock = locked(`${target}.lock`);
  try {
    const before = statSync(target, { throwIfNoEntry: false });
    const keys = change(before === undefined ? [] : readKeyFile(target).keys);
    if (keys.length > MAX_KEYS) throw new KeyFault(`it would have more than ${MAX_KEYS} keys; revoke some`);
    replace(target, keyFileText(keys), before);
  } finally {
    lock.close();
  }
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
    database = new DatabaseSync(path, { timeout: PATIENCE });
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (cause) {
    database?.close();
    const { errcode, message } = cause as Error & { errcode?: number };
    const why = errcode === BUSY ? "another process is changing it; try again" : `its lock ${path}: ${message}`;
    throw new KeyFault(why, { cause });
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
