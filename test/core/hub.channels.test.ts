import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Hub } from "../../src/core/hub.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { LateLog } from "../support/late-log.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { Schedule } from "../support/schedule.ts";
import { TestSink } from "../support/test-sink.ts";
import { until } from "../support/until.ts";

async function publish(hub: Hub, channel: string, ...data: unknown[]): Promise<void> {
  for (const each of data) await hub.publish(draftOf(channel, each));
}

async function live(sink: TestSink, times = 1): Promise<void> {
  await until("the reader is live", () => sink.of("live").length === times);
}

describe("a live reader", () => {
  it("that adds a channel gets it from now on, and loses nothing of the others", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a") }, sink);
    await publish(hub, "b", "before");
    const publishing = Promise.all([publish(hub, "a", 1), publish(hub, "b", 2)]);
    hub.add(subscription, { channels: patternsOf("b") });
    await publishing;
    hub.add(subscription, { channels: patternsOf("c.*") });
    await publish(hub, "c.x", 3);
    await turn();
    assert.deepEqual(sink.story, [1, 2, 3]);
    assert.deepEqual(subscription.channels, ["a", "b", "c.*"]);
  });

  it("that leaves a channel gets no more of it, and keeps what was published before", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a", "b") }, sink);
    await publish(hub, "a", 1);
    hub.remove(subscription, patternsOf("a", "never"));
    await publish(hub, "a", 2);
    await publish(hub, "b", 3);
    hub.remove(subscription, patternsOf("b"));
    await publish(hub, "b", 4);
    hub.add(subscription, { channels: patternsOf("a") });
    await publish(hub, "a", 5);
    await turn();
    assert.deepEqual(sink.story, [1, 3, 5]);
  });

  it("that adds a channel with a cursor replays it, then goes on with all of them", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { page: 2 });
    const sink = new TestSink();
    await publish(hub, "b", "old", "b1", "b2");
    const subscription = hub.subscribe({ channels: patternsOf("a") }, sink);
    await publish(hub, "a", "a1");
    await publish(hub, "b", "b3");
    hub.add(subscription, { channels: patternsOf("b"), after: hub.cursor(1) });
    await publish(hub, "a", "a2");
    await publish(hub, "b", "b4");
    await live(sink);
    await publish(hub, "a", "a3");
    await turn();
    assert.deepEqual(sink.data, ["a1", "b1", "b2", "b3", "a2", "b4", "a3"]);
    assert.ok(sink.story.indexOf("live") > sink.story.indexOf("b3"));
  });

  it("that asks for a cursor on a quiet channel is told no gap for what a busy one dropped", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 3 }));
    await publish(hub, "quiet", "q1");
    const cursor = hub.cursor();
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("busy") }, sink);
    await publish(hub, "busy", 1, 2, 3, 4, 5, 6);
    await publish(hub, "quiet", "q2");
    hub.add(subscription, { channels: patternsOf("quiet"), after: cursor });
    await live(sink);
    assert.deepEqual(sink.story, [1, 2, 3, 4, 5, 6, "q2", "live"]);
  });

  it("that asks for the earliest of one channel still hears of what another dropped meanwhile", async () => {
    const late = new Schedule("read");
    await using hub = await openHub(new LateLog(new MemoryLog({ ...FOREVER, messages: 3 }), late));
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("busy") }, sink);
    await publish(hub, "busy", 1);
    hub.add(subscription, { channels: patternsOf("quiet"), after: "earliest" });
    await until("it asks for a page", () => late.at("read") === 1);
    await publish(hub, "busy", 2, 3, 4, 5, 6);
    late.open("read");
    await live(sink);
    assert.deepEqual(sink.story, [1, "gap", 4, 5, 6, "live"]);
    assert.deepEqual(sink.of("gap"), [
      { kind: "gap", reason: "expired", after: hub.cursor(1), resumed: hub.cursor(3) },
    ]);
  });

  it("is told a gap where the cursor it adds with is unknown, and gets the channel from now on", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    await publish(hub, "b", 1);
    const subscription = hub.subscribe({ channels: patternsOf("a") }, sink);
    hub.add(subscription, { channels: patternsOf("b"), after: "rubbish" });
    await publish(hub, "a", 2);
    await publish(hub, "b", 3);
    await live(sink);
    await turn();
    assert.deepEqual(
      sink.story.filter((entry) => entry !== "live"),
      ["gap", 2, 3],
    );
  });
});

