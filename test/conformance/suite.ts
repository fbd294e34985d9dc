import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { COMPILED } from "../support/compiled.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const COMMAND = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));
/** Milliseconds after which a run that does not end is ended. */
const TIMEOUT = 60_000;

/** One scenario of the official conformance suite, as it went. */
export interface Scenario {
  readonly name: string;
  /** Why a set of requirements runs it without asking for it; undefined where it is asked for. */
  readonly unscored: string | undefined;
  readonly passed: number;
  readonly failed: number;
  /** Every check that neither passed nor only informs: failures, warnings and what was skipped. */
  readonly faults: readonly string[];
}

export interface Report {
  readonly code: number | null;
  readonly scenarios: readonly Scenario[];
}

/** Runs the suite against a server, in a process and a folder of its own; `selection` as its command line takes it. */
export async function runSuite(server: { readonly url: string }, ...selection: readonly string[]): Promise<Report> {
  using folder = new TemporaryFolder();
  const words = [COMMAND, "server", "--url", `${server.url}/mcp`, "--output-dir", folder.path, ...selection];
  const child = spawn(process.execPath, words, {
    cwd: folder.path,
    env: COMPILED,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT,
  });
  const [[code], output, errors] = await Promise.all([
    once(child, "close") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  const [, announced] = /^Running .* \((\d+) scenarios\)/m.exec(output) ?? [];
  const unscored = new Map(
    [...output.matchAll(/^ {2}[✓✗] (\S+) \((.+)\)$/gm)].map(([, name, why]) => [name, why] as const),
  );
  const faults = faultsIn(folder.path);
  const scenarios = [...output.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed$/gm)].map(
    ([, name = "", passed, failed]): Scenario => ({
      name,
      unscored: unscored.get(name),
      passed: Number(passed),
      failed: Number(failed),
      faults: faults.get(name) ?? [],
    }),
  );
  if (scenarios.length === 0 || scenarios.length !== Number(announced)) {
    throw new Error(`the suite ran ${scenarios.length} of ${announced} scenarios and ended with ${code}: ${errors}`);
  }
  return { code, scenarios };
}

/** Whether a scenario found something out, and nothing wrong. */
export function hasPassed({ passed, failed, faults }: Scenario): boolean {
  return passed > 0 && failed === 0 && faults.length === 0;
}

/** Whether the suite itself does not run a scenario. */
export function isSkipped({ passed, failed, faults }: Scenario): boolean {
  return passed === 0 && failed === 0 && faults.every((fault) => fault.startsWith("SKIPPED"));
}

/** Whether a scenario is for what the protocol itself says, and not for an extension of it. */
export function isOfProtocol({ unscored }: Scenario): boolean {
  return unscored !== "extension";
}

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** By scenario; the command line says nothing of warnings when it runs many. */
function faultsIn(folder: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const entry of readdirSync(folder)) {
    const [, name] = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(entry) ?? [];
    if (name === undefined) continue;
    const checks = JSON.parse(readFileSync(join(folder, entry, "checks.json"), "utf8")) as readonly Check[];
    const faults = checks.filter(({ status }) => status !== "SUCCESS" && status !== "INFO");
    found.set(
      name,
      faults.map(({ status, id, errorMessage }) => `${status} ${id}: ${errorMessage ?? "no reason given"}`),
    );
  }
  return found;
}
