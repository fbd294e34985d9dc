import { Admin, Consumer, type MessageToProduce, ProduceAcks, Producer } from "@platformatic/kafka";
import type { BusMessage } from "../../../src/bridges/bus.ts";
import { until } from "../until.ts";
import { TcpProxy } from "../tcp-proxy.ts";
import type { BusServer, Receiver } from "./bus-server.ts";
import { type BrokerOptions, KafkaBroker } from "./kafka-broker.ts";

const OPTIONS = { clientId: "another-program", retries: 10, retryDelay: 200 };

/** Starts Kafka; its topics have one partition unless told otherwise. */
export async function openKafka(options: BrokerOptions = {}): Promise<KafkaServer> {
  const broker = await KafkaBroker.open(options);
  return new KafkaServer(broker, await TcpProxy.open(broker.proxied.port, broker.proxied.advertised));
}

export class KafkaServer implements BusServer {
  readonly kind = "kafka";
  readonly connection: { readonly brokers: readonly string[] };
  /** A listener of its own: brokers tell their clients which address to come to, so that one is for those behind a proxy. */
  readonly port: number;
  readonly broker: KafkaBroker;
  /** What clients behind a proxy are told to come to, on the way to that proxy. */
  readonly #relay: TcpProxy;
  readonly #producer: Producer;
  readonly #admin: Admin;

  constructor(broker: KafkaBroker, relay: TcpProxy) {
    this.broker = broker;
    this.#relay = relay;
    this.port = broker.proxied.port;
    this.connection = { brokers: [`127.0.0.1:${broker.port}`] };
    const options = { ...OPTIONS, bootstrapBrokers: [...this.connection.brokers] };
    this.#admin = new Admin(options);
    this.#producer = new Producer({ ...options, acks: ProduceAcks.ALL, idempotent: true });
    for (const client of [this.#admin, this.#producer]) client.on("error", () => {});
  }

  connectionAt(port: number): unknown {
    this.#relay.target = port;
    return { brokers: [`127.0.0.1:${this.#relay.port}`] };
  }

  async declare(place: string, partitions = 1): Promise<void> {
    await this.#admin.createTopics({ topics: [place], partitions, replicas: 1 });
    // The controller has it before the broker has.
    await until(`the broker has ${place}`, async () => {
      const found = this.#admin.metadata({ topics: [place], forceUpdate: true, retries: 0 });
      return (await found.catch(() => undefined)) !== undefined;
    });
  }

  /** Gives a topic more partitions. */
  async grow(place: string, partitions: number): Promise<void> {
    await this.#admin.createPartitions({
      topics: [{ name: place, count: partitions, assignments: [{ brokerIds: [1] }] }],
    });
    // The producer puts a message elsewhere that is for a partition it does not know of.
    await until("the producer knows them", async () => {
      const { topics } = await this.#producer.metadata({ topics: [place], forceUpdate: true });
      return topics.get(place)?.partitionsCount === partitions;
    });
  }

  incoming(place: string): Readonly<Record<string, unknown>> {
    return { topics: [place], group: place, from: "earliest" };
  }

  outgoing(place: string): Readonly<Record<string, unknown>> {
    return { topic: place };
  }

  async send(place: string, messages: readonly BusMessage[], partition?: number): Promise<void> {
    for (let start = 0; start < messages.length; start += 200) {
      const some = messages.slice(start, start + 200).map((message) => produced(place, message, partition));
      await this.#producer.send({ messages: some });
    }
  }

  async receive(place: string): Promise<Receiver> {
    const options = { ...OPTIONS, bootstrapBrokers: [...this.connection.brokers], groupId: `receiver-${place}` };
    const consumer = new Consumer({ ...options, maxWaitTime: 100 });
    consumer.on("error", () => {});
    const stream = await consumer.consume({
      topics: [place],
      autocommit: false,
      mode: "latest",
      fallbackMode: "latest",
    });
    const messages: BusMessage[] = [];
    stream.on("error", () => {});
    stream.on("data", ({ value, key, headerEntries }) => {
      const { "content-type": contentType, ...headers } = Object.fromEntries(
        headerEntries.map(([name, text]) => [name.toString(), text.toString()]),
      );
      messages.push({ body: value ?? undefined, key: key?.toString(), headers, contentType });
    });
    return { messages, [Symbol.asyncDispose]: () => consumer.close(true) };
  }

  async waiting(place: string): Promise<number> {
    const options = { ...OPTIONS, bootstrapBrokers: [...this.connection.brokers], groupId: place };
    const consumer = new Consumer(options);
    consumer.on("error", () => {});
    try {
      const ends = (await consumer.listOffsets({ topics: [place] })).get(place) ?? [];
      const topics = [{ topic: place, partitions: ends.map((_, index) => index) }];
      const committed = (await consumer.listCommittedOffsets({ topics })).get(place) ?? [];
      return ends.reduce((sum, end, index) => {
        const offset = committed[index] ?? -1n;
        return sum + Number(end - (offset < 0n ? 0n : offset));
      }, 0);
    } finally {
      await consumer.close(true);
    }
  }

  async kill(): Promise<void> {
    await this.broker.kill();
  }

  async start(): Promise<void> {
    await this.broker.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#admin.close(), this.#producer.close(true)]);
    await this.#relay[Symbol.asyncDispose]();
    await this.broker[Symbol.asyncDispose]();
  }
}

function produced(topic: string, message: BusMessage, partition: number | undefined): MessageToProduce {
  const { body, key, headers, contentType } = message;
  const entries = Object.entries(contentType === undefined ? headers : { ...headers, "content-type": contentType });
  return {
    topic,
    headers: new Map(entries.map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
    ...(key !== undefined && { key: Buffer.from(key) }),
    ...(body !== undefined && { value: Buffer.from(body) }),
    ...(partition !== undefined && { partition }),
  };
}
