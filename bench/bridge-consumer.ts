import { text } from "node:stream/consumers";
import { IN, type Figure } from "./bridge-kinds.ts";

/** What a consumer is to do: first take what waits at one place, to warm up, and then, measured, what waits at another. */
interface Order {
  readonly kind: string;
  readonly connection: string;
  readonly warm: Rule;
  readonly measured: Rule;
}

/** The fields of an `in` rule, of which each kind has its own. */
interface Rule {
  readonly queue: string;
  readonly stream: string;
  readonly subjects: string[];
  readonly topics: string[];
  readonly clientId: string;
}

/** Called for each message with its payload; true after the last one. */
type OnMessage = (payload: string | Uint8Array) => boolean;
/** Resolves after the last message; calls `onStart` once it is subscribed. */
type Consume = (connection: string, rule: Rule, onStart: () => void, onMessage: OnMessage) => Promise<void>;

/** Messages that are asked for at a time where the driver wants to be told, as a bridge does. */
const PREFETCH = 1000;
const BATCH = 256;

/** Consumers as the documentation of each driver shows them, which acknowledge each message, or each answer. */
const CONSUMERS: Readonly<Record<string, Consume>> = {
  async amqp(connection, { queue }, onStart, onMessage) {
    const { connect } = await import("amqplib");
    const model = await connect(connection);
    const channel = await model.createChannel();
    await channel.prefetch(PREFETCH);
    const { promise, resolve } = Promise.withResolvers<void>();
    onStart();
    await channel.consume(queue, (message) => {
      if (message === null) return;
      channel.ack(message);
      if (onMessage(message.content)) resolve();
    });
    await promise;
    await model.close();
  },
  async kafka(connection, { topics }, onStart, onMessage) {
    const { Consumer, MessagesStreamModes } = await import("@platformatic/kafka");
    const { brokers } = connection as unknown as { readonly brokers: string[] };
    const consumer = new Consumer({ clientId: "plain", groupId: "plain", bootstrapBrokers: brokers });
    const messages = await consumer.consume({ topics, mode: MessagesStreamModes.EARLIEST, autocommit: true });
    onStart();
    for await (const { value } of messages) if (onMessage(value)) break;
    await consumer.close(true);
  },
  async mqtt(connection, { topics, clientId }, onStart, onMessage) {
    const { connect } = await import("mqtt");
    const { promise, resolve } = Promise.withResolvers<void>();
    const properties = { receiveMaximum: PREFETCH, sessionExpiryInterval: 60 };
    onStart();
    const client = connect(connection, { protocolVersion: 5, clean: false, clientId, properties });
    client.on("message", (_topic, payload) => {
      if (onMessage(payload)) resolve();
    });
    await client.subscribeAsync(topics, { qos: 1 });
    await promise;
    await client.endAsync();
  },
  async nats(connection, { stream, subjects }, onStart, onMessage) {
    const { connect } = await import("@nats-io/transport-node");
    const { AckPolicy, jetstream, jetstreamManager } = await import("@nats-io/jetstream");
    const client = await connect({ servers: connection });
    const manager = await jetstreamManager(client);
    const config = { durable_name: "plain", ack_policy: AckPolicy.Explicit, filter_subjects: subjects };
    await manager.consumers.add(stream, config);
    const consumer = await jetstream(client).consumers.get(stream, "plain");
    onStart();
    for await (const message of await consumer.consume()) {
      message.ack();
      if (onMessage(message.data)) break;
    }
    await client.close();
  },
  async redis(connection, { stream }, onStart, onMessage) {
    const { Redis } = await import("ioredis");
    const client = new Redis(connection);
    await client.xgroup("CREATE", stream, "plain", "0");
    onStart();
    for (let isLast = false; !isLast;) {
      const words = ["GROUP", "plain", "me", "COUNT", BATCH, "BLOCK", 1000, "STREAMS", stream, ">"] as const;
      const [[, entries]] = (await client.xreadgroup(...words)) as [[string, [string, string[]][]]];
      for (const [, fields] of entries) isLast = onMessage(fields.at(-1) ?? "");
      await client.xack(stream, "plain", ...entries.map(([id]) => id));
    }
    client.disconnect();
  },
};

const { kind, connection, warm, measured } = JSON.parse(await text(process.stdin)) as Order;
const consume = CONSUMERS[kind] as Consume;
await consume(connection, warm, () => {}, counted(IN.warm));
let start = 0;
let cpu = process.cpuUsage();
await consume(
  connection,
  measured,
  () => {
    start = performance.now();
    cpu = process.cpuUsage();
  },
  counted(IN.count),
);
const { user, system } = process.cpuUsage(cpu);
const figure: Figure = { rate: (1000 * IN.count) / (performance.now() - start), cpu: (user + system) / IN.count };
process.stdout.write(JSON.stringify(figure), () => process.exit());

/** Reads each message, as a consumer does that has a use for it. */
function counted(count: number): OnMessage {
  let taken = 0;
  return (payload) => {
    JSON.parse(payload.toString());
    return ++taken === count;
  };
}
