// Files that messages refer to: sent to the hub first, and shown by their ids.
import { askServer } from "../shared/ask-server.ts";

/** What a message says of a file. */
export interface FileInfo {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

/** Files that are shown of one message. */
export const MAX_FILES = 20;
const FIELDS = new Set(["id", "url", "name", "type", "size"]);
const ID = /^[\w-]{8,128}$/;
const TYPE = /^[\w.+-]{1,64}\/[\w.+-]{1,64}$/;
const MAX_NAME = 255;
/** Pictures that the hub answers as such; none of them holds a script. */
const PICTURES: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

/** The text and the files of a message; undefined if it is anything else. */
export function filesIn(data: unknown): { readonly text: string; readonly files: readonly FileInfo[] } | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { text = "", files, ...rest } = data as Readonly<Record<string, unknown>>;
  if (typeof text !== "string" || !Array.isArray(files) || Object.keys(rest).length > 0) return undefined;
  return files.length > 0 && files.length <= MAX_FILES && files.every(isFile) ? { text, files } : undefined;
}

export function isPicture({ type }: FileInfo): boolean {
  return PICTURES.has(type);
}

/** Where a file of this hub is, relative to the page: never where a message says. */
export function fileAddress({ id }: FileInfo): string {
  return `files/${id}`;
}

/** Sends a file to the hub. Rejects with a `Refusal`. */
export function sendFile(file: File, signal: AbortSignal): Promise<FileInfo> {
  const headers = { "content-type": file.type || "application/octet-stream" };
  const path = `files?${new URLSearchParams({ name: file.name })}`;
  return askServer(path, { method: "POST", headers, body: file, signal }) as Promise<FileInfo>;
}

export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const kibibytes = bytes / 1024;
  return kibibytes < 1024 ? `${Math.round(kibibytes)} KiB` : `${(kibibytes / 1024).toFixed(1)} MiB`;
}

function isFile(value: unknown): value is FileInfo {
  if (typeof value !== "object" || value === null) return false;
  const { id, url, name, type, size } = value as Readonly<Record<string, unknown>>;
  const isKnown = Object.keys(value).every((field) => FIELDS.has(field));
  // What is not shown to people may say nothing to agents.
  const isHere = typeof id === "string" && ID.test(id) && isAddressOf(url, id);
  const isNamed = typeof name === "string" && name.length <= MAX_NAME && typeof type === "string" && TYPE.test(type);
  return isKnown && isHere && isNamed && typeof size === "number" && size >= 0;
}

/** Whether an address is that of a file of some hub, perhaps below a path. */
function isAddressOf(url: unknown, id: string): boolean {
  return url === undefined || (typeof url === "string" && url.length < 512 && url.endsWith(`/files/${id}`));
}
