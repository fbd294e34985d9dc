import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serverChannel } from "../../src/protocol/channel.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../support/sample.ts";
import { TestSink } from "../support/test-sink.ts";
import { until } from "../support/until.ts";

describe("how long messages take to their readers", () => {
  it("is told once for each group of readers that read the same, when the last of it was written to", async () => {
    const told: number[] = [];
    const writes: (() => void)[] = [];
    await using hub = await openHub(new MemoryLog(FOREVER), {
      writesPerMessage: 2,
      endOfTurn: (write) => void writes.push(write),
      onDelivered: (milliseconds) => told.push(milliseconds),
    });
    const sinks = [1, 2, 3].map(() => new TestSink());
    for (const sink of sinks) hub.subscribe({ channels: patternsOf("a") }, sink);
    hub.subscribe({ channels: patternsOf("*") }, new TestSink());
    const start = performance.now();
    await hub.publish(draftOf("a", 1));
    writes.shift()?.();
    assert.deepEqual([sinks.map(({ data }) => data.length), told], [[1, 1, 0], []]);
    while (writes.length > 0) writes.shift()?.();
    const longest = performance.now() - start;
    assert.equal(told.length, 2);
    for (const milliseconds of told) assert.ok(milliseconds > 0 && milliseconds <= longest, String(milliseconds));
  });

  it("is not told of what nobody reads, and not of the server's own messages", async () => {
    const told: number[] = [];
    const sink = new TestSink();
    await using hub = await openHub(new MemoryLog(FOREVER), { onDelivered: (milliseconds) => told.push(milliseconds) });
    hub.subscribe({ channels: patternsOf("a", "hub.stats") }, sink);
    await hub.publish(draftOf("b", 1));
    await hub.publish({ ...draftOf("b", 2), channel: serverChannel("stats"), ephemeral: true });
    await until("it is written", () => sink.data.length === 1);
    assert.deepEqual(told, []);
  });
});
