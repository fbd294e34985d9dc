import type { Signal } from "../protocol/signal.ts";
import type { Format } from "./message.ts";

/** Where a subscription's messages go: one socket. */
export interface Sink {
  readonly format: Format;
  /** Bytes handed over that the socket has not taken. */
  readonly pending: number;
  /** Hands over encoded messages; never waits, never throws. False if `pending` has grown enough to be looked at. */
  write(bytes: Uint8Array): boolean;
  /** Tells the reader something that is not a message; never waits, never throws. */
  signal(signal: Signal): void;
  /** Resolves once the socket has taken what it was given, or is gone. */
  drained(): Promise<void>;
  close(reason: CloseReason): void;
}

/** `slow`: did not take what it was sent. `unavailable`: the log could not be read. `shutdown`: the server stops. */
export type CloseReason = "slow" | "unavailable" | "shutdown";
