import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Kept } from "../../src/web/dashboard/kept.ts";

function of(numbers: number): Kept<number> {
  const kept = new Kept<number>(8);
  for (let number = 1; number <= numbers; number++) kept.push(number);
  return kept;
}

describe("Kept", () => {
  it("keeps the last ones, at least as many as it is to and few more, and says how many went", () => {
    const kept = new Kept<number>(8);
    let gone = 0;
    for (let number = 1; number <= 1000; number++) {
      gone += kept.push(number);
      assert.ok(kept.size <= 9 && kept.size >= Math.min(number, 8));
      assert.equal(kept.shown.at(-1), number);
      assert.equal(kept.shown.length + gone, number);
    }
  });

  it("shows what a filter lets through, of what came before and after it", () => {
    const kept = of(5);
    kept.filter((number) => number % 2 === 0);
    assert.deepEqual(kept.shown, [2, 4]);
    kept.push(6);
    kept.push(7);
    assert.deepEqual([kept.shown, kept.size], [[2, 4, 6], 7]);
  });

  it("leaves what is shown as it is while paused, and shows what came meanwhile afterwards", () => {
    const kept = of(3);
    kept.pause(true);
    for (const number of [4, 5]) assert.equal(kept.push(number), 0);
    assert.deepEqual([kept.shown, kept.held, kept.size], [[1, 2, 3], 2, 5]);
    kept.pause(false);
    assert.deepEqual([kept.shown, kept.held], [[1, 2, 3, 4, 5], 0]);
  });

  it("is bounded while paused, too", () => {
    const kept = of(3);
    kept.pause(true);
    for (let number = 4; number < 1000; number++) kept.push(number);
    assert.ok(kept.size <= 3 + 9);
    assert.equal(kept.held, 996);
    kept.pause(false);
    assert.deepEqual([kept.shown.at(-1), kept.shown.length <= 9, kept.size <= 9], [999, true, true]);
  });

  it("filters what was there when it was paused, and nothing that came since", () => {
    const kept = of(5);
    kept.pause(true);
    for (let number = 6; number <= 100; number++) kept.push(number);
    kept.filter((number) => number % 2 === 0);
    assert.deepEqual([kept.shown, kept.held], [[2, 4], 95]);
    assert.equal(kept.pause(false), 2);
    assert.deepEqual(kept.shown, [94, 96, 98, 100]);
  });

  it("shows nothing that it does not keep any more", () => {
    const kept = of(0);
    kept.filter((number) => number % 5 === 0);
    let gone = 0;
    for (let number = 1; number <= 1000; number++) gone += kept.push(number);
    assert.ok(
      kept.shown.every((number) => number > 1000 - 9),
      String(kept.shown),
    );
    assert.equal(kept.shown.length + gone, 200);
  });
});
