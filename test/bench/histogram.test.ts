import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Histogram } from "../../bench/load/histogram.ts";

describe("the latency histogram", () => {
  it("tells percentiles within 1.6 % of the exact ones, in milliseconds", () => {
    const histogram = new Histogram();
    for (let value = 1; value <= 100_000; value += 1) histogram.record(value);
    const { p50, p90, p99, max } = histogram.percentiles();
    near(p50, 50);
    near(p90, 90);
    near(p99, 99);
    assert.equal(max, 100);
  });

  it("is exact below 128 microseconds and keeps the largest value as it was", () => {
    const histogram = new Histogram();
    for (const value of [7, 7, 7, 123_457]) histogram.record(value);
    const { p50, max } = histogram.percentiles();
    assert.deepEqual({ p50, max }, { p50: 0.007, max: 123.457 });
  });

  it("adds up with those of other processes to what one would have counted", () => {
    const [both, first, second] = [new Histogram(), new Histogram(), new Histogram()];
    for (let value = 1; value < 1e9; value = Math.ceil(value * 1.3)) {
      both.record(value);
      (value % 2 === 0 ? first : second).record(value);
    }
    const sum = new Histogram();
    sum.add(first.counts());
    sum.add(second.counts());
    assert.deepEqual(sum.counts(), both.counts());
  });

  it("takes what is out of its range as its ends", () => {
    const histogram = new Histogram();
    for (const value of [-5, 1e12]) histogram.record(value);
    assert.deepEqual(histogram.percentiles().p50, 0);
    assert.equal(histogram.percentiles().max, (2 ** 31 - 1) / 1e3);
  });

  it("says zero of nothing", () => {
    assert.deepEqual(new Histogram().percentiles(), { p50: 0, p90: 0, p99: 0, max: 0 });
  });
});

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= expected * 0.016, `${actual} is not near ${expected}`);
}
