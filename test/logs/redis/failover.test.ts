import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AbstractConnector, Redis } from "ioredis";
import { startCluster } from "../../support/redis-cluster.ts";
import { kept, openNode, type RedisNode } from "../../support/redis-node.ts";
import { startSentinels } from "../../support/redis-sentinels.ts";
import { needsEngine } from "../../support/redis.ts";
import { draftOf } from "../../support/sample.ts";
import { until } from "../../support/until.ts";

describe("the nodes of a log whose engine fails over", { concurrency: 2 }, () => {
  it("go on with the replica that Sentinels promote, and lose nothing that it has", async (test) => {
    if (!needsEngine(test)) return;
    await using sentinels = await startSentinels();
    await using a = await openNode(sentinels.url);
    await using b = await openNode(sentinels.url);
    await goOn([a, b], async () => {
      await until("the replica has it", async () => {
        const length = await sentinels.engines[1]?.cli("XLEN", "{hub}:log");
        return length?.trim() === "3";
      });
      await sentinels.engines[0]?.kill();
    });
    assert.deepEqual(a.resets, b.resets);
  });

  it("connect again when they hear of a failover in the middle of connecting", async (test) => {
    if (!needsEngine(test)) return;
    await using sentinels = await startSentinels();
    await using node = await openNode(sentinels.url);
    const commands = node.connection.commands as Redis;
    const ended = new Promise<void>((resolve) => void commands.once("end", resolve));
    // As the driver does itself, on `+switch-master`.
    commands.once("connecting", () => (commands as unknown as { connector: AbstractConnector }).connector.disconnect());
    commands.stream.destroy();
    await ended;
    await until("it publishes", () =>
      node.log.append(draftOf("x", "again")).then(
        () => true,
        () => false,
      ),
    );
  });

  it("go on with the replica that a cluster promotes", async (test) => {
    if (!needsEngine(test, "valkey")) return;
    await using cluster = await startCluster({ kind: "valkey", replicas: 1 });
    await using a = await openNode(cluster.url);
    await using b = await openNode(cluster.url);
    await goOn([a, b], async () => {
      const primary = await cluster.primaryOf("{hub}:log");
      await until("the replica has all", async () => {
        const info = (await primary?.cli("INFO", "replication")) ?? "";
        const written = /master_repl_offset:(\d+)/.exec(info)?.[1];
        return written !== undefined && /slave0:.*offset=(\d+)/.exec(info)?.[1] === written;
      });
      await primary?.kill();
    });
    assert.deepEqual(a.resets, b.resets);
  });

  it("[LOG-28] say what an engine lost that had acknowledged it, and give no number out twice", async (test) => {
    if (!needsEngine(test)) return;
    await using sentinels = await startSentinels();
    await using a = await openNode(sentinels.url);
    await using b = await openNode(sentinels.url);
    const [primary, replica] = sentinels.engines;
    const before = await a.log.append(draftOf("x", "before"));
    await until("the replica has it", async () => (await replica?.cli("XLEN", "{hub}:log"))?.trim() === "1");
    // From here on the replica gets nothing; Sentinels promote it all the same.
    const link = (await primary?.cli("CLIENT", "LIST", "TYPE", "replica")) ?? "";
    assert.match(link, /flags=S/);
    await replica?.cli("REPLICAOF", "127.0.0.1", "1");
    const lost: number[] = [];
    for (let count = 0; count < 50; count++) lost.push((await a.log.append(draftOf("x", count))).message.offset);
    await until("b has them", () => b.followed.length === 51);
    const epoch = a.log.epoch;
    await primary?.kill();
    await replica?.cli("REPLICAOF", "NO", "ONE");
    const proxy = sentinels.proxies[0];
    if (proxy !== undefined) proxy.target = replica?.port ?? 0;
    await until("both are told", () => a.resets.length === 1 && b.resets.length === 1);
    assert.deepEqual(a.resets, b.resets);
    const after = await publish(a, "after");
    assert.ok(after > (a.resets[0] ?? 0) && (a.resets[0] ?? 0) > Math.max(...lost));
    await until("b has it", () => b.followed.at(-1)?.data === '"after"');
    assert.deepEqual(
      [await kept(a.log), await kept(b.log)],
      [
        ['"before"', '"after"'],
        ['"before"', '"after"'],
      ],
    );
    for (const { log } of [a, b]) {
      const page = await log.read({ after: before.message.offset, channels: [draftOf("x", 0).channel], limit: 9 });
      assert.deepEqual([page.isLost, page.dropped], [true, a.resets[0]], "who had all before is told, too");
      assert.ok(!lost.some((offset) => log.knows({ epoch: log.epoch, offset }) && log.epoch === epoch));
    }
  });
});

/** Publishes on the first before and after something happens; both must have it all. */
async function goOn(nodes: readonly [RedisNode, RedisNode], happens: () => Promise<void>): Promise<void> {
  const [a] = nodes;
  for (let count = 0; count < 3; count++) await a.log.append(draftOf("x", count));
  await until("both have it", () => nodes.every(({ followed }) => followed.length === 3));
  await happens();
  const start = performance.now();
  await publish(a, "after");
  assert.ok(performance.now() - start < 15_000, "publishing again within seconds");
  // On a machine that is too busy to answer in time, a node counts as one that may have lost something.
  await until("both have it", async () => {
    const all = await Promise.all(nodes.map(({ log }) => kept(log)));
    return all.every((data) => data.join() === '0,1,2,"after"');
  });
}

async function publish({ log }: RedisNode, data: string): Promise<number> {
  for (;;) {
    try {
      return (await log.append(draftOf("x", data, { key: data }))).message.offset;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
