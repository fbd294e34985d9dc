import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { MemoryRecords } from "../../../src/logs/memory-records.ts";
import type { Webhook } from "../../../src/webhooks/out/webhook.ts";
import { WebhookStore } from "../../../src/webhooks/out/webhook-store.ts";
import { patternsOf } from "../../support/sample.ts";

/** Records that take time to answer, as those on another machine do. */
class FarRecords extends MemoryRecords {
  override async list(kind: string): Promise<ReadonlyMap<string, string>> {
    const found = await super.list(kind);
    await turn();
    return found;
  }
}

function webhook(id: string): Webhook {
  return {
    id,
    url: "https://example.com/hook",
    channels: patternsOf("a"),
    events: [],
    format: "json",
    secrets: [],
    owner: { id: "key-00000000", subject: "ada", kind: "key" },
    created: 0,
    start: { number: 0, after: "earliest" },
  };
}

describe("the webhooks of a hub", () => {
  it("are as many as there may be, however many are added at once", async () => {
    const store = new WebhookStore({ records: new FarRecords(), configured: [], onChange: () => {} });
    const check = (all: readonly Webhook[]): void => {
      if (all.length >= 3) throw new Error("too many");
    };
    const added = await Promise.allSettled(["a", "b", "c", "d", "e"].map((id) => store.add(webhook(id), check)));
    assert.equal(added.filter(({ status }) => status === "rejected").length, 2);
    assert.equal((await store.list()).length, 3);
  });
});
