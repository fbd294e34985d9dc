import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Config } from "../config.ts";

/**
 * Why this process may not write the files that the settings name, to be added to the sentence about a failed start: in a
 * container, a mounted folder often belongs to another user. Empty if it may.
 */
export function folderHint({ data, mirror, logFile, apiKeysFile }: Config): string {
  const files = [
    ...[data, mirror].filter((place) => place.startsWith("file:")).map((place) => place.slice(5)),
    logFile,
  ];
  const folders = new Set(files.filter(Boolean).map((file) => nearest(dirname(resolve(file)))));
  // Keys may come from a place that is read-only.
  const faults = [...folders].map((folder) => fault(folder, constants.W_OK | constants.X_OK));
  if (apiKeysFile !== "" && existsSync(apiKeysFile)) faults.push(fault(resolve(apiKeysFile), constants.R_OK));
  return faults.map((sentence) => (sentence === undefined ? "" : `. ${sentence}`)).join("");
}

/** The folder, or the one above it that exists. */
function nearest(folder: string): string {
  return existsSync(folder) || folder === dirname(folder) ? folder : nearest(dirname(folder));
}

function fault(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EROFS")
      return `${path} is read-only; mount it so that it can be written`;
    const user = process.getuid?.();
    if (user === undefined) return undefined;
    const { uid, mode: bits } = statSync(path);
    const belongs = `${path} belongs to user ${uid} (mode ${(bits & 0o777).toString(8)}), and the server runs as user ${user}`;
    if (uid === user) return `${belongs}; chmod u+rwX ${path}`;
    return `${belongs}; ${uid === 0 ? "" : `run the server as user ${uid}, or `}chown ${user} ${path}`;
  }
}
