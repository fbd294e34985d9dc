import { useEffect, useRef, useState } from "preact/hooks";
import { readable } from "../shared/names.ts";
import { fileAddress, isPicture, MAX_FILES, sendFile, sizeText, type FileInfo } from "./files.ts";

/** The files of a message: pictures as such, others as links. */
export function Files({ files }: { readonly files: readonly FileInfo[] }) {
  return (
    <ul class="files" aria-label="Files">
      {files.map((file) => (
        <li key={file.id}>
          <a href={fileAddress(file)} title={readable(file.name)} target="_blank" rel="noopener noreferrer">
            {isPicture(file) ? (
              <img src={fileAddress(file)} alt={readable(file.name)} loading="lazy" />
            ) : (
              <>
                <bdi>{readable(file.name)}</bdi> <span class="size">{sizeText(file.size)}</span>
              </>
            )}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** A file that the next message will refer to. */
interface Attachment {
  readonly key: number;
  readonly file: File;
  /** Once the hub has it. */
  readonly info?: FileInfo;
  /** Why it was not taken. */
  readonly failure?: string;
}

export interface Attachments {
  readonly all: readonly Attachment[];
  readonly add: (files: Iterable<File>) => void;
  readonly remove: (key: number) => void;
  /** Takes those that the hub has; undefined while one is on its way. */
  readonly take: () => readonly FileInfo[] | undefined;
}

/** Sends files to the hub as soon as they are added. */
export function useAttachments(): Attachments {
  const [all, setAll] = useState<readonly Attachment[]>([]);
  const keys = useRef(0);
  const end = useRef(new AbortController());
  useEffect(() => () => end.current.abort(), []);
  const add = (files: Iterable<File>): void => {
    for (const file of [...files].slice(0, MAX_FILES - all.length)) {
      const key = keys.current++;
      const become = (more: Partial<Attachment>): void =>
        setAll((before) => before.map((each) => (each.key === key ? { ...each, ...more } : each)));
      setAll((before) => [...before, { key, file }]);
      sendFile(file, end.current.signal).then(
        (info) => become({ info }),
        (error: unknown) => become({ failure: (error as Error).message }),
      );
    }
  };
  return {
    all,
    add,
    remove: (key) => setAll((before) => before.filter((each) => each.key !== key)),
    take: () => {
      if (all.some(({ info, failure }) => info === undefined && failure === undefined)) return undefined;
      setAll([]);
      return all.flatMap(({ info }) => info ?? []);
    },
  };
}

/** What the next message will refer to, and a way to add to it. */
export function AttachmentList({ all, remove }: Attachments) {
  return (
    <ul id="attachments" aria-label="Files to send" hidden={all.length === 0}>
      {all.map(({ key, file, info, failure }) => (
        <li key={key} class={failure === undefined ? "" : "failed"}>
          <bdi>{readable(file.name)}</bdi>{" "}
          <span role="status">{failure ?? (info === undefined ? "is on its way…" : sizeText(info.size))}</span>
          <button type="button" onClick={() => remove(key)}>
            Remove<span class="unseen"> {readable(file.name)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Opens the choice of files of the system. */
export function AttachButton({ add }: Pick<Attachments, "add">) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <>
      <button id="attach" type="button" title="Or paste or drop them here" onClick={() => field.current?.click()}>
        File
      </button>
      <input
        ref={field}
        id="file"
        type="file"
        multiple
        hidden
        aria-label="Files to send"
        onChange={({ currentTarget }) => {
          add(currentTarget.files ?? []);
          currentTarget.value = "";
        }}
      />
    </>
  );
}
