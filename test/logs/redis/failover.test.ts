import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Appended } from "../../../src/core/log.ts";
import { openNode, type RedisNode } from "../../support/redis-node.ts";
import { startCluster } from "../../support/redis-cluster.ts";
import { startSentinels, type Sentinels } from "../../support/redis-sentinels.ts";
import { ENGINES } from "../../support/redis.ts";
import { draftOf, patternsOf } from "../../support/sample.ts";
import { until } from "../../support/until.ts";

const ALL = patternsOf("*");

for (const kind of ENGINES) {
  describe(`a failover of ${kind}`, { concurrency: 2 }, () => {
    it("that loses what was acknowledged is told of, and no offset names two messages", async () => {
      await using group = await startSentinels({ kind });
      const replication = clientsOf(group);
      await using a = await openNode(group.url);
      await using b = await openNode(group.url);
      const kept = await publish(a, "kept", 10);
      await until("b has them", () => b.followed.length === 10);
      await until("the replica has them", async () => (await group.engines[1]?.cli("XLEN", "{hub}:log")) === "10");
      group.proxies[0]?.treat((client) => (replication.has(client) ? { stall: "replies" } : {}));
      const lost = await publish(a, "lost", 50);
      await until("b has those, too", () => b.followed.length === 60);
      await group.engines[0]?.kill("SIGKILL");
      const after = await publishAgain(b);
      await until("both have it", () => [a, b].every(({ followed }) => followed.at(-1)?.data === '"after"'));

      const last = lost.at(-1)?.message.offset as number;
      assert.ok(after.message.offset > last, "no offset of a lost message is given out again");
      for (const { log, resets } of [a, b]) {
        assert.equal(resets.length, 1);
        const [hole] = resets as [number];
        assert.ok(hole > last && hole < after.message.offset);
        // Whoever has some of the lost messages, all of them or none is told where it can go on.
        for (const from of [10, 11, 35, last]) {
          const page = await log.read({ after: from, channels: ALL, limit: 100 });
          assert.deepEqual([page.dropped, page.isLost], [hole, true]);
          assert.deepEqual(
            page.messages.map(({ data }) => data),
            ['"after"'],
          );
        }
        const before = await log.read({ after: 5, channels: ALL, limit: 100 });
        assert.deepEqual(
          before.messages.map(({ offset }) => offset),
          [6, 7, 8, 9, 10],
        );
        assert.equal(before.isLost, undefined);
        assert.equal(log.epochAt(10), log.epochAt(kept[0]?.message.offset as number));
        assert.notEqual(log.epochAt(after.message.offset), log.epochAt(10));
      }
    });

    it("that loses nothing is told to nobody", async () => {
      await using group = await startSentinels({ kind });
      await using a = await openNode(group.url);
      await using b = await openNode(group.url);
      await publish(a, "kept", 20);
      await until("the replica has them", async () => (await group.engines[1]?.cli("XLEN", "{hub}:log")) === "20");
      const start = performance.now();
      await group.engines[0]?.kill("SIGKILL");
      const after = await publishAgain(b);
      const silence = performance.now() - start;
      assert.equal(after.message.offset, 21);
      assert.ok(silence < 15_000, `${silence} ms without publishing`);
      await until("both have it", () => [a, b].every(({ followed }) => followed.length === 21));
      assert.deepEqual([a.resets, b.resets], [[], []]);
    });

    it("of a cluster ends, and every node goes on without losing anything silently", async () => {
      await using cluster = await startCluster({ kind, replicas: 1 });
      await using a = await openNode(cluster.url);
      await using b = await openNode(cluster.url);
      await publish(a, "kept", 20);
      await until("b has them", () => b.followed.length === 20);
      const primary = await cluster.primaryOf("{hub}:log");
      await primary?.kill("SIGKILL");
      const after = await publishAgain(b);
      await until("both have it", () => [a, b].every(({ followed }) => followed.at(-1)?.data === '"after"'));
      for (const { log, resets } of [a, b]) {
        const { messages } = await log.read({ after: resets[0] ?? 20, channels: ALL, limit: 100 });
        assert.deepEqual(
          messages.map(({ offset }) => offset),
          [after.message.offset],
        );
      }
    });
  });
}

/** The ports of what is connected to the primary before any node is. */
function clientsOf({ proxies }: Sentinels): ReadonlySet<number> {
  return new Set(proxies[0]?.clients);
}

function publish({ log }: RedisNode, word: string, count: number): Promise<readonly Appended[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => log.append(draftOf("c", `${word} ${index}`))));
}

/** Publishes as soon as that is possible again. */
async function publishAgain({ log }: RedisNode): Promise<Appended> {
  let appended: Appended | undefined;
  await until("it publishes again", async () => {
    appended = await log.append(draftOf("c", "after", { key: "after" })).catch(() => undefined);
    return appended !== undefined;
  });
  return appended as Appended;
}
