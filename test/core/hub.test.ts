import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HubError } from "../../src/core/errors.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { LateLog } from "../support/late-log.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { Schedule } from "../support/schedule.ts";
import { testFormat, TestSink } from "../support/test-sink.ts";
import { until } from "../support/until.ts";

describe("a published message", () => {
  it("reaches those who read its channel, by name, by prefix or by all, and nobody else", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sinks = new Map(
      ["orders.eu", "orders.*", "*", "orders", "orders.us", "chat.*"].map((text) => [text, new TestSink()]),
    );
    for (const [text, sink] of sinks) hub.subscribe({ channels: patternsOf(text) }, sink);
    const { receivers } = await hub.publish(draftOf("orders.eu", 1));
    await turn();
    const reached = [...sinks].filter(([, sink]) => sink.data.length === 1).map(([text]) => text);
    assert.deepEqual(reached, ["orders.eu", "orders.*", "*"]);
    assert.equal(receivers, 3);
  });

  it("reaches a reader once, however many of its patterns cover it", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("a.b.c", "a.*", "a.b.*", "*", "a.*") }, sink);
    const published = await Promise.all([1, 2, 3].map((data) => hub.publish(draftOf("a.b.c", data))));
    await turn();
    assert.deepEqual(sink.data, [1, 2, 3]);
    assert.deepEqual(
      published.map(({ receivers }) => receivers),
      [1, 1, 1],
    );
  });

  it("hands over what was offered in this turn before the turn ends, where it is asked to", async () => {
    const ends: (() => void)[] = [];
    await using hub = await openHub(new MemoryLog(FOREVER), { endOfTurn: (write) => void ends.push(write) });
    const sink = new TestSink();
    const subscription = hub.subscribe({ channels: patternsOf("a") }, sink);
    await hub.publish(draftOf("a", 1));
    assert.deepEqual(sink.data, []);
    hub.flush(subscription);
    assert.deepEqual(sink.data, [1]);
    for (const end of ends) end();
    assert.deepEqual(sink.data, [1]);
  });

  it("[LOG-1] reaches everyone in the same order, whatever the channels and whoever publishes", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const [all, some, late] = [new TestSink(), new TestSink(), new TestSink()];
    hub.subscribe({ channels: patternsOf("*") }, all);
    hub.subscribe({ channels: patternsOf("a", "c") }, some);
    const publisher = async (channel: string): Promise<void> => {
      for (let count = 0; count < 50; count++) {
        await hub.publish(draftOf(channel, `${channel}${count}`));
        if (count % 7 === channel.charCodeAt(0) % 7) await turn();
      }
    };
    await Promise.all(["a", "b", "c"].map(publisher));
    hub.subscribe({ channels: patternsOf("a", "c"), after: "earliest" }, late);
    await until("the late reader is live", () => late.of("live").length === 1);
    assert.equal(all.data.length, 150);
    assert.deepEqual(
      some.data,
      all.data.filter((data) => !String(data).startsWith("b")),
    );
    assert.deepEqual(late.data, some.data);
    assert.deepEqual(some.ids.length, new Set(some.ids).size);
  });

  it("is written together with what the same turn publishes, once to each reader", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("a", "b") }, sink);
    await Promise.all(["a", "b", "a", "c"].map((channel, data) => hub.publish(draftOf(channel, data))));
    await turn();
    assert.deepEqual(sink.data, [0, 1, 2]);
    assert.equal(sink.writes, 1);
  });

  it("is encoded once for all readers with the same format", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    let encoded = 0;
    const format = testFormat();
    const counting = {
      ...format,
      encode: (...args: Parameters<typeof format.encode>) => (encoded++, format.encode(...args)),
    };
    const sinks = Array.from({ length: 5 }, () => new TestSink(counting));
    for (const [index, sink] of sinks.entries()) hub.subscribe({ channels: patternsOf(index % 2 ? "a" : "*") }, sink);
    await hub.publish(draftOf("a", 1));
    await turn();
    assert.ok(sinks.every((sink) => sink.data.length === 1));
    assert.equal(encoded, 1);
  });

  it("is told to have reached the readers that are live: none that left, is elsewhere, or still catches up", async () => {
    const schedule = new Schedule("page");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule));
    const channels = patternsOf("a");
    const leaver = hub.subscribe({ channels }, new TestSink());
    hub.subscribe({ channels }, new TestSink());
    hub.subscribe({ channels: patternsOf("b") }, new TestSink());
    const late = new TestSink();
    hub.subscribe({ channels, after: "earliest" }, late);
    assert.equal((await hub.publish(draftOf("a", 1))).receivers, 2);
    hub.unsubscribe(leaver);
    assert.equal((await hub.publish(draftOf("a", 2))).receivers, 1);
    schedule.open("page");
    await until("the late reader is live", () => late.of("live").length === 1);
    assert.equal((await hub.publish(draftOf("a", 3))).receivers, 2);
    await turn();
    assert.deepEqual(late.story, [1, 2, "live", 3]);
  });

  it("[MSG-3] is refused by a log that refuses it, and reaches nobody", async () => {
    const log = new MemoryLog(FOREVER);
    await using hub = await openHub(log);
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("*") }, sink);
    await log.close();
    await assert.rejects(hub.publish(draftOf("a", 1)), (error) => error instanceof HubError && error.retry);
    assert.deepEqual(sink.entries, []);
    assert.equal(hub.stats.published, 0);
  });
});

