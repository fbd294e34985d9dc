import { randomInt } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { ENGINE_FAULTS, NODE_FAULTS } from "./faults.ts";
import { run, type Outcome } from "./run.ts";
import { summary } from "./summary.ts";
import type { WorldKind } from "./world.ts";

const FAULTS = Object.keys({ ...NODE_FAULTS, ...ENGINE_FAULTS });

// npm run chaos -- [--seed N | --schedules N] [--kind redis|valkey|file] [--fault NAME]… [--records FOLDER] [--keep]
const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    schedules: { type: "string", default: "1" },
    kind: { type: "string", default: "redis" },
    fault: { type: "string", multiple: true, default: [] },
    keep: { type: "boolean", default: false },
    records: { type: "string", default: join(tmpdir(), "chaos") },
  },
});
const first = whole("seed", values.seed ?? String(randomInt(1e9)));
const schedules = whole("schedules", values.schedules);
const { kind } = values;
if (!isKind(kind)) throw new Error(`--kind is ${kind}; use redis, valkey or file`);
const unknown = values.fault.find((name) => !FAULTS.includes(name));
if (unknown !== undefined) throw new Error(`--fault is ${unknown}; use ${FAULTS.join("; ")}`);
const outcomes: Outcome[] = [];
let failed = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    console.log(summary(outcomes));
    process.exit(1);
  });
}

for (let seed = first; seed < first + schedules; seed++) {
  const start = performance.now();
  const done = await run(seed, kind, values.fault);
  outcomes.push({ seed, faults: done.faults, verdict: done.verdict });
  const { violations, acknowledged, delivered, insideGaps, lost, longestSilence } = done.verdict;
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const counts = `${acknowledged} acknowledged, ${delivered} delivered, ${insideGaps} inside gaps, ${lost} lost and told`;
  console.log(`seed ${seed}: ${counts}; silent for ${longestSilence} ms; ${seconds} s; ${done.faults.join(", ")}`);
  if (violations.length === 0 && !values.keep) continue;
  if (violations.length > 0) failed++;
  mkdirSync(values.records, { recursive: true });
  done.recorder.save(join(values.records, `${seed}.ndjson`));
  writeFileSync(join(values.records, `${seed}.log`), done.output);
  console.log(
    `  ${violations.length} violations; the record is ${values.records}/${seed}.ndjson; again with --seed ${seed}`,
  );
  for (const { time, kind: what, text } of violations.slice(0, 5)) console.log(`  ${time} ms: ${what}: ${text}`);
}

if (outcomes.length > 1) console.log(summary(outcomes));
process.exitCode = failed === 0 ? 0 : 1;

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} is ${text}; use a whole number`);
  return Number(text);
}

function isKind(text: string): text is WorldKind {
  return ["redis", "valkey", "file"].includes(text);
}
