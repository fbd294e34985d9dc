import type { Consumer, GroupAssignment } from "@platformatic/kafka";

/** A partition that the group assigned to this node. */
export class Partition {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  /** The offset to fetch from. */
  next: bigint;
  /** The offset to commit: everything before it is settled. */
  settled: bigint;
  /** The offset that was committed last. */
  committed: bigint;
  epoch = -1;
  /** Messages that were fetched and are not settled. */
  pending = 0;
  isFetching = false;

  constructor(place: { topic: string; topicId: string; partition: number }, next: bigint, committed: bigint) {
    this.topic = place.topic;
    this.topicId = place.topicId;
    this.partition = place.partition;
    this.next = next;
    this.settled = next;
    this.committed = committed;
  }

  /** Notes that the message at this offset is settled. */
  settle(offset: bigint, epoch: number): void {
    this.pending--;
    // The last message may be followed by transaction markers, which no one settles.
    this.settled = this.pending === 0 ? this.next : offset + 1n;
    this.epoch = epoch;
  }
}

/** How to find where a group begins. */
export interface PositionOptions {
  readonly from: "latest" | "earliest";
  readonly report: (sentence: string) => void;
}

const EARLIEST = -2n;
const NONE = -1n;

/** The partitions of an assignment, each at the position of the group. */
export async function openPartitions(
  reader: Consumer,
  assignments: readonly GroupAssignment[],
  { from, report }: PositionOptions,
): Promise<Partition[]> {
  const topics = assignments.map(({ topic }) => topic);
  if (topics.length === 0) return [];
  const metadata = await reader.metadata({ topics, forceUpdate: true });
  const all = topics.map((topic) => ({ topic, partitions: range(metadata.topics.get(topic)?.partitionsCount ?? 0) }));
  const [committed, first, end] = await Promise.all([
    reader.listCommittedOffsets({ topics: all }),
    reader.listOffsets({ topics, timestamp: EARLIEST }),
    reader.listOffsets({ topics }),
  ]);
  return assignments.flatMap(({ topic, partitions }) => {
    const offsets = committed.get(topic) ?? [];
    // Only a group without any position begins at `from`: partitions added to the topic later are read from their start.
    const isNew = offsets.every((offset) => offset < 0n);
    const topicId = metadata.topics.get(topic)?.id ?? "";
    return partitions.map((partition) => {
      const [start = 0n, stop = 0n] = [first.get(topic)?.[partition], end.get(topic)?.[partition]];
      const known = offsets[partition] ?? NONE;
      const wanted = known >= 0n ? known : isNew && from === "latest" ? stop : start;
      const next = available(wanted, start, stop);
      if (next !== wanted) report(lostSentence(topic, partition, wanted, next));
      return new Partition({ topic, topicId, partition }, next, known);
    });
  });
}

/** Moves partitions whose next message the brokers no longer have. */
export async function skipDeleted(
  reader: Consumer,
  partitions: readonly Partition[],
  report: (sentence: string) => void,
): Promise<void> {
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const [first, end] = await Promise.all([
    reader.listOffsets({ topics, timestamp: EARLIEST }),
    reader.listOffsets({ topics }),
  ]);
  for (const partition of partitions) {
    const { topic, next } = partition;
    const [start = 0n, stop = 0n] = [first.get(topic), end.get(topic)].map((offsets) => offsets?.[partition.partition]);
    const moved = available(next, start, stop);
    if (moved === next) continue;
    report(lostSentence(topic, partition.partition, next, moved));
    partition.next = moved;
    if (partition.pending === 0) partition.settled = moved;
  }
}

/** The offset itself, or the first one if the brokers deleted it or the topic was created again. */
function available(offset: bigint, start: bigint, stop: bigint): bigint {
  return offset < start || offset > stop ? start : offset;
}

function lostSentence(topic: string, partition: number, wanted: bigint, next: bigint): string {
  return `Kafka no longer has offset ${wanted} of ${topic}/${partition}; continuing at ${next}`;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
