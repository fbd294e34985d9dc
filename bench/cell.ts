import { setTimeout as pause } from "node:timers/promises";
import { Load } from "./load/load.ts";
import type { Plan } from "./load/plan.ts";
import { addUp } from "./load/result.ts";
import type { Result } from "./load/result.ts";
import { pinned } from "./cores.ts";
import { coreSeconds, processSeconds, quiet } from "./kernel.ts";
import type { ServerProcess } from "./server-process.ts";
import type { Contender } from "./targets.ts";

const SETTLE = 200;
const MEMORY_SETTLE = 1500;
const RUN = "cell00";
const TRIES = 3;
const DISTURBED = 0.1;
const TIMEOUT = 15_000;

let channels = 0;
/** Milliseconds that a whole run may still wait for other programs. */
let patience = 180_000;

/** How hard one measurement loads a server. */
export interface CellLoad {
  readonly readers: number;
  readonly publishers: number;
  readonly seconds: number;
  /** Publishes per second; 0 is the closed loop. */
  readonly rate: number;
  readonly nodes?: Plan["nodes"];
}

/** What a server gets to do before it is measured, so that its code is compiled. */
export const WARM_UP: CellLoad = { readers: 100, publishers: 16, seconds: 1, rate: 0 };

/** What is measured: one process, or several. */
export interface Loaded {
  readonly port: number;
  /** Seconds of CPU that each process has used since its start. */
  cpuSecondsOfEach(): readonly number[];
}

/** One measurement of one contender. */
export interface Cell extends Result {
  /** Seconds of CPU that each process of the server used. */
  readonly cpuSeconds: readonly number[];
  readonly cpuMicrosPerDelivery: number;
  /** The part of one core that the server used, 0 to 1. */
  readonly busy: number;
  /** How much of the server's core and of the load's other processes took, in cores. */
  readonly disturbed: number;
}

/** Memory that 5,000 connections cost, in bytes each. */
export interface ConnectionMemory {
  readonly idle: number;
  readonly loaded: number;
}

/** Measures until the rest of the machine was quiet, at most three times; the quietest counts. */
export async function measureQuietly(contender: Contender, server: Loaded, load: CellLoad): Promise<Cell> {
  let best = await measureCell(contender, server, load);
  for (let tries = 1; best.disturbed > DISTURBED && tries < TRIES && patience > 0; tries += 1) {
    const start = performance.now();
    await quiet(DISTURBED, Math.min(patience, TIMEOUT));
    patience -= performance.now() - start;
    const again = await measureCell(contender, server, load);
    if (again.disturbed < best.disturbed) best = again;
  }
  return best;
}

/** Loads a running server and asks the kernel what that cost it. */
export async function measureCell(contender: Contender, server: Loaded, load: CellLoad): Promise<Cell> {
  const plan = planOf(contender, server, load);
  using run = new Load(plan);
  const { connects } = await open(run);
  const read = (): { each: readonly number[]; core: number; load: number; wall: number } => ({
    each: server.cpuSecondsOfEach(),
    core: coreSeconds(0),
    load: processSeconds(run.pids),
    wall: performance.now() / 1e3,
  });
  const start = read();
  const publishes = await run.publish();
  const drain = await run.drain(publishes);
  const end = read();
  const wall = end.wall - start.wall;
  const cpuSeconds = end.each.map((seconds, index) => seconds - (start.each[index] ?? 0));
  const used = cpuSeconds.reduce((sum, seconds) => sum + seconds, 0);
  // The load never sleeps in between, so what it did not get others had; the same holds for the server's core.
  const taken = Math.max(0, end.core - start.core - used) + Math.max(0, wall - (end.load - start.load));
  return {
    ...addUp({ plan, connects, publishes, drain }),
    cpuSeconds,
    cpuMicrosPerDelivery: (used * 1e6) / Math.max(1, drain.delivered),
    // A drain that waits in vain must not count as time in which the server could have worked.
    busy: used / Math.min(wall, (drain.end - publishes.start) / 1e6),
    disturbed: pinned ? taken / wall : 0,
  };
}

/** Connects readers to a fresh server, and looks at its memory before, with them idle, and after some load. */
export async function measureMemory(
  contender: Contender,
  server: ServerProcess,
  load: CellLoad,
): Promise<ConnectionMemory> {
  const before = server.residentBytes();
  using run = new Load(planOf(contender, server, load));
  const { connects } = await open(run);
  await pause(MEMORY_SETTLE);
  const idle = (server.residentBytes() - before) / connects.connected;
  await run.drain(await run.publish());
  return { idle, loaded: (server.residentBytes() - before) / connects.connected };
}

async function open(run: Load): Promise<Pick<Parameters<typeof addUp>[0], "connects">> {
  const ready = await run.prepare();
  const connects = await run.connect();
  if (ready.troubles.length > 0) throw new Error(`A publisher could not connect: ${ready.troubles.join("; ")}`);
  if (connects.connected === 0) throw new Error(`No reader could connect: ${connects.troubles.join("; ")}`);
  await pause(SETTLE);
  return { connects };
}

function planOf(contender: Contender, server: Loaded, load: CellLoad): Plan {
  channels += 1;
  return { target: contender.target(server.port, `bench-${channels}`), run: RUN, size: 100, awake: true, ...load };
}
