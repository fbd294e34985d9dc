import { setTimeout as wait } from "node:timers/promises";

const FIRST = 250;
const LONGEST = 5000;
const LONGEST_ASKED = 60_000;
/** Milliseconds of peace after which the next failure is a first one. */
const PEACE = 15_000;

/** How long to wait before coming back: longer each time, and never as long as everybody else. */
export class Backoff {
  #times = 0;
  #last = -Infinity;

  /** Waits, `least` milliseconds at least; an abort ends it early. */
  async pause(signal: AbortSignal, least = 0): Promise<void> {
    if (performance.now() - this.#last > PEACE) this.#times = 0;
    const most = Math.min(FIRST * 2 ** this.#times++, LONGEST);
    await wait(Math.min(least, LONGEST_ASKED) + most * (0.5 + Math.random() / 2), undefined, { signal }).catch(
      () => {},
    );
    this.#last = performance.now();
  }
}
