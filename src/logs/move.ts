import { resolve } from "node:path";
import { HubError } from "../core/errors.ts";
import type { Archive, ArchiveTally } from "./archive.ts";
import { openSqliteArchive } from "./sqlite/archive-reader.ts";
import { writeSqliteArchive } from "./sqlite/archive-writer.ts";

/** Opens for reading what a log keeps; `data` is a value of `DATA`. Throws `LOG_UNAVAILABLE` with a sentence for the operator. */
export async function openArchive(data: string): Promise<Archive & AsyncDisposable> {
  const path = pathIn(data);
  if (path === undefined) throw unknown(data);
  const archive = openSqliteArchive(path);
  return { ...archive, [Symbol.asyncDispose]: async () => archive[Symbol.dispose]() };
}

/**
 * Writes a new log of what an archive has; `data` is a value of `DATA`. Throws `LOG_UNAVAILABLE` with a sentence for the
 * operator, also if there is a log already; a log that is not whole is not left behind.
 */
export async function writeArchive(data: string, archive: Archive): Promise<ArchiveTally> {
  const path = pathIn(data);
  if (path === undefined) throw unknown(data);
  return await writeSqliteArchive(path, archive);
}

function pathIn(data: string): string | undefined {
  return data.startsWith("file:") ? resolve(data.slice("file:".length)) : undefined;
}

function unknown(data: string): HubError {
  const sentence =
    data === "memory:"
      ? "memory: is gone with its server, and cannot be moved; use file:PATH"
      : `${JSON.stringify(data)} is not a place for a log; use file:PATH`;
  return new HubError("LOG_UNAVAILABLE", sentence);
}
