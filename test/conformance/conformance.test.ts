import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { startServer } from "../support/server.ts";
import { hasPassed, runSuite } from "./suite.ts";

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

describe("the conformance suite with its fixtures registered", () => {
  it("prints what the README shows: every scenario of the protocol passes, in all revisions", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "run.ts")]);
    const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
    const [, shown] = /^\$ npm run conformance\n…\n(.*?)^```/ms.exec(readme) ?? [];
    assert.equal(stdout, shown);
  });
});

describe("a server as it is installed", { concurrency: 2 }, () => {
  for (const revision of ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]) {
    it(`passes every scenario of ${revision} that needs no fixture`, async () => {
      await using server = await startServer();
      const { scenarios } = await runSuite(server, "--suite", "all", "--spec-version", revision);
      const passing = scenarios.filter(hasPassed).map(({ name }) => name);
      const expected = Object.keys(NEED_NO_FIXTURE).filter((name) => NEED_NO_FIXTURE[name]?.includes(revision));
      assert.deepEqual(new Set(passing), new Set(expected));
      // The one scenario of which only some checks need fixtures.
      const stateless = scenarios.find(({ name }) => name === "server-stateless");
      if (stateless === undefined) return;
      for (const fault of stateless.faults) assert.match(fault, /^SKIPPED|: Not testable: server does not list/);
    });
  }
});
