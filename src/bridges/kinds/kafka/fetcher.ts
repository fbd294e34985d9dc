import type { Consumer } from "@platformatic/kafka";
import type { EndpointOptions, FetchResponse } from "./driver.ts";
import type { KafkaIn } from "./rules.ts";
import { skipDeleted, type Partition } from "./positions.ts";
import { committedRecords, type Delivery } from "./records.ts";

/** Bytes of one answer of a broker at most. */
const FETCH_BYTES = 1024 * 1024;
/** Milliseconds that a broker waits for messages before it answers. */
const MAX_WAIT = 500;

export interface FetcherOptions extends EndpointOptions<KafkaIn> {
  readonly reader: Consumer;
  /** The partitions to fetch, if there is room for more. */
  readonly wanted: () => readonly Partition[];
  /** Whether a partition still belongs to this node. */
  readonly isCurrent: (partition: Partition) => boolean;
  readonly onRecords: (partition: Partition, deliveries: readonly Delivery[]) => void;
}

/**
 * Fetches partitions from the brokers that lead them, one request at a time for each broker. The stream of the driver
 * would do so, too, but may take an answer that arrives after a rebalance for one to the new assignment.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #busy = new Set<number>();
  readonly #counts = new Map<string, number>();
  #isRunning = false;
  #isWoken = false;
  #closed = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Fetches what is wanted now. */
  wake(): void {
    this.#isWoken = true;
    if (!this.#isRunning && !this.#closed) void this.#run();
  }

  close(): void {
    this.#closed = true;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#isWoken && !this.#closed) {
        this.#isWoken = false;
        await this.#start();
      }
    } catch (error) {
      if (!this.#closed) this.#options.fail(error as Error);
    } finally {
      this.#isRunning = false;
    }
  }

  async #start(): Promise<void> {
    const { reader, rule, wanted } = this.#options;
    if (wanted().length === 0) return;
    const { topics } = await reader.metadata({ topics: [...rule.topics] });
    this.#noticeNewPartitions(topics);
    const byLeader = new Map<number, Partition[]>();
    for (const partition of wanted()) {
      const leader = topics.get(partition.topic)?.partitions[partition.partition]?.leader;
      if (leader === undefined || leader < 0 || partition.isFetching || this.#busy.has(leader)) continue;
      const ofLeader = byLeader.get(leader) ?? [];
      byLeader.set(leader, [...ofLeader, partition]);
    }
    for (const [leader, partitions] of byLeader) void this.#fetch(leader, partitions);
  }

  /** The group assigns only the partitions that existed at its last rebalance: if there are more, the bridge joins again. */
  #noticeNewPartitions(topics: ReadonlyMap<string, { readonly partitionsCount: number }>): void {
    for (const [topic, { partitionsCount }] of topics) {
      const before = this.#counts.get(topic) ?? partitionsCount;
      this.#counts.set(topic, partitionsCount);
      if (partitionsCount > before) throw new Error(`${topic} has ${partitionsCount} partitions now, not ${before}`);
    }
  }

  async #fetch(node: number, partitions: readonly Partition[]): Promise<void> {
    const { reader, report, fail, driver } = this.#options;
    this.#busy.add(node);
    for (const partition of partitions) partition.isFetching = true;
    try {
      this.#deliver(await reader.fetch(fetchOptions(node, partitions)), partitions);
    } catch (error) {
      if (this.#closed) return;
      if (driver.findErrorBy(error as Error, "apiId", "OFFSET_OUT_OF_RANGE")) {
        await skipDeleted(reader, partitions, report).catch(fail);
      } else {
        fail(error as Error);
      }
    } finally {
      this.#busy.delete(node);
      for (const partition of partitions) partition.isFetching = false;
      this.wake();
    }
  }

  #deliver(response: FetchResponse, partitions: readonly Partition[]): void {
    for (const { topicId, partitions: parts } of response.responses) {
      for (const part of parts) {
        const partition = partitions.find((one) => one.topicId === topicId && one.partition === part.partitionIndex);
        // It may belong to another node by now, or the answer may be to an earlier assignment.
        if (partition === undefined || !this.#options.isCurrent(partition)) continue;
        const { deliveries, next } = committedRecords(part, partition.next);
        partition.next = next;
        if (partition.pending === 0 && deliveries.length === 0) partition.settled = next;
        this.#options.onRecords(partition, deliveries);
      }
    }
  }
}

function fetchOptions(node: number, partitions: readonly Partition[]) {
  const topics = new Map<string, Partition[]>();
  for (const partition of partitions)
    topics.set(partition.topicId, [...(topics.get(partition.topicId) ?? []), partition]);
  return {
    node,
    maxWaitTime: MAX_WAIT,
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    topics: [...topics].map(([topicId, ofTopic]) => ({
      topicId,
      partitions: ofTopic.map(({ partition, next }) => ({
        partition,
        fetchOffset: next,
        partitionMaxBytes: FETCH_BYTES,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
      })),
    })),
  };
}
