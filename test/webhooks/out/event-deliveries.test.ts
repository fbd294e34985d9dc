import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Webhook } from "../../../src/webhooks/out/webhook.ts";
import { patternsOf } from "../../support/sample.ts";
import { WebhookReceiver, type Delivery } from "../../support/webhook-receiver.ts";
import { WebhookRig } from "../../support/webhook-rig.ts";

const MINUTE = 60_000;

/** Adds the subscription of an MCP client. */
function subscribe(rig: WebhookRig, url: string, more: Partial<Webhook> = {}): Promise<Webhook> {
  const now = rig.clock.now();
  const mcp = { name: "message.published", senders: [], renewed: now - MINUTE };
  return rig.add(url, { channels: patternsOf("a"), expires: now + 24 * 60 * MINUTE, mcp, ...more });
}

function textOf({ body }: Delivery): unknown {
  return (body["data"] as Record<string, unknown> | undefined)?.["data"];
}

describe("events that an endpoint does not take", { concurrency: true }, () => {
  it("[EVENTS-22] are tried again for a quarter of an hour beside others, and then a gap says that one is missing", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open({ random: () => 1 });
    receiver.answer = (delivery) => (textOf(delivery) === "bad" ? 400 : 204);
    await subscribe(rig, receiver.url);
    await rig.publish("a", "bad");
    await rig.passes(MINUTE, "it was refused", () => receiver.deliveries.length > 0);
    const begun = rig.clock.now();
    await rig.publish("a", "good");
    await rig.passes(MINUTE, "a gap came", () => receiver.deliveries.some(({ body }) => body["type"] === "gap"));
    assert.ok(rig.clock.now() - begun >= 14 * MINUTE);
    const gap = receiver.deliveries.find(({ body }) => body["type"] === "gap") as Delivery;
    assert.match(gap.id, /^msg_gap_\w+$/);
    assert.deepEqual(Object.keys(gap.body), ["type", "cursor"]);
    assert.ok(receiver.deliveries.some((delivery) => textOf(delivery) === "good"));
  });

  it("[EVENTS-22] suspend the delivery after an hour in which nothing was taken, and lose nothing", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open({ random: () => 1 });
    receiver.answer = () => 500;
    const webhook = await subscribe(rig, receiver.url);
    await rig.publish("a", 1);
    const begun = rig.clock.now();
    await rig.passes(MINUTE, "it is suspended", async () => (await rig.status(webhook)).state === "suspended");
    assert.ok(rig.clock.now() - begun >= 60 * MINUTE);
    receiver.answer = () => 204;
    const before = receiver.deliveries.length;
    await rig.resume(webhook);
    await rig.passes(1000, "it came", () => receiver.deliveries.length > before);
    assert.equal(textOf(receiver.deliveries.at(-1) as Delivery), 1);
  });

  it("[EVENTS-20] are followed by a gap if the log dropped them", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open({ retention: { messages: 2 } });
    const after = rig.hub.cursor(0);
    for (let n = 0; n < 10; n++) await rig.publish("a", n);
    await subscribe(rig, receiver.url, { start: { number: 0, after } });
    await rig.passes(1000, "all came", () => receiver.deliveries.some((delivery) => textOf(delivery) === 9));
    assert.ok(receiver.deliveries.some(({ body }) => body["type"] === "gap"));
  });

  it("[EVENTS-18] end without a word when the client does not renew", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    const webhook = await subscribe(rig, receiver.url, { expires: rig.clock.now() + MINUTE });
    await rig.passes(MINUTE, "it is gone", async () => (await rig.webhooks.store.get(webhook.id)) === undefined);
    assert.equal(receiver.deliveries.length, 0);
  });

  it("[EVENTS-14] are not those that are to wake no agent, nor those of other senders", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    const mcp = { name: "message.published", senders: ["ada"], renewed: 0 };
    await subscribe(rig, receiver.url, { mcp });
    await rig.publish("a", "quiet", { quiet: true, sender: "ada" });
    await rig.publish("a", "other", { sender: "bob" });
    await rig.publish("a", "wanted", { sender: "ada" });
    await rig.passes(1000, "it came", () => receiver.deliveries.length > 0);
    assert.deepEqual(receiver.deliveries.map(textOf), ["wanted"]);
  });
});
