import type { Channel, ConsumeMessage, GetMessage } from "amqplib";
import { MAX_BATCH, type Batch, type Outcome, type Received, type Source } from "../../bus.ts";
import { heldBytes } from "../../held-bytes.ts";
import { Inbox } from "../../inbox.ts";
import { brokerMessage, closeChannel } from "./channel.ts";
import type { Reading } from "./reading.ts";
import type { AmqpIn } from "./rules.ts";

/** The messages of one queue, on a channel of their own. */
export class AmqpSource implements Source {
  readonly #channel: Channel;
  readonly #reading: Reading;
  readonly #rule: AmqpIn;
  readonly #inbox: Inbox<ConsumeMessage> = new Inbox(({ content, fields, properties }) =>
    heldBytes(content.length + fields.routingKey.length, 0, properties),
  );
  #isPaused = false;

  private constructor(channel: Channel, reading: Reading, rule: AmqpIn) {
    this.#channel = channel;
    this.#reading = reading;
    this.#rule = rule;
  }

  static async open(
    channel: Channel,
    reading: Reading,
    rule: AmqpIn,
    fail: (error: Error) => void,
    lost: Promise<never>,
  ): Promise<AmqpSource> {
    const source = new AmqpSource(channel, reading, rule);
    lost.catch((error: Error) => source.#inbox.fail(error));
    channel.on("error", (error: Error) => fail(new Error(brokerMessage(error), { cause: error })));
    await channel.prefetch(rule.prefetch);
    await channel.consume(rule.queue, (message) => {
      if (message === null) fail(new Error(`the broker ended the consumer: queue ${rule.queue} was deleted or moved`));
      else source.#take(message);
    });
    return source;
  }

  async *batches(): AsyncGenerator<Batch> {
    for (;;) {
      const taken = await this.#inbox.take(MAX_BATCH);
      if (taken.length === 0) return;
      yield {
        messages: taken.map((message) => receivedOf(message, this.#rule)),
        settle: async (outcomes) => this.#settle(taken, outcomes),
      };
    }
  }

  /** Messages in the queue, and those that were delivered and still wait here. */
  async lag(): Promise<number> {
    const { messageCount } = await this.#channel.checkQueue(this.#rule.queue);
    return messageCount + this.#inbox.size;
  }

  async close(): Promise<void> {
    this.#inbox.close();
    await closeChannel(this.#channel);
  }

  #take(message: ConsumeMessage): void {
    this.#inbox.add(message);
    if (this.#inbox.isHeavy && !this.#isPaused) void this.#pause();
  }

  /** Reads nothing until there is room: the broker bounds by number only what is not acknowledged yet. */
  async #pause(): Promise<void> {
    this.#isPaused = true;
    const resume = this.#reading.pause();
    await this.#inbox.whenRoom(Infinity);
    resume();
    this.#isPaused = false;
  }

  /** One acknowledgement covers a run of kept messages; a rejected one goes to the dead-letter exchange of the queue. */
  #settle(messages: readonly ConsumeMessage[], outcomes: readonly Outcome[]): void {
    for (const [index, message] of messages.entries()) {
      if (outcomes[index] === "rejected") this.#channel.nack(message, false, false);
      else if (index + 1 === messages.length || outcomes[index + 1] !== "done") this.#channel.ack(message, true);
    }
  }
}

export function receivedOf(message: ConsumeMessage | GetMessage, rule: AmqpIn): Received {
  const { content, fields, properties } = message;
  const headers = headersOf(properties.headers ?? {});
  const contentType: unknown = properties.contentType;
  return {
    body: content,
    headers,
    contentType: typeof contentType === "string" ? contentType : undefined,
    names: {
      queue: rule.queue,
      exchange: fields.exchange,
      routingKey: fields.routingKey,
      ...(typeof properties.type === "string" ? { type: properties.type } : {}),
    },
    position: positionOf(properties.messageId, headers, contentType, rule),
  };
}

/** Its `message-id`, unless it is a CloudEvent: the source and id of that are unique where a `message-id` may not be. */
function positionOf(id: unknown, headers: Received["headers"], contentType: unknown, rule: AmqpIn): string | undefined {
  if (!rule.messageId || typeof id !== "string" || id === "") return undefined;
  const isEvent =
    Object.keys(headers).some((header) => /^cloudEvents[_:]id$/.test(header)) ||
    (typeof contentType === "string" && contentType.startsWith("application/cloudevents"));
  return isEvent ? undefined : id;
}

function headersOf(table: Readonly<Record<string, unknown>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [header, value] of Object.entries(table)) {
    const text = textOf(value);
    if (text !== undefined) headers[header] = text;
  }
  return headers;
}

/** A value of a headers table as text; undefined for tables and arrays, such as `x-death`. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (Buffer.isBuffer(value)) return value.toString();
  // How amqplib represents a timestamp, in seconds.
  const { "!": kind, value: seconds } = (value ?? {}) as { "!"?: unknown; value?: unknown };
  return kind === "timestamp" ? new Date(Number(seconds) * 1000).toISOString() : undefined;
}
