import type { MessageToProduce, Producer } from "@platformatic/kafka";
import type { Outgoing, Target } from "../../bus.ts";
import { render } from "../../template.ts";
import { isUnknownTopic, type OutRule, sentence, TOPIC } from "./driver.ts";
import type { EndOptions } from "./end.ts";

/** Bytes of one request, which the broker may refuse as a whole if they are more than it takes (1 MiB by default). */
const REQUEST_BYTES = 512 * 1024;
/** Milliseconds after which a topic that was not there is asked for again. */
const MISSING_AGE = 10_000;
/** Topics that are remembered. */
const MAX_TOPICS = 10_000;
/** What brokers refuse about a message, by their names of it; everything else they may take the next time. */
const REFUSALS = [
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_TOPIC_EXCEPTION",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
  "POLICY_VIOLATION",
];

export interface TargetOptions extends EndOptions<OutRule> {
  /** Makes a topic. */
  readonly declare: (topic: string) => Promise<void>;
}

interface Request {
  readonly index: number;
  readonly message: MessageToProduce;
}

/** Sends to topics; a message is confirmed once all replicas that are in sync have it. */
export class KafkaTarget implements Target {
  readonly #options: TargetOptions;
  readonly #producer: Producer;
  /** When topics were last found missing. */
  readonly #missing = new Map<string, number>();
  readonly #known = new Set<string>();
  readonly #failure = Promise.withResolvers<never>();

  constructor(options: TargetOptions) {
    this.#options = options;
    this.#producer = new options.driver.Producer({
      ...options.options,
      // What a lost answer makes the driver send again is kept once.
      idempotent: true,
      acks: options.driver.ProduceAcks.ALL,
      // The driver's default puts half of all keys elsewhere than other clients do.
      partitioner: options.driver.compatibilityPartitioner,
    });
    options.watch(this.#producer);
    this.#failure.promise.catch(() => {});
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
      const message = await this.#message(outgoing);
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

  /** Ends with an error what waits for a confirmation. */
  fail(error: Error): void {
    this.#failure.reject(error);
  }

  async close(): Promise<void> {
    await this.#producer.close().catch(() => {});
  }

  async #produce(sent: readonly Request[], results: (Error | undefined)[]): Promise<void> {
    try {
      const confirmed = this.#producer.send({ messages: sent.map(({ message }) => message) });
      await Promise.race([confirmed, this.#failure.promise]);
    } catch (error) {
      if (!this.#isRefusal(error as Error)) throw error;
      if (sent.length === 1) {
        results[sent[0]!.index] = new Error(`Kafka refused it: ${sentence(error)}`, { cause: error });
        return;
      }
      // The broker does not say which; those of other partitions may be there already, and are sent again.
      for (const one of sent) await this.#produce([one], results);
    }
  }

  #isRefusal(error: Error): boolean {
    return REFUSALS.some((id) => this.#options.driver.findErrorBy(error, "apiId", id) !== null);
  }

  /** What is produced, or why it cannot be. */
  async #message({ names, headers, contentType, body }: Outgoing): Promise<MessageToProduce | Error> {
    const { rule } = this.#options;
    const topic = render(rule.topic, names);
    if (topic === undefined) return new Error(`"topic" ${rule.topic} has nothing to put in for this message`);
    if (!TOPIC.test(topic)) return new Error(`Kafka has no topics with such a name: ${JSON.stringify(topic)}`);
    if (!(await this.#has(topic)))
      return new Error(`Kafka has no topic ${topic}; make it there, or set "declare": true`);
    const key = render(rule.key, names);
    const entries = Object.entries(contentType === undefined ? headers : { ...headers, "content-type": contentType });
    return {
      topic,
      headers: new Map(entries.map(([name, value]) => [Buffer.from(name), Buffer.from(value)])),
      ...(key !== undefined && { key: Buffer.from(key) }),
      ...(body !== undefined && { value: Buffer.from(body.buffer, body.byteOffset, body.byteLength) }),
    };
  }

  /** Whether a topic is there; asked once, as the driver would ask for three seconds, and for each message again. */
  async #has(topic: string): Promise<boolean> {
    if (this.#known.has(topic)) return true;
    if (performance.now() - (this.#missing.get(topic) ?? -Infinity) < MISSING_AGE) return false;
    try {
      await this.#producer.metadata({ topics: [topic], retries: 0 });
    } catch (error) {
      if (!isUnknownTopic(error)) throw error;
      if (!this.#options.rule.declare) {
        if (this.#missing.size >= MAX_TOPICS) this.#missing.clear();
        this.#missing.set(topic, performance.now());
        return false;
      }
      await this.#options.declare(topic);
    }
    if (this.#known.size >= MAX_TOPICS) this.#known.clear();
    this.#known.add(topic);
    return true;
  }
}

function sizeOf({ key, value, headers }: MessageToProduce): number {
  let size = 32 + (key?.length ?? 0) + (value?.length ?? 0);
  if (headers instanceof Map) for (const [name, text] of headers) size += 8 + name.length + text.length;
  return size;
}
