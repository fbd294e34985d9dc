import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message, Receipt } from "../../../src/client/index.ts";
import { Outbox, type Outgoing } from "../../../src/web/chat/outbox.ts";
import { until } from "../../support/until.ts";

/** An outbox, a log that answers when it is told to, and what a page shows. */
class Bench {
  stored: unknown;
  readonly attempts: {
    readonly message: Outgoing;
    readonly resolve: (receipt: Receipt) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  readonly shown = new Set<string>();
  readonly marked: string[] = [];
  readonly outbox: Outbox;

  constructor(stored: unknown = null) {
    this.stored = stored;
    this.outbox = new Outbox({
      publish: (message, signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
          this.attempts.push({ message, resolve, reject });
        }),
      isShown: (_, id) => this.shown.has(id),
      changed: () => {},
      kept: (id) => this.marked.push(id),
      store: { get: () => this.stored, set: (value) => (this.stored = JSON.parse(JSON.stringify(value))) },
    });
  }

  /** What is shown as being on its way. */
  get lines(): string[] {
    return this.outbox.of("a").map(({ text, state }) => `${text}: ${state}`);
  }

  async answer(attempt: number, id: string): Promise<void> {
    this.attempts[attempt]?.resolve({ id, channel: "a", time: "2026-01-01T00:00:00Z", receivers: 1 });
    await Promise.resolve();
    await new Promise(setImmediate);
  }

  async fail(attempt: number, reason: string, final: boolean): Promise<void> {
    this.attempts[attempt]?.reject(Object.assign(new Error(reason), { final }));
    await new Promise(setImmediate);
  }

  /** A message comes in live, and is shown. */
  come(id: string, data: string, sender = "anyone"): Receipt | undefined {
    const message: Message = { id, channel: "a", event: "message", data, sender, time: "2026-01-01T00:00:00Z" };
    const receipt = this.outbox.claim(message);
    this.shown.add(id);
    return receipt;
  }
}

describe("the outbox of the chat", () => {
  it("sends one message after the other, so that they stay in order", async () => {
    const bench = new Bench();
    bench.outbox.add("a", "one", undefined);
    bench.outbox.add("a", "two", undefined);
    assert.equal(bench.attempts.length, 1);
    assert.deepEqual(bench.lines, ["one: sending", "two: sending"]);
    await bench.answer(0, "e-1");
    assert.deepEqual(bench.lines, ["one: kept", "two: sending"]);
    assert.deepEqual(
      bench.attempts.map(({ message }) => message.text),
      ["one", "two"],
    );
    assert.equal(bench.come("e-1", "one")?.id, "e-1");
    assert.deepEqual(bench.lines, ["two: sending"]);
  });

  it("shows a message once when it comes back before its answer", async () => {
    const bench = new Bench();
    bench.outbox.add("a", "hello", "me");
    assert.equal(bench.come("e-1", "hello", "somebody else"), undefined);
    assert.deepEqual(bench.lines, ["hello: sending"]);
    assert.equal(bench.come("e-2", "hello", "me"), undefined);
    assert.deepEqual(bench.lines, []);
    await bench.answer(0, "e-2");
    assert.deepEqual([bench.lines, bench.marked], [[], ["e-2"]]);
  });

  it("takes back that a message was its own when the answer names another", async () => {
    const bench = new Bench();
    bench.outbox.add("a", "hello", undefined);
    bench.come("e-1", "hello");
    await bench.answer(0, "e-2");
    assert.deepEqual(bench.lines, ["hello: kept"]);
    assert.equal(bench.come("e-2", "hello")?.id, "e-2");
    assert.deepEqual(bench.lines, []);
  });

  it("keeps what failed, with the reason, and sends it again with the same key", async () => {
    const bench = new Bench();
    bench.outbox.add("a", "one", undefined);
    await bench.fail(0, "too large", true);
    const [failed] = bench.outbox.of("a");
    assert.deepEqual([failed?.state, failed?.reason, failed?.passing], ["failed", "too large", false]);
    bench.outbox.hurry();
    assert.equal(bench.attempts.length, 1, "what is refused for good waits for the person");
    bench.outbox.retry(failed as Outgoing);
    assert.equal(bench.attempts[1]?.message.key, bench.attempts[0]?.message.key);
    await bench.fail(1, "no answer", false);
    bench.outbox.hurry();
    assert.equal(bench.attempts.length, 3, "what failed for now is sent when the hub is back");
    bench.outbox.discard(failed as Outgoing);
    assert.deepEqual(bench.lines, []);
  });

  it("does not wait for an attempt that hangs when the hub is back", async () => {
    const bench = new Bench();
    bench.outbox.add("a", "one", undefined);
    bench.outbox.hurry();
    await until("it is sent again", () => bench.attempts.length === 2);
    assert.deepEqual(bench.lines, ["one: sending"]);
    assert.equal(bench.attempts[1]?.message.key, bench.attempts[0]?.message.key);
  });

  it("goes on where the page was left, and lets go of what is shown by then", async () => {
    const before = new Bench();
    before.outbox.add("a", "one", "me");
    before.outbox.add("a", "two", "me");
    before.come("e-1", "one", "me");
    const bench = new Bench(before.stored);
    void bench.outbox.send();
    assert.deepEqual(bench.lines, ["one: sending", "two: sending"]);
    bench.shown.add("e-1");
    await bench.answer(0, "e-1");
    assert.deepEqual([bench.lines, bench.marked], [["two: sending"], ["e-1"]]);
    await bench.answer(1, "e-2");
    assert.deepEqual(bench.lines, ["two: kept"]);
    bench.shown.add("e-2");
    bench.outbox.settle();
    assert.deepEqual([bench.lines, bench.stored], [[], []]);
  });

  it("begins empty where the store holds something else", () => {
    for (const stored of ["", 7, { a: 1 }, [1, null, { key: 1 }]]) assert.deepEqual(new Bench(stored).lines, []);
  });
});
