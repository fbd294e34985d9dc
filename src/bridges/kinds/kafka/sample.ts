import type { Consumer } from "@platformatic/kafka";
import type { Received } from "../../bus.ts";
import { committedRecords, received } from "./records.ts";

const EARLIEST = -2n;
/** How many offsets before the end are searched for a message: the last ones may be transaction markers. */
const LOOK_BACK = 10n;
const MAX_BYTES = 1024 * 1024;

/** The newest message of the first partition that has one; undefined if they are all empty. */
export async function newestRecord(reader: Consumer, names: readonly string[]): Promise<Received | undefined> {
  for (const name of names) reader.topics.track(name);
  const { topics } = await reader.metadata({ topics: [...names] });
  const first = await reader.listOffsets({ topics: [...names], timestamp: EARLIEST });
  const end = await reader.listOffsets({ topics: [...names] });
  for (const topic of names) {
    const metadata = topics.get(topic);
    for (const [partition, place] of metadata?.partitions.entries() ?? []) {
      const [start = 0n, stop = 0n] = [first.get(topic)?.[partition], end.get(topic)?.[partition]];
      if (stop <= start) continue;
      const from = stop - LOOK_BACK > start ? stop - LOOK_BACK : start;
      const topicId = metadata!.id;
      const wanted = {
        partition,
        fetchOffset: from,
        partitionMaxBytes: MAX_BYTES,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
      };
      const response = await reader.fetch({ node: place.leader, topics: [{ topicId, partitions: [wanted] }] });
      const part = response.responses[0]?.partitions[0];
      const last = part && committedRecords(part, from).deliveries.at(-1);
      if (last) return received(last.record, last.offset, { topic, topicId, partition });
    }
  }
  return undefined;
}
