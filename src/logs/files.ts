import { resolve } from "node:path";
import { HubError } from "../core/errors.ts";
import type { FileContent, FileInfo, Files } from "../core/files.ts";
import type { Records } from "../core/records.ts";
import { FolderContents, MemoryContents, type Contents, type Received } from "./file-contents.ts";
import { unavailable } from "./sqlite/errors.ts";

interface FilesOptions {
  readonly records: Records;
  readonly contents: Contents;
  /** Milliseconds for which a file is kept. */
  readonly age: number;
  /** Bytes of one file, and of all. */
  readonly most: number;
  readonly mostOfAll: number;
  readonly now?: () => number;
}

interface Kept extends FileInfo {
  readonly sha256: string;
  /** When it came: milliseconds since 1970. */
  readonly time: number;
}

const KIND = "file";
/** Files that are known, however small they are. */
const MAX_FILES = 100_000;
/** Files that are received at once, and those of one caller: who sends slowly holds up no one else. */
const MAX_UPLOADS = 16;
const MAX_OWN = 4;
/** Milliseconds between looks for files that are too old. */
const INTERVAL = 60_000;
const ID_BYTES = 18;
/** Bytes of all files of a hub that keeps nothing on a disk. */
const MOST_IN_MEMORY = 64 * 1024 * 1024;

/** Keeps files beside a log: what is known of them in its records, and their contents, each once, elsewhere. */
export class KeptFiles implements Files {
  readonly most: number;
  readonly #options: FilesOptions;
  /** The oldest first. */
  readonly #files = new Map<string, Kept>();
  /** By hash: how many files have this content. */
  readonly #uses = new Map<string, number>();
  readonly #expiry: NodeJS.Timeout;
  #bytes = 0;
  /** From whom files are being received. */
  readonly #uploads: (string | undefined)[] = [];
  /** Changes are made one after the other, so that no content is removed while a file that has it is added. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: FilesOptions) {
    this.#options = options;
    this.most = Math.min(options.most, options.mostOfAll);
    this.#expiry = setInterval(() => void this.#inTurn(() => this.#trim()).catch(() => {}), INTERVAL).unref();
  }

  static async open(options: FilesOptions): Promise<KeptFiles> {
    const files = new KeptFiles(options);
    const found = [...(await options.records.list(KIND)).values()].map((text) => JSON.parse(text) as Kept);
    for (const file of found.sort((a, b) => a.time - b.time)) files.#note(file);
    await files.#trim();
    await options.contents.retain(new Set(files.#uses.keys()));
    return files;
  }

  async add(
    content: AsyncIterable<Uint8Array>,
    { name, type }: Pick<FileInfo, "name" | "type">,
    from?: string,
  ): Promise<FileInfo> {
    const own = from === undefined ? 0 : this.#uploads.filter((one) => one === from).length;
    if (own >= MAX_OWN || this.#uploads.length >= MAX_UPLOADS) {
      const many = own >= MAX_OWN ? `${own} of your files` : `${this.#uploads.length} files`;
      throw new HubError("OVERLOADED", `${many} are being received; send this one again in a moment`);
    }
    this.#uploads.push(from);
    try {
      const received = await this.#options.contents.receive(content, this.most);
      if (received === undefined) {
        throw new HubError(
          "BODY_TOO_LARGE",
          `The file has more than ${this.most} bytes; MAX_FILE_BYTES allows no more`,
        );
      }
      if (received.size === 0) {
        await received.discard();
        throw new HubError(
          "INVALID_INPUT",
          "The file is empty; send its content as the body, as curl does with --data-binary @FILE",
        );
      }
      return await this.#inTurn(() => this.#keep(received, name, type));
    } catch (error) {
      throw error instanceof HubError || isGone(error) ? error : unavailable(error);
    } finally {
      this.#uploads.splice(this.#uploads.indexOf(from), 1);
    }
  }

  async read(id: string): Promise<{ readonly info: FileInfo; readonly content: FileContent } | undefined> {
    const file = this.#files.get(id);
    if (file === undefined || this.#isOld(file)) return undefined;
    const content = await this.#options.contents.read(file.sha256);
    return content === undefined ? undefined : { info: infoOf(file), content };
  }

  close(): void {
    clearInterval(this.#expiry);
  }

  async #keep(received: Received, name: string, type: string): Promise<FileInfo> {
    const { size, sha256 } = received;
    const { records, now = Date.now } = this.#options;
    const id = Buffer.from(crypto.getRandomValues(new Uint8Array(ID_BYTES))).toString("base64url");
    const file: Kept = { id, name, type, size, sha256, time: now() };
    try {
      if (this.#uses.has(sha256)) await received.discard();
      else await received.keep();
      await records.set(KIND, id, JSON.stringify(file));
    } catch (error) {
      await received.discard();
      if (!this.#uses.has(sha256)) await this.#options.contents.remove(sha256);
      throw error;
    }
    this.#note(file);
    await this.#trim();
    return infoOf(file);
  }

  #note(file: Kept): void {
    const uses = this.#uses.get(file.sha256) ?? 0;
    this.#uses.set(file.sha256, uses + 1);
    if (uses === 0) this.#bytes += file.size;
    this.#files.set(file.id, file);
  }

  /** Drops the oldest while they are too old, or all together too many or too large. */
  async #trim(): Promise<void> {
    for (const file of this.#files.values()) {
      const isMuch = this.#bytes > this.#options.mostOfAll || this.#files.size > MAX_FILES;
      if (!isMuch && !this.#isOld(file)) return;
      await this.#options.records.delete(KIND, file.id);
      this.#files.delete(file.id);
      const uses = (this.#uses.get(file.sha256) ?? 1) - 1;
      this.#uses.set(file.sha256, uses);
      if (uses > 0) continue;
      this.#uses.delete(file.sha256);
      this.#bytes -= file.size;
      await this.#options.contents.remove(file.sha256);
    }
  }

  #isOld({ time }: Kept): boolean {
    const { age, now = Date.now } = this.#options;
    return time < now() - age;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

interface FileSettings {
  readonly data: string;
  /** Seconds. */
  readonly retentionAge: number;
  readonly maxFileBytes: number;
  readonly maxFilesBytes: number;
}

/** Opens the files beside an open log; undefined on Redis, where a file of one node would be missing on the others. */
export async function openFiles(settings: FileSettings, records: Records): Promise<KeptFiles | undefined> {
  const { data, retentionAge, maxFileBytes: most, maxFilesBytes: mostOfAll } = settings;
  const options = { records, age: retentionAge * 1000, most };
  if (data.startsWith("file:")) {
    const contents = new FolderContents(`${resolve(data.slice("file:".length))}.files`);
    return KeptFiles.open({ ...options, mostOfAll, contents });
  }
  if (data !== "memory:") return undefined;
  const mostInMemory = Math.min(mostOfAll, MOST_IN_MEMORY);
  return KeptFiles.open({ ...options, mostOfAll: mostInMemory, contents: new MemoryContents() });
}

function infoOf({ id, name, type, size }: Kept): FileInfo {
  return { id, name, type, size };
}

/** Whether whoever sent the file went away meanwhile. */
function isGone(error: unknown): boolean {
  return ["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"].includes((error as NodeJS.ErrnoException).code ?? "");
}
