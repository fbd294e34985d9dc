import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as pause } from "node:timers/promises";

const TICKS_PER_SECOND = 100;
const LOOK = 500;

/** Seconds of CPU that these processes have used. */
export function processSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Seconds that a core has spent on anything, or had taken away by its host. */
export function coreSeconds(core: number): number {
  const line = readFileSync("/proc/stat", "latin1").split("\n")[core + 1] ?? "";
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** Resolves when the machine has nothing else to do for half a second, or the patience in milliseconds is over. */
export async function quiet(most: number, patience: number): Promise<void> {
  const cores = Array.from({ length: availableParallelism() }, (_, core) => core);
  const busy = (): number => cores.reduce((sum, core) => sum + coreSeconds(core), 0);
  const deadline = performance.now() + patience;
  while (performance.now() < deadline) {
    const before = busy();
    await pause(LOOK);
    if (busy() - before < (most * LOOK) / 1000) return;
  }
}

/** A process and its children. */
export function processTree(pid: number): readonly number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return [pid, ...pids.filter((other) => Number(statFields(other)[1]) === pid)];
}

/** The fields of `/proc/PID/stat` after the name, which stands in parentheses and may hold anything. */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
