import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HubError } from "../../src/core/errors.ts";
import type { Log } from "../../src/core/log.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { LateLog } from "../support/late-log.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { Schedule } from "../support/schedule.ts";
import { TestSink } from "../support/test-sink.ts";
import { until } from "../support/until.ts";

/** A log that has to find out about every cursor that it is asked with. */
class AskingLog extends MemoryLog {
  readonly found: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  reset: (head: number, valid?: number) => void = () => {};

  learn(): Promise<void> {
    return this.found.promise;
  }

  override follow(listener: Parameters<Log["follow"]>[0], onReset: typeof this.reset = () => {}): Promise<number> {
    this.reset = onReset;
    return super.follow(listener);
  }
}

describe("a reader whose cursor the log has to find out about", () => {
  it("gets no id before that, neither from heartbeats nor when the log is reset", async () => {
    const log = new AskingLog(FOREVER);
    await using hub = await openHub(log);
    for (const data of [1, 2, 3]) await hub.publish(draftOf("a", data));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("a"), after: hub.cursor(1) }, sink);
    hub.heartbeat(0, 1);
    log.reset(3, 1);
    hub.heartbeat(0, 1);
    await turn();
    assert.deepEqual(sink.entries, []);
    log.found.resolve();
    await until("it is live", () => sink.of("live").length === 1);
    assert.deepEqual(sink.story, [2, 3, "live"]);
  });

  it("causes no read if it leaves before that, and is ended if the hub closes", async () => {
    const log = new AskingLog(FOREVER);
    const hub = await openHub(log);
    const [gone, waiting] = [new TestSink(), new TestSink()];
    const request = { channels: patternsOf("a"), after: hub.cursor() };
    hub.unsubscribe(hub.subscribe(request, gone));
    hub.subscribe(request, waiting);
    await hub.close();
    log.found.resolve();
    await turn();
    assert.deepEqual(gone.entries, []);
    assert.deepEqual(waiting.entries, [{ kind: "close", reason: "shutdown" }]);
    assert.equal(hub.size, 0);
  });
});

describe("a heartbeat", () => {
  it("tells a live reader the cursor of all it was given, and comes after what was published before it", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("a") }, sink);
    hub.heartbeat(0, 1);
    const published = hub.publish(draftOf("a", 1));
    published.then(() => hub.heartbeat(0, 1)).catch(assert.ifError);
    const { id } = await published;
    await hub.publish(draftOf("b", 2));
    hub.heartbeat(0, 1);
    assert.deepEqual(sink.story, ["beat", 1, "beat", "beat"]);
    const [first, second, third] = sink.of("beat").map((beat) => beat.id);
    assert.equal(first, `${hub.log.epoch}-0`);
    assert.equal(second, id);
    assert.equal(third, hub.cursor());
  });

  it("is to move the reader's last id only where that lies far back, and then once", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const [quiet, busy] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: patternsOf("quiet") }, quiet);
    hub.subscribe({ channels: patternsOf("busy") }, busy);
    const beats = async (count: number): Promise<readonly (readonly boolean[])[]> => {
      for (let n = 0; n < count; n++) await hub.publish(draftOf("busy", n));
      hub.heartbeat(0, 1);
      return [quiet, busy].map((sink) => sink.of("beat").map(({ moves }) => moves));
    };
    assert.deepEqual(await beats(999), [[false], [false]]);
    assert.deepEqual(await beats(1), [
      [false, true],
      [false, false],
    ]);
    assert.equal(quiet.of("beat").at(-1)?.id, hub.cursor());
    assert.deepEqual((await beats(1))[0], [false, true, false]);
    await hub.publish(draftOf("quiet", "its own"));
    assert.deepEqual((await beats(999))[0], [false, true, false, false]);
    assert.deepEqual((await beats(1))[0], [false, true, false, false, true]);
  });

  it("comes to each reader once in a round of parts", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sinks = Array.from({ length: 10 }, () => new TestSink());
    for (const sink of sinks) hub.subscribe({ channels: patternsOf("a") }, sink);
    for (let part = 0; part < 3; part++) {
      hub.heartbeat(part, 3);
      assert.equal(sinks.filter((sink) => sink.entries.length > 0).length, [4, 7, 10][part]);
    }
    assert.ok(sinks.every((sink) => sink.entries.length === 1));
  });

  it("tells a reader that replays how far it has got, and nothing before it has got anywhere", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER), { page: 2 });
    for (let data = 1; data <= 5; data++) await hub.publish(draftOf("a", data));
    const [sink, next] = [new TestSink(), new TestSink()];
    sink.stall();
    hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, sink);
    hub.heartbeat(0, 1);
    await until("it waits for its socket", () => sink.waiting === 1);
    hub.heartbeat(0, 1);
    assert.deepEqual(sink.story, [1, 2, "beat"]);
    assert.equal(sink.of("beat")[0]?.id, hub.cursor(2));
    hub.subscribe({ channels: patternsOf("a"), after: hub.cursor(2) }, next);
    await until("the next is live", () => next.of("live").length === 1);
    assert.deepEqual(next.data, [3, 4, 5]);
  });
});

