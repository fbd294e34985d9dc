/**
 * What is held open: readers of `/events` and `/ws`, the stream of an MCP session, the stream that answers one request
 * of MCP (`subscriptions/listen`, `events/stream`), and a call that waits.
 */
export const OPEN_DOORS = ["sse", "websocket", "mcp", "listen", "waiting"] as const;

/** An open connection as admins see it. */
export interface OpenConnection {
  readonly id: string;
  readonly door: (typeof OPEN_DOORS)[number];
  /** Who opened it, as their messages name them. */
  readonly subject: string;
  readonly address: string;
  /** What the client calls itself. */
  readonly client: string | null;
  /** What it reads; empty if that is not known. */
  readonly channels: readonly string[];
  /** It receives messages but does not count as a reader. */
  readonly watches: boolean;
  /** ISO 8601. */
  readonly since: string;
  /** Bytes that its socket has accepted; null if it shares its connection. */
  readonly deliveredBytes: number | null;
  /** Bytes written that its socket has not accepted; null if it shares its connection. */
  readonly pendingBytes: number | null;
}
