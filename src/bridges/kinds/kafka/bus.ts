import { setTimeout as wait } from "node:timers/promises";
import type { Admin, Base, ClusterTopicMetadata } from "@platformatic/kafka";
import { HubError } from "../../../core/errors.ts";
import { MissingError, type Bus, type BusClient, type Received } from "../../bus.ts";
import { ConnectionLoss } from "../../connection-loss.ts";
import { isTemplate } from "../../template.ts";
import { type ClientOptions, isUnknownTopic, type KafkaDriver, rootCause } from "./driver.ts";
import type { KafkaIn, KafkaOut } from "./rules.ts";
import { newestRecord } from "./sample.ts";
import { KafkaSource } from "./source.ts";
import { KafkaTarget } from "./target.ts";

/** How often, and milliseconds apart, brokers are asked for an answer after a connection ended. */
const CHECKS = 5;
const CHECK_INTERVAL = 400;

/** The connections of one bridge to the brokers: an admin client, and one or more clients for each source and target. */
export class KafkaBus implements Bus<KafkaIn, KafkaOut> {
  readonly #loss = new ConnectionLoss();
  readonly lost: Promise<never> = this.#loss.promise;
  readonly #driver: KafkaDriver;
  readonly #options: ClientOptions;
  readonly #client: BusClient;
  readonly #admin: Admin;
  readonly #endpoints = new Set<KafkaSource | KafkaTarget>();
  /** Topics that sources receive, by group. */
  readonly #taken = new Map<string, Set<string>>();
  #isChecking = false;
  #isClosed = false;

  constructor(driver: KafkaDriver, options: ClientOptions, client: BusClient, admin: Admin) {
    this.#driver = driver;
    this.#options = options;
    this.#client = client;
    this.#admin = admin;
    this.watch(admin);
  }

  async source(rule: KafkaIn): Promise<KafkaSource> {
    const group = rule.group ?? this.#client.bridge;
    const taken = this.#taken.get(group) ?? new Set();
    const twice = rule.topics.find((topic) => taken.has(topic));
    if (twice !== undefined) {
      const advice = 'give each rule a "group" of its own';
      throw new HubError(
        "INVALID_INPUT",
        `Two rules receive ${twice} as group ${group}, and would share it: ${advice}`,
      );
    }
    await this.#check(rule.topics, rule.declare);
    this.#taken.set(group, new Set([...taken, ...rule.topics]));
    const source = await KafkaSource.open({ ...this.#endpointOptions(), rule, group });
    this.#endpoints.add(source);
    return source;
  }

  async target(rule: KafkaOut): Promise<KafkaTarget> {
    if (!isTemplate(rule.topic)) await this.#check([rule.topic], rule.declare);
    const target = new KafkaTarget({ ...this.#endpointOptions(), rule, declare: (topic) => this.#declare([topic]) });
    this.#endpoints.add(target);
    return target;
  }

  async sample(rule: KafkaIn): Promise<Received | undefined> {
    await this.#check(rule.topics, false);
    const group = rule.group ?? this.#client.bridge;
    // Reads without joining the group, and commits nothing.
    const reader = new this.#driver.Consumer({ ...this.#options, groupId: group, maxWaitTime: 100 });
    this.watch(reader);
    try {
      return await newestRecord(reader, rule.topics);
    } finally {
      await reader.close(true).catch(() => {});
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#endpoints].map((endpoint) => endpoint.close()));
    await this.#admin.close().catch(() => {});
  }

  /** Listens for lost connections of a client, and for errors that no call of it reports. */
  watch(client: Pick<Base, "on">): void {
    client.on("error", (error: Error) => this.#fail(error));
    client.on("client:broker:disconnect", () => void this.#checkBrokers());
  }

  #endpointOptions() {
    return {
      driver: this.#driver,
      options: this.#options,
      report: this.#client.report,
      watch: (client: Pick<Base, "on">) => this.watch(client),
      fail: (error: Error) => this.#fail(error),
    };
  }

  /** Brokers close idle connections, and one that stops is replaced by others: the bus is lost only if none answers. */
  async #checkBrokers(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    let failure: unknown;
    for (let tries = 0; tries < CHECKS && !this.#isClosed; tries++) {
      if (tries > 0) await wait(CHECK_INTERVAL);
      try {
        await this.#admin.metadata({ topics: [], forceUpdate: true, retries: 0 });
        failure = undefined;
        break;
      } catch (error) {
        failure = error;
      }
    }
    this.#isChecking = false;
    if (failure !== undefined) this.#fail(failure as Error);
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.#loss.fail(new Error(`Kafka: ${rootCause(error)}`, { cause: error }));
    for (const endpoint of this.#endpoints) endpoint.fail(error);
  }

  async #check(topics: readonly string[], declare: boolean): Promise<void> {
    const missing: string[] = [];
    for (const topic of topics) {
      if ((await this.#topic(topic)) === undefined) missing.push(topic);
    }
    if (missing.length === 0) return;
    if (declare) return this.#declare(missing);
    const which = missing.length === 1 ? `no topic ${missing[0]}` : `no topics ${missing.join(", ")}`;
    throw new MissingError(`Kafka has ${which}; create it, or set "declare": true`);
  }

  async #topic(topic: string): Promise<ClusterTopicMetadata | undefined> {
    try {
      const { topics } = await this.#admin.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
      return topics.get(topic);
    } catch (error) {
      if (isUnknownTopic(error)) return undefined;
      throw error;
    }
  }

  /** Creates topics, with the default partitions and replicas of the brokers. */
  async #declare(topics: string[]): Promise<void> {
    try {
      await this.#admin.createTopics({ topics });
    } catch (error) {
      // Another node may have created it first.
      if (!this.#driver.findErrorBy(error as Error, "apiId", "TOPIC_ALREADY_EXISTS")) throw error;
    }
    // The other brokers learn of a new topic a little later.
    for (let tries = 0; tries < 50; tries++) {
      const found = await Promise.all(topics.map((topic) => this.#topic(topic)));
      if (found.every((topic) => topic !== undefined)) return;
      await wait(100);
    }
  }
}
