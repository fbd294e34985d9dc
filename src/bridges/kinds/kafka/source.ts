import type { Consumer, GroupAssignment } from "@platformatic/kafka";
import { type Batch, MAX_BATCH, MAX_HELD, PREFETCH, type Source } from "../../bus.ts";
import { withTimeOut } from "../../time-out.ts";
import type { EndpointOptions } from "./driver.ts";
import type { KafkaIn } from "./rules.ts";
import { Fetcher } from "./fetcher.ts";
import { Membership } from "./membership.ts";
import { openPartitions, type Partition } from "./positions.ts";
import { type Delivery, received } from "./records.ts";

/** Milliseconds between commits. */
const COMMIT_INTERVAL = 1000;
/** Milliseconds that a rebalance waits for the hub to keep a batch; well below the time after which the group removes a member. */
const RELEASE_TIMEOUT = 4000;
/** Milliseconds that closing may wait for brokers that do not answer. */
const CLOSE_TIMEOUT = 3000;

export interface SourceOptions extends EndpointOptions<KafkaIn> {
  readonly group: string;
}

interface Item extends Delivery {
  readonly partition: Partition;
}

/** The messages of the partitions that the group assigns to this node. */
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
  /** The batch that is not settled yet. */
  #batch: readonly Item[] | undefined;
  #assignment = 0;
  #commits: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #changed = Promise.withResolvers<void>();
  #error: Error | undefined;
  #closed = false;

  /** Resolves once this node is a member of the group and knows the offsets to begin at. */
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

  /** Rejects what waits for messages. */
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
    await withTimeOut(end(), CLOSE_TIMEOUT, "the brokers do not answer").catch(() => {});
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

  /** Kafka knows no rejection: a message is done once the position of the group is past it. */
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

  /** Gives up all partitions, after the current batch has been settled and its offsets committed. */
  async #release(): Promise<void> {
    this.#assignment++;
    this.#isRevoked = true;
    for (const { partition, offset } of this.#queue.toReversed()) {
      partition.next = offset;
      partition.pending--;
    }
    this.#queue = [];
    this.#queued = 0;
    const settled = this.#until(() => this.#batch === undefined);
    await withTimeOut(settled, RELEASE_TIMEOUT, "the hub is still keeping messages").catch(() => {});
    await withTimeOut(this.#commit(), RELEASE_TIMEOUT, "the brokers do not answer").catch(() => {});
    this.#partitions = [];
  }

  async #assign(assignments: readonly GroupAssignment[]): Promise<void> {
    const assignment = ++this.#assignment;
    try {
      const partitions = await openPartitions(this.#reader, assignments, {
        ...this.#options,
        from: this.#options.rule.from,
      });
      // The group may have reassigned its partitions meanwhile.
      if (assignment !== this.#assignment || this.#closed) return;
      this.#partitions = partitions;
      this.#isRevoked = false;
      // Without a committed position, `latest` would begin further on after the next start.
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

  /** Commits what is settled, after any commit in progress. */
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
      // The group refuses a member that it removed, which joins again at its next heartbeat. Anything else is retried.
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
