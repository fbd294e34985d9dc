import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dechunker } from "../../bench/load/dechunker.ts";

const BODY = "5\r\nhello\r\n1;name=value\r\n \r\nB\r\nworld again\r\n0\r\nTrailer: x\r\n\r\n";

describe("the chunked transfer coding", () => {
  it("comes off wherever the bytes are cut", () => {
    for (let cut = 0; cut <= BODY.length; cut += 1) {
      const { text, done } = decode([BODY.slice(0, cut), BODY.slice(cut)]);
      assert.equal(text, "hello world again");
      assert.ok(done);
    }
  });

  it("comes off when the bytes come one by one", () => {
    assert.deepEqual(decode(BODY.split("")), { text: "hello world again", done: true });
  });

  it("is not done before the line after the last chunk", () => {
    assert.equal(decode([BODY.slice(0, -2)]).done, false);
  });
});

function decode(parts: readonly string[]): { text: string; done: boolean } {
  const dechunker = new Dechunker();
  let text = "";
  for (const part of parts) {
    dechunker.feed(
      Buffer.from(part),
      0,
      part.length,
      (bytes, from, to) => (text += bytes.toString("latin1", from, to)),
    );
  }
  return { text, done: dechunker.done };
}
