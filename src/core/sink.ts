import type { Format } from "./message.ts";

/** Where a subscription's messages go: one socket. */
export interface Sink {
  readonly format: Format;
  /** Bytes handed over that the socket has not taken. */
  readonly pending: number;
  /** Hands over encoded messages; never waits, never throws. False where `pending` has grown enough to be looked at. */
  write(bytes: Uint8Array): boolean;
  /** Tells the reader something that is not a message; never waits, never throws. */
  signal(signal: Signal): void;
  /** Resolves once the socket has taken what it was given, or is gone. */
  drained(): Promise<void>;
  close(reason: CloseReason): void;
}

/**
 * live: replay is over · beat: nothing new, this is how far you have got; `moves` where the last id the reader was given
 * lies so far back that it should have this one · gap: something is missing, refetch.
 */
export type Signal =
  | { readonly kind: "live"; readonly id: string }
  | { readonly kind: "beat"; readonly id: string; readonly moves: boolean }
  | { readonly kind: "gap"; readonly reason: GapReason; readonly after: string; readonly resumed: string };

/** expired: dropped by retention · unknown_cursor: not a cursor of this log, so nobody can say what is missing. */
export type GapReason = "expired" | "unknown_cursor";

/** slow: did not take what it was sent · unavailable: the log could not be read · shutdown: the server stops. */
export type CloseReason = "slow" | "unavailable" | "shutdown";
