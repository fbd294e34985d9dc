import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { setImmediate as turn } from "node:timers/promises";
import { MAX_BATCH, PREFETCH, type Batch, type Outgoing, type Received, type Source, type Target } from "../../bus.ts";
import type { NatsClient } from "./client.ts";
import { addHeaders, headersOf, heldBytesOf } from "./headers.ts";
import { Inbox } from "../../inbox.ts";
import { isTemplate } from "../../template.ts";
import { subjectFor } from "./subject.ts";

interface CoreOptions {
  readonly subjects: readonly string[];
  readonly queue: string | undefined;
  readonly report: (sentence: string) => void;
}

/** The messages of core NATS, which delivers each at most once. */
export class CoreSource implements Source {
  readonly #connection: NatsConnection;
  readonly #inbox: Inbox<Msg> = new Inbox<Msg>(heldBytesOf);
  readonly #subscriptions: readonly Subscription[];
  readonly #report: (sentence: string) => void;
  #dropped = 0;
  #refusal: Error | undefined;

  constructor(connection: NatsConnection, { subjects, queue, report }: CoreOptions) {
    this.#connection = connection;
    this.#report = report;
    this.#subscriptions = subjects.map((subject) =>
      connection.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        callback: (error, message) => (error === null ? this.#take(message) : this.#fail(error)),
      }),
    );
  }

  /** Subscribes; rejects if the server does not allow it. */
  static async open(connection: NatsConnection, options: CoreOptions): Promise<CoreSource> {
    const source = new CoreSource(connection, options);
    // The server sends a refusal before it answers the flush.
    await connection.flush();
    if (source.#refusal !== undefined) throw source.#refusal;
    return source;
  }

  async *batches(): AsyncGenerator<Batch> {
    for (;;) {
      const messages = await this.#inbox.take(MAX_BATCH);
      if (messages.length === 0) return;
      this.#reportDropped();
      yield { messages: messages.map(receivedFrom), settle: () => Promise.resolve() };
    }
  }

  close(): Promise<void> {
    for (const subscription of this.#subscriptions) if (!this.#connection.isClosed()) subscription.unsubscribe();
    this.#inbox.close();
    return Promise.resolve();
  }

  // Core NATS has no flow control: what the hub cannot take in time is dropped, and the operator is told.
  #take(message: Msg): void {
    if (this.#inbox.size < PREFETCH && !this.#inbox.isHeavy) this.#inbox.add(message);
    else if (this.#dropped++ === 0) this.#report("Core NATS sends faster than messages are kept; some are dropped");
  }

  #fail(error: Error): void {
    this.#refusal ??= error;
    this.#inbox.fail(error);
  }

  #reportDropped(): void {
    if (this.#dropped === 0 || this.#inbox.size > PREFETCH / 2) return;
    this.#report(`Core NATS sent faster than messages were kept; ${this.#dropped} were dropped`);
    this.#dropped = 0;
  }
}

/** Publishes without a stream: confirmed when the server has a message, whether anyone receives it or not. */
export class CoreTarget implements Target {
  readonly #nats: NatsClient;
  readonly #subject: string;

  constructor(nats: NatsClient, subject: string) {
    this.#nats = nats;
    this.#subject = subject;
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    const { connection, refused } = this.#nats;
    // The subject of each that was written, or why it was not.
    const subjects = messages.map((message) => this.#publish(message));
    // The server sends refusals before it answers the flush, and the driver passes them on in the same turn.
    await connection.flush();
    await turn();
    const results = subjects.map((subject) => (typeof subject === "string" ? refused.get(subject) : subject));
    // If all messages have one subject, they wait until it is allowed.
    const refusal = isTemplate(this.#subject) ? undefined : refused.get(this.#subject);
    for (const subject of subjects) if (typeof subject === "string") refused.delete(subject);
    if (refusal !== undefined) throw refusal;
    return results;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #publish(message: Outgoing): string | Error {
    const { connection, driver } = this.#nats;
    try {
      const subject = subjectFor(this.#subject, message);
      const headers = driver.core.headers();
      addHeaders(message, headers);
      connection.publish(subject, message.body, { headers });
      return subject;
    } catch (error) {
      if (connection.isClosed()) throw error;
      return error as Error;
    }
  }
}

function receivedFrom(message: Msg): Received {
  return {
    body: message.data,
    ...headersOf(message.headers),
    names: { subject: message.subject },
    position: undefined,
  };
}