describe("an ephemeral message", () => {
  it("reaches those listening now in its place, has no id, is not kept and moves no cursor", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const [live, late] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: patternsOf("a") }, live);
    await hub.publish(draftOf("a", 1));
    const cursor = hub.cursor();
    const published = await hub.publish(draftOf("a", 2, { ephemeral: true }));
    assert.deepEqual([published.id, published.receivers, published.repeated], [undefined, 1, false]);
    assert.equal(hub.cursor(), cursor);
    await Promise.all([hub.publish(draftOf("a", 3)), hub.publish(draftOf("a", 4, { ephemeral: true }))]);
    await turn();
    assert.deepEqual(live.data, [1, 2, 3, 4]);
    assert.deepEqual(
      live.ids.map((id) => id === undefined),
      [false, true, false, true],
    );
    hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, late);
    await until("the late reader is live", () => late.of("live").length === 1);
    assert.deepEqual(late.data, [1, 3]);
    assert.deepEqual(
      (await hub.history({ channels: patternsOf("a"), limit: 9 })).messages.map(({ data }) => data),
      ["1", "3"],
    );
  });

  it("that is the first of all lets a reader resume from the beginning", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    await hub.publish(draftOf("a", 1, { ephemeral: true }));
    const cursor = hub.cursor();
    await hub.publish(draftOf("a", 2));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("a"), after: cursor }, sink);
    await until("it is live", () => sink.of("live").length === 1);
    assert.deepEqual(sink.story, [2, "live"]);
  });

  it("does not make a reader get again what came before it", async () => {
    const schedule = new Schedule("page");
    await using hub = await openHub(new LateLog(new MemoryLog(FOREVER), schedule));
    const sink = new TestSink();
    await hub.publish(draftOf("a", 1));
    hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, sink);
    await hub.publish(draftOf("a", 2));
    await hub.publish(draftOf("a", "gone", { ephemeral: true }));
    schedule.open("page");
    await until("it is live", () => sink.of("live").length === 1);
    await hub.publish(draftOf("a", 3));
    await turn();
    assert.deepEqual(sink.story, [1, 2, "live", 3]);
  });
});

describe("an idempotency key", () => {
  it("that comes again on its channel is answered with the message it made, which reaches nobody again", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("*") }, sink);
    const first = await hub.publish(draftOf("a", 1, { key: "k" }));
    const second = await hub.publish(draftOf("a", 2, { key: "k" }));
    const elsewhere = await hub.publish(draftOf("b", 3, { key: "k" }));
    await turn();
    assert.deepEqual([first.repeated, first.receivers, second.repeated, second.receivers], [false, 1, true, 0]);
    assert.equal(second.id, first.id);
    assert.equal(second.message.data, "1");
    assert.equal(elsewhere.repeated, false);
    assert.deepEqual(sink.data, [1, 3]);
    assert.equal(hub.stats.published, 2);
  });

  it("that comes twice within a turn makes one message, and one of the two is told so", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("*") }, sink);
    const keys = ["k", "k", "other", "k"];
    const published = await Promise.all(keys.map((key, data) => hub.publish(draftOf("a", data, { key }))));
    await turn();
    assert.deepEqual(
      published.map(({ repeated }) => repeated),
      [false, true, false, true],
    );
    assert.deepEqual(
      published.map(({ message }) => message.data),
      ["0", "0", "2", "0"],
    );
    assert.deepEqual(sink.data, [0, 2]);
  });

  it("is not known any more when its message was dropped", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 1 }));
    await hub.publish(draftOf("a", 1, { key: "k" }));
    await hub.publish(draftOf("a", 2));
    assert.equal((await hub.publish(draftOf("a", 3, { key: "k" }))).repeated, false);
  });
});
