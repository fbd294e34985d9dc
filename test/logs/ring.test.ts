import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { Ring } from "../../src/logs/ring.ts";
import { draftOf } from "../support/sample.ts";

describe("a ring", () => {
  it("holds what was taken in and not dropped, in order, however much has passed through it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(700), fc.nat(700)), { maxLength: 12 }),
        fc.nat(5000),
        fc.integer({ min: 1, max: 50 }),
        (steps, after, limit) => {
          const ring = new Ring();
          let [first, last] = [1, 0];
          for (const [pushes, shifts] of steps) {
            for (let count = 0; count < pushes; count++) ring.push({ ...draftOf("a", 1), offset: ++last, time: 0 });
            for (let count = 0; count < shifts; count++) {
              const dropped = ring.shift()?.offset;
              assert.equal(dropped, first <= last ? first++ : undefined);
            }
          }
          assert.deepEqual([ring.size, ring.first?.offset], [last - first + 1, first <= last ? first : undefined]);
          const from = Math.max(after + 1, first);
          const expected = Array.from(
            { length: Math.max(0, Math.min(limit, last - from + 1)) },
            (_, index) => from + index,
          );
          assert.deepEqual(
            ring.after(after, limit).map(({ offset }) => offset),
            expected,
          );
          assert.deepEqual(
            ring.before(after, limit).map(({ offset }) => offset),
            Array.from({ length: last }, (_, index) => index + 1)
              .filter((offset) => offset >= first && offset < after)
              .slice(-limit),
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});
