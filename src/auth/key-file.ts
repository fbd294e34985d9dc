import { changePrivateFile, readPrivateFile } from "../private-file.ts";
import { KeyFault, keyFileText, keyRecords, MAX_KEYS, type KeyRecord } from "./key-record.ts";

/** What a file of keys held at one moment. */
export interface KeyFile {
  readonly keys: readonly KeyRecord[];
  /** Other users of the machine may read it, or write it. */
  readonly isShared: boolean;
}

/** Reads a file of keys. Throws `KeyFault` or `FileFault`, or the error of the system. */
export function readKeyFile(path: string): KeyFile {
  const { text, isShared } = readPrivateFile(path);
  return { keys: keyRecords(text), isShared };
}

/**
 * Changes a file of keys, which is made if it does not exist: `change` is given its keys and returns what they are to
 * be. Throws `KeyFault` or `FileFault`, or the error of the system.
 */
export function changeKeyFile(path: string, change: (keys: readonly KeyRecord[]) => readonly KeyRecord[]): void {
  changePrivateFile(path, (text) => {
    const keys = change(text === undefined ? [] : keyRecords(text));
    if (keys.length > MAX_KEYS) throw new KeyFault(`it would have more than ${MAX_KEYS} keys; revoke some`);
    return keyFileText(keys);
  });
}
