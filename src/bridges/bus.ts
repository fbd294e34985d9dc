import type { z } from "zod";

/** What a bus carries: a payload of bytes, and headers. */
export interface BusMessage {
  /** Undefined for a tombstone, a message without a payload. */
  readonly body: Uint8Array | undefined;
  /** By their names on the bus, such as `ce_id`; without the content type and the key. */
  readonly headers: Readonly<Record<string, string>>;
  /** A media type. */
  readonly contentType?: string | undefined;
  /** Messages with the same key stay in order, on a bus that has keys. */
  readonly key?: string | undefined;
}

/** A message as a bus delivered it. */
export interface Received extends BusMessage {
  /**
   * The values of placeholders, in the terms of the bus: `topic`, `subject`, `routingKey`, `exchange`, `stream`. One with
   * an argument, such as `${topic:1}`, has a name of its own: `topic:1`.
   */
  readonly names: Readonly<Record<string, string>>;
  /**
   * Its position on the bus, the same each time it is delivered, such as `orders/0/17` for topic, partition and offset;
   * undefined if the bus has no positions.
   */
  readonly position: string | undefined;
}

/**
 * What the bus is told of a received message: it is `done`, kept by the hub or nothing to keep, or `rejected` because the
 * hub can never accept it.
 */
export type Outcome = "done" | "rejected";

/** Received messages, in the order in which the hub is to publish them. */
export interface Batch {
  readonly messages: readonly Received[];
  /**
   * Acknowledges to the bus those that are done and rejects the others, which must not be delivered again. Called once,
   * with an outcome for each message.
   */
  settle(outcomes: readonly Outcome[]): Promise<void>;
}

/** What one `in` rule of a bridge receives. */
export interface Source {
  /**
   * The messages of the bus, until the source is closed; throws if the connection is lost. The next batch is asked for
   * once the hub has kept this one, which may not be settled yet: what the driver holds meanwhile is bounded. A batch has
   * one message at least, and `MAX_BATCH` at most.
   */
  batches(): AsyncIterable<Batch>;
  /** Messages that wait on the bus; undefined if the bus cannot tell. */
  lag?(): Promise<number | undefined>;
  /** Stops receiving; what was received and not settled is delivered again later, perhaps to another node. */
  close(): Promise<void>;
}

/** A message to send, and the values of placeholders. */
export interface Outgoing extends BusMessage {
  /** `channel`, `event`, `sender` and `id` of the message. */
  readonly names: Readonly<Record<string, string>>;
  /** Its id at the hub: the same if it is sent again. */
  readonly id: string;
}

/** The connection was lost while messages were sent, and the bus had refused some of them for good before that. */
export class PartlyRefusedError extends Error {
  /** For each message that was to be sent, why it was refused; undefined for those to send again. */
  readonly refusals: readonly (Error | undefined)[];

  constructor(sentence: string, refusals: readonly (Error | undefined)[], options?: ErrorOptions) {
    super(sentence, options);
    this.refusals = refusals;
  }
}

/** Where one `out` rule of a bridge sends. */
export interface Target {
  /**
   * Sends messages in this order. Resolves once the bus has confirmed all of them, with an error for each that the bus
   * refuses for good, such as one that is too large; rejects if the connection is lost: they are sent again then, but for
   * those that a `PartlyRefusedError` names.
   */
  send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]>;
  close(): Promise<void>;
}

/** A connection to a bus. It does not reconnect by itself: when it is lost, the bridge makes a new one. */
export interface Bus<In, Out> {
  /** Rejects with a `MissingError` if the stream, topic or queue of the rule does not exist. */
  source(rule: In): Promise<Source>;
  target(rule: Out): Promise<Target>;
  /**
   * For `bridges check`: resolves with one message of an `in` rule, if there is one, and leaves it on the bus. Rejects with
   * a sentence if the stream, topic or queue of the rule does not exist.
   */
  sample(rule: In): Promise<Received | undefined>;
  /** Rejects as soon as the connection is lost, and never resolves before it is closed. */
  readonly lost: Promise<never>;
  close(): Promise<void>;
}

/** A stream, topic or queue does not exist; the sentence says so, and what to do. */
export class MissingError extends Error {}

/** Who connects, for group members, client ids and the like. */
export interface BusClient {
  /** The name of the bridge. */
  readonly bridge: string;
  /** The id of the node. */
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
  /** The field of an `out` rule that says where messages go: it may use `${channel}` and so on. */
  readonly destination: string;
  /** Other fields of an `out` rule that may. */
  readonly outTemplates?: readonly string[];
  /**
   * Fields of an `in` rule that make it begin with the oldest message, if the bus has no position for it; absent for a bus
   * that only has new messages.
   */
  readonly fromBeginning?: Readonly<Record<string, unknown>>;
  /** The placeholders of `in` rules besides `${key}`, `${header:NAME}` and `${ce:NAME}`. */
  readonly names: readonly string[];
  /** The prefixes of headers with attributes of CloudEvents, such as `ce_` of `ce_id`; the first one is used to send. */
  readonly prefixes: readonly string[];
  /** Whether only one node may receive at a time; otherwise all do, and the bus shares the messages among them. */
  isExclusive(rule: In): boolean;
  /**
   * Loads the driver and connects; rejects with an `Error` for the operator. Everything it waits for ends within 10
   * seconds.
   */
  connect(connection: Connection, client: BusClient): Promise<Bus<In, Out>>;
}

/** Messages of one batch at most. */
export const MAX_BATCH = 256;
/** Unsettled messages that a driver may hold, by default. */
export const PREFETCH = 1000;
/** Bytes that a driver may have fetched ahead and not yet handed out. */
export const MAX_HELD: number = 8 * 1024 * 1024;
/** Milliseconds that connecting may take. */
export const CONNECT_TIMEOUT = 10_000;
