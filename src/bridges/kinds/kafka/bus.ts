import { setTimeout as wait } from "node:timers/promises";
import type { Admin, Base, ClusterTopicMetadata } from "@platformatic/kafka";
import { HubError } from "../../../core/errors.ts";
import { MissingError, type Bus, type BusClient, type Received } from "../../bus.ts";
import { type ClientOptions, type InRule, isUnknownTopic, type KafkaDriver, type OutRule, sentence } from "./driver.ts";
import { newestRecord } from "./sample.ts";
import { KafkaSource } from "./source.ts";
import { KafkaTarget } from "./target.ts";

/** How often, and milliseconds apart, brokers are asked whether they are there after a connection ended. */
const CHECKS = 5;
const CHECK_INTERVAL = 400;

/** The clients of one bridge. */
export class KafkaBus implements Bus<InRule, OutRule> {
  readonly lost: Promise<never>;
  readonly #driver: KafkaDriver;
  readonly #options: ClientOptions;
  readonly #client: BusClient;
  readonly #admin: Admin;
  readonly #loss = Promise.withResolvers<never>();
  readonly #ends = new Set<KafkaSource | KafkaTarget>();
  /** Topics that a source receives already, by group. */
  readonly #taken = new Map<string, Set<string>>();
  #isChecking = false;
  #isClosed = false;

  constructor(driver: KafkaDriver, options: ClientOptions, client: BusClient, admin: Admin) {
    this.#driver = driver;
    this.#options = options;
    this.#client = client;
    this.#admin = admin;
    this.lost = this.#loss.promise;
    // Who awaits it sees it; no one need.
    this.lost.catch(() => {});
    this.watch(admin);
  }

  async source(rule: InRule): Promise<KafkaSource> {
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
    const source = await KafkaSource.open({ ...this.#end(), rule, group });
    this.#ends.add(source);
    return source;
  }

  async target(rule: OutRule): Promise<KafkaTarget> {
    if (!rule.topic.includes("${")) await this.#check([rule.topic], rule.declare);
    const target = new KafkaTarget({ ...this.#end(), rule, declare: (topic) => this.#declare([topic]) });
    this.#ends.add(target);
    return target;
  }

  async sample(rule: InRule): Promise<Received | undefined> {
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
    await Promise.allSettled([...this.#ends].map((end) => end.close()));
    await this.#admin.close().catch(() => {});
  }

  /** Takes note of a client whose connections end, and of errors that it cannot give to anyone. */
  watch(client: Pick<Base, "on">): void {
    client.on("error", (error: Error) => this.#fail(error));
    client.on("client:broker:disconnect", () => void this.#confirm());
  }

  #end() {
    return {
      driver: this.#driver,
      options: this.#options,
      report: this.#client.report,
      watch: (client: Pick<Base, "on">) => this.watch(client),
      fail: (error: Error) => this.#fail(error),
    };
  }

  /** Brokers end idle connections, and others take over from one that stops: lost is what no broker answers. */
  async #confirm(): Promise<void> {
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
    this.#loss.reject(new Error(`Kafka: ${sentence(error)}`, { cause: error }));
    for (const end of this.#ends) end.fail(error);
  }

  async #check(topics: readonly string[], declare: boolean): Promise<void> {
    const missing: string[] = [];
    for (const topic of topics) {
      if ((await this.#topic(topic)) === undefined) missing.push(topic);
    }
    if (missing.length === 0) return;
    if (declare) return this.#declare(missing);
    const which = missing.length === 1 ? `no topic ${missing[0]}` : `no topics ${missing.join(", ")}`;
    throw new MissingError(`Kafka has ${which}; make it there, or set "declare": true`);
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

  /** With as many partitions and replicas as the brokers give by default. */
  async #declare(topics: string[]): Promise<void> {
    try {
      await this.#admin.createTopics({ topics });
    } catch (error) {
      // Another node may have been faster.
      if (!this.#driver.findErrorBy(error as Error, "apiId", "TOPIC_ALREADY_EXISTS")) throw error;
    }
    // Brokers learn of it a little later.
    for (let tries = 0; tries < 50; tries++) {
      const found = await Promise.all(topics.map((topic) => this.#topic(topic)));
      if (found.every((topic) => topic !== undefined)) return;
      await wait(100);
    }
  }
}
