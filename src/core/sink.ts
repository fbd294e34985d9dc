import type { Signal } from "../protocol/signal.ts";
import type { Format } from "./message.ts";

/** Writes a subscription's messages to one socket. */
export interface Sink {
  readonly format: Format;
  /** Bytes written that the socket has not accepted. */
  readonly pending: number;
  /** Writes encoded messages; never waits, never throws. False if the socket lags: then `pending` must be checked. */
  write(bytes: Uint8Array): boolean;
  /** Sends the reader a signal; never waits, never throws. */
  signal(signal: Signal): void;
  /** Resolves once the socket has accepted what was written, or is closed. */
  drained(): Promise<void>;
  close(reason: CloseReason): void;
}

/**
 * `slow`: it did not take what it was sent. `unavailable`: the log could not be read. `shutdown`: the server stops.
 * `expired`, `revoked`: its credential is no longer good. `aged`: it was open as long as a stream may be. `ended`: an
 * admin ended it.
 */
export type CloseReason = "slow" | "unavailable" | "shutdown" | "expired" | "revoked" | "aged" | "ended";
