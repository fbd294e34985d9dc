import type { ConsumerInfo, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import {
  MAX_BATCH,
  type Batch,
  type Outcome,
  type Outgoing,
  type Received,
  type Source,
  type Target,
} from "../../bus.ts";
import type { Link } from "./connection.ts";
import { addHeaders, headersOf } from "./headers.ts";
import { Inbox } from "../../inbox.ts";
import type { ConsumerOptions, Streams } from "./streams.ts";
import { subjectFor } from "./subject.ts";

const NANOS_PER_MILLISECOND = 1e6;
/** A message is said to be worked on this often while it may take before it is delivered again. */
const SIGNS_PER_WAIT = 3;
/** Errors that the same message always meets: it is too large, or its headers are. */
const FOR_GOOD: readonly number[] = [10_054, 10_097];

/** What a durable consumer delivers, in the order of the stream if no one else receives from it. */
export class JetStreamSource implements Source {
  readonly #streams: Streams;
  readonly #info: ConsumerInfo;
  readonly #inbox: Inbox<JsMsg> = new Inbox();
  /** What was received and is not settled, in order. */
  readonly #held: Set<JsMsg> = new Set();
  /** Messages that an earlier receiver did not acknowledge, and that were not delivered again yet. */
  #missing = 0;
  /** What is newer than those, which they must not be overtaken by. */
  #newer: JsMsg[] = [];
  #consuming: ConsumerMessages | undefined;
  #timers: NodeJS.Timeout[] = [];
  #isClosed = false;

  private constructor(streams: Streams, info: ConsumerInfo) {
    this.#streams = streams;
    this.#info = info;
  }

  /** Starts to receive; what an earlier receiver left comes first if the order is to be kept. */
  static async open(streams: Streams, options: ConsumerOptions): Promise<JetStreamSource> {
    const info = await streams.consumer(options);
    const source = new JetStreamSource(streams, info);
    if (options.order && info.num_ack_pending > 0 && !(await streams.rewind(info))) {
      source.#missing = info.num_ack_pending;
    }
    await source.#start();
    return source;
  }

  async *batches(): AsyncGenerator<Batch> {
    for (;;) {
      const messages = await this.#inbox.take(MAX_BATCH);
      if (messages.length === 0) return;
      yield {
        messages: messages.map(receivedFrom),
        settle: (outcomes) => Promise.resolve(this.#settle(messages, outcomes)),
      };
    }
  }

  lag(): Promise<number> {
    return this.#streams.pending(this.#info.stream_name, this.#info.name);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#inbox.close();
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#consuming?.close();
    // Another node gets them at once instead of after the time that this one had.
    if (!this.#streams.isClosed) for (const message of this.#held) message.nak();
  }

  async #start(): Promise<void> {
    const { ack_wait: wait = 0, max_ack_pending: most = 1 } = this.#info.config;
    const milliseconds = wait / NANOS_PER_MILLISECOND;
    const consumer = this.#streams.client.consumers.getConsumerFromInfo(this.#info);
    const consuming = await consumer.consume({
      max_messages: most,
      abort_on_missing_resource: true,
      callback: (message) => this.#take(message),
    });
    this.#consuming = consuming;
    void consuming.closed().then((error) => this.#fail(error ?? new Error("it ended")));
    const signs = setInterval(() => this.#workOn(), milliseconds / SIGNS_PER_WAIT);
    // What never comes again, because it was deleted, must not hold up the rest.
    const release = setTimeout(() => this.#release(), 2 * milliseconds);
    this.#timers = [signs.unref(), release.unref()];
  }

  #take(message: JsMsg): void {
    this.#held.add(message);
    if (this.#missing === 0) {
      this.#inbox.add(message);
      return;
    }
    if (message.seq > this.#info.delivered.stream_seq) {
      this.#newer.push(message);
      return;
    }
    this.#inbox.add(message);
    if (--this.#missing === 0) this.#release();
  }

  #release(): void {
    this.#missing = 0;
    for (const message of this.#newer) this.#inbox.add(message);
    this.#newer = [];
  }

  #settle(messages: readonly JsMsg[], outcomes: readonly Outcome[]): void {
    for (const [index, message] of messages.entries()) {
      if (outcomes[index] === "kept") message.ack();
      else message.term("the bridge cannot use it");
      this.#held.delete(message);
    }
  }

  #fail(error: Error): void {
    if (!this.#isClosed) this.#inbox.fail(this.#streams.failure(`consumer ${this.#info.name}`, error));
  }

  #workOn(): void {
    if (!this.#streams.isClosed) for (const message of this.#held) message.working();
  }
}

/** Sends to a stream, which confirms each message, and drops those that it has already. */
export class JetStreamTarget implements Target {
  readonly #link: Link;
  readonly #streams: Streams;
  readonly #stream: string;
  readonly #subject: string;

  constructor(
    link: Link,
    streams: Streams,
    { stream, subject }: { readonly stream: string; readonly subject: string },
  ) {
    this.#link = link;
    this.#streams = streams;
    this.#stream = stream;
    this.#subject = subject;
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    // All are written in this turn, in their order, and the stream takes them in that order.
    const results = await Promise.allSettled(messages.map((message) => this.#publish(message)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return results.map((result) => (result.status === "fulfilled" ? result.value : undefined));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #publish(message: Outgoing): Promise<Error | undefined> {
    const { core, jetstream } = this.#link.driver;
    let subject: string;
    const headers = core.headers();
    try {
      subject = subjectFor(this.#subject, message);
      addHeaders(message, headers);
    } catch (error) {
      return error as Error;
    }
    try {
      await this.#streams.client.publish(subject, message.body, {
        headers,
        // Two rules may send one message to one stream, which would drop the second of them by its id alone.
        msgID: `${message.id}/${subject}`,
        expect: { streamName: this.#stream },
      });
      return undefined;
    } catch (error) {
      if (error instanceof core.InvalidArgumentError) return error;
      if (error instanceof jetstream.JetStreamApiError && FOR_GOOD.includes(error.code)) return error;
      throw this.#streams.failure(`a message on ${subject} for stream ${this.#stream}`, error);
    }
  }
}

function receivedFrom(message: JsMsg): Received {
  const { stream, streamSequence, timestampNanos } = message.info;
  return {
    body: message.data,
    ...headersOf(message.headers),
    names: { subject: message.subject, stream },
    // A stream that is made again counts from 1 again: the time tells its messages from those of the old one.
    position: `${stream}/${streamSequence}/${Math.floor(timestampNanos / NANOS_PER_MILLISECOND)}`,
  };
}
