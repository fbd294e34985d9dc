import type { Consumer, GroupAssignment } from "@platformatic/kafka";
import { assignPartitions } from "./assigner.ts";
import type { EndpointOptions } from "./driver.ts";
import type { KafkaIn } from "./rules.ts";

/** Milliseconds without a heartbeat after which the group removes a member, and assigns its partitions to others. */
const SESSION_TIMEOUT = 10_000;
const HEARTBEAT_INTERVAL = 1000;
/** Milliseconds that the group waits for its members in a rebalance; less than a request may take. */
const REBALANCE_TIMEOUT = 20_000;

export interface MembershipOptions extends EndpointOptions<KafkaIn> {
  readonly group: string;
  /** Called before a rebalance, which waits for the promise. */
  readonly onRevoke: () => Promise<void>;
  readonly onAssign: (assignments: readonly GroupAssignment[]) => void;
}

/**
 * A member of a consumer group, which also commits for it. Members are dynamic: a node that stops leaves the group, and
 * its partitions go to others at once. Static membership needs a name that survives a restart, which nodes do not have.
 */
export class Membership {
  readonly #member: Consumer;
  /** Commits for the member. The member itself, when refused, would join again and commit partitions that others have by then. */
  readonly #committer: Consumer;

  constructor(options: MembershipOptions) {
    const { driver, group, watch, fail, onRevoke, onAssign } = options;
    const client = { ...options.options, groupId: group };
    const times = {
      sessionTimeout: SESSION_TIMEOUT,
      heartbeatInterval: HEARTBEAT_INTERVAL,
      rebalanceTimeout: REBALANCE_TIMEOUT,
    };
    this.#committer = new driver.Consumer({ ...client, ...times, retries: 0 });
    this.#member = new driver.Consumer({
      ...client,
      ...times,
      heartbeatStallTimeout: REBALANCE_TIMEOUT,
      partitionAssigner: assignPartitions,
      // The only callback that the driver awaits before it joins again, which revokes all partitions.
      protocolsMetadata: async () => {
        await onRevoke();
        return Buffer.alloc(0);
      },
    });
    for (const topic of options.rule.topics) this.#member.topics.track(topic);
    this.#member.on("consumer:group:join", () => onAssign(this.#member.assignments ?? []));
    this.#member.on("consumer:heartbeat:stalled", () => fail(new Error("the consumer group does not answer")));
    watch(this.#member);
    watch(this.#committer);
  }

  async join(): Promise<void> {
    await this.#member.joinGroup({});
  }

  /** Rejects if the group removed the member. */
  async commit(offsets: { topic: string; partition: number; offset: bigint; leaderEpoch: number }[]): Promise<void> {
    const { memberId, generationId } = this.#member;
    this.#committer.memberId = memberId;
    this.#committer.generationId = generationId;
    await this.#committer.commit({ offsets });
  }

  async leave(): Promise<void> {
    await Promise.allSettled([this.#member.close(true), this.#committer.close(true)]);
  }
}
