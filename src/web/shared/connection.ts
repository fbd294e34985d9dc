import { useEffect, useRef } from "preact/hooks";
import type { Hub, HubState } from "../../client/index.ts";

/** What a page says of its connection: the state of the hub, or that the network is gone. */
export type Connection = HubState | { readonly kind: "offline" };

/** Milliseconds for an answer if the browser reports no network. */
const ANSWERS_WITHIN = 3000;
/** Milliseconds between questions meanwhile: the first may be answered just before the network goes. */
const ASKS_EVERY = 2000;

/** Calls back with every state of a hub, now too, and when the network goes or comes; returns how to stop that. */
export function watchConnection(hub: Hub, changed: (connection: Connection) => void): () => void {
  let isOffline = false;
  const tell = (): void => {
    const { state } = hub;
    // What has just become live is not offline, whatever the browser says.
    if (state.kind === "live") isOffline = false;
    changed(isOffline && state.kind !== "closed" ? { kind: "offline" } : state);
  };
  const stopStates = hub.onState(tell);
  const stopOffline = onOffline((offline) => {
    isOffline = offline;
    changed(offline && hub.state.kind !== "closed" ? { kind: "offline" } : hub.state);
  });
  tell();
  return () => {
    stopStates();
    stopOffline();
  };
}

/** Runs something while the page is looked at; it returns how to end. */
export function useWhileVisible(begin: () => () => void, inputs: readonly unknown[]): void {
  const end = useRef<(() => void) | undefined>(undefined);
  useEffect(() => {
    const look = (): void => {
      if (document.hidden === (end.current === undefined)) return;
      const ended = end.current;
      end.current = document.hidden ? undefined : begin();
      ended?.();
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      end.current?.();
      end.current = undefined;
    };
  }, inputs);
}

/** Calls back with true when the network is gone, now too, and with false when it is back. */
function onOffline(changed: (isOffline: boolean) => void): () => void {
  const end = new AbortController();
  const { signal } = end;
  let asking: ReturnType<typeof setInterval> | undefined;
  const stop = (): void => {
    clearInterval(asking);
    asking = undefined;
  };
  const look = async (): Promise<void> => {
    // A server on the same machine answers without a network.
    if ((await answers()) || navigator.onLine || asking === undefined) return;
    stop();
    changed(true);
  };
  const ask = (): void => {
    stop();
    asking = setInterval(() => void look(), ASKS_EVERY);
    void look();
  };
  const back = (): void => {
    stop();
    changed(false);
  };
  addEventListener("offline", ask, { signal });
  addEventListener("online", back, { signal });
  if (!navigator.onLine) ask();
  return () => {
    stop();
    end.abort();
  };
}

async function answers(): Promise<boolean> {
  try {
    await fetch("health", { cache: "no-store", signal: AbortSignal.timeout(ANSWERS_WITHIN) });
    return true;
  } catch {
    return false;
  }
}
