import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ReadTurns } from "../../src/logs/read-turns.ts";

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
