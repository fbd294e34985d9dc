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

const A = patternsOf("a");

async function publish(hub: Hub, channel: string, ...data: unknown[]): Promise<void> {
  for (const each of data) await hub.publish(draftOf(channel, each));
}

async function turns(count = 10): Promise<void> {
  for (let passed = 0; passed < count; passed++) await turn();
}

describe("a live reader that takes nothing", () => {
  it("is cut when what it left of earlier turns passes the limit, before it is given more; nobody else notices", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { maxPending: 1000 });
    const [slow, other] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: A }, slow);
    hub.subscribe({ channels: A }, other);
    slow.stall();
    await publish(hub, "a", "x".repeat(600));
    await turn();
    assert.deepEqual([slow.closed, slow.pending > 600], [undefined, true]);
    await publish(hub, "a", "y".repeat(600));
    await turn();
    assert.equal(slow.closed, undefined, "its socket had no time for the second");
    await publish(hub, "a", "z");
    await turn();
    assert.deepEqual([slow.closed, hub.size, hub.stats.slow], ["slow", 1, 1]);
    assert.equal((await hub.publish(draftOf("a", "last"))).receivers, 1);
    await turn();
    assert.deepEqual([slow.data.length, other.data.length], [2, 4]);
  });

  it("is cut by a beat if nothing more is published", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { maxPending: 1000 });
    const slow = new TestSink();
    hub.subscribe({ channels: A }, slow);
    slow.stall();
    for (const data of ["x", "y"]) {
      await publish(hub, "a", data.repeat(600));
      await turn();
    }
    await turns();
    hub.heartbeat(0, 1);
    assert.deepEqual([slow.closed, hub.size], ["slow", 0]);
  });

  it("is not cut for one turn that is larger than the limit, but for what follows that", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { maxPending: 1000 });
    const [healthy, slow] = [new TestSink(), new TestSink()];
    for (const sink of [healthy, slow]) {
      hub.subscribe({ channels: A }, sink);
      sink.stall();
    }
    const large = "x".repeat(5000);
    await Promise.all([publish(hub, "a", large), publish(hub, "a", large)]);
    await turn();
    await publish(hub, "a", 1);
    await turn();
    assert.deepEqual([healthy.closed, slow.closed], [undefined, undefined], "neither had time for the large turn");
    healthy.take();
    await publish(hub, "a", large);
    await turn();
    await publish(hub, "a", 2);
    await turn();
    assert.deepEqual([healthy.closed, slow.closed], [undefined, "slow"]);
    assert.deepEqual(
      healthy.data.map((data) => String(data).length),
      [5000, 5000, 1, 5000, 1],
    );
  });

  it("may take what it was given just in time, again and again", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { maxPending: 1000 });
    const sink = new TestSink();
    hub.subscribe({ channels: A }, sink);
    sink.stall();
    for (let data = 0; data < 10; data++) {
      await publish(hub, "a", "x".repeat(600));
      await turn();
      sink.take();
    }
    assert.deepEqual([sink.closed, sink.data.length], [undefined, 10]);
  });

  it("comes back with its last id and has lost nothing", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { maxPending: 100 });
    const [slow, again] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: A }, slow);
    slow.stall();
    for (let data = 0; data < 10; data++) {
      await publish(hub, "a", data);
      await turn();
    }
    assert.equal(slow.closed, "slow");
    hub.subscribe({ channels: A, after: slow.ids.at(-1) }, again);
    await until("it is live again", () => again.of("live").length === 1);
    assert.deepEqual([...slow.data, ...again.data], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("does not take the reader along that joins its group in the moment it is cut", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { maxPending: 100 });
    const [slow, joining] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: A }, slow);
    slow.stall();
    for (const data of [1, 2]) {
      await publish(hub, "a", data);
      await turn();
    }
    await publish(hub, "a", 3);
    assert.equal(slow.closed, undefined, "the turn has not ended");
    hub.subscribe({ channels: A }, joining);
    await turn();
    assert.equal(slow.closed, "slow");
    assert.equal((await hub.publish(draftOf("a", 1))).receivers, 1);
    await turn();
    assert.deepEqual(joining.story, [1]);
  });

  it("stays gone when it is cut by the very change of its channels", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { maxPending: 100 });
    for (const change of ["add", "catch up", "remove"]) {
      const sink = new TestSink();
      const subscription = hub.subscribe({ channels: patternsOf("a", "z") }, sink);
      sink.stall();
      for (const data of [1, 2]) {
        await publish(hub, "a", data);
        await turn();
      }
      await publish(hub, "a", 3);
      assert.deepEqual(sink.story, [1, 2], "the turn has not ended");
      if (change === "add") hub.add(subscription, { channels: patternsOf("b") });
      else if (change === "remove") hub.remove(subscription, patternsOf("z"));
      else hub.add(subscription, { channels: patternsOf("b"), after: "earliest" });
      await turns();
      assert.deepEqual([sink.closed, hub.size], ["slow", 0], change);
      const receipts = [await hub.publish(draftOf("a", 1)), await hub.publish(draftOf("b", 1))];
      await turn();
      assert.deepEqual(
        receipts.map(({ receivers }) => receivers),
        [0, 0],
        change,
      );
      assert.equal(sink.data.length, 2, change);
    }
  });
});

