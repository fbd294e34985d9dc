import type { GroupPartitionsAssigner } from "@platformatic/kafka";

/**
 * Assigns partitions round robin, each to a member that subscribed to its topic. The assigner of the driver assigns the
 * topics of the leader to all members, and leaves out the others.
 */
export const assignPartitions: GroupPartitionsAssigner = (_leader, members, _topics, metadata) => {
  const ids = [...members.keys()].sort();
  const assigned = new Map(ids.map((memberId) => [memberId, { memberId, assignments: new Map() }]));
  const topics = new Set([...members.values()].flatMap((member) => member.topics ?? []));
  let turn = 0;
  for (const topic of [...topics].sort()) {
    const subscribers = ids.filter((id) => members.get(id)?.topics?.includes(topic));
    const count = metadata.topics.get(topic)?.partitionsCount ?? 0;
    for (let partition = 0; partition < count; partition++) {
      const { assignments } = assigned.get(subscribers[turn++ % subscribers.length]!)!;
      if (!assignments.has(topic)) assignments.set(topic, { topic, partitions: [] });
      assignments.get(topic).partitions.push(partition);
    }
  }
  return [...assigned.values()];
};
