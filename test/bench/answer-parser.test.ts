import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AnswerParser } from "../../bench/load/answer-parser.ts";

const SIZED = 'HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{"id":1}';
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
const EMPTY = "HTTP/1.1 204 No Content\r\n\r\n";
const REFUSED = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 4\r\n\r\nfull";

describe("the answers of a keep-alive connection", () => {
  for (const [name, answer, status] of [
    ["a length", SIZED, 201],
    ["chunks", CHUNKED, 200],
    ["no body", EMPTY, 204],
  ] as const) {
    it(`are whole at their last byte when they have ${name}, wherever they are cut`, () => {
      for (let cut = 1; cut < answer.length; cut += 1) {
        const parser = new AnswerParser();
        assert.equal(feed(parser, answer.slice(0, cut)), false);
        assert.equal(feed(parser, answer.slice(cut)), true);
        assert.equal(parser.status, status);
      }
    });
  }

  it("follow each other", () => {
    const parser = new AnswerParser();
    const statuses = [SIZED, EMPTY, CHUNKED, SIZED].map((answer) => {
      assert.ok(feed(parser, answer));
      return parser.status;
    });
    assert.deepEqual(statuses, [201, 204, 200, 201]);
  });

  it("show what a refusal says, and that the connection ends with it", () => {
    const parser = new AnswerParser();
    assert.ok(feed(parser, REFUSED));
    assert.deepEqual([parser.status, parser.text, parser.closes], [503, "full", true]);
  });

  it("show what a refusal in chunks says", () => {
    const parser = new AnswerParser();
    assert.ok(
      feed(parser, "HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nslow \r\n5\r\n\ndown\r\n0\r\n\r\n"),
    );
    assert.equal(parser.text, "slow down");
  });

  it("are refused when their head does not end", () => {
    const parser = new AnswerParser();
    assert.throws(() => {
      for (let i = 0; i < 100; i += 1) feed(parser, "x".repeat(1000));
    }, /longer than 64 KiB/);
  });
});

function feed(parser: AnswerParser, text: string): boolean {
  return parser.feed(Buffer.from(text), text.length);
}
