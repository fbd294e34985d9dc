import type { Writable } from "node:stream";
import { escapeLineBreaks } from "../../protocol/text.ts";
import { stringifyExactly } from "./exact-numbers.ts";

/** What is written to the client: one message on each line. Who has much to write waits until it is `ready`. */
export class Output {
  readonly #stream: Writable;
  #drained: Promise<void> | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Bytes that the client has not taken. */
  get unread(): number {
    return this.#stream.writableLength;
  }

  /** Resolves when the client has taken what was written before. */
  async ready(): Promise<void> {
    while (this.#drained !== undefined) await this.#drained;
  }

  write(message: object): void {
    if (!this.#stream.writable || this.#stream.write(`${escapeLineBreaks(stringifyExactly(message))}\n`)) return;
    this.#drained ??= new Promise<void>((resolve) => {
      const done = (): void => {
        this.#stream.off("drain", done).off("close", done);
        this.#drained = undefined;
        resolve();
      };
      this.#stream.on("drain", done).on("close", done);
    });
  }

  /** Resolves when all that was written is taken; false if that takes longer than so many milliseconds. */
  async flushed(most: number): Promise<boolean> {
    if (this.#stream.writableLength === 0 || !this.#stream.writable) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const late = setTimeout(() => resolve(false), most);
    this.#stream.write("", () => resolve(true));
    return promise.finally(() => clearTimeout(late));
  }
}
