/** What is known of a file besides its content. */
export interface FileInfo {
  /** No one can guess it: who knows it may read the file. */
  readonly id: string;
  /** One line, without the path. */
  readonly name: string;
  /** A media type without parameters, as whoever sent it said. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
}

/** The content of a file, whole or as it is read from the disk. */
export type FileContent = Uint8Array | AsyncIterable<Uint8Array>;

/** Files that messages refer to: images, logs, documents. They are kept for as long as messages are. */
export interface Files {
  /** Bytes of one file. */
  readonly most: number;
  /** Takes in a file; `from` tells callers apart, of whom each sends only some at once. Rejects with `BODY_TOO_LARGE`, `INVALID_INPUT` if it is empty, `OVERLOADED` or `LOG_UNAVAILABLE`. */
  add(content: AsyncIterable<Uint8Array>, about: Pick<FileInfo, "name" | "type">, from?: string): Promise<FileInfo>;
  /** A file and its content; undefined if there is none with this id. */
  read(id: string): Promise<{ readonly info: FileInfo; readonly content: FileContent } | undefined>;
}
