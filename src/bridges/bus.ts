import type { z } from "zod";

/** What a bus carries: bytes, with names and values beside them. */
export interface BusMessage {
  /** Undefined for a tombstone: a message that has no payload at all. */
  readonly body: Uint8Array | undefined;
  /** By the names that the bus has them under, such as `ce_id`; without content type and key. */
  readonly headers: Readonly<Record<string, string>>;
  /** A media type. */
  readonly contentType?: string | undefined;
  /** What messages are ordered by, on a bus that has such a thing. */
  readonly key?: string | undefined;
}

/** A message as a bus delivered it. */
export interface Received extends BusMessage {
  /**
   * What templates may use, by the words of the bus: `topic`, `subject`, `routingKey`, `exchange`, `stream`. With an
   * argument, such as `topic:1` for `${topic:1}`, each value has a name of its own.
   */
  readonly names: Readonly<Record<string, string>>;
  /**
   * Its place on the bus, the same each time it is delivered, such as `orders/0/17` for topic, partition and offset;
   * undefined if the bus has none.
   */
  readonly position: string | undefined;
}

/** What became of a received message: `kept` by the hub, or `rejected` because it never will be. */
export type Outcome = "kept" | "rejected";

/** Messages that were received, in the order in which the hub is to have them. */
export interface Batch {
  readonly messages: readonly Received[];
  /**
   * Acknowledges them to the bus, each by its outcome; a rejected one is not to be delivered again. Called once, with an
   * outcome for each message, after the hub has kept them.
   */
  settle(outcomes: readonly Outcome[]): Promise<void>;
}

/** What one `in` rule of a bridge receives. */
export interface Source {
  /**
   * The messages of the bus, until the source is closed; throws if the connection is lost. The next batch is asked for
   * when the hub has kept the one before, and settled after that: what the driver holds meanwhile is bounded. A batch has `MAX_BATCH` messages at most,
   * and at least one.
   */
  batches(): AsyncIterable<Batch>;
  /** Messages on the bus that were not received yet; undefined if the bus cannot tell. */
  lag?(): Promise<number | undefined>;
  /** Stops receiving; what was received and not settled is delivered again later, perhaps to another node. */
  close(): Promise<void>;
}

/** A message to send, and what the templates of its rule may use. */
export interface Outgoing extends BusMessage {
  /** `channel`, `event`, `sender` and `id` of the hub's message. */
  readonly names: Readonly<Record<string, string>>;
  /** Its id at the hub: the same if it is sent again. */
  readonly id: string;
}

/** Where one `out` rule of a bridge sends. */
export interface Target {
  /**
   * Sends messages in this order. Resolves once the bus has confirmed all of them, with an error for each that the bus
   * refuses for good, such as one that is too large; rejects if the connection is lost: they are sent again then.
   */
  send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]>;
  close(): Promise<void>;
}

/** A connection to a bus. It need not come back by itself: when it is lost, the bridge connects again. */
export interface Bus<In, Out> {
  /** Rejects with a `MissingError` if what the rule names is not there. */
  source(rule: In): Promise<Source>;
  target(rule: Out): Promise<Target>;
  /**
   * Called by `bridges check`: rejects with a sentence if what the rules name is not there, and resolves with one message
   * of an `in` rule if there is one to look at, which stays on the bus.
   */
  sample(rule: In): Promise<Received | undefined>;
  /** Rejects as soon as the connection is lost, and never resolves before it is closed. */
  readonly lost: Promise<never>;
  close(): Promise<void>;
}

/** What a rule names is not there, such as a stream; the sentence says so, and what to do. */
export class MissingError extends Error {}

/** Who connects. */
export interface BusClient {
  /** The name of the bridge, and of the node: for group members and client ids. */
  readonly bridge: string;
  readonly node: string;
  /** Called with a sentence for the operator. */
  readonly report: (sentence: string) => void;
}

/** A kind of bus; `test/bridges/bridge.suite.ts` tests what every kind must do. */
export interface BusKind<Connection, In, Out> {
  /** The fields of `connection`, of an `in` rule and of an `out` rule that only this kind has; they may be refined. */
  readonly connection: z.ZodType<Connection>;
  readonly in: z.ZodObject;
  readonly out: z.ZodObject;
  /** The templates in an `out` rule, by their fields: they may use `${channel}` and so on. */
  readonly outTemplates: readonly string[];
  /**
   * What an `in` rule says to begin with all that is there, on a bus that can begin with what comes next: a bridge that has
   * looked before, and finds nothing that knows where it was, leaves none of it out.
   */
  readonly everything?: Readonly<Record<string, unknown>>;
  /** What templates of `in` rules may use besides `${key}` and `${header:NAME}`. */
  readonly names: readonly string[];
  /** What the attributes of CloudEvents are called in its headers: `ce_` for `ce_id`; the first one is used to send. */
  readonly prefixes: readonly string[];
  /** Whether only one node may receive at a time; the bus itself shares the work, in order, among all if not. */
  isExclusive(rule: In): boolean;
  /** Loads the driver and connects; rejects with a sentence. Everything it waits for ends within 10 seconds. */
  connect(connection: Connection, client: BusClient): Promise<Bus<In, Out>>;
}

/** Messages of one batch at most. */
export const MAX_BATCH = 256;
/** Messages that a driver may hold that are not settled, by default. */
export const PREFETCH = 1000;
/** Bytes that a driver may hold that are not settled, where it can be told so. */
export const MAX_HELD: number = 8 * 1024 * 1024;
/** Milliseconds that connecting may take. */
export const CONNECT_TIMEOUT = 10_000;
