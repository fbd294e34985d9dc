import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { MemoryRecords } from "../../../src/logs/memory-records.ts";
import { SYSTEM_CLOCK } from "../../../src/webhooks/out/clock.ts";
import { noted, Progress } from "../../../src/webhooks/out/progress.ts";
import { leashed } from "../../support/leash.ts";
import { needsEngine, startEngine } from "../../support/redis.ts";
import { until } from "../../support/until.ts";
import { WebhookReceiver } from "../../support/webhook-receiver.ts";
import { WebhookRig } from "../../support/webhook-rig.ts";

const NODE = join(import.meta.dirname, "../../support/webhook-node.ts");

describe("webhooks of several nodes", () => {
  it("[SEND-8] are sent by one of them, and by another when that one is killed", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using receiver = await WebhookReceiver.open();
    {
      await using rig = await WebhookRig.open({ data: engine.url, lease: 900, clock: SYSTEM_CLOCK });
      await rig.add(receiver.url);
    }
    const [command, ...words] = leashed(process.execPath, NODE, engine.url);
    const other = spawn(command, words, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(other, "close");
    try {
      await once(other.stdout, "data");
      await using rig = await WebhookRig.open({ data: engine.url, lease: 900, clock: SYSTEM_CLOCK });
      const numbers = Array.from({ length: 60 }, (_, n) => n);
      for (const n of numbers.slice(0, 30)) await rig.publish("a", n);
      await until("the first half", () => receiver.deliveries.length >= 30);
      assert.equal(receiver.deliveries.length, 30);
      assert.equal(rig.webhooks.counters.delivered, 0, "the other sends");
      other.kill("SIGKILL");
      await ended;
      for (const n of numbers.slice(30)) await rig.publish("a", n);
      await until("all of them", () => new Set(receiver.data).size === 60);
    } finally {
      other.kill("SIGKILL");
    }
  });

  it("[SEND-8] have positions that a node cannot move any more after another has begun to send", async () => {
    const records = new MemoryRecords();
    await using rig = await WebhookRig.open();
    const webhook = await rig.add("http://127.0.0.1:9/", { suspension: { reason: "owner", since: 0 } });
    const first = await Progress.claim(records, webhook, "first");
    first.record.read = "abc-5";
    assert.equal(await first.save(), true);
    const second = await Progress.claim(records, webhook, "second");
    assert.equal(second.record.read, "abc-5", "it goes on there");
    first.record.read = "abc-4";
    assert.equal(await first.save(), false);
    second.record.read = "abc-6";
    assert.equal(await second.save(), true);
    assert.equal((await noted(records, webhook))?.read, "abc-6");
    await records.delete("webhook-progress", webhook.id);
    second.record.read = "abc-7";
    assert.equal(await second.save(), false, "a webhook that was deleted stays so");
  });
});
