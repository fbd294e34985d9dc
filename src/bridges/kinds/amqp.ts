import type { Channel, ChannelModel } from "amqplib";
import type * as Amqplib from "amqplib";
import {
  MissingError,
  type Bus,
  type BusClient,
  type BusKind,
  type Received,
  type Source,
  type Target,
} from "../bus.ts";
import { ConnectionLoss } from "../connection-loss.ts";
import { loadDriver } from "../driver.ts";
import { openFirst, serverConnection, tlsOptions, type ServerConnection } from "../server-connection.ts";
import { brokerMessage, closeChannel, closeConnection, openChannel } from "./amqp/channel.ts";
import { inFields, NAMES, outFields, type AmqpIn, type AmqpOut } from "./amqp/rules.ts";
import { Reading } from "./amqp/reading.ts";
import { AmqpSource, receivedOf } from "./amqp/source.ts";
import { AmqpTarget } from "./amqp/target.ts";

type Driver = Pick<typeof Amqplib, "connect">;

/** Seconds between heartbeats, unless the URL has `?heartbeat=`; a connection that misses two is lost. */
const HEARTBEAT = 10;

/** RabbitMQ, and others that speak AMQP 0-9-1. */
export const amqp: BusKind<ServerConnection, AmqpIn, AmqpOut> = {
  connection: serverConnection(["amqp", "amqps"], "amqps://broker:5671/vhost"),
  in: inFields,
  out: outFields,
  destination: "routingKey",
  names: NAMES,
  prefixes: ["cloudEvents_", "cloudEvents:"],
  isExclusive: (rule) => !rule.competing,
  async connect(connection, client) {
    const driver = await loadDriver(() => import("amqplib"), "amqplib");
    const bus = new AmqpBus(driver, connection, client);
    await bus.open();
    return bus;
  },
};

/** Two connections, since a broker that blocks a publisher blocks its whole connection, acknowledgements included. */
class AmqpBus implements Bus<AmqpIn, AmqpOut> {
  readonly #loss = new ConnectionLoss();
  readonly lost: Promise<never> = this.#loss.promise;
  readonly #driver: Driver;
  readonly #connection: ServerConnection;
  readonly #client: BusClient;
  readonly #models: Map<"in" | "out", Promise<ChannelModel>> = new Map();
  readonly #channels: Set<Source | Target> = new Set();
  /** What the connection that receives reads. */
  #reading: Reading | undefined;
  /** Opened to check that the broker answers, then used by the first rule. */
  #first: ChannelModel | undefined;

  constructor(driver: Driver, connection: ServerConnection, client: BusClient) {
    this.#driver = driver;
    this.#connection = connection;
    this.#client = client;
  }

  async open(): Promise<void> {
    this.#first = await this.#connect();
  }

