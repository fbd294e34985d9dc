import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { needs } from "../support/needs.ts";
import { needsEngine } from "../support/redis.ts";
import { Balancer } from "./balancer.ts";
import { run } from "./run.ts";

function needsAll(test: TestContext): boolean {
  return needsEngine(test) && needs(test, "HAProxy", Balancer.isInstalled, "apt-get install haproxy");
}

// `npm run chaos -- --schedules 200` is the long form of this.
describe("three nodes under faults", () => {
  it("lose nothing that they acknowledged without telling every reader, and double nothing", async (test) => {
    if (!needsAll(test)) return;
    const faults = ["node killed", "primary killed, ahead of its replica", "link halved", "subscriptions killed"];
    const { verdict } = await run(5, "redis", faults);
    assert.deepEqual(verdict.violations, []);
    assert.ok(verdict.acknowledged > 0 && verdict.delivered > verdict.acknowledged);
  });

  it("on a log in a file, which one node has, lose and double nothing when it is killed and restarted", async (test) => {
    if (!needsAll(test)) return;
    const { verdict } = await run(1, "file", ["node killed", "rolling restart"]);
    assert.deepEqual(verdict.violations, []);
    assert.deepEqual(verdict.gaps, {});
    assert.ok(verdict.acknowledged > 0 && verdict.delivered > verdict.acknowledged);
  });
});
