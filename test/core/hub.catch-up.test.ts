import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Hub } from "../../src/core/hub.ts";
import type { Log } from "../../src/core/log.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { LateLog } from "../support/late-log.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { Schedule } from "../support/schedule.ts";
import { TestSink } from "../support/test-sink.ts";
import { until } from "../support/until.ts";

async function publish(hub: Hub, channel: string, ...data: unknown[]): Promise<void> {
  for (const each of data) await hub.publish(draftOf(channel, each));
}

/** A reader of channels that are written together: `a`, or `a b`. */
function reader(hub: Hub, channels: string, after?: string, sink: TestSink = new TestSink()): TestSink {
  hub.subscribe({ channels: patternsOf(...channels.split(" ")), after }, sink);
  return sink;
}

async function live(sink: TestSink, times = 1): Promise<void> {
  await until("the reader is live", () => sink.of("live").length === times);
}

describe("a reader without a cursor", () => {
  it("gets what is published from now on, also when that was in this very turn", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await publish(hub, "a", 1);
    const before = reader(hub, "a");
    const publishing = publish(hub, "a", 2);
    const during = reader(hub, "a");
    await publishing;
    const after = reader(hub, "a");
    await publish(hub, "a", 3);
    await turn();
    assert.deepEqual([before.story, during.story, after.story], [[2, 3], [2, 3], [3]]);
  });

  it("that joins a group with messages still to be written does not get those", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const early = reader(hub, "a");
    await publish(hub, "a", 1);
    assert.deepEqual(early.story, [], "the turn has not ended");
    const late = reader(hub, "a");
    await turn();
    assert.deepEqual([early.story, late.story], [[1], []]);
  });

  it("may read nothing, and hears only how far the hub has got", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    hub.subscribe({ channels: [] }, sink);
    await publish(hub, "a", 1);
    hub.heartbeat(0, 1);
    assert.deepEqual(sink.entries, [{ kind: "beat", id: hub.cursor(), moves: false }]);
  });
});

describe("a reader with a cursor", () => {
  it("gets all it missed in order, `live`, then what is new: page borders make no difference", async () => {
    for (let missed = 0; missed <= 7; missed++) {
      await using hub = await openHub(new MemoryLog(FOREVER), { page: 3 });
      await publish(hub, "a", "seen");
      const cursor = hub.cursor();
      const all = Array.from({ length: missed }, (_, index) => index);
      await publish(hub, "a", ...all);
      const sink = reader(hub, "a", cursor);
      await live(sink);
      await publish(hub, "a", "new");
      await turn();
      assert.deepEqual(sink.story, [...all, "live", "new"]);
      assert.equal(sink.of("live")[0]?.id, hub.cursor(missed + 1));
    }
  });

  it("[LOG-7] gets every kept message of its channels for `earliest`, and never a gap", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 4 }));
    await publish(hub, "a", 1, 2, 3, 4, 5, 6);
    await publish(hub, "b", 7);
    const sink = reader(hub, "a", "earliest");
    await live(sink);
    assert.deepEqual(sink.story, [4, 5, 6, "live"]);
  });

  it("keeps getting it all while others publish: nothing lost, nothing twice", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { page: 2 });
    const total = 200;
    const sinks: TestSink[] = [];
    for (let data = 0; data < total; data++) {
      const publishing = publish(hub, data % 3 ? "a" : "b", data);
      if (data % 10 === 0) sinks.push(reader(hub, "a", "earliest"));
      await publishing;
    }
    const expected = Array.from({ length: total }, (_, data) => data).filter((data) => data % 3);
    for (const sink of sinks) {
      await live(sink);
      await until("all has come", () => sink.data.length === expected.length);
      assert.deepEqual(sink.data, expected);
    }
  });

  it("loses nothing, however close a message comes to the moment it goes live", async () => {
    for (let distance = 0; distance < 40; distance++) {
      const schedule = new Schedule("page", "announce");
      await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule));
      const sink = reader(hub, "a", "earliest");
      await until("the page waits", () => schedule.at("page") === 1);
      const publishing = publish(hub, "a", "close");
      await until("the message waits", () => schedule.at("announce") === 1);
      const [first, second] = distance % 2 ? ["page", "announce"] : ["announce", "page"];
      schedule.open(first);
      for (let ticks = distance >> 1; ticks > 0; ticks--) await Promise.resolve();
      schedule.open(second);
      await publishing;
      await live(sink);
      await until("the message has come", () => sink.data.length > 0);
      await turn();
      assert.deepEqual(sink.data, ["close"], `${first}, ${distance >> 1} ticks, ${second}`);
    }
  });

  it("does not get twice what a log showed it before the hub delivered it", async () => {
    const schedule = new Schedule("announce");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule));
    const publishing = publish(hub, "a", "early");
    await until("the message waits", () => schedule.at("announce") === 1);
    const sink = reader(hub, "a", "earliest");
    await live(sink);
    assert.deepEqual(sink.story, ["live"]);
    schedule.open("announce");
    await publishing;
    await turn();
    assert.deepEqual(sink.story, ["live", "early"]);
  });

  it("that is ahead of what this hub delivered goes live when the hub has caught up with it", async () => {
    const schedule = new Schedule("announce");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule));
    const publishing = Promise.all([1, 2, 3].map((data) => hub.publish(draftOf("a", data))));
    await until("the messages wait", () => schedule.at("announce") === 1);
    const { next } = await hub.history({ channels: patternsOf("a"), limit: 2 });
    const sink = reader(hub, "a", next);
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(sink.story, []);
    schedule.open("announce");
    await publishing;
    await live(sink);
    await publish(hub, "a", 4);
    await turn();
    assert.deepEqual(sink.story, [3, "live", 4]);
  });

  it("is cut as unavailable when the log cannot be read, and comes back with its cursor", async () => {
    const log: Log = new MemoryLog(FOREVER);
    let failing = false;
    const read = log.read.bind(log);
    log.read = (query) => (failing ? Promise.reject(new Error("no")) : read(query));
    await using hub = await openHub(log);
    await publish(hub, "a", 1);
    failing = true;
    const sink = reader(hub, "a", "earliest");
    await until("it is cut", () => sink.closed !== undefined);
    assert.deepEqual([sink.closed, hub.size], ["unavailable", 0]);
    failing = false;
    const again = reader(hub, "a", "earliest");
    await live(again);
    assert.deepEqual(again.story, [1, "live"]);
  });

  it("that leaves gets nothing more, wherever it is in its replay", async () => {
    const schedule = new Schedule("read", "page");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule), { page: 1 });
    await publish(hub, "a", 1, 2, 3);
    const sinks = [new TestSink(), new TestSink(), new TestSink()] as const;
    const [asked, answered, draining] = sinks.map((sink) =>
      hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, sink),
    );
    sinks[2].stall();
    await until("all have asked", () => schedule.at("read") === 3);
    hub.unsubscribe(asked as NonNullable<typeof asked>);
    schedule.open("read");
    await until("all are answered", () => schedule.at("page") === 3);
    hub.unsubscribe(answered as NonNullable<typeof answered>);
    schedule.open("page");
    await until("the third waits for its socket", () => sinks[2].waiting === 1);
    hub.unsubscribe(draining as NonNullable<typeof draining>);
    sinks[2].resume();
    await publish(hub, "a", 4);
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(
      sinks.map(({ story }) => story),
      [[], [], [1]],
    );
    assert.equal(hub.size, 0);
  });

  it("that leaves because of what it is told stays gone", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a") }, sink);
    sink.onEntry = () => hub.unsubscribe(subscription);
    hub.add(subscription, { channels: patternsOf("b"), after: "rubbish" });
    for (let turns = 0; turns < 5; turns++) await turn();
    const { receivers } = await hub.publish(draftOf("a", 1));
    await turn();
    assert.deepEqual([sink.story, receivers], [["gap"], 0]);
  });
});

