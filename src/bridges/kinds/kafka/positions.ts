import type { Consumer, GroupAssignment } from "@platformatic/kafka";

/** A partition that the group gave to this node. */
export class Partition {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  /** The offset to fetch from. */
  next: bigint;
  /** The offset that the group is to go on from. */
  settled: bigint;
  /** What the group knows of that. */
  committed: bigint;
  epoch = -1;
  /** Messages that were received and are not settled. */
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

  /** Everything before an offset is done. */
  settle(offset: bigint, epoch: number): void {
    this.pending--;
    // Behind the last message there may be markers of transactions, which are nothing to wait for.
    this.settled = this.pending === 0 ? this.next : offset + 1n;
    this.epoch = epoch;
  }
}

/** Where the positions of a group are. */
export interface Positions {
  readonly from: "latest" | "earliest";
  readonly report: (sentence: string) => void;
}

const EARLIEST = -2n;
const NONE = -1n;

/** The partitions of an assignment, each from where the group is. */
export async function openPartitions(
  reader: Consumer,
  assignments: readonly GroupAssignment[],
  { from, report }: Positions,
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
    // Partitions that are added to a topic later are read from their first message: those came while no one looked.
    const isNew = offsets.every((offset) => offset < 0n);
    const topicId = metadata.topics.get(topic)?.id ?? "";
    return partitions.map((partition) => {
      const [start = 0n, stop = 0n] = [first.get(topic)?.[partition], end.get(topic)?.[partition]];
      const known = offsets[partition] ?? NONE;
      const wanted = known >= 0n ? known : isNew && from === "latest" ? stop : start;
      const next = within(wanted, start, stop);
      if (next !== wanted) report(lostSentence(topic, partition, wanted, next));
      return new Partition({ topic, topicId, partition }, next, known);
    });
  });
}

/** Moves partitions on whose next message the brokers have no more. */
export async function catchUp(
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
    const moved = within(next, start, stop);
    if (moved === next) continue;
    report(lostSentence(topic, partition.partition, next, moved));
    partition.next = moved;
    if (partition.pending === 0) partition.settled = moved;
  }
}

/** The first offset if the brokers deleted what was wanted, or if the topic was made again. */
function within(offset: bigint, start: bigint, stop: bigint): bigint {
  return offset < start || offset > stop ? start : offset;
}

function lostSentence(topic: string, partition: number, wanted: bigint, next: bigint): string {
  return `Kafka no longer has offset ${wanted} of ${topic}/${partition}; going on at ${next}`;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
