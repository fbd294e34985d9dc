import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { channelName } from "../../../src/core/channel.ts";
import type { Log } from "../../../src/core/log.ts";
import { ENGINES, startEngine, type Engine } from "../../support/redis.ts";
import { openNode } from "../../support/redis-node.ts";
import { draftOf, patternsOf } from "../../support/sample.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const A = channelName("a");

async function dropped(log: Log, channel: string): Promise<number> {
  return (await log.read({ after: 0, channels: patternsOf(channel), limit: 1 })).dropped;
}

async function offsets(log: Log): Promise<number[]> {
  const { messages } = await log.read({ after: 0, channels: patternsOf("*"), limit: 100 });
  return messages.map(({ offset }) => offset);
}

for (const kind of ENGINES) {
  describe(`a channel that is purged on ${kind}`, { concurrency: true }, () => {
    let engine: Engine;
    let hubs = 0;
    before(async () => {
      engine = await startEngine({ kind });
    });
    after(() => engine[Symbol.asyncDispose]());
    const fresh = (): string => `${engine.url}?prefix=purge${++hubs}`;

    it("[LOG-31] is purged on every node, which go on in the same order", async () => {
      const url = fresh();
      await using a = await openNode(url);
      await using b = await openNode(url);
      for (const [data, channel] of ["a", "b", "a", "b", "a"].entries()) await a.log.append(draftOf(channel, data));
      await until("b has all", () => b.followed.length === 5);
      assert.equal(await a.log.purge(A, 5), 3);
      await until("b has purged it, too", async () => (await offsets(b.log)).join() === "2,4");
      assert.deepEqual([await dropped(a.log, "a"), await dropped(b.log, "a")], [5, 5]);
      assert.deepEqual(a.log.size(), b.log.size());
      const { message } = await b.log.append(draftOf("a", "new"));
      assert.equal(message.offset, 6);
      await until("a has it", () => a.followed.length === 6);
      assert.deepEqual([a.resets, b.resets], [[], []]);
      assert.deepEqual(
        [await offsets(a.log), await offsets(b.log)],
        [
          [2, 4, 6],
          [2, 4, 6],
        ],
      );
    });

    it("[LOG-31] is told by a node that starts afterwards, also if the last message is gone", async () => {
      const url = fresh();
      using folder = new TemporaryFolder();
      const mirror = folder.file("mirror.db");
      await using a = await openNode(url);
      {
        await using early = await openNode(url, { mirror });
        for (const channel of ["a", "b", "a"]) await a.log.append(draftOf(channel, channel));
        await until("it has all", () => early.followed.length === 3);
      }
      for (const channel of ["a", "b", "a", "a"]) await a.log.append(draftOf(channel, channel));
      assert.equal(await a.log.purge(A, 7), 5);
      await using late = await openNode(url, { mirror });
      await using fresher = await openNode(url);
      for (const { log } of [late, fresher]) {
        assert.deepEqual([await offsets(log), await dropped(log, "a"), await dropped(log, "b")], [[2, 5], 7, 0]);
      }
      await a.log.append(draftOf("a", "new"));
      await until("both go on", () => late.followed.length === 1 && fresher.followed.length === 1);
      assert.deepEqual([late.resets, await offsets(late.log), await offsets(fresher.log)], [[], [2, 5, 8], [2, 5, 8]]);
    });
  });
}
