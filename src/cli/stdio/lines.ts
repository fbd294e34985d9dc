import type { RpcId } from "../../protocol/jsonrpc.ts";
import { messageOf } from "./message.ts";
import { Outline } from "./outline.ts";

const LINE_FEED = 10;

/** A line as text, or what is wrong with it. */
export type Line =
  | { readonly text: string }
  | { readonly wrong: "not UTF-8" }
  /** With the id of the request that it is, where that can be told. */
  | { readonly wrong: "too long"; readonly id: RpcId };

/** The lines of a stream of bytes, empty ones left out. What is longer than `most` bytes is not kept. */
export async function* lines(input: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Line> {
  let line = new Growing(most);
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      line.add(chunk.subarray(from, end));
      yield* line.end();
      line = new Growing(most);
      from = end + 1;
    }
    line.add(chunk.subarray(from));
  }
  yield* line.end();
}

/** A line that is not read to its end. */
class Growing {
  readonly #most: number;
  #length = 0;
  #parts: Uint8Array[] = [];
  /** Once it is too long. */
  #outline: Outline | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  add(part: Uint8Array): void {
    this.#length += part.length;
    this.#parts.push(part);
    if (this.#length <= this.#most) return;
    this.#outline ??= new Outline();
    for (const read of this.#parts.splice(0)) this.#outline.feed(read);
  }

  /** What it is; nothing where it is empty. */
  *end(): Generator<Line> {
    if (this.#outline !== undefined) {
      const message = messageOf(this.#outline.value, "");
      // Another message's id is not one that can be answered.
      yield { wrong: "too long", id: message?.kind === "request" ? message.id : null };
      return;
    }
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(this.#parts));
    } catch {
      yield { wrong: "not UTF-8" };
      return;
    }
    if (text.trim() !== "") yield { text };
  }
}
