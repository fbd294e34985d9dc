import type { BusMessage } from "../../../src/bridges/bus.ts";

/** A real server of a bus, and a client of it that is not a bridge, for the tests of all kinds. */
export interface BusServer extends AsyncDisposable {
  /** As in the configuration of a bridge. */
  readonly kind: string;
  readonly connection: unknown;
  /** The port that `connection` names, for tests that put a TCP proxy before it: then `connectionAt` names the proxy. */
  readonly port: number;
  connectionAt(port: number): unknown;
  /** Makes the queue, topic or stream that a test uses; `place` is a word of lower-case letters and digits. */
  declare(place: string): Promise<void>;
  /** The fields of an `in` rule that receives from a place, and of an `out` rule that sends to it. */
  incoming(place: string): Readonly<Record<string, unknown>>;
  outgoing(place: string): Readonly<Record<string, unknown>>;
  /** Sends messages to a place in order, as another program would; resolves when the bus has them. */
  send(place: string, messages: readonly BusMessage[]): Promise<void>;
  /** Receives what others send to a place from now on. */
  receive(place: string): Promise<Receiver>;
  /** Messages of a place that no bridge has acknowledged yet; undefined if the bus cannot tell. */
  waiting(place: string): Promise<number | undefined>;
  /** Kills the server; `start` starts it again with its data and port. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** What a receiver was given so far. */
export interface Receiver extends AsyncDisposable {
  readonly messages: readonly BusMessage[];
}
