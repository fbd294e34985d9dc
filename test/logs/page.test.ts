import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Message } from "../../src/core/message.ts";
import { endOfPage, ReadTurns, recentPage } from "../../src/logs/page.ts";
import { draftOf } from "../support/sample.ts";

function message(offset: number, size = 1): Message {
  return { ...draftOf("a", "x".repeat(size)), offset, time: 0 };
}

describe("a page", () => {
  it("ends where its payloads fill it, and asks for nothing behind that", () => {
    const asked: number[] = [];
    function* messages(): Iterable<Message> {
      for (let offset = 1; offset <= 9; offset++) {
        asked.push(offset);
        yield message(offset, 100_000);
      }
    }
    const page = endOfPage(messages());
    assert.deepEqual([page.messages.length, page.more, asked], [2, true, [1, 2, 3]]);
  });

  it("holds one message at least, however large", () => {
    const page = endOfPage([message(1, 1_000_000), message(2)]);
    assert.deepEqual([page.messages.map(({ offset }) => offset), page.more], [[1], true]);
    assert.deepEqual(endOfPage([message(1, 1_000_000)]).more, false);
    assert.deepEqual(endOfPage([]), { messages: [], more: false });
  });

  it("that is read back holds the newest in order, and tells of more by the one that is too many", () => {
    const newest = [9, 7, 4].map((offset) => message(offset));
    const page = (limit: number): unknown => {
      const { messages, more } = recentPage(newest, limit);
      return [messages.map(({ offset }) => offset), more];
    };
    assert.deepEqual(
      [2, 3, 4].map((limit) => page(limit)),
      [
        [[7, 9], true],
        [[4, 7, 9], false],
        [[4, 7, 9], false],
      ],
    );
    const large = recentPage([message(9, 1_000_000), message(7)], 2);
    assert.deepEqual([large.messages.map(({ offset }) => offset), large.more], [[9], true]);
  });
});

describe("reads of a log", () => {
  it("that take long come one in a turn of the event loop, in order, however many wait", async () => {
    const turns = new ReadTurns();
    let passed = 0;
    const read = async (number: number): Promise<readonly [number: number, turn: number]> => {
      await turns.next();
      for (const end = performance.now() + 5; performance.now() < end;);
      return [number, passed];
    };
    const reads = Promise.all(Array.from({ length: 5 }, (_, number) => read(number)));
    for (; passed < 20; passed++) await turn();
    const found = await reads;
    assert.equal(new Set(found.map(([, at]) => at)).size, 5, "each has a turn of its own");
    const order = found.toSorted(([, a], [, b]) => a - b).map(([number]) => number);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });
});
