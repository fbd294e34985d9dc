import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rates } from "../../src/web/dashboard/rates.ts";

function second(rates: Rates, channel: string, messages: number): void {
  for (let message = 0; message < messages; message++) rates.count(channel);
  rates.tick();
}

describe("Rates", () => {
  it("are taken over the whole seconds there were, and over the last ones only", () => {
    const rates = new Rates(3, 10);
    rates.count("a");
    assert.equal(rates.of("a"), 0);
    second(rates, "a", 5);
    assert.equal(rates.of("a"), 6);
    second(rates, "a", 0);
    assert.equal(rates.of("a"), 3);
    second(rates, "a", 3);
    assert.equal(rates.of("a"), 3);
    second(rates, "a", 0);
    assert.equal(rates.of("a"), 1);
  });

  it("forget a channel that had nothing, and know no more channels than they may", () => {
    const rates = new Rates(2, 2);
    for (const channel of ["a", "b", "c"]) rates.count(channel);
    assert.deepEqual([...rates.channels], ["a", "b"]);
    for (let passed = 0; passed < 4; passed++) second(rates, "b", 1);
    assert.deepEqual([...rates.channels, rates.of("b"), rates.of("a")], ["b", 1, 0]);
    rates.clear();
    assert.deepEqual([...rates.channels], []);
  });
});
