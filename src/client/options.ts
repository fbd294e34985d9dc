import type { Headers } from "./http-client.ts";

export interface ConnectOptions {
  /** How messages come. Default: `sse`. */
  readonly transport?: "sse" | "websocket";
  /**
   * Headers of every request, or a function that is asked for them before each. Browsers send none with the handshake
   * of a WebSocket. Default: none.
   */
  readonly headers?: Headers;
  /**
   * Whether tabs of one origin share one connection: those with the same address and, if it is a text, the same
   * text. Default: true in pages that have Web Locks and BroadcastChannel, unless `headers` are given, since another
   * tab may be another person's.
   */
  readonly share?: boolean | string;
  /** Only looks on, as a dashboard does: counts neither as a receiver nor as a reader. Default: false. */
  readonly watch?: boolean;
  /** Milliseconds before the first attempt to come back. Default: what the server says with `retry:`, else 1000. */
  readonly retry?: number;
  /** Milliseconds between attempts at most. Default: 30 000. */
  readonly retryMost?: number;
  /**
   * Milliseconds without a byte after which a connection counts as dead. Default: two and a half heartbeats, which
   * are 37 500 over SSE, and over WebSocket what the server says.
   */
  readonly silence?: number;
  /** Characters that one message may have, with its fields; a longer one is told as a gap. Default: 33 554 432. */
  readonly messageMost?: number;
  /** Milliseconds a publication or a call may take, with all its attempts. Default: 60 000. */
  readonly timeout?: number;
  /** Closes the hub. */
  readonly signal?: AbortSignal;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
  /** Opens a WebSocket, in place of the global constructor; Node's own takes headers as a second argument. */
  readonly webSocket?: (url: string) => WebSocket;
  /** Reads the JSON of each message, in place of `JSON.parse`: for numbers with more digits than a double holds. */
  readonly parse?: (json: string) => unknown;
}
