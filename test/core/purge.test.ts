import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelName } from "../../src/core/channel.ts";
import type { Hub } from "../../src/core/hub.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { TestSink } from "../support/test-sink.ts";
import { until } from "../support/until.ts";

/** Publishes a message on each of these channels; its data are its number, from 1. Resolves with the ids. */
async function publish(hub: Hub, channels: string): Promise<string[]> {
  const ids: string[] = [];
  for (const [index, channel] of channels.split("").entries()) {
    ids.push((await hub.publish(draftOf(channel, index + 1))).id as string);
  }
  return ids;
}

async function replayed(hub: Hub, channels: string, after: string): Promise<TestSink> {
  const sink = new TestSink();
  hub.subscribe({ channels: patternsOf(...channels.split(" ")), after }, sink);
  await until("it is live", () => sink.of("live").length === 1);
  return sink;
}

describe("a channel that is purged", () => {
  it("[LOG-31] is a gap to its reader, before what came since, and no gap to who had read that far", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const ids = await publish(hub, "aaaa");
    assert.equal(await hub.kept.purge(channelName("a"), ids[3]), 3);
    const sink = await replayed(hub, "a", ids[0] as string);
    assert.deepEqual(sink.story, ["gap", 4, "live"]);
    assert.deepEqual(sink.of("gap"), [{ kind: "gap", reason: "expired", after: ids[0], resumed: ids[2] }]);
    assert.deepEqual((await replayed(hub, "a", ids[2] as string)).story, [4, "live"]);
    assert.deepEqual((await replayed(hub, "a", "earliest")).story, [4, "live"]);
  });

  it("[LOG-31] costs a reader of several nothing of the others: their messages first, then one gap", async () => {
    for (const page of [1, 2, 3, 10]) {
      await using hub = await openHub(new MemoryLog(FOREVER), { page });
      const ids = await publish(hub, "abbabaabb");
      assert.equal(await hub.kept.purge(channelName("a")), 4);
      const sink = await replayed(hub, "a b", ids[0] as string);
      assert.deepEqual(sink.story, [2, 3, 5, "gap", 8, 9, "live"], `pages of ${page}`);
      assert.deepEqual((await replayed(hub, "*", ids[5] as string)).story, ["gap", 8, 9, "live"]);
      assert.deepEqual((await replayed(hub, "*", ids[6] as string)).story, [8, 9, "live"]);
      assert.deepEqual((await replayed(hub, "b", ids[0] as string)).story, [2, 3, 5, 8, 9, "live"]);
    }
  });

  it("[LOG-31] says so in pages of history as well, where the gap is, once", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const ids = await publish(hub, "abbabaabb");
    await hub.kept.purge(channelName("a"));
    const story: unknown[] = [];
    for (let after = ids[0] as string, more = true; more;) {
      const page = await hub.history({ channels: patternsOf("*"), after, limit: 2 });
      if (page.gap !== undefined) story.push(page.gap.resumed === ids[6] ? "gap" : page.gap);
      story.push(...page.messages.map(({ data }) => JSON.parse(data) as number));
      [after, more] = [page.next, page.more];
    }
    assert.deepEqual(story, [2, 3, 5, "gap", 8, 9]);
  });

  it("[LOG-31] is empty to whoever asks once it has been purged, also while someone reads it", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await publish(hub, "aab");
    const query = { channels: patternsOf("a"), limit: 10 };
    const early = hub.history(query);
    const purging = hub.kept.purge(channelName("a"));
    await purging;
    assert.deepEqual((await hub.history(query)).messages, []);
    await early;
    assert.deepEqual((await hub.kept.recent(query)).messages, []);
    const [listed] = hub.channels({ pattern: patternsOf("a")[0] as never, limit: 1 });
    assert.equal(listed?.kept, 0);
  });

  it("[LOG-31] says nothing to live readers, and its ids go on where they were", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("a") }, sink);
    const [first = ""] = await publish(hub, "a");
    await hub.kept.purge(channelName("a"));
    const { id } = await hub.publish(draftOf("a", "next"));
    await until("it has both", () => sink.data.length === 2);
    assert.deepEqual(sink.story, [1, "next"]);
    assert.equal(id, first.replace(/1$/, "2"));
    await assert.rejects(hub.kept.purge(channelName("a"), "nothing"), /before is not a cursor of this log: "nothing"/);
  });
});
