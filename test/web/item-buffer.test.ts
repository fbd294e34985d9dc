import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ItemBuffer } from "../../src/web/dashboard/item-buffer.ts";

function bufferOf(numbers: number): ItemBuffer<number> {
  const buffer = new ItemBuffer<number>(8);
  for (let number = 1; number <= numbers; number++) buffer.push(number);
  return buffer;
}

describe("a buffer of items", () => {
  it("keeps the last items, at least as many as its capacity and few more", () => {
    const buffer = new ItemBuffer<number>(8);
    for (let number = 1; number <= 1000; number++) {
      buffer.push(number);
      assert.ok(buffer.size <= 9 && buffer.size >= Math.min(number, 8));
      assert.deepEqual([buffer.shown.at(-1), buffer.shown.length], [number, buffer.size]);
    }
  });

  it("shows what matches its filter, of old and new items, and nothing that it has dropped", () => {
    const buffer = bufferOf(5);
    buffer.filter((number) => number % 2 === 0);
    assert.deepEqual(buffer.shown, [2, 4]);
    for (let number = 6; number <= 1000; number++) buffer.push(number);
    assert.deepEqual(buffer.shown, [992, 994, 996, 998, 1000].slice(-buffer.shown.length));
    assert.ok(buffer.shown.length >= 4);
  });

  it("leaves what is shown as it is while paused, filters that, and shows the rest afterwards", () => {
    const buffer = bufferOf(5);
    buffer.pause(true);
    for (const number of [6, 7]) buffer.push(number);
    assert.deepEqual([buffer.shown, buffer.held, buffer.size], [[1, 2, 3, 4, 5], 2, 7]);
    buffer.filter((number) => number % 2 === 0);
    assert.deepEqual([buffer.shown, buffer.candidates], [[2, 4], 5]);
    buffer.pause(false);
    assert.deepEqual([buffer.shown, buffer.held], [[2, 4, 6], 0]);
  });

  it("is bounded while paused, too", () => {
    const buffer = bufferOf(3);
    buffer.pause(true);
    for (let number = 4; number < 1000; number++) buffer.push(number);
    assert.ok(buffer.size <= 3 + 9);
    assert.equal(buffer.held, 996);
    buffer.pause(false);
    assert.deepEqual([buffer.shown.at(-1), buffer.shown.length <= 9, buffer.size <= 9], [999, true, true]);
  });
});
