import { startServer } from "../support/server.ts";
import { fixtures } from "./fixtures.ts";
import { hasPassed, isOfProtocol, runSuite, type Scenario } from "./suite.ts";

// What the official suite says of each revision it has requirements for: a line each, and one for what is wrong.
let isWhole = true;
for (const revision of ["2025-11-25", "2026-07-28"]) {
  await using server = await startServer({}, fixtures());
  const { code, scenarios } = await runSuite(server, "--requirements", revision);
  const required = scenarios.filter(({ unscored }) => unscored === undefined);
  const others = scenarios.filter((scenario) => isOfProtocol(scenario) && scenario.unscored !== undefined);
  const extensions = scenarios.filter((scenario) => !isOfProtocol(scenario));
  console.log(
    `${revision}: ${share(required)} required scenarios pass, ${share(others)} others; ` +
      `${extensions.length} of extensions do not count`,
  );
  for (const { name, faults } of [...required, ...others].filter((scenario) => !hasPassed(scenario))) {
    isWhole = false;
    console.log(`  ${name}: ${faults.join("; ") || "could not be run"}`);
  }
  isWhole &&= code === 0;
}
process.exitCode = isWhole ? 0 : 1;

function share(scenarios: readonly Scenario[]): string {
  return `${scenarios.filter(hasPassed).length} of ${scenarios.length}`;
}
