import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { StatsRing } from "../../src/web/dashboard/stats-ring.ts";

describe("StatsRing", () => {
  it("has the last moments of each column in order, however many were added", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 40 }), (capacity, added) => {
        const ring = new StatsRing(2, capacity);
        for (let moment = 0; moment < added; moment++) ring.push([moment, -moment]);
        const expected = Array.from({ length: added }, (_, moment) => moment).slice(-capacity);
        assert.deepEqual([...ring.column(0)], expected);
        assert.deepEqual(
          [...ring.column(1)],
          expected.map((moment) => -moment),
        );
        assert.deepEqual([ring.length, ring.last(0)], [expected.length, expected.at(-1) ?? NaN]);
      }),
    );
  });

  it("has NaN where a moment says nothing of a column", () => {
    const ring = new StatsRing(2, 3);
    ring.push([1]);
    assert.deepEqual([...ring.column(1)], [NaN]);
  });
});