  async source(rule: AmqpIn): Promise<Source> {
    const model = await this.#model("in");
    await this.#prepareQueue(model, rule);
    this.#reading ??= new Reading(model);
    const channel = await model.createChannel();
    const source = await AmqpSource.open(channel, this.#reading, rule, this.#loss.fail, this.lost);
    this.#channels.add(source);
    return source;
  }

  async target(rule: AmqpOut): Promise<Target> {
    const model = await this.#model("out");
    await this.#prepareExchange(model, rule.exchange, rule.declare ? rule.type : undefined);
    const target = await AmqpTarget.open(model, rule, this.#client.report, this.#loss.fail, this.lost);
    this.#channels.add(target);
    return target;
  }

  async sample(rule: AmqpIn): Promise<Received | undefined> {
    const model = await this.#model("in");
    if (!(await this.#queueExists(model, rule))) return undefined;
    const channel = await openChannel(model);
    try {
      const message = await channel.get(rule.queue);
      return message === false ? undefined : receivedOf(message, rule);
    } catch (error) {
      this.#client.report(`no message of queue ${rule.queue} can be shown: ${brokerMessage(error)}`);
      return undefined;
    } finally {
      // The broker requeues what a closed channel did not acknowledge.
      await closeChannel(channel);
    }
  }

  async close(): Promise<void> {
    this.#loss.expect();
    // First the channels: closing a connection drops what they have not written yet, such as acknowledgements.
    await Promise.all([...this.#channels].map((channel) => channel.close()));
    if (this.#first !== undefined) await closeConnection(this.#first);
    await Promise.all([...this.#models.values()].map((model) => model.then(closeConnection, () => {})));
  }

  #model(purpose: "in" | "out"): Promise<ChannelModel> {
    let model = this.#models.get(purpose);
    if (model === undefined) {
      model = this.#first === undefined ? this.#connect() : Promise.resolve(this.#first);
      this.#first = undefined;
      this.#models.set(purpose, model);
    }
    return model;
  }

  async #connect(): Promise<ChannelModel> {
    const { url, username, password } = this.#connection;
    const model = await openFirst(url, (text, timeout) => {
      const address = new URL(text);
      if (username !== undefined) address.username = encodeURIComponent(username);
      if (password !== undefined) address.password = encodeURIComponent(password);
      if (!address.searchParams.has("heartbeat")) address.searchParams.set("heartbeat", String(HEARTBEAT));
      return this.#driver
        .connect(address.href, {
          ...tlsOptions(this.#connection),
          timeout,
          noDelay: true,
          clientProperties: { connection_name: `hub bridge ${this.#client.bridge} of node ${this.#client.node}` },
        })
        .catch((error: unknown) => {
          const answer = brokerMessage(error);
          // amqplib hides what the broker says at this point.
          const isHost = answer.startsWith("Expected ConnectionOpenOk");
          const host = decodeURIComponent(address.pathname.slice(1)) || "/";
          throw new Error(isHost ? `the broker refuses virtual host ${host} to this user` : answer, { cause: error });
        });
    });
    model.on("error", (error: Error) => this.#loss.fail(new Error(brokerMessage(error), { cause: error })));
    model.on("close", (error?: Error) =>
      this.#loss.fail(
        new Error(`the broker ended the connection${error === undefined ? "" : `: ${brokerMessage(error)}`}`),
      ),
    );
    return model;
  }

  /** Creates what is missing if the rule allows it, and binds its queue. */
  async #prepareQueue(model: ChannelModel, rule: AmqpIn): Promise<void> {
    const hasQueue = await this.#queueExists(model, rule);
    for (const { exchange, type } of rule.bind) {
      await this.#prepareExchange(model, exchange, rule.declare ? type : undefined);
    }
    const channel = await openChannel(model);
    const queueArguments = { "x-queue-type": "quorum", "x-single-active-consumer": true, ...rule.arguments };
    if (!hasQueue) await channel.assertQueue(rule.queue, { durable: true, arguments: queueArguments });
    for (const { exchange, key } of rule.bind) await channel.bindQueue(rule.queue, exchange, key);
    await closeChannel(channel);
  }

  /** Whether the queue exists; rejects if it, or an exchange of `bind`, is missing and may not be created. */
  async #queueExists(model: ChannelModel, { queue, bind, declare }: AmqpIn): Promise<boolean> {
    const hasQueue = await exists(model, (channel) => channel.checkQueue(queue));
    if (declare) return hasQueue;
    if (!hasQueue) throw new MissingError(`there is no queue ${queue}; create it, or set declare: true`);
    for (const { exchange } of bind) await this.#prepareExchange(model, exchange, undefined);
    return true;
  }

  async #prepareExchange(model: ChannelModel, exchange: string, type: string | undefined): Promise<void> {
    if (exchange === "" || (await exists(model, (channel) => channel.checkExchange(exchange)))) return;
    if (type === undefined) throw new MissingError(`there is no exchange ${exchange}; create it, or set declare: true`);
    const channel = await openChannel(model);
    await channel.assertExchange(exchange, type, { durable: true });
    await closeChannel(channel);
  }
}

/** Whether a queue or an exchange exists. It takes a channel of its own, which the broker closes if it does not. */
async function exists(model: ChannelModel, ask: (channel: Channel) => Promise<unknown>): Promise<boolean> {
  const channel = await openChannel(model);
  try {
    await ask(channel);
  } catch (error) {
    if ((error as { code?: unknown }).code === 404) return false;
    throw new Error(brokerMessage(error), { cause: error });
  }
  await closeChannel(channel);
  return true;
}
