import type { Writable } from "node:stream";
import { escapeLineBreaks } from "../../protocol/text.ts";

/** What is written to the client: one message in each line, no more than it takes. */
export class Output {
  readonly #stream: Writable;
  #full: Promise<void> | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Waits until the client takes what was written before, then writes, unless `signal` was aborted meanwhile. */
  async write(text: string, signal?: AbortSignal): Promise<void> {
    while (this.#full !== undefined) await this.#full;
    if (signal?.aborted || !this.#stream.writable) return;
    if (!this.#stream.write(`${escapeLineBreaks(text)}\n`)) this.#full = this.#drained();
  }

  /** Resolves when all that was written is taken; false where that takes longer than so many milliseconds. */
  async flushed(most: number): Promise<boolean> {
    if (this.#stream.writableLength === 0 || !this.#stream.writable) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const late = setTimeout(() => resolve(false), most);
    this.#stream.write("", () => resolve(true));
    return promise.finally(() => clearTimeout(late));
  }

  async #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.once("drain", resolve).once("close", resolve);
    await promise;
    this.#stream.off("drain", resolve).off("close", resolve);
    this.#full = undefined;
  }
}
