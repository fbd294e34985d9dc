import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { joined } from "../../src/core/reader-group.ts";
import { Envelope } from "../../src/core/message.ts";
import { ChangeNotifier, type ChangeListener } from "../../src/mcp/change-notifier.ts";
import { draftOf, patternsOf } from "../support/sample.ts";

/** A listener without a socket, which notes what it is told. */
class Ear implements ChangeListener {
  readonly told: (readonly string[])[] = [];
  pending = 0;
  isLagging = false;
  keptAlive = 0;
  reason: string | undefined;
  #drained: (() => void)[] = [];

  changed(names: readonly string[]): void {
    this.told.push(names);
  }

  keepAlive(): void {
    this.keptAlive++;
  }

  drained(): Promise<void> {
    return this.isLagging ? new Promise((resolve) => this.#drained.push(resolve)) : Promise.resolve();
  }

  ended(reason: string): void {
    this.reason = reason;
  }

  /** Takes what it was told. */
  async drain(): Promise<void> {
    this.isLagging = false;
    for (const resolve of this.#drained.splice(0)) resolve();
    await Promise.resolve();
  }
}

function listening(watches: Record<string, string[]>): { ear: Ear; updates: ChangeNotifier } {
  const ear = new Ear();
  const updates = new ChangeNotifier(ear);
  for (const [name, channels] of Object.entries(watches)) updates.watch(name, patternsOf(...channels));
  return { ear, updates };
}

/** Writes messages of these channels as the hub does. */
function write(updates: ChangeNotifier, ...channels: string[]): boolean {
  return updates.write(
    joined(
      channels.map((channel) => envelope(channel, 1)),
      updates.format,
    ),
  );
}

function envelope(channel: string, data: unknown): Envelope {
  return new Envelope({ ...draftOf(channel, data), offset: 1, time: 0 }, "x-1");
}

function clock(test: TestContext): (milliseconds: number) => void {
  test.mock.timers.enable({ apis: ["setTimeout"] });
  return (milliseconds) => test.mock.timers.tick(milliseconds);
}

describe("news of what changed", () => {
  it("is not told of messages that are not kept", () => {
    const { ear, updates } = listening({ a: ["a"], all: ["*"] });
    const typing = { ...draftOf("a", "typing", { ephemeral: true }), offset: 1, time: 0 };
    const passing = new Envelope(typing, undefined);
    updates.write(joined([passing], updates.format));
    assert.deepEqual(ear.told, []);
    updates.write(joined([passing, envelope("b", 1)], updates.format));
    assert.deepEqual(ear.told, [["all"]]);
  });

  it("[MCP-6] is told at once, then at most every 100 milliseconds, and always after the last change", (test) => {
    const tick = clock(test);
    const { ear, updates } = listening({ a: ["a"] });
    write(updates, "a");
    assert.deepEqual(ear.told, [["a"]]);
    for (let n = 0; n < 1000; n++) write(updates, "a");
    tick(99);
    assert.equal(ear.told.length, 1);
    write(updates, "a");
    tick(1);
    assert.deepEqual(ear.told, [["a"], ["a"]]);
    tick(100);
    tick(1000);
    assert.equal(ear.told.length, 2);
    write(updates, "a");
    assert.equal(ear.told.length, 3);
  });

  it("names each thing that changed once, whatever the number and order of the messages", (test) => {
    const tick = clock(test);
    const { ear, updates } = listening({
      one: ["a"],
      two: ["b"],
      both: ["a", "b"],
      all: ["*"],
      some: ["orders.*"],
      none: ["c"],
    });
    write(updates, "b", "a", "b", "a");
    assert.deepEqual(new Set(ear.told[0]), new Set(["one", "two", "both", "all"]));
    assert.equal(ear.told[0]?.length, 4);
    write(updates, "orders.eu", "orders");
    tick(100);
    assert.deepEqual(new Set(ear.told[1]), new Set(["all", "some"]));
  });

  it("waits for a listener that lags behind, and then brings all that changed in one go", async (test) => {
    const tick = clock(test);
    const { ear, updates } = listening({ a: ["a"], b: ["b"] });
    assert.equal(write(updates, "a"), true);
    ear.isLagging = true;
    for (let n = 0; n < 1000; n++) assert.equal(write(updates, "a", "b"), false);
    tick(10_000);
    assert.deepEqual(ear.told, [["a"]]);
    await ear.drain();
    assert.deepEqual(
      ear.told.slice(1).map((names) => [...names].sort()),
      [["a", "b"]],
    );
    tick(1000);
    assert.equal(ear.told.length, 2);
  });

  it("is asked for on each channel once, and on no more once it is not wanted", () => {
    const { updates } = listening({ one: ["a", "b"], two: ["a"], three: ["orders.*"] });
    assert.deepEqual([...updates.channels].sort(), ["a", "b", "orders.*"]);
    assert.deepEqual(updates.unwatch("one"), patternsOf("b"));
    assert.deepEqual(updates.unwatch("one"), []);
    assert.deepEqual(updates.unwatch("nobody"), []);
    assert.deepEqual(updates.unwatch("three"), patternsOf("orders.*"));
    assert.deepEqual([[...updates.names], updates.channels], [["two"], patternsOf("a")]);
  });

  it("may be of what no message tells of, and is told as seldom", (test) => {
    const tick = clock(test);
    const { ear, updates } = listening({ a: ["a"] });
    for (let n = 0; n < 1000; n++) updates.touch("list");
    write(updates, "a");
    assert.deepEqual(ear.told, [["list"]]);
    tick(100);
    assert.deepEqual(ear.told, [["list"], ["list", "a"]]);
    ear.isLagging = true;
    for (let n = 0; n < 1000; n++) updates.touch("list");
    tick(1000);
    assert.equal(ear.told.length, 2);
  });

  it("is not told of what is not wanted any more", (test) => {
    const tick = clock(test);
    const { ear, updates } = listening({ a: ["a"], b: ["b"] });
    write(updates, "a");
    write(updates, "a", "b");
    updates.unwatch("a");
    tick(100);
    assert.deepEqual(ear.told, [["a"], ["b"]]);
  });

  it("is not told once it is over", (test) => {
    const tick = clock(test);
    const { ear, updates } = listening({ a: ["a"] });
    write(updates, "a");
    write(updates, "a");
    updates.close("shutdown");
    tick(1000);
    assert.deepEqual([ear.told, ear.reason], [[["a"]], "shutdown"]);
  });

  it("keeps a silent stream alive, unless it lags behind anyway", () => {
    const { ear, updates } = listening({ a: ["a"] });
    updates.signal({ kind: "beat", id: "e-1", moves: false });
    ear.isLagging = true;
    updates.signal({ kind: "beat", id: "e-1", moves: false });
    assert.equal(ear.keptAlive, 1);
  });

  it("is told of everything that it watches when messages are missing", (test) => {
    clock(test);
    const { ear, updates } = listening({ a: ["a"], b: ["b.*"] });
    updates.signal({ kind: "gap", reason: "lost", after: "e-1", resumed: "e-9" });
    assert.deepEqual(ear.told.flat().sort(), ["a", "b"]);
  });

  it("costs as much as the names of its channels, and does not count as reading them", () => {
    const { updates } = listening({ a: ["a"] });
    assert.equal(updates.format.silent, true);
    const bytes = joined(
      Array.from({ length: 1000 }, () => envelope("a", "x".repeat(60_000))),
      updates.format,
    );
    assert.equal(Buffer.from(bytes).toString(), "a\n");
  });
});
