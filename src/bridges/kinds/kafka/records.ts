import type { KafkaRecord } from "@platformatic/kafka";
import type { Received } from "../../bus.ts";
import { heldBytes } from "../../held-bytes.ts";
import type { FetchedPartition } from "./driver.ts";

const TRANSACTIONAL = 0b01_0000;
const CONTROL = 0b10_0000;
const ABORT = 0;
const CONTENT_TYPE = "content-type";

/** A record of a partition, with about how many bytes it takes. */
export interface Delivery {
  readonly record: KafkaRecord;
  readonly offset: bigint;
  readonly epoch: number;
  readonly size: number;
}

/** What a fetch returned of one partition. */
export interface Fetched {
  readonly deliveries: readonly Delivery[];
  /** The offset to fetch next, past any transaction markers; the requested one if nothing came. */
  readonly next: bigint;
}

/** The records of committed transactions, and those outside transactions, from an offset on. */
export function committedRecords(partition: FetchedPartition, from: bigint): Fetched {
  const deliveries: Delivery[] = [];
  let next = from;
  // Not left to the driver, which misses all but the last aborted transaction of a producer, and those that end in a later fetch.
  const aborted = [...(partition.abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  for (const batch of partition.records ?? []) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    if (last + 1n > next) next = last + 1n;
    while (aborted[0] !== undefined && aborted[0].firstOffset <= last) open.add(aborted.shift()!.producerId);
    if (batch.attributes & CONTROL) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) open.delete(batch.producerId);
      continue;
    }
    if (batch.attributes & TRANSACTIONAL && open.has(batch.producerId)) continue;
    for (const record of batch.records) {
      const offset = batch.firstOffset + BigInt(record.offsetDelta);
      // Brokers send whole batches, also if the requested offset is in the middle of one.
      if (offset < from) continue;
      deliveries.push({
        record,
        offset,
        epoch: batch.partitionLeaderEpoch,
        size: heldBytes(record.length, 2 * record.headers.length),
      });
    }
  }
  return { deliveries, next };
}

/** Where a record comes from. */
export interface Place {
  readonly topic: string;
  /** Differs if the topic is deleted and created again. */
  readonly topicId: string;
  readonly partition: number;
}

/** A record as bridges read it: of several headers with the same name the last counts, and texts are UTF-8. */
export function received(record: KafkaRecord, offset: bigint, place: Place): Received {
  const { topic, topicId, partition } = place;
  const headers: Record<string, string> = {};
  let contentType: string | undefined;
  for (const [name, value] of record.headers) {
    const [word, text] = [name?.toString() ?? "", value?.toString() ?? ""];
    if (word.length === CONTENT_TYPE.length && word.toLowerCase() === CONTENT_TYPE) contentType = text;
    // An assignment would set the prototype.
    else if (word === "__proto__") Object.defineProperty(headers, word, { value: text, enumerable: true });
    else headers[word] = text;
  }
  return {
    body: record.value ?? undefined,
    headers,
    contentType,
    key: record.key?.toString(),
    names: { topic, partition: String(partition), offset: String(offset) },
    // Offsets restart at 0 in a topic that is created again; its id tells them from those of the former one.
    position: `${topic}/${partition}/${offset}@${topicId.slice(0, 8)}`,
  };
}
