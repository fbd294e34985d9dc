/** What this needs of a page; other runtimes have nothing of it. */
interface Page {
  readonly document?: EventTarget & { readonly visibilityState: string };
}

/** Milliseconds that timers run at most; those asked to run for longer are over at once. */
export const LONGEST_TIMER: number = 2 ** 31 - 1;
/** Milliseconds between looks at the clock. */
const LOOK = 5000;

/**
 * Calls back when a connection may have died without a word: the network came back, the page was looked at again, or
 * the machine slept. `suspect` where it most probably has. Returns how to stop.
 */
export function onWake(wake: (suspect: boolean) => void): () => void {
  const { document } = globalThis as Page;
  const stop = new AbortController();
  const { signal } = stop;
  if (document !== undefined) {
    (globalThis as unknown as EventTarget).addEventListener("online", () => wake(true), { signal });
    const look = (): void => {
      if (document.visibilityState === "visible") wake(false);
    };
    document.addEventListener("visibilitychange", look, { signal });
  }
  // While a machine sleeps one of the two clocks may stand still, and the other one may be set.
  const clocks = (): readonly number[] => [Date.now(), performance.now()];
  let last = clocks();
  const timer = setInterval(() => {
    const now = clocks();
    const late = now.some((time, clock) => time - (last[clock] as number) > 2 * LOOK);
    last = now;
    // A hidden page's timers are late, too; whether the connection is silent tells the two apart.
    if (late) wake(false);
  }, LOOK);
  // In Node, one that nobody uses is to keep no process alive; a page's timers are numbers.
  (timer as { unref?(): void }).unref?.();
  return () => {
    stop.abort();
    clearInterval(timer);
  };
}

/** Calls back before a page is frozen, or put into the cache of pages, and when it goes on. Returns how to stop. */
export function onFreeze(freeze: () => void, resume: () => void): () => void {
  const { document } = globalThis as Page;
  const stop = new AbortController();
  const { signal } = stop;
  if (document !== undefined) {
    const window = globalThis as unknown as EventTarget;
    document.addEventListener("freeze", freeze, { signal });
    document.addEventListener("resume", resume, { signal });
    window.addEventListener("pagehide", freeze, { signal });
    window.addEventListener("pageshow", resume, { signal });
  }
  return () => stop.abort();
}
