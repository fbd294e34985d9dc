import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Result } from "../../../src/cli/bench/load.ts";
import { parseOptions } from "../../../src/cli/bench/options.ts";
import { complaints, resultText } from "../../../src/cli/bench/report.ts";

const LATENCY = { p50: 1, p90: 2, p99: 3, max: 4 };
const UNKNOWN = {
  cpuSeconds: undefined,
  cpuPercent: undefined,
  rssBytes: undefined,
  heapUsedBytes: undefined,
  eventLoopDelayP99Ms: undefined,
  asked: 0,
};

function resultOf(lost: number, busy: number): Result {
  return {
    connects: { wanted: 2, connected: 2, seconds: 1, perSecond: 2, troubles: [] },
    publishes: { answered: 50, failed: 0, trouble: undefined, behind: 0, perSecond: 50, latency: LATENCY },
    deliveries: {
      expected: 100,
      delivered: 100 - lost,
      lost,
      duplicated: 0,
      disordered: 0,
      damaged: 0,
      perSecond: 100 - lost,
      latency: LATENCY,
      faultyReaders: lost > 0 ? 1 : 0,
      readers: [],
    },
    load: { busy },
  };
}

function verdictOf(result: Result): string | undefined {
  const info = { idle: UNKNOWN, start: UNKNOWN, end: UNKNOWN };
  return resultText(parseOptions([]), "a", result, info).split("\n").at(-1);
}

describe("the verdict of a load", () => {
  it("says what failed if the load had time to spare", () => {
    assert.equal(verdictOf(resultOf(1, 0.5)), "Failed: 1 delivery lost.");
  });

  it("does not judge the server if the load itself was the bottleneck, and says what to do", () => {
    const result = resultOf(1, 0.97);
    assert.equal(
      verdictOf(result),
      "Not judged: the load was busy for 97 % of the time and checked 99 deliveries a second, the most it can here " +
        "(1 delivery lost). Use fewer readers, a lower --rate, or another machine.",
    );
    assert.notEqual(complaints(result).length, 0);
  });

  it("fails a server for what no load can cause, however busy it was", () => {
    const result = resultOf(1, 0.97);
    const twice = { ...result, deliveries: { ...result.deliveries, duplicated: 3 } };
    assert.equal(verdictOf(twice), "Failed: 1 delivery lost, 3 deliveries duplicated.");
  });

  it("passes a server that gave all to a busy load, and says whose the latencies are", () => {
    assert.match(String(verdictOf(resultOf(0, 0.97))), /^Passed: /);
    const info = { idle: UNKNOWN, start: UNKNOWN, end: UNKNOWN };
    assert.match(
      resultText(parseOptions([]), "a", resultOf(0, 0.97), info),
      /^load itself busy for 97 % of the time; the latencies are its own/m,
    );
  });
});
