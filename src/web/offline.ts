/** Milliseconds for an answer where the browser takes the network for gone. */
const ANSWERS_WITHIN = 3000;

/** Calls back with true when the network is gone, now too, and with false when it is there again. */
export function onOffline(change: (isOffline: boolean) => void): void {
  const look = async (): Promise<void> => {
    // A server on the same machine is there without a network.
    const answers = await answersNow();
    if (!answers && !navigator.onLine) change(true);
  };
  addEventListener("offline", () => void look());
  addEventListener("online", () => change(false));
  if (!navigator.onLine) void look();
}

async function answersNow(): Promise<boolean> {
  try {
    await fetch("health", { cache: "no-store", signal: AbortSignal.timeout(ANSWERS_WITHIN) });
    return true;
  } catch {
    return false;
  }
}
