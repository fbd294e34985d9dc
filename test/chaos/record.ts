import { writeFileSync } from "node:fs";

/** What happened, as the clients of the hub saw it. Each message has a number of its own as its data. */
export type Happening =
  /** A publisher sends a message; again, if it retries one that has a key. */
  | { readonly kind: "attempt"; readonly publisher: string; readonly n: number; readonly channel: string }
  /** It was told that the message is kept. */
  | { readonly kind: "acknowledged"; readonly n: number; readonly id: string; readonly repeated: boolean }
  /** It was refused; `isUnsure` if the answer says that the message may be kept all the same. */
  | {
      readonly kind: "refused";
      readonly n: number;
      readonly status: number;
      readonly isUnsure: boolean;
      readonly why: string;
    }
  /** The connection broke, or nothing came in time. */
  | { readonly kind: "unanswered"; readonly n: number; readonly why: string }
  /** A reader comes, or comes back; `after` is null if it asks for what is new. */
  | {
      readonly kind: "open";
      readonly reader: string;
      readonly at: string;
      readonly channels: readonly string[];
      readonly after: string | null;
    }
  | {
      readonly kind: "message";
      readonly reader: string;
      readonly id: string;
      readonly n: number;
      readonly channel: string;
    }
  /** It was told that it has everything up to here: `live`, a beat, the `next` of a page. */
  | { readonly kind: "place"; readonly reader: string; readonly id: string }
  | {
      readonly kind: "gap";
      readonly reader: string;
      readonly reason: string;
      readonly after: string;
      readonly resumed: string;
    }
  | { readonly kind: "end"; readonly reader: string; readonly why: string }
  /** A fault begins or ends; for whoever reads the record. */
  | { readonly kind: "fault"; readonly fault: string; readonly what: string }
  /** A node ended by itself. */
  | { readonly kind: "crash"; readonly text: string }
  /** No fault is left, and publishing works; `what` says what did not come back. */
  | { readonly kind: "healed"; readonly problem: string | null };

/** A happening and when it was: milliseconds since the record began. */
export type Entry = Happening & { readonly time: number };

/** Everything that happened, in its order. */
export class Recorder {
  readonly entries: Entry[] = [];
  readonly #start: number = performance.now();

  note(happening: Happening): void {
    this.entries.push({ ...happening, time: Math.round((performance.now() - this.#start) * 10) / 10 });
  }

  /** Writes it as NDJSON. */
  save(file: string): void {
    writeFileSync(file, this.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  }
}
