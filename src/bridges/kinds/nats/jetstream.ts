import type { ConsumerInfo, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import { setImmediate as turn } from "node:timers/promises";
import {
  MAX_BATCH,
  type Batch,
  type Outcome,
  type Outgoing,
  type Received,
  type Source,
  type Target,
} from "../../bus.ts";
import type { NatsClient } from "./client.ts";
import { addHeaders, headersOf, heldBytesOf } from "./headers.ts";
import { Inbox } from "../../inbox.ts";
import { NOT_ENABLED, type ConsumerOptions, type Streams } from "./streams.ts";
import { isTemplate } from "../../template.ts";
import { subjectFor } from "./subject.ts";

const NANOS_PER_MILLISECOND = 1e6;
/** How often within its `ackWait` a message that is held here is marked as in progress. */
const PROGRESS_PER_WAIT = 3;
/** Messages that the driver asks for before it has passed on the first of them. */
const MAX_PULLED = 256;
/** Errors that the same message always meets: it or its headers are too large. */
const REFUSALS: readonly number[] = [10_054, 10_097];
/** "expected stream does not match". */
const OF_ANOTHER_STREAM = 10_060;

/** The messages of a durable consumer, in the order of the stream if no one else receives from it. */
export class JetStreamSource implements Source {
  readonly #streams: Streams;
  readonly #info: ConsumerInfo;
  readonly #inbox: Inbox<JsMsg> = new Inbox<JsMsg>(heldBytesOf);
  /** Messages that were received and are not settled, in order. */
  readonly #held: Set<JsMsg> = new Set();
  /** How many messages an earlier receiver left unacknowledged that have not been delivered again yet. */
  #unacknowledged = 0;
  /** Newer messages, held back until those have arrived. */
  #newer: JsMsg[] = [];
  #consuming: ConsumerMessages | undefined;
  #timers: NodeJS.Timeout[] = [];
  #isClosed = false;

  private constructor(streams: Streams, info: ConsumerInfo) {
    this.#streams = streams;
    this.#info = info;
  }

  /** Starts to receive. If order is kept, what an earlier receiver left unacknowledged comes first. */
  static async open(streams: Streams, options: ConsumerOptions): Promise<JetStreamSource> {
    const info = await streams.consumer(options);
    const source = new JetStreamSource(streams, info);
    if (options.order && info.num_ack_pending > 0 && !(await streams.rewind(info))) {
      source.#unacknowledged = info.num_ack_pending;
    }
    await source.#start();
    return source;
  }

  async *batches(): AsyncGenerator<Batch> {
    for (;;) {
      await this.#inbox.whenAny();
      // The driver passes on one message at a time: those that came with the first one are here a turn later.
      await turn();
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
    // So that another node gets them at once, and not only after `ackWait`.
    if (!this.#streams.isClosed) for (const message of this.#held) message.nak();
  }

  async #start(): Promise<void> {
    const { ack_wait: wait = 0, max_ack_pending: most = 1 } = this.#info.config;
    const milliseconds = wait / NANOS_PER_MILLISECOND;
    const consumer = this.#streams.client.consumers.getConsumerFromInfo(this.#info);
    const consuming = await consumer.consume({
      max_messages: Math.min(most, MAX_PULLED),
      abort_on_missing_resource: true,
    });
    this.#consuming = consuming;
    void this.#receive(consuming);
    const progress = setInterval(() => this.#markInProgress(), milliseconds / PROGRESS_PER_WAIT);
    // Messages that were deleted meanwhile never arrive, and must not hold back the rest for longer.
    const release = setTimeout(() => this.#release(), 2 * milliseconds);
    this.#timers = [progress.unref(), release.unref()];
  }

  /** Takes messages while there is room for them: the driver asks the server for more as they are taken. */
  async #receive(messages: ConsumerMessages): Promise<void> {
    try {
      for await (const message of messages) {
        this.#take(message);
        if (this.#inbox.isHeavy) await this.#inbox.whenRoom(Infinity);
      }
      this.#fail(new Error("it ended"));
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #take(message: JsMsg): void {
    this.#held.add(message);
    if (this.#unacknowledged === 0) {
      this.#inbox.add(message);
      return;
    }
    if (message.seq > this.#info.delivered.stream_seq) {
      this.#newer.push(message);
      return;
    }
    this.#inbox.add(message);
    if (--this.#unacknowledged === 0) this.#release();
  }

  #release(): void {
    this.#unacknowledged = 0;
    for (const message of this.#newer) this.#inbox.add(message);
    this.#newer = [];
  }

  #settle(messages: readonly JsMsg[], outcomes: readonly Outcome[]): void {
    for (const [index, message] of messages.entries()) {
      if (outcomes[index] === "done") message.ack();
      else message.term("the bridge cannot use it");
      this.#held.delete(message);
    }
  }

  #fail(error: Error): void {
    if (!this.#isClosed) this.#inbox.fail(this.#streams.failure(`consumer ${this.#info.name}`, error));
  }

  #markInProgress(): void {
    if (!this.#streams.isClosed) for (const message of this.#held) message.working();
  }
}

/** Publishes to a stream, which confirms each message, and drops duplicates by their `Nats-Msg-Id`. */
export class JetStreamTarget implements Target {
  readonly #nats: NatsClient;
  readonly #streams: Streams;
  readonly #stream: string;
  readonly #subject: string;

  constructor(
    nats: NatsClient,
    streams: Streams,
    { stream, subject }: { readonly stream: string; readonly subject: string },
  ) {
    this.#nats = nats;
    this.#streams = streams;
    this.#stream = stream;
    this.#subject = subject;
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    // All are written in this turn, so the stream gets them in order.
    const results = await Promise.allSettled(messages.map((message) => this.#publish(message)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return results.map((result) => (result.status === "fulfilled" ? result.value : undefined));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Whether the server does not let this connection publish on a subject, or another stream has it, or none. */
  async #isForbidden(subject: string, error: unknown): Promise<boolean> {
    const { driver, refused } = this.#nats;
    if (refused.delete(subject)) return true;
    if (error instanceof driver.jetstream.JetStreamApiError) return error.code === OF_ANOTHER_STREAM;
    // It says so if no one answers, which may be because no stream has the subject.
    return (error as Error).name === NOT_ENABLED && !(await this.#streams.takes(this.#stream, subject));
  }

  async #publish(message: Outgoing): Promise<Error | undefined> {
    const { core, jetstream } = this.#nats.driver;
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
        // With the subject, since two rules may send the same message to one stream, which must keep both.
        msgID: `${message.id}/${subject}`,
        expect: { streamName: this.#stream },
      });
      return undefined;
    } catch (error) {
      if (error instanceof core.InvalidArgumentError) return error;
      if (error instanceof jetstream.JetStreamApiError && REFUSALS.includes(error.code)) return error;
      // If messages name their subjects, one that may not be used must not hold up the others.
      if (isTemplate(this.#subject) && (await this.#isForbidden(subject, error)))
        return new Error(`stream ${this.#stream} takes nothing on ${subject} from this bridge`, { cause: error });
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
    // Sequences restart at 1 in a stream that is created again; the time tells its messages from those of the former one.
    position: `${stream}/${streamSequence}/${Math.floor(timestampNanos / NANOS_PER_MILLISECOND)}`,
  };
}
