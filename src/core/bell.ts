import type { Signal } from "../protocol/signal.ts";
import type { Format } from "./message.ts";
import type { Sink } from "./sink.ts";

const NOTHING = new Uint8Array();
/** Encodes only the offset of the first message that is kept. */
const FOUND: Format = {
  encode: ({ ephemeral, offset }) => (ephemeral ? NOTHING : new Uint8Array(Float64Array.of(offset).buffer)),
  join: (parts) => parts.find((part) => part.length > 0) ?? NOTHING,
};

/** A sink for those who read pages of the log, and wait at its end: it only tells that there is a new message to read. */
export class Bell implements Sink {
  readonly format: Format = FOUND;
  readonly pending = 0;
  closed = false;
  /** The offset of the first message since this was set to undefined; 0 if messages are missing before it. */
  rung: number | undefined;
  #ring: () => void = () => {};

  /** Resolves when it rings, after so many milliseconds, or when the signal is aborted. */
  next(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.rung !== undefined || this.closed || signal.aborted) return Promise.resolve();
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
    this.rung ??= new Float64Array(bytes.slice().buffer)[0];
    this.#ring();
    return true;
  }

  signal({ kind }: Signal): void {
    if (kind !== "gap") return;
    this.rung ??= 0;
    this.#ring();
  }

  async drained(): Promise<void> {}

  close(): void {
    this.closed = true;
    this.#ring();
  }
}
