/** Milliseconds for an answer where the browser takes the network for gone. */
const ANSWERS_WITHIN = 3000;
/** Milliseconds from one question to the next while the browser does: the first may be answered just before the end. */
const ASKS_EVERY = 2000;

/** Calls back with true when the network is gone, now too, and with false when it is there again. */
export function onOffline(change: (isOffline: boolean) => void): void {
  let asking: ReturnType<typeof setInterval> | undefined;
  const look = async (): Promise<void> => {
    // A server on the same machine is there without a network.
    const answers = await answersNow();
    if (answers || navigator.onLine || asking === undefined) return;
    stop();
    change(true);
  };
  const ask = (): void => {
    stop();
    asking = setInterval(() => void look(), ASKS_EVERY);
    void look();
  };
  const stop = (): void => {
    clearInterval(asking);
    asking = undefined;
  };
  addEventListener("offline", ask);
  addEventListener("online", () => {
    stop();
    change(false);
  });
  if (!navigator.onLine) ask();
}

async function answersNow(): Promise<boolean> {
  try {
    await fetch("health", { cache: "no-store", signal: AbortSignal.timeout(ANSWERS_WITHIN) });
    return true;
  } catch {
    return false;
  }
}
