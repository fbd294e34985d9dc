import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { FileContent } from "../core/files.ts";

/** Content that was received and is not kept yet. */
export interface Received {
  readonly size: number;
  /** In hexadecimal. */
  readonly sha256: string;
  /** Keeps it, instead of what was kept with the same hash. */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

/** Where the contents of files are kept, each once, by its SHA-256. */
export interface Contents {
  /** Receives at most `most` bytes; resolves with undefined, without reading on, if there are more. */
  receive(content: AsyncIterable<Uint8Array>, most: number): Promise<Received | undefined>;
  read(sha256: string): Promise<FileContent | undefined>;
  remove(sha256: string): Promise<void>;
  /** Removes all but these. */
  retain(known: ReadonlySet<string>): Promise<void>;
}

const OWNER_ONLY = 0o600;
const FOLDER = 0o700;
const PART = "part-";

/** Keeps contents in a folder, which is made when the first one comes. */
export class FolderContents implements Contents {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async receive(content: AsyncIterable<Uint8Array>, most: number): Promise<Received | undefined> {
    await mkdir(this.#folder, { recursive: true, mode: FOLDER });
    const part = join(this.#folder, `${PART}${randomUUID()}`);
    const discard = (): Promise<void> => rm(part, { force: true });
    const hash = createHash("sha256");
    let size = 0;
    try {
      await using file = await open(part, "wx", OWNER_ONLY);
      for await (const bytes of content) {
        size += bytes.length;
        if (size > most) break;
        hash.update(bytes);
        await file.write(bytes);
      }
      if (size <= most) await file.datasync();
    } catch (error) {
      await discard();
      throw error;
    }
    if (size > most) {
      await discard();
      return undefined;
    }
    const sha256 = hash.digest("hex");
    return { size, sha256, keep: () => rename(part, this.#path(sha256)), discard };
  }

  async read(sha256: string): Promise<FileContent | undefined> {
    try {
      return (await open(this.#path(sha256))).createReadStream();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.#path(sha256), { force: true });
  }

  async retain(known: ReadonlySet<string>): Promise<void> {
    const found = await readdir(this.#folder).catch(() => []);
    for (const name of found) if (/^(?:[0-9a-f]{64}|part-.*)$/.test(name) && !known.has(name)) await this.remove(name);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

/** Keeps contents in the memory of this process. */
export class MemoryContents implements Contents {
  readonly #kept = new Map<string, Uint8Array>();

  async receive(content: AsyncIterable<Uint8Array>, most: number): Promise<Received | undefined> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const bytes of content) {
      size += bytes.length;
      if (size > most) return undefined;
      parts.push(bytes);
    }
    const whole = Buffer.concat(parts);
    const sha256 = createHash("sha256").update(whole).digest("hex");
    return { size, sha256, keep: async () => void this.#kept.set(sha256, whole), discard: async () => {} };
  }

  async read(sha256: string): Promise<FileContent | undefined> {
    return this.#kept.get(sha256);
  }

  async remove(sha256: string): Promise<void> {
    this.#kept.delete(sha256);
  }

  async retain(): Promise<void> {}
}
