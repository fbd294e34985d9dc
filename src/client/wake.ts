/** What this needs of a page; other runtimes have nothing of it. */
interface Page {
  readonly document?: EventTarget & { readonly visibilityState: string };
  readonly addEventListener?: EventTarget["addEventListener"];
  readonly removeEventListener?: EventTarget["removeEventListener"];
}

/** Milliseconds between looks at the clock. */
const LOOK = 5000;

/**
 * Calls back when a connection may have died without a word: the network came back, the page was looked at again or
 * came out of the cache of pages, or the machine slept. `suspect` where it most probably has. Returns how to stop.
 */
export function onWake(wake: (suspect: boolean) => void): () => void {
  const page = globalThis as Page;
  const stop = new AbortController();
  const listen = (target: EventTarget | undefined, type: string, listener: (event: Event) => void): void => {
    target?.addEventListener(type, listener, { signal: stop.signal });
  };
  if (page.document !== undefined) {
    const { document } = page;
    const window = page as EventTarget;
    listen(window, "online", () => wake(true));
    listen(window, "pageshow", (event) => {
      if ((event as Event & { persisted: boolean }).persisted) wake(true);
    });
    listen(document, "visibilitychange", () => {
      if (document.visibilityState === "visible") wake(false);
    });
  }
  let last = Date.now();
  const timer = setInterval(() => {
    const late = Date.now() - last > 2 * LOOK;
    last = Date.now();
    // A hidden page's timers are late, too; whether the connection is silent tells the two apart.
    if (late) wake(false);
  }, LOOK);
  return () => {
    stop.abort();
    clearInterval(timer);
  };
}

/** Calls back before a page is frozen, and when it goes on. Returns how to stop. */
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
