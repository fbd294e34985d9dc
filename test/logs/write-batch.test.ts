import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HubError } from "../../src/core/errors.ts";
import { WriteBatch } from "../../src/logs/write-batch.ts";
import { draftOf } from "../support/sample.ts";

function failure(sentence: string): HubError {
  return new HubError("LOG_UNAVAILABLE", sentence);
}

describe("a batch of drafts", () => {
  it("is written once, when the turn of the event loop ends, with all that came in it", async () => {
    const sizes: number[] = [];
    const waiting = new WriteBatch(() => {
      sizes.push(waiting.size);
      for (const one of waiting.take()) one.settle(failure("written"));
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
    waiting.fail(failure("gone"));
    assert.deepEqual([waiting.size, waiting.characters], [0, 0]);
    const small = draftOf("a", 1);
    for (let count = 0; count < 20_000; count++) void waiting.add(small);
    await assert.rejects(waiting.add(small), refused);
    assert.equal(waiting.take().length, 20_000);
  });

  it("answers several drafts at once, whatever the order in which they were settled, and takes all of them or none", async () => {
    const refusals = [failure("a"), failure("b"), failure("c")];
    const waiting = new WriteBatch(() => {
      const taken = waiting.take();
      for (const [index, one] of [...taken.entries()].toReversed()) one.settle(refusals[index] as HubError);
    });
    const three = [1, 2, 3].map((number) => draftOf("a", number));
    assert.deepEqual(await waiting.addAll(three), refusals);
    assert.deepEqual(await waiting.addAll([]), []);
    for (let count = 0; count < 19_998; count++) waiting.add(draftOf("a", 1)).catch(() => {});
    const outcomes = await waiting.addAll(three);
    assert.deepEqual(
      outcomes.map((outcome) => outcome instanceof HubError && outcome.code),
      ["OVERLOADED", "OVERLOADED", "OVERLOADED"],
    );
    assert.equal(waiting.size, 19_998);
  });

  it("refuses what is added while its log takes nothing", async () => {
    let refusal: HubError | undefined = failure("closed");
    const waiting = new WriteBatch(
      () => {},
      () => refusal,
    );
    await assert.rejects(waiting.add(draftOf("a", 1)), /closed/);
    assert.deepEqual(await waiting.addAll([draftOf("a", 1)]), [refusal]);
    refusal = undefined;
    void waiting.addAll([draftOf("a", 1)]);
    assert.equal(waiting.size, 1);
  });

  it("refuses everything that waits when it fails", async () => {
    const waiting = new WriteBatch(() => waiting.fail(failure("no")));
    const results = await Promise.allSettled([waiting.add(draftOf("a", 1)), waiting.add(draftOf("a", 2))]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected"],
    );
  });
});
