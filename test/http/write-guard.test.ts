import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { WriteGuard } from "../../src/http/write-guard.ts";

const MIB = 1024 * 1024;

describe("what a client leaves untaken", () => {
  it("is too much where it waits from a turn before, not where it was written in this one", async () => {
    const guard = new WriteGuard(1000);
    assert.equal(guard.check(1000), "ok");
    assert.equal(guard.check(5 * MIB), "ok", "the socket had no time");
    await turn();
    assert.equal(guard.check(1001), "slow");
    assert.equal(guard.check(1001), "slow");
    assert.equal(guard.check(1000), "ok", "it has taken some");
  });

  it("is a flood where far more is written in one turn than any client may be owed", async () => {
    const guard = new WriteGuard(1000);
    assert.equal(guard.check(0), "ok");
    assert.equal(guard.check(8 * MIB), "ok");
    assert.equal(guard.check(8 * MIB + 1), "flood");
    await turn();
    assert.equal(guard.check(0), "ok");
  });
});