describe("a gap", () => {
  it("is told for what is not a cursor of this log, and everything from then on follows", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await publish(hub, "a", 1, 2);
    const unknown = [
      "rubbish",
      "",
      `${"0".repeat(10)}-1`,
      hub.cursor(3),
      `${hub.log.epoch}-99999`,
      "x".repeat(500),
      "\ud800\r\n",
    ];
    for (const after of unknown) {
      const sink = reader(hub, "a", after);
      await live(sink);
      assert.deepEqual(sink.entries, [
        { kind: "gap", reason: "unknown_cursor", after: after.slice(0, 64), resumed: hub.cursor() },
        { kind: "live", id: hub.cursor() },
      ]);
    }
    const sink = reader(hub, "a", "rubbish");
    await publish(hub, "a", 3);
    await live(sink);
    await turn();
    assert.deepEqual(
      sink.story.filter((entry) => entry !== "live"),
      ["gap", 3],
    );
    assert.equal(hub.stats.gaps, unknown.length + 1);
  });

  it("covers exactly what was dropped, and the rest follows", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 3 }));
    await publish(hub, "a", 1);
    const cursor = hub.cursor();
    await publish(hub, "a", 2, 3, 4, 5, 6);
    const sink = reader(hub, "a", cursor);
    await live(sink);
    assert.deepEqual(sink.story, ["gap", 4, 5, 6, "live"]);
    assert.deepEqual(sink.of("gap"), [{ kind: "gap", reason: "expired", after: cursor, resumed: hub.cursor(3) }]);
  });

  it("[LOG-6] is not told where only messages before the cursor were dropped, or none of its channels", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 3 }));
    await publish(hub, "quiet", 1);
    const early = hub.cursor(0);
    const cursor = hub.cursor();
    await publish(hub, "busy", 2, 3, 4, 5, 6);
    const border = hub.cursor(3);
    for (const [channels, after, story] of [
      ["quiet", cursor, ["live"]],
      ["other quiet", cursor, ["live"]],
      ["other.*", early, ["live"]],
      ["busy", border, [4, 5, 6, "live"]],
      ["quiet", early, ["gap", "live"]],
      ["quiet busy", cursor, ["gap", 4, 5, 6, "live"]],
      ["*", cursor, ["gap", 4, 5, 6, "live"]],
    ] as const) {
      const sink = reader(hub, channels, after);
      await live(sink);
      assert.deepEqual(sink.story, story, `${channels} after ${after}`);
    }
  });

  it("is told also when messages are dropped between two pages of a replay", async () => {
    const schedule = new Schedule("read");
    await using hub = await openHub(new LateLog(new MemoryLog({ ...FOREVER, messages: 4 }), schedule), { page: 2 });
    await publish(hub, "a", 1, 2, 3, 4);
    const sink = reader(hub, "a", "earliest");
    await until("it asks for a page", () => schedule.at("read") === 1);
    schedule.letOne("read");
    await until("it asks for the next", () => schedule.at("read") === 1);
    await publish(hub, "a", 5, 6, 7);
    schedule.open("read");
    await live(sink);
    assert.deepEqual(sink.story, [1, 2, "gap", 4, 5, 6, 7, "live"]);
    assert.deepEqual(sink.of("gap"), [
      { kind: "gap", reason: "expired", after: hub.cursor(2), resumed: hub.cursor(3) },
    ]);
  });
});
