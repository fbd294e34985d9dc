import { setImmediate as turn } from "node:timers/promises";
import { setTimeout as wait } from "node:timers/promises";

/** Waits until a condition holds; throws, naming it, when it does not before the deadline. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, deadline = 30_000): Promise<void> {
  const end = performance.now() + deadline;
  for (let tries = 0; !(await holds()); tries++) {
    if (performance.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await (tries < 100 ? turn() : wait(5));
  }
}
