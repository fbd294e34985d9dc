import type { Consumer, GroupAssignment } from "@platformatic/kafka";
import { type Batch, MAX_BATCH, MAX_HELD, PREFETCH, type Source } from "../../bus.ts";
import type { InRule } from "./driver.ts";
import type { EndOptions } from "./end.ts";
import { Fetcher } from "./fetcher.ts";
import { Membership } from "./membership.ts";
import { openPartitions, type Partition } from "./positions.ts";
import { type Delivery, received } from "./records.ts";

/** Milliseconds between commits. */
const COMMIT_INTERVAL = 1000;
/** Milliseconds that a rebalance waits for what the hub is keeping; well below the time after which members are thrown out. */
const RELEASE_TIMEOUT = 4000;
/** Milliseconds that closing may wait for brokers that do not answer. */
const CLOSE_TIMEOUT = 3000;

export interface SourceOptions extends EndOptions<InRule> {
  readonly group: string;
}

interface Item extends Delivery {
  readonly partition: Partition;
}

/** The messages of the partitions that the group gives to this node. */
export class KafkaSource implements Source {
  readonly #options: SourceOptions;
  readonly #reader: Consumer;
  readonly #membership: Membership;
  readonly #fetcher: Fetcher;
  #partitions: readonly Partition[] = [];
  #queue: Item[] = [];
  #queued = 0;
  /** Whether the group is assigning its partitions again. */
  #isRevoked = true;
  /** What the hub has and did not settle yet. */
  #batch: readonly Item[] | undefined;
  #assignment = 0;
  #commits: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #changed = Promise.withResolvers<void>();
  #error: Error | undefined;
  #closed = false;

  /** Resolves once this node is a member and knows from where on it receives. */
  static async open(options: SourceOptions): Promise<KafkaSource> {
    const source = new KafkaSource(options);
    try {
      await source.#membership.join();
      await source.#until(() => !source.#isRevoked);
      if (source.#error) throw source.#error;
      return source;
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  private constructor(given: SourceOptions) {
    const fail = (error: Error) => {
      this.fail(error);
      given.fail(error);
    };
    const options = { ...given, fail };
    this.#options = options;
    this.#reader = new options.driver.Consumer({ ...options.options, groupId: options.group });
    options.watch(this.#reader);
    this.#membership = new Membership({
      ...options,
      onRevoke: () => this.#release(),
      onAssign: (assignments) => void this.#assign(assignments),
    });
    this.#fetcher = new Fetcher({
      ...options,
      reader: this.#reader,
      wanted: () => this.#wanted(),
      isCurrent: (partition) => !this.#isRevoked && this.#partitions.includes(partition),
      onRecords: (partition, deliveries) => this.#enqueue(partition, deliveries),
    });
  }

  async *batches(): AsyncIterable<Batch> {
    for (;;) {
      await this.#until(() => this.#batch === undefined && !this.#isRevoked && this.#queue.length > 0);
      if (this.#error) throw this.#error;
      if (this.#closed) return;
      yield this.#take();
    }
  }

  async lag(): Promise<number | undefined> {
    const partitions = this.#partitions;
    if (partitions.length === 0) return 0;
    const ends = await this.#reader.listOffsets({ topics: [...new Set(partitions.map(({ topic }) => topic))] });
    let lag = 0n;
    for (const { topic, partition, settled } of partitions) {
      const end = ends.get(topic)?.[partition] ?? settled;
      if (end > settled) lag += end - settled;
    }
    return Number(lag);
  }

  /** Ends with an error what waits for messages. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#fetcher.close();
    this.#wake();
    const end = async () => {
      await this.#commit();
      await Promise.all([this.#membership.leave(), this.#reader.close(true).catch(() => {})]);
    };
    await atMost(CLOSE_TIMEOUT, end());
  }

  #take(): Batch {
    const items = this.#queue.splice(0, MAX_BATCH);
    for (const { size } of items) this.#queued -= size;
    this.#batch = items;
    this.#fetcher.wake();
    return {
      messages: items.map(({ record, offset, partition }) => received(record, offset, partition)),
      settle: async () => this.#settle(items),
    };
  }

  /** Kafka has no word for rejected: what the group's position passed is not delivered again. */
  #settle(items: readonly Item[]): void {
    for (const { partition, offset, epoch } of items) partition.settle(offset, epoch);
    this.#batch = undefined;
    this.#wake();
    this.#schedule();
  }

  #wanted(): readonly Partition[] {
    const hasRoom = this.#queue.length < PREFETCH && this.#queued < MAX_HELD / 2;
    return hasRoom && !this.#isRevoked ? this.#partitions : [];
  }

  #enqueue(partition: Partition, deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.#queue.push({ ...delivery, partition });
      this.#queued += delivery.size;
    }
    partition.pending += deliveries.length;
    if (deliveries.length > 0) this.#wake();
    else this.#schedule();
  }

  /** Gives all partitions back, after what the hub is keeping has been settled and committed. */
  async #release(): Promise<void> {
    this.#assignment++;
    this.#isRevoked = true;
    for (const { partition, offset } of this.#queue.toReversed()) {
      partition.next = offset;
      partition.pending--;
    }
    this.#queue = [];
    this.#queued = 0;
    await atMost(
      RELEASE_TIMEOUT,
      this.#until(() => this.#batch === undefined),
    );
    await atMost(RELEASE_TIMEOUT, this.#commit());
    this.#partitions = [];
  }

  async #assign(assignments: readonly GroupAssignment[]): Promise<void> {
    const assignment = ++this.#assignment;
    try {
      const partitions = await openPartitions(this.#reader, assignments, {
        ...this.#options,
        from: this.#options.rule.from,
      });
      // The group may have started over meanwhile.
      if (assignment !== this.#assignment || this.#closed) return;
      this.#partitions = partitions;
      this.#isRevoked = false;
      // A position that no one committed would be looked up again, further on, after the next start.
      await this.#commit();
      this.#wake();
      this.#fetcher.wake();
    } catch (error) {
      this.#options.fail(error as Error);
    }
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#commit();
    }, COMMIT_INTERVAL).unref();
  }

  /** Commits what is settled, after what is being committed. */
  #commit(): Promise<void> {
    this.#commits = this.#commits.then(() => this.#commitSettled());
    return this.#commits;
  }

  async #commitSettled(): Promise<void> {
    const dirty = this.#partitions.filter(({ settled, committed }) => settled !== committed);
    if (dirty.length === 0) return;
    const offsets = dirty.map(({ topic, partition, settled, epoch }) => {
      return { topic, partition, offset: settled, leaderEpoch: epoch };
    });
    try {
      await this.#membership.commit(offsets);
      for (const [index, partition] of dirty.entries()) partition.committed = offsets[index]!.offset;
    } catch {
      // Refused to a member that was thrown out, who joins again at its next heartbeat, or else tried again.
      this.#schedule();
    }
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#closed && this.#error === undefined) await this.#changed.promise;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

async function atMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  const { promise: end, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([promise, end]).finally(() => clearTimeout(timer));
}
