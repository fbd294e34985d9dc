/** What this needs of a page; other runtimes have nothing of it. */
interface Page {
  readonly document?: EventTarget & { readonly visibilityState: string };
}

export interface PageLifecycleListener {
  /** A connection may have died unnoticed; `suspect` if it most probably has. */
  readonly wake: (suspect: boolean) => void;
  /** The page is about to be frozen, or put into the back/forward cache. */
  readonly freeze: () => void;
  /** It goes on. */
  readonly resume: () => void;
}

/** Milliseconds that timers run at most; those asked to run for longer are over at once. */
export const MAX_TIMER: number = 2 ** 31 - 1;
/** Milliseconds between looks at the clock. */
const CHECK_INTERVAL = 5000;

/** Notices that the network came back, the page was looked at again, frozen or resumed, or the machine slept. */
export class PageLifecycle {
  readonly #stop = new AbortController();

  constructor({ wake, freeze, resume }: PageLifecycleListener) {
    const { document } = globalThis as Page;
    const { signal } = this.#stop;
    const on = (target: EventTarget, type: string, call: () => void): void =>
      target.addEventListener(type, call, { signal });
    if (document !== undefined) {
      const window = globalThis as unknown as EventTarget;
      on(window, "online", () => wake(true));
      on(document, "visibilitychange", () => document.visibilityState === "visible" && wake(false));
      on(document, "freeze", freeze);
      on(document, "resume", resume);
      on(window, "pagehide", freeze);
      on(window, "pageshow", resume);
    }
    // While a machine sleeps one of the two clocks may stand still, and the other one may be set.
    const clocks = (): readonly number[] => [Date.now(), performance.now()];
    let last = clocks();
    const timer = setInterval(() => {
      const now = clocks();
      const late = now.some((time, clock) => time - (last[clock] as number) > 2 * CHECK_INTERVAL);
      last = now;
      // A hidden page's timers are late, too; whether the connection is silent tells the two apart.
      if (late) wake(false);
    }, CHECK_INTERVAL);
    // In Node, one that is not used must not keep the process alive; a page's timers are numbers.
    (timer as { unref?(): void }).unref?.();
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  close(): void {
    this.#stop.abort();
  }
}
