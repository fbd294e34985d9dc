import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { restamp, SMALLEST_PAYLOAD, StampFinder, stampedPayload } from "../../bench/load/stamp.ts";

describe("a stamped payload", () => {
  it("has exactly the length that was asked for, and needs no escape in JSON", () => {
    for (const size of [SMALLEST_PAYLOAD, 100, 65_000]) {
      const payload = stampedPayload("abc123", 999, size);
      assert.equal(payload.length, size);
      assert.equal(JSON.stringify(payload), `"${payload}"`);
    }
  });

  it("is found again with its publisher, sequence and time", () => {
    for (const size of [SMALLEST_PAYLOAD, 100]) {
      const bytes = Buffer.from(`id: 7\ndata: ${stampedPayload("abc123", 42, size)}\n\n`);
      restamp(bytes, 12, 1_234_567_890, 987_654_321_012.9);
      const finder = new StampFinder("abc123", size);
      assert.ok(finder.find(bytes, 0, bytes.length));
      const { publisher, sequence, sent } = finder;
      assert.deepEqual(
        { publisher, sequence, sent },
        { publisher: 42, sequence: 1_234_567_890, sent: 987_654_321_012 },
      );
    }
  });

  it("is not found when it is of another run, cut, or longer than it was", () => {
    const finder = new StampFinder("abc123", 100);
    const payload = stampedPayload("abc123", 1, 100);
    for (const text of [
      stampedPayload("abc124", 1, 100),
      payload.slice(0, -1),
      payload.replace("xx", "xxx"),
      "~b~b~b",
      "",
    ]) {
      const bytes = Buffer.from(`data: ${text}\n\n`);
      assert.equal(finder.find(bytes, 0, bytes.length), false, text);
    }
  });

  it("is found only between the given places", () => {
    const finder = new StampFinder("abc123", 100);
    const bytes = Buffer.from(stampedPayload("abc123", 1, 100));
    assert.equal(finder.find(bytes, 0, 99), false);
    assert.equal(finder.find(bytes, 1, 100), false);
    assert.equal(finder.find(bytes, 0, 100), true);
  });
});
