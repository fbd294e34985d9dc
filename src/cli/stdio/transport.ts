import { StreamableHTTPClientTransport, type StreamableHTTPClientTransportOptions } from "@modelcontextprotocol/client";
import type { HubEndpoint } from "./hub-endpoint.ts";

const FIRST_DELAY = 250;
const MAX_DELAY = 5000;
const MAX_RETRY_AFTER = 60_000;
/** Milliseconds without a failure after which the next one is a first one. */
const RESET_AFTER = 15_000;
/** Times to ask for the rest of an answer. */
const MAX_RESUMES = 8;

/** What the hub said of a session when it opened it. */
export interface SessionState {
  /** Undefined if the hub keeps none. */
  readonly id?: string | undefined;
  readonly protocolVersion?: string | undefined;
}

type Handlers = Pick<StreamableHTTPClientTransport, "onmessage" | "onerror" | "onclose">;

/** Opens a transport of the SDK to the hub, which is closed by `signal` or at the end of its scope. */
export async function openTransport(
  hub: HubEndpoint,
  { id, protocolVersion }: SessionState,
  signal: AbortSignal,
  { onmessage, onerror, onclose, ...options }: StreamableHTTPClientTransportOptions & Handlers = {},
): Promise<StreamableHTTPClientTransport & AsyncDisposable> {
  const transport = new StreamableHTTPClientTransport(hub.url, {
    fetch: hub.fetch,
    ...(id === undefined ? {} : { sessionId: id }),
    ...(protocolVersion === undefined ? {} : { protocolVersion }),
    // It names the milliseconds that the hub asks for, and `Backoff` adds the rest.
    reconnectionOptions: {
      maxRetries: MAX_RESUMES,
      initialReconnectionDelay: 0,
      maxReconnectionDelay: 0,
      reconnectionDelayGrowFactor: 1,
    },
    ...options,
  });
  const close = (): void => void transport.close();
  const onClose = (): void => {
    signal.removeEventListener("abort", close);
    onclose?.();
  };
  signal.addEventListener("abort", close);
  await transport.start();
  if (signal.aborted) close();
  return Object.assign(transport, {
    onmessage,
    onerror,
    onclose: onClose,
    [Symbol.asyncDispose]: () => transport.close(),
  });
}

/** How long to wait before an attempt: longer each time, and not the same for every client. */
export class Backoff {
  #times = 0;
  #due = -Infinity;

  /** Milliseconds to wait now, `least` at least. */
  next(least = 0): number {
    if (performance.now() - this.#due > RESET_AFTER) this.#times = 0;
    const most = Math.min(FIRST_DELAY * 2 ** this.#times++, MAX_DELAY);
    const wait = Math.min(least, MAX_RETRY_AFTER) + most * (0.5 + Math.random() / 2);
    this.#due = performance.now() + wait;
    return wait;
  }
}