describe("a probe", () => {
  it("resolves when a message went through the log and came back, and no reader sees it", async () => {
    const log = new MemoryLog(FOREVER);
    const schedule = new Schedule("announce");
    await using hub = await openHub(new LateLog(log, schedule));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("*") }, sink);
    let proved = 0;
    const probes = Promise.all([1, 2].map(() => hub.probe().then(() => proved++)));
    await until("the probe is on its way", () => schedule.at("announce") > 0);
    await turn();
    assert.equal(proved, 0);
    schedule.open("announce");
    await probes;
    assert.deepEqual([sink.entries, hub.stats.published, log.size().messages], [[], 0, 0]);
  });

  it("fails when the log takes the message and does not bring it back", async () => {
    const log = new MemoryLog(FOREVER);
    log.follow = () => Promise.resolve(0);
    await using hub = await openHub(log);
    await assert.rejects(hub.probe(), {
      code: "LOG_UNAVAILABLE",
      message: "The log took a message and did not bring it back",
    });
  });

  it("that fails leaves the next one as it would be without it", async () => {
    const log = new MemoryLog(FOREVER);
    let failing = true;
    const append = log.append.bind(log);
    log.append = (draft) => (failing ? Promise.reject(new HubError("LOG_UNAVAILABLE", "no")) : append(draft));
    await using hub = await openHub(log);
    await assert.rejects(hub.probe(), { code: "LOG_UNAVAILABLE" });
    failing = false;
    await hub.probe();
    await Promise.all([hub.probe(), hub.probe()]);
  });
});

describe("a hub that closes", () => {
  it("ends every reader, live or replaying, refuses what is published, and closes its log", async () => {
    const log = new MemoryLog(FOREVER);
    const schedule = new Schedule("read");
    await using hub = await openHub(new LateLog(log, schedule));
    const [live, late] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: patternsOf("a") }, live);
    hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, late);
    assert.equal(hub.size, 2);
    const closing = hub.close();
    await assert.rejects(hub.publish(draftOf("a", 1)), { code: "SHUTTING_DOWN" });
    schedule.open("read");
    await closing;
    assert.deepEqual([live.story, late.story, hub.size], [["close"], ["close"], 0]);
    assert.deepEqual([live.closed, late.closed], ["shutdown", "shutdown"]);
    await assert.rejects(log.append(draftOf("a", 1)), (error) => error instanceof HubError && error.retry);
  });

  it("finishes what was being published", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const published = hub.publish(draftOf("a", 1));
    await hub.close();
    assert.equal((await published).message.data, "1");
  });

  it("ends its readers one after the other where it has time", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const sinks = Array.from({ length: 4 }, () => new TestSink());
    const order: number[] = [];
    for (const [index, sink] of sinks.entries()) {
      sink.onEntry = () => order.push(index, sinks.filter(({ closed }) => closed === undefined).length);
      hub.subscribe({ channels: patternsOf("a") }, sink);
    }
    await hub.close(40);
    assert.deepEqual(order, [0, 3, 1, 2, 2, 1, 3, 0]);
  });

  it("sends a new reader away at once, while it closes and after", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    for (let count = 0; count < 3; count++) hub.subscribe({ channels: patternsOf("a") }, new TestSink());
    const closing = hub.close(30);
    const [during, after] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: patternsOf("a") }, during);
    assert.deepEqual(during.closed, "shutdown");
    await closing;
    assert.equal(hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, after).closed, true);
    assert.deepEqual([after.closed, hub.size], ["shutdown", 0]);
  });

  it("closes once: whoever asks again waits for the same end", async () => {
    const log = new MemoryLog(FOREVER);
    let closed = 0;
    const close = log.close.bind(log);
    log.close = async () => {
      closed++;
      await turn();
      await close();
    };
    await using hub = await openHub(log);
    await Promise.all([hub.close(), hub.close()]);
    assert.equal(closed, 1);
    await assert.rejects(log.append(draftOf("a", 1)));
  });
});

describe("a hub that opens", () => {
  it("starts behind what the log holds", async () => {
    const log = new MemoryLog(FOREVER);
    for (let data = 1; data <= 3; data++) await log.append(draftOf("a", data));
    await using hub = await openHub(log);
    assert.equal(hub.cursor(), `${log.epoch}-3`);
  });

  it("does not go back to where an ephemeral message was published", async () => {
    const log = new MemoryLog(FOREVER);
    let announce: Parameters<typeof log.follow>[0] = () => {};
    log.follow = (listener) => {
      announce = listener;
      return Promise.resolve(5);
    };
    await using hub = await openHub(log);
    announce([{ ...draftOf("a", 1, { ephemeral: true }), offset: 3, time: 0 }]);
    assert.equal(hub.cursor(), `${log.epoch}-5`);
  });

  it("keeps what it delivered before it was told where the log starts", async () => {
    const schedule = new Schedule("followed");
    const log = new LateLog(new MemoryLog(FOREVER), schedule);
    const opening = openHub(log);
    await until("the log is followed", () => schedule.at("followed") === 1);
    await log.append(draftOf("a", 1));
    await log.append(draftOf("a", 2));
    schedule.open("followed");
    await using hub = await opening;
    assert.equal(hub.cursor(), `${log.epoch}-2`);
  });
});
