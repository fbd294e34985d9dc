import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge, type Outcome } from "../../../src/cli/bench/report.ts";

const PASSED: Outcome = {
  wanted: 2,
  connected: 2,
  answered: 50,
  failed: 0,
  lost: 0,
  duplicated: 0,
  disordered: 0,
  damaged: 0,
  faultyReaders: 0,
  perSecond: 99,
  busy: 0.5,
};
const LOSSY: Outcome = { ...PASSED, lost: 1, faultyReaders: 1 };

describe("the verdict of bench", () => {
  it("says what failed if the load had time to spare", () => {
    assert.deepEqual(judge(LOSSY), { passed: false, verdict: "Failed: 1 delivery lost." });
  });

  it("does not judge the server if the load itself was the bottleneck, and says what to do", () => {
    assert.deepEqual(judge({ ...LOSSY, busy: 0.97 }), {
      passed: false,
      verdict:
        "Not judged: the load was busy for 97 % of the time and checked 99 deliveries a second, the most it can here " +
        "(1 delivery lost). Use fewer readers, a lower --rate, or another machine.",
    });
  });

  it("fails a server for what no load can cause, however busy it was", () => {
    const { verdict } = judge({ ...LOSSY, duplicated: 3, busy: 0.97 });
    assert.equal(verdict, "Failed: 1 delivery lost, 3 deliveries duplicated.");
  });

  it("fails a server that published nothing, and one that cut a reader off", () => {
    assert.equal(judge({ ...PASSED, answered: 0 }).verdict, "Failed: nothing was published.");
    assert.equal(judge({ ...PASSED, faultyReaders: 1 }).verdict, "Failed: 1 reader cut off.");
  });

  it("passes a server that gave all to a busy load", () => {
    const { passed, verdict } = judge({ ...PASSED, busy: 0.97 });
    assert.deepEqual([passed, verdict], [true, "Passed: 2 readers got all of 50 messages, each once and in order."]);
  });
});
