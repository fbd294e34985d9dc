import type { MessageToProduce, Producer } from "@platformatic/kafka";
import type { Outgoing, Target } from "../../bus.ts";
import { isTemplate, render } from "../../template.ts";
import { type EndpointOptions, isUnknownTopic, rootCause } from "./driver.ts";
import { type KafkaOut, TOPIC } from "./rules.ts";

/** Bytes of one request; a broker refuses a request larger than its limit (1 MiB by default) as a whole. */
const REQUEST_BYTES = 512 * 1024;
/** Milliseconds after which a topic that did not exist is looked up again. */
const MISSING_AGE = 10_000;
/** Topics that are remembered as known, or as missing. */
const MAX_TOPICS = 10_000;
/** Errors that the same message always meets; after any other, the broker may accept it next time. */
const REFUSALS = [
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_TOPIC_EXCEPTION",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
  "POLICY_VIOLATION",
];

/** What a broker answers to a client that may not write a topic. */
const FORBIDDEN = "TOPIC_AUTHORIZATION_FAILED";

export interface TargetOptions extends EndpointOptions<KafkaOut> {
  /** Creates a topic. */
  readonly declare: (topic: string) => Promise<void>;
}

interface Request {
  readonly index: number;
  readonly message: MessageToProduce;
}

/** Sends to topics; a message is confirmed once all in-sync replicas have it. */
export class KafkaTarget implements Target {
  readonly #options: TargetOptions;
  readonly #producer: Producer;
  /** Topics that could not be used, when that was, and why. */
  readonly #missing = new Map<string, { readonly since: number; readonly why: string }>();
  readonly #known = new Set<string>();
  #loss: Error | undefined;
  /** Rejects the request that waits for its confirmation. */
  #interrupt: (error: Error) => void = () => {};

  constructor(options: TargetOptions) {
    this.#options = options;
    this.#producer = new options.driver.Producer({
      ...options.options,
      // The broker keeps a message once, even if the driver sends it again after a lost answer.
      idempotent: true,
      acks: options.driver.ProduceAcks.ALL,
      // The default of the driver sends half of all keys to other partitions than Java clients do.
      partitioner: options.driver.compatibilityPartitioner,
    });
    options.watch(this.#producer);
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    const results: (Error | undefined)[] = Array.from(messages, () => undefined);
    let request: Request[] = [];
    let size = 0;
    const flush = async () => {
      const sent = request;
      request = [];
      size = 0;
      if (sent.length > 0) await this.#produce(sent, results);
    };
    for (const [index, outgoing] of messages.entries()) {
      const made = this.#message(outgoing);
      const message = made instanceof Promise ? await made : made;
      if (message instanceof Error) {
        results[index] = message;
        continue;
      }
      const bytes = sizeOf(message);
      if (size + bytes > REQUEST_BYTES) await flush();
      request.push({ index, message });
      size += bytes;
    }
    await flush();
    return results;
  }

  /** Rejects what waits for a confirmation. */
  fail(error: Error): void {
    this.#loss ??= error;
    this.#interrupt(error);
  }

  async close(): Promise<void> {
    await this.#producer.close().catch(() => {});
  }

  async #produce(sent: readonly Request[], results: (Error | undefined)[]): Promise<void> {
    try {
      await this.#confirmed(this.#producer.send({ messages: sent.map(({ message }) => message) }));
    } catch (error) {
      if (!this.#isRefusal(error as Error)) throw error;
      if (sent.length === 1) {
        results[sent[0]!.index] = new Error(`Kafka refused it: ${rootCause(error)}`, { cause: error });
        return;
      }
      // The broker does not say which one it refused. Those for other partitions may have been kept, and are sent again.
      for (const one of sent) await this.#produce([one], results);
    }
  }

  /** Resolves once the brokers have confirmed a request; rejects if the connection is lost before. */
  async #confirmed(sending: Promise<unknown>): Promise<void> {
    // One promise for all requests would keep something of each that it was ever raced with.
    const { promise, reject } = Promise.withResolvers<never>();
    this.#interrupt = reject;
    if (this.#loss !== undefined) reject(this.#loss);
    await Promise.race([sending, promise]);
  }

  #isRefusal(error: Error): boolean {
    return REFUSALS.some((id) => this.#is(id, error)) || this.#isForbidden(error);
  }

  /** Whether this client may not write a topic that only some messages name. */
  #isForbidden(error: Error): boolean {
    return isTemplate(this.#options.rule.topic) && this.#is(FORBIDDEN, error);
  }

  #is(id: string, error: Error): boolean {
    return this.#options.driver.findErrorBy(error, "apiId", id) !== null;
  }

  /** The message for the driver, or why it cannot be sent; a promise if its topic has to be looked up first. */
  #message(outgoing: Outgoing): MessageToProduce | Error | Promise<MessageToProduce | Error> {
    const { topic: template } = this.#options.rule;
    const topic = render(template, outgoing.names);
    if (topic === undefined) return new Error(`the topic ${template} has a placeholder without a value`);
    if (!TOPIC.test(topic)) return new Error(`Kafka allows no topic with this name: ${JSON.stringify(topic)}`);
    if (this.#known.has(topic)) return this.#messageFor(topic, outgoing);
    return this.#problemOf(topic).then((problem) =>
      problem === undefined ? this.#messageFor(topic, outgoing) : new Error(problem),
    );
  }

  #messageFor(topic: string, { names, headers, contentType, body }: Outgoing): MessageToProduce {
    const { rule } = this.#options;
    const key = render(rule.key, names);
    const entries = Object.entries(contentType === undefined ? headers : { ...headers, "content-type": contentType });
    return {
      topic,
      headers: new Map(entries.map(([name, value]) => [Buffer.from(name), Buffer.from(value)])),
      ...(key !== undefined && { key: Buffer.from(key) }),
      ...(body !== undefined && { value: Buffer.from(body.buffer, body.byteOffset, body.byteLength) }),
    };
  }

  /** Why a topic cannot be used; undefined if it exists. Looked up once: the driver would retry for three seconds with each message. */
  async #problemOf(topic: string): Promise<string | undefined> {
    const missing = this.#missing.get(topic);
    if (missing !== undefined && performance.now() - missing.since < MISSING_AGE) return missing.why;
    try {
      await this.#find(topic);
    } catch (error) {
      const isForbidden = this.#isForbidden(error as Error);
      if (!isForbidden && !(isUnknownTopic(error) && !this.#options.rule.declare)) throw error;
      const why = isForbidden
        ? `Kafka refused topic ${topic}: ${rootCause(error)}`
        : `Kafka has no topic ${topic}; create it, or set "declare": true`;
      if (this.#missing.size >= MAX_TOPICS) this.#missing.clear();
      this.#missing.set(topic, { since: performance.now(), why });
      return why;
    }
    if (this.#known.size >= MAX_TOPICS) this.#known.clear();
    this.#known.add(topic);
    return undefined;
  }

  /** Rejects if a topic does not exist, unless the rule says to create it. */
  async #find(topic: string): Promise<void> {
    try {
      await this.#producer.metadata({ topics: [topic], retries: 0 });
    } catch (error) {
      if (!isUnknownTopic(error) || !this.#options.rule.declare) throw error;
      await this.#options.declare(topic);
    }
  }
}

function sizeOf({ key, value, headers }: MessageToProduce): number {
  let size = 32 + (key?.length ?? 0) + (value?.length ?? 0);
  if (headers instanceof Map) for (const [name, text] of headers) size += 8 + name.length + text.length;
  return size;
}