describe("a reader that catches up slowly", () => {
  it("costs a page, however much is published meanwhile", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { page: 2 });
    await publish(hub, "a", 1, 2, 3);
    const sink = new TestSink();
    sink.stall();
    hub.subscribe({ channels: A, after: "earliest" }, sink);
    await until("it waits for its socket", () => sink.waiting === 1);
    await publish(hub, "a", ...Array.from({ length: 100 }, (_, data) => data + 4));
    await turns();
    assert.deepEqual(sink.data, [1, 2]);
    sink.resume();
    await until("it is live", () => sink.of("live").length === 1);
    assert.deepEqual(
      sink.data,
      Array.from({ length: 103 }, (_, data) => data + 1),
    );
  });

  it("costs a page, however often it changes its channels", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { page: 2 });
    await publish(hub, "a", 1, 2, 3);
    await publish(hub, "b", 4, 5, 6);
    const sink = new TestSink();
    sink.stall();
    const subscription = hub.subscribe({ channels: A, after: "earliest" }, sink);
    await until("it waits for its socket", () => sink.waiting === 1);
    for (let times = 0; times < 20; times++) {
      hub.add(subscription, { channels: patternsOf("a", "b"), after: "earliest" });
      await turns(4);
      hub.remove(subscription, patternsOf("b"));
      await turns(4);
    }
    assert.equal(sink.writes, 1);
    hub.add(subscription, { channels: patternsOf("b"), after: "earliest" });
    sink.resume();
    await until("it is live", () => sink.of("live").length === 1);
    assert.deepEqual(sink.data, [1, 2, 1, 2, 3, 4, 5, 6]);
  });

  it("keeps one page on its way, however often it changes its channels", async () => {
    const schedule = new Schedule("read");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule), { page: 2 });
    await publish(hub, "a", 1, 2, 3);
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: A, after: "earliest" }, sink);
    for (let times = 0; times < 20; times++) {
      await turn();
      hub.add(subscription, { channels: A, after: "earliest" });
    }
    assert.equal(schedule.at("read"), 1);
    schedule.open("read");
    await until("it is live", () => sink.of("live").length === 1);
    assert.deepEqual(sink.data, [1, 2, 3]);
  });

  it("is cut after some beats in which its socket took nothing", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { page: 1 });
    await publish(hub, "a", 1, 2, 3);
    const sink = new TestSink();
    sink.stall();
    hub.subscribe({ channels: A, after: "earliest" }, sink);
    await until("it waits for its socket", () => sink.waiting === 1);
    for (let beats = 0; beats < 3; beats++) hub.heartbeat(0, 1);
    assert.deepEqual([sink.closed, sink.of("beat").length], [undefined, 3]);
    hub.heartbeat(0, 1);
    assert.deepEqual([sink.closed, hub.size, hub.stats.slow], ["slow", 0, 1]);
    await turns();
    assert.deepEqual(sink.data, [1]);
  });

  it("is not cut as long as its socket takes a page between beats, nor for beats of an earlier replay", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { page: 1 });
    await publish(hub, "a", ...Array.from({ length: 10 }, (_, data) => data));
    const sink = new TestSink();
    sink.stall();
    const subscription = hub.subscribe({ channels: A, after: "earliest" }, sink);
    for (let taken = 0; taken < 9; taken++) {
      await until("it waits for its socket", () => sink.waiting === 1);
      for (let beats = 0; beats < 3; beats++) hub.heartbeat(0, 1);
      sink.take();
    }
    await until("it is live", () => sink.of("live").length === 1);
    hub.add(subscription, { channels: A, after: "earliest" });
    for (let beats = 0; beats < 3; beats++) hub.heartbeat(0, 1);
    assert.equal(sink.closed, undefined);
    sink.resume();
    await until("it is live again", () => sink.of("live").length === 2);
    assert.equal(sink.data.length, 20);
  });
});
