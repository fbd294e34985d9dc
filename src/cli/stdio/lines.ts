const LINE_FEED = 10;

/** A line as text, or what is wrong with it. */
export type Line = { readonly text: string } | { readonly wrong: "too long" | "not UTF-8" };

/** The lines of a stream of bytes, empty ones left out. What is longer than `most` bytes is not kept. */
export async function* lines(input: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      parts.push(chunk.subarray(from, end));
      length += end - from;
      yield* lineOf(parts, length > most);
      parts = [];
      length = 0;
      from = end + 1;
    }
    length += chunk.length - from;
    if (length <= most) parts.push(chunk.subarray(from));
    else parts = [];
  }
  yield* lineOf(parts, length > most);
}

function* lineOf(parts: readonly Uint8Array[], isTooLong: boolean): Generator<Line> {
  if (isTooLong) {
    yield { wrong: "too long" };
    return;
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    yield { wrong: "not UTF-8" };
    return;
  }
  if (text.trim() !== "") yield { text };
}
