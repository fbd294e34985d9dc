import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { run, type Run } from "./run.ts";
import { summary } from "./summary.ts";
import type { WorldKind } from "./world.ts";

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
const kind = values.kind as WorldKind;
const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const runs: Run[] = [];
let failed = 0;

for (let seed = first; seed < first + Number(values.schedules); seed++) {
  const start = performance.now();
  const done = await run(seed, kind, values.fault);
  runs.push({ ...done, output: "" });
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

if (runs.length > 1) console.log(summary(runs));
process.exitCode = failed === 0 ? 0 : 1;
