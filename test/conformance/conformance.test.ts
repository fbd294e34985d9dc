import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";
import { fixtures } from "./fixtures.ts";
import { hasPassed, isOfProtocol, runSuite, type Scenario } from "./suite.ts";

/** Scenarios that a revision requires, those of the protocol that are run along, and the checks in all of these. */
const REQUIREMENTS = [
  { revision: "2025-11-25", required: 30, others: 3, checks: 84 },
  { revision: "2026-07-28", required: 37, others: 3, checks: 152 },
];

/** Revisions whose requirements nobody wrote down: every scenario that applies. */
const OLDER = [
  { revision: "2025-03-26", scenarios: 1, checks: 3 },
  { revision: "2025-06-18", scenarios: 27, checks: 56 },
];

/** Revisions in which a server without fixtures passes a scenario: those that need none. */
const NEED_NO_FIXTURE: Readonly<Record<string, readonly string[]>> = {
  "server-initialize": ["2025-06-18", "2025-11-25"],
  "server-session-lifecycle": ["2025-03-26", "2025-06-18", "2025-11-25"],
  "logging-set-level": ["2025-06-18", "2025-11-25"],
  ping: ["2025-06-18", "2025-11-25"],
  "tools-list": ["2025-06-18", "2025-11-25", "2026-07-28"],
  "resources-list": ["2025-06-18", "2025-11-25", "2026-07-28"],
  "prompts-list": ["2025-06-18", "2025-11-25", "2026-07-28"],
  "server-sse-multiple-streams": ["2025-11-25", "2026-07-28"],
  "dns-rebinding-protection": ["2025-11-25", "2026-07-28"],
  "sep-2164-resource-not-found": ["2026-07-28"],
  caching: ["2026-07-28"],
  "http-header-validation": ["2026-07-28"],
  "input-required-result-unsupported-methods": ["2026-07-28"],
  // Its tool is missing here, and refusing the call is one of the right answers.
  "input-required-result-validate-input": ["2026-07-28"],
};

describe("a server with what the official conformance suite asks for", { concurrency: 2 }, () => {
  for (const { revision, required, others, checks } of REQUIREMENTS) {
    it(`passes the ${required} scenarios that ${revision} requires, and ${others} more`, async () => {
      await using server = await startServer({}, fixtures());
      const { code, scenarios } = await runSuite(server, "--requirements", revision);
      const mine = scenarios.filter(isOfProtocol);
      const scored = mine.filter(({ unscored }) => unscored === undefined);
      assert.deepEqual(
        mine.filter((scenario) => !hasPassed(scenario)),
        [],
      );
      assert.equal(scored.length, required);
      assert.equal(mine.length, required + others);
      assert.equal(checksPassed(mine), checks);
      assert.equal(code, 0);
    });
  }

  for (const { revision, scenarios: count, checks } of OLDER) {
    it(`passes every scenario of ${revision}: ${count}`, async () => {
      await using server = await startServer({}, fixtures());
      const { code, scenarios } = await runSuite(server, "--suite", "all", "--spec-version", revision);
      assert.deepEqual(
        scenarios.filter((scenario) => !hasPassed(scenario)),
        [],
      );
      assert.equal(scenarios.length, count);
      assert.equal(checksPassed(scenarios), checks);
      assert.equal(code, 0);
    });
  }
});

describe("a server as it is installed", { concurrency: 2 }, () => {
  for (const revision of ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]) {
    it(`passes every scenario of ${revision} that needs no fixture`, async () => {
      await using server = await startServer();
      const { scenarios } = await runSuite(server, "--suite", "all", "--spec-version", revision);
      const passing = scenarios.filter(hasPassed).map(({ name }) => name);
      const expected = Object.keys(NEED_NO_FIXTURE).filter((name) => NEED_NO_FIXTURE[name]?.includes(revision));
      assert.deepEqual(new Set(passing), new Set(expected));
    });
  }

  it("passes every check of server-stateless that needs no fixture", async () => {
    await using server = await startServer();
    const { scenarios } = await runSuite(server, "--suite", "all", "--spec-version", "2026-07-28");
    const stateless = scenarios.find(({ name }) => name === "server-stateless");
    assert.equal(stateless?.passed, 24);
    for (const fault of stateless.faults) assert.match(fault, /^SKIPPED|: Not testable: server does not list/);
  });
});

function checksPassed(scenarios: readonly Scenario[]): number {
  return scenarios.reduce((sum, { passed }) => sum + passed, 0);
}
