import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";

/** Milliseconds until a command that failed is run again: twice as long each time, up to the second. */
const FIRST_DELAY = 1000;
const MAX_DELAY = 60_000;
/** The share of a delay that is random, so that many do not come back at once. */
const JITTER = 0.3;

/**
 * Runs a command of the shell with a text on its standard input, again until it ends with 0. Returns false if the signal
 * is aborted before that: a command that runs then is left to its end, and not run again.
 */
export async function runUntilDone(
  command: string,
  input: string,
  signal: AbortSignal,
  note: (sentence: string) => void,
): Promise<boolean> {
  for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, MAX_DELAY)) {
    const failure = await run(command, input);
    if (failure === undefined) return true;
    if (signal.aborted) {
      note(`the command ended with ${failure}; it is run again at the next start`);
      return false;
    }
    const pause = delay * (1 - JITTER * Math.random());
    note(`the command ended with ${failure}; it is run again in ${(pause / 1000).toFixed(1)} s`);
    await wait(pause, undefined, { signal }).catch(() => {});
    if (signal.aborted) return false;
  }
}

/** What it ended with: undefined for 0. */
async function run(command: string, input: string): Promise<string | undefined> {
  const child = spawn(command, { shell: true, stdio: ["pipe", "inherit", "inherit"] });
  // It need not read what it is given.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  try {
    const [code, ended] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return code === 0 ? undefined : (ended ?? `exit code ${code}`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