describe("a reader that replays", () => {
  it("and adds a channel goes on where it was, and gets the new one from now on", async () => {
    const schedule = new Schedule("read");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule), { page: 2 });
    await publish(hub, "a", 1, 2, 3);
    await publish(hub, "b", "old");
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, sink);
    await until("it asks for a page", () => schedule.at("read") === 1);
    schedule.letOne("read");
    await until("it asks for the next", () => schedule.at("read") === 1);
    hub.add(subscription, { channels: patternsOf("b") });
    await publish(hub, "b", "new");
    schedule.open("read");
    await live(sink);
    assert.deepEqual(sink.story, [1, 2, 3, "new", "live"]);
  });

  it("loses nothing by asking again for what it is reading", async () => {
    const schedule = new Schedule("read");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule), { page: 2 });
    await publish(hub, "a", 1, 2, 3, 4);
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, sink);
    await until("it asks for a page", () => schedule.at("read") === 1);
    schedule.letOne("read");
    await until("it asks for the next", () => schedule.at("read") === 1);
    hub.add(subscription, { channels: patternsOf("a") });
    hub.add(subscription, { channels: patternsOf("a"), after: hub.cursor(4) });
    schedule.open("read");
    await live(sink);
    assert.deepEqual(sink.story, [1, 2, 3, 4, "live"]);
  });

  it("is told that it is live even if it has caught up when it adds a channel", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await publish(hub, "a", 1);
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a"), after: hub.cursor() }, sink);
    hub.add(subscription, { channels: patternsOf("b") });
    await live(sink);
    await publish(hub, "b", 2);
    await turn();
    assert.deepEqual(sink.story, ["live", 2]);
  });

  it("and leaves a channel gets no more of it, and no gap for it", async () => {
    const schedule = new Schedule("page");
    await using hub = await openHub(new LateLog(new MemoryLog({ ...FOREVER, messages: 3 }), schedule));
    await publish(hub, "b", 1);
    const cursor = hub.cursor();
    await publish(hub, "a", 2, 3, 4, 5);
    await publish(hub, "b", 6);
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a", "b"), after: cursor }, sink);
    await until("it is answered", () => schedule.at("page") === 1);
    hub.remove(subscription, patternsOf("a"));
    schedule.open("page");
    await live(sink);
    assert.deepEqual(sink.story, [6, "live"]);
  });
});

describe("a hub's channels", () => {
  it("are those with messages and those that live readers name, with their readers", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 2 }));
    await publish(hub, "b", 1);
    await publish(hub, "a.x", 2, 3);
    hub.subscribe({ channels: patternsOf("a.*", "c", "b") }, new TestSink());
    hub.subscribe({ channels: patternsOf("a.x", "*") }, new TestSink());
    const [everything] = patternsOf("*");
    const query = { pattern: everything as NonNullable<typeof everything>, limit: 10 };
    const listed = hub.channels(query).map(({ channel, readers, kept, last }) => [channel, readers, kept, last]);
    assert.deepEqual(listed, [
      ["a.x", 2, 2, 3],
      ["b", 2, 0, 1],
      ["c", 2, 0, 0],
    ]);
  });

  it("come in pages that miss none and repeat none", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    for (const channel of ["a.1", "a.3", "a.5", "b"]) await publish(hub, channel, 1);
    hub.subscribe({ channels: patternsOf("a.2", "a.3", "a.6", "a.*", "c") }, new TestSink());
    const [pattern] = patternsOf("a.*");
    const found: string[] = [];
    for (;;) {
      const after = found.at(-1);
      const query = {
        pattern: pattern as NonNullable<typeof pattern>,
        limit: 2,
        ...(after === undefined ? {} : { after }),
      };
      const page = hub.channels(query).map(({ channel }) => channel);
      if (page.length === 0) break;
      found.push(...page);
    }
    assert.deepEqual(found, ["a.1", "a.2", "a.3", "a.5", "a.6"]);
  });
});
