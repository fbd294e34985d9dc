import { createHash, randomBytes } from "node:crypto";
import type { IClientOptions, MqttClient } from "mqtt";
import { MAX_HELD, type Bus, type BusClient, type BusKind, type Received, type Source, type Target } from "../bus.ts";
import { ConnectionLoss } from "../connection-loss.ts";
import { loadDriver } from "../driver.ts";
import { serverConnection, type ServerConnection } from "../server-connection.ts";
import { closeClient, openClient, type Driver } from "./mqtt/client.ts";
import { inFields, NAMES, outFields, type MqttIn, type MqttOut } from "./mqtt/rules.ts";
import { MqttSource, receivedOf } from "./mqtt/source.ts";
import { MqttTarget } from "./mqtt/target.ts";
import { sharedFilter } from "./mqtt/topic.ts";

/** Milliseconds to wait for a sample. */
const SAMPLE_TIME = 3000;

/** Brokers that speak MQTT 5. */
export const mqtt: BusKind<ServerConnection, MqttIn, MqttOut> = {
  connection: serverConnection(["mqtt", "mqtts", "ws", "wss"], "mqtts://broker:8883"),
  in: inFields,
  out: outFields,
  destination: "topic",
  names: NAMES,
  prefixes: [""],
  isExclusive: (rule) => !isShared(rule),
  async connect(connection, client) {
    const driver = await loadDriver(() => import("mqtt"), "mqtt");
    const bus = new MqttBus(driver, connection, client);
    await bus.open();
    return bus;
  },
};

/** One connection that publishes, and one for each `in` rule, since a connection has one session. */
class MqttBus implements Bus<MqttIn, MqttOut> {
  readonly #loss = new ConnectionLoss();
  readonly lost: Promise<never> = this.#loss.promise;
  readonly #driver: Driver;
  readonly #connection: ServerConnection;
  readonly #bridge: BusClient;
  readonly #sources: Set<MqttSource> = new Set();
  #publisher: MqttClient | undefined;

  constructor(driver: Driver, connection: ServerConnection, bridge: BusClient) {
    this.#driver = driver;
    this.#connection = connection;
    this.#bridge = bridge;
  }

  async open(): Promise<void> {
    this.#publisher = await this.#connect({ clientId: this.#temporaryId("out") });
  }

  async source(rule: MqttIn): Promise<Source> {
    const source = new MqttSource(rule, this.lost);
    const session: IClientOptions = {
      clientId: this.#sessionId(rule),
      clean: false,
      properties: {
        sessionExpiryInterval: rule.sessionExpiry,
        receiveMaximum: rule.prefetch,
        maximumPacketSize: MAX_HELD,
      },
    };
    await this.#connect(session, (client) => source.attach(client));
    this.#sources.add(source);
    await source.subscribe(this.#bridge.report);
    return source;
  }

  async target(rule: MqttOut): Promise<Target> {
    return new MqttTarget(rule, (topic) => this.#publisherFor(topic), this.lost);
  }

  async sample(rule: MqttIn): Promise<Received | undefined> {
    const { promise, resolve } = Promise.withResolvers<Received | undefined>();
    const client = await this.#connect({ clientId: this.#temporaryId("check") }, (opened) => {
      opened.on("message", (_topic, _payload, packet) => resolve(receivedOf(packet)));
    });
    const timer = setTimeout(() => resolve(undefined), SAMPLE_TIME);
    try {
      // Without $share, so that it takes no message from the group.
      await client.subscribeAsync(rule.topics.map((topic) => sharedFilter(topic) ?? topic));
      return await promise;
    } finally {
      clearTimeout(timer);
      await closeClient(client);
    }
  }

  async close(): Promise<void> {
    this.#loss.expect();
    await Promise.all([...this.#sources].map((source) => source.close()));
    if (this.#publisher !== undefined) await closeClient(this.#publisher);
  }

  #connect(options: IClientOptions, prepare?: (client: MqttClient) => void): Promise<MqttClient> {
    return openClient(this.#driver, this.#connection, options, this.#loss.fail, prepare);
  }

  /** The client that receives the topic, if one does: with No Local, the broker does not send it back what it publishes. */
  #publisherFor(topic: string): MqttClient {
    for (const source of this.#sources) {
      const client = source.clientFor(topic);
      if (client !== undefined) return client;
    }
    if (this.#publisher === undefined) throw new Error("the bridge is not connected");
    return this.#publisher;
  }

  /** The same at each start, so that the broker resumes the session; other topics get another session. */
  #sessionId(rule: MqttIn): string {
    const { bridge, node } = this.#bridge;
    const topics = createHash("sha256").update(JSON.stringify(rule.topics)).digest("hex").slice(0, 8);
    const id = rule.clientId ?? `hub-${bridge}-${topics}`;
    return isShared(rule) ? `${id}-${node}` : id;
  }

  #temporaryId(purpose: string): string {
    return `hub-${this.#bridge.bridge}-${purpose}-${randomBytes(4).toString("hex")}`;
  }
}

function isShared({ topics }: MqttIn): boolean {
  return sharedFilter(topics[0] ?? "") !== undefined;
}
