import { existsSync } from "node:fs";
import { leaveServerCore } from "./cores.ts";
import { measureAnnouncing } from "./announcing.ts";
import { measureCluster } from "./cluster.ts";
import { measureLoss } from "./failover-loss.ts";
import { measureLife } from "./cluster-life.ts";
import { clusterText, disturbance } from "./cluster-text.ts";
import { machine, resultsText, writeDocument } from "./document.ts";
import type { Measured } from "./goals.ts";
import { Matrix } from "./matrix.ts";
import { gzipText, measureGzip } from "./gzip.ts";
import { HELP, parseOptions } from "./options.ts";
import type { Options } from "./options.ts";
import { measureCalls, measureMcp, measureMemories, measureSeed } from "./parts.ts";
import { measureTrust } from "./trust.ts";
import { CENTRIFUGO } from "./peers.ts";
import { redisMissing } from "./redis-process.ts";
import { CONTENDERS } from "./targets.ts";

const SEED_SECONDS = 10;
const CALL_SECONDS = 2;

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(HELP);
  else if (options.gzip) await compareGzip(options);
  else await (options.cluster ? measureNodes(options) : compare(options));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function compare(options: Options): Promise<void> {
  checkMachine();
  const { only, parts, rounds } = options;
  const chosen = CONTENDERS.filter(({ name }) => only.includes(name));
  const contenders = chosen.filter(({ server }) => server.missing() === undefined);
  const notes = chosen.flatMap(({ title, server }) => {
    const reason = server.missing();
    return reason === undefined ? [] : [`Without ${title}: ${reason}.`];
  });
  leaveServerCore();
  const measured: Measured = {
    matrix: parts.includes("matrix") ? await Matrix.measure({ ...options, contenders, say }) : undefined,
    calls: parts.includes("calls") ? await measureCalls(rounds, CALL_SECONDS) : undefined,
    mcp: parts.includes("mcp") ? await measureMcp(rounds, CALL_SECONDS) : undefined,
    seed: parts.includes("seed") ? await measureSeed(contenders.filter(inSeed), rounds, SEED_SECONDS) : undefined,
    trust: parts.includes("trust") ? await measureTrust(rounds, CALL_SECONDS) : undefined,
    memory: parts.includes("memory") ? await measureMemories(contenders) : undefined,
  };
  const text = resultsText(measured, notes);
  process.stdout.write(`${text}\n`);
  if (options.write) writeDocument("bench", text);
}

async function compareGzip({ rounds, write }: Options): Promise<void> {
  checkMachine();
  leaveServerCore();
  const text = `${machine()}\n\n${gzipText(await measureGzip(rounds, say))}`;
  process.stdout.write(`${text}\n`);
  if (write) writeDocument("gzip", text);
}

async function measureNodes({ rounds, seconds, write }: Options): Promise<void> {
  checkMachine();
  const missing = redisMissing();
  if (missing !== undefined) throw new Error(`Nodes need a Redis, and ${missing}`);
  const note = CENTRIFUGO.missing();
  leaveServerCore();
  const figures = await measureCluster({ rounds, seconds, say });
  const life = await measureLife(say);
  const losses = [
    await measureLoss("a replica", []),
    await measureLoss("a replica, DURABILITY=full", ["DURABILITY=full"]),
  ];
  const text = clusterText({ ...figures, life, losses, announcing: await measureAnnouncing() });
  const notes = note === undefined ? "" : ` Without Centrifugo: ${note}.`;
  const intro = `${machine().replace("the server", "the nodes and Redis")}${notes}${disturbance(figures)}`;
  process.stdout.write(`${intro}\n\n${text}\n`);
  if (write) writeDocument("cluster", `${intro}\n\n${text}`);
}

function checkMachine(): void {
  if (existsSync("/proc/self/stat")) return;
  throw new Error("The comparison reads CPU times from /proc, which only Linux has");
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function inSeed({ name }: { readonly name: string }): boolean {
  return ["naive", "nchan", "centrifugo", "mercure", "ours", "ours-ws"].includes(name);
}
