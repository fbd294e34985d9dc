import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";

/** Milliseconds until something that failed is tried again: twice as long each time, up to the second. */
const FIRST_DELAY = 1000;
const MAX_DELAY = 60_000;
/** The share of a delay that is random, so that many do not come back at once. */
const JITTER = 0.3;

/**
 * Tries something again until it succeeds, or has failed so many times; `attempt` resolves with why it failed. Returns false
 * if the signal is aborted before that: an attempt that runs then is left to its end, and not made again.
 */
export async function untilDone(
  attempt: () => Promise<string | undefined>,
  most: number,
  signal: AbortSignal,
  note: (sentence: string) => void,
): Promise<boolean> {
  for (let [tries, delay] = [1, FIRST_DELAY]; ; tries++, delay = Math.min(2 * delay, MAX_DELAY)) {
    const failure = await attempt();
    if (failure === undefined) return true;
    if (tries >= most) {
      note(`${failure}; given up after ${tries === 1 ? "one try" : `${tries} tries`}`);
      return true;
    }
    if (signal.aborted) {
      note(`${failure}; tried again at the next start`);
      return false;
    }
    const pause = delay * (1 - JITTER * Math.random());
    note(`${failure}; tried again in ${(pause / 1000).toFixed(1)} s`);
    await wait(pause, undefined, { signal }).catch(() => {});
    if (signal.aborted) return false;
  }
}

/** Runs a command of the shell with a text on its standard input. Resolves with what it ended with: undefined for 0. */
export async function runCommand(command: string, input: string): Promise<string | undefined> {
  const child = spawn(command, { shell: true, stdio: ["pipe", "inherit", "inherit"] });
  // It need not read what it is given.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  try {
    const [code, ended] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return code === 0 ? undefined : `the command ended with ${ended ?? `exit code ${code}`}`;
  } catch (error) {
    return `the command cannot be run (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
  }
}
