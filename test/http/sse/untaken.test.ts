import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Untaken } from "../../../src/http/sse/untaken.ts";

const MIB = 1024 * 1024;

describe("what a client leaves untaken", () => {
  it("is too much where it waits from a turn before, not where it was written in this one", async () => {
    const untaken = new Untaken(1000);
    assert.equal(untaken.judge(1000), "little");
    assert.equal(untaken.judge(5 * MIB), "little", "the socket had no time");
    await turn();
    assert.equal(untaken.judge(1001), "slow");
    assert.equal(untaken.judge(1001), "slow");
    assert.equal(untaken.judge(1000), "little", "it has taken some");
  });

  it("is a flood where far more is written in one turn than any client may be owed", async () => {
    const untaken = new Untaken(1000);
    assert.equal(untaken.judge(0), "little");
    assert.equal(untaken.judge(8 * MIB), "little");
    assert.equal(untaken.judge(8 * MIB + 1), "flood");
    await turn();
    assert.equal(untaken.judge(0), "little");
  });
});
