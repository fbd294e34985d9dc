import { startServer } from "../support/server.ts";
import { fixtures } from "./fixtures.ts";
import { hasPassed, isOfProtocol, isSkipped, runSuite, type Scenario } from "./suite.ts";

// What the official suite says of each revision: a line each, and one for what is wrong.
let isWhole = true;
for (const revision of ["2025-03-26", "2025-06-18"]) {
  await using server = await startServer({}, fixtures());
  const { code, scenarios } = await runSuite(server, "--suite", "all", "--spec-version", revision);
  console.log(`${revision}: ${share(scenarios)} scenarios pass`);
  tellFaults(scenarios);
  isWhole &&= code === 0;
}
// These are the ones it has requirements for.
for (const revision of ["2025-11-25", "2026-07-28"]) {
  await using server = await startServer({}, fixtures());
  const { code, scenarios } = await runSuite(server, "--requirements", revision);
  const required = scenarios.filter(({ unscored }) => unscored === undefined);
  const others = scenarios.filter((scenario) => isOfProtocol(scenario) && scenario.unscored !== undefined);
  const extensions = scenarios.filter((scenario) => !isOfProtocol(scenario));
  const skipped = extensions.filter(isSkipped);
  const run = extensions.filter((scenario) => !isSkipped(scenario));
  console.log(
    `${revision}: ${share(required)} required scenarios pass, ${share(others)} others; ` +
      `${share(run)} for extensions, ${skipped.length} skipped`,
  );
  tellFaults([...required, ...others, ...run]);
  isWhole &&= code === 0;
}
process.exitCode = isWhole ? 0 : 1;

function tellFaults(scenarios: readonly Scenario[]): void {
  for (const { name, faults } of scenarios.filter((scenario) => !hasPassed(scenario))) {
    isWhole = false;
    console.log(`  ${name}: ${faults.join("; ") || "could not be run"}`);
  }
}

function share(scenarios: readonly Scenario[]): string {
  return `${scenarios.filter(hasPassed).length} of ${scenarios.length}`;
}
