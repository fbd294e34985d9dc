import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";

const TASKSET = ["/usr/bin/taskset", "/bin/taskset"].find((file) => existsSync(file));

/** Whether the server under test has the first core for itself and the load has the others. */
export const pinned: boolean = TASKSET !== undefined && availableParallelism() > 1;

/** The words before a command that keep it on the first core. */
export const SERVER_CORE: readonly string[] = pinned ? [TASKSET ?? "", "-c", "0"] : [];

/** Moves this process, and all that it starts from now on, to the other cores. */
export function leaveServerCore(): void {
  if (!pinned) return;
  const cores = availableParallelism() === 2 ? "1" : `1-${availableParallelism() - 1}`;
  execFileSync(TASKSET ?? "", ["-a", "-p", "-c", cores, String(process.pid)], { stdio: "ignore" });
}
