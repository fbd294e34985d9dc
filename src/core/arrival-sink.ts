import type { Signal } from "../protocol/signal.ts";
import type { Format } from "./message.ts";
import type { Sink } from "./sink.ts";

const NOTHING = new Uint8Array();
/** Encodes only the offset of the first message that is kept, and whether any of them wakes agents. */
const ARRIVAL: Format = {
  encode: ({ ephemeral, offset, quiet }) => (ephemeral ? NOTHING : encoded(offset, !quiet)),
  join: (parts) => {
    const kept = parts.filter((part) => part.length > 0);
    const [first] = kept;
    return first === undefined
      ? NOTHING
      : encoded(
          decoded(first).offset,
          kept.some((part) => decoded(part).wakes),
        );
  },
};

/** A sink for those who read pages of the log and wait at its end: it learns that a message arrived, not which. */
export class ArrivalSink implements Sink {
  readonly format: Format = ARRIVAL;
  readonly pending = 0;
  closed = false;
  /** The offset of the first message since `reset`, quiet ones included; 0 if messages are missing before it. */
  first: number | undefined;
  readonly #quietWakes: boolean;
  #hasArrived = false;
  #wake: () => void = () => {};

  /** `quietWakes`: whether `next` also resolves for messages that wake no agent. */
  constructor({ quietWakes }: { readonly quietWakes: boolean }) {
    this.#quietWakes = quietWakes;
  }

  /** Forgets what has arrived, so that `next` waits for what comes from now on. */
  reset(): void {
    this.first = undefined;
    this.#hasArrived = false;
  }

  /** Resolves when a message arrives, after so many milliseconds, or when the signal is aborted. */
  next(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#hasArrived || this.closed || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener("abort", end);
      this.#wake = end;
    });
  }

  write(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    const { offset, wakes } = decoded(bytes);
    this.first ??= offset;
    if (wakes || this.#quietWakes) this.#arrived();
    return true;
  }

  signal({ kind }: Signal): void {
    if (kind !== "gap") return;
    this.first ??= 0;
    this.#arrived();
  }

  async drained(): Promise<void> {}

  close(): void {
    this.closed = true;
    this.#wake();
  }

  #arrived(): void {
    this.#hasArrived = true;
    this.#wake();
  }
}

function encoded(offset: number, wakes: boolean): Uint8Array {
  return new Uint8Array(Float64Array.of(offset, wakes ? 1 : 0).buffer);
}

function decoded(bytes: Uint8Array): { readonly offset: number; readonly wakes: boolean } {
  const [offset = 0, wakes = 0] = new Float64Array(bytes.slice().buffer);
  return { offset, wakes: wakes === 1 };
}
