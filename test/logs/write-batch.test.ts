import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HubError } from "../../src/core/errors.ts";
import { WriteBatch } from "../../src/logs/write-batch.ts";
import { draftOf } from "../support/sample.ts";

describe("a batch of drafts", () => {
  it("is written once, when the turn of the event loop ends, with all that came in it", async () => {
    const sizes: number[] = [];
    const waiting = new WriteBatch(() => {
      sizes.push(waiting.size);
      for (const { settle } of waiting.take()) settle(new Error("written"));
    });
    await Promise.allSettled(["a", "a", "b"].map((channel) => waiting.add(draftOf(channel, 1))));
    await waiting.add(draftOf("a", 3)).catch(() => {});
    await turn();
    assert.deepEqual(sizes, [3, 1]);
  });

  it("takes only so many messages and so much payload, and has room again when they are written", async () => {
    const waiting = new WriteBatch(() => {});
    const refused = (error: unknown): boolean => error instanceof HubError && error.code === "OVERLOADED";
    const large = draftOf("a", "x".repeat(1_000_000));
    let taken = 0;
    const full = Promise.withResolvers<unknown>();
    for (; taken < 1000; taken++) {
      let over = false;
      waiting.add(large).catch((error: unknown) => {
        over = true;
        full.resolve(error);
      });
      await Promise.resolve();
      if (over || waiting.size === taken) break;
    }
    assert.ok(refused(await full.promise));
    assert.equal(taken, 134, "128 MiB");
    assert.ok(waiting.characters <= 128 * 1024 * 1024);
    waiting.fail(new Error("gone"));
    assert.deepEqual([waiting.size, waiting.characters], [0, 0]);
    const small = draftOf("a", 1);
    for (let count = 0; count < 20_000; count++) void waiting.add(small);
    await assert.rejects(waiting.add(small), refused);
    assert.equal(waiting.take().length, 20_000);
  });

  it("refuses everything that waits when it fails", async () => {
    const waiting = new WriteBatch(() => waiting.fail(new Error("no")));
    const results = await Promise.allSettled([waiting.add(draftOf("a", 1)), waiting.add(draftOf("a", 2))]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected"],
    );
  });
});
