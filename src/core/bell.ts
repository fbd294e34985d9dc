import type { Signal } from "../protocol/signal.ts";
import type { Format } from "./message.ts";
import type { Sink } from "./sink.ts";

const NOTHING = new Uint8Array();
/** Encodes only the offset of the first message that is kept, and whether one of them is not quiet. */
const FOUND: Format = {
  encode: ({ ephemeral, offset, quiet }) => (ephemeral ? NOTHING : encoded(offset, !quiet)),
  join: (parts) => {
    const kept = parts.filter((part) => part.length > 0);
    const [first] = kept;
    return first === undefined
      ? NOTHING
      : encoded(
          decoded(first).offset,
          kept.some((part) => decoded(part).isLoud),
        );
  },
};

/** A sink for those who read pages of the log, and wait at its end: it only tells that there is a new message to read. */
export class Bell implements Sink {
  readonly format: Format = FOUND;
  readonly pending = 0;
  closed = false;
  /** The offset of the first message since it was reset, quiet ones included; 0 if messages are missing before it. */
  rung: number | undefined;
  readonly #isForQuiet: boolean;
  #hasRung = false;
  #ring: () => void = () => {};

  /** `isForQuiet`: whether messages that wake no agent ring it, too. */
  constructor({ isForQuiet }: { readonly isForQuiet: boolean }) {
    this.#isForQuiet = isForQuiet;
  }

  /** Makes it ring again for what comes from now on. */
  reset(): void {
    this.rung = undefined;
    this.#hasRung = false;
  }

  /** Resolves when it rings, after so many milliseconds, or when the signal is aborted. */
  next(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#hasRung || this.closed || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener("abort", end);
      this.#ring = end;
    });
  }

  write(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    const { offset, isLoud } = decoded(bytes);
    this.rung ??= offset;
    if (isLoud || this.#isForQuiet) this.#rings();
    return true;
  }

  signal({ kind }: Signal): void {
    if (kind !== "gap") return;
    this.rung ??= 0;
    this.#rings();
  }

  async drained(): Promise<void> {}

  close(): void {
    this.closed = true;
    this.#ring();
  }

  #rings(): void {
    this.#hasRung = true;
    this.#ring();
  }
}

function encoded(offset: number, isLoud: boolean): Uint8Array {
  return new Uint8Array(Float64Array.of(offset, isLoud ? 1 : 0).buffer);
}

function decoded(bytes: Uint8Array): { readonly offset: number; readonly isLoud: boolean } {
  const [offset = 0, loud = 0] = new Float64Array(bytes.slice().buffer);
  return { offset, isLoud: loud === 1 };
}
