import type { Consumer, GroupAssignment } from "@platformatic/kafka";
import { assignPartitions } from "./assigner.ts";
import type { EndOptions } from "./end.ts";
import type { InRule } from "./driver.ts";

/** Milliseconds without a sign of life after which the group gives the partitions of a member to others. */
const SESSION_TIMEOUT = 10_000;
const HEARTBEAT_INTERVAL = 1000;
/** Milliseconds that the group waits for its members to join again; less than a request may take. */
const REBALANCE_TIMEOUT = 20_000;

export interface MembershipOptions extends EndOptions<InRule> {
  readonly group: string;
  /** Called before the group gives partitions to others, which waits for it. */
  readonly onRevoke: () => Promise<void>;
  readonly onAssign: (assignments: readonly GroupAssignment[]) => void;
}

/**
 * A member of a consumer group, and commits in its name. Members are dynamic: a node that ends leaves the group, and its
 * partitions go to the others at once; what a static member gains by its name, nodes cannot, whose names are new each time.
 */
export class Membership {
  readonly #member: Consumer;
  /** Commits for the member: the member itself, if it is refused, would join again and commit what others have by then. */
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
      // The one thing the driver waits for before it joins again, which takes all partitions away.
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

  /** Rejects if the member was thrown out in between. */
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
