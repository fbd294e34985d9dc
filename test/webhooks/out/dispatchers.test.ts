import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { patternsOf } from "../../support/sample.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";
import { verifies, WebhookReceiver } from "../../support/webhook-receiver.ts";
import { WebhookRig } from "../../support/webhook-rig.ts";

const HOUR = 3_600_000;

describe("the sender of webhooks", () => {
  it("sends each message of the channels, signed, with its id as webhook-id and the ids of the hubs it came through", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    const webhook = await rig.add(receiver.url, { channels: patternsOf("orders.*") });
    await rig.publish("other", "not sent");
    const id = await rig.publish("orders.eu", { text: "Grüße 👋" }, { event: "order", path: "otherhub" });
    await until("a delivery", () => receiver.deliveries.length === 1);
    const [delivery] = receiver.deliveries;
    assert.ok(delivery !== undefined);
    assert.equal(delivery.id, id);
    assert.equal(verifies(delivery, rig.secret), true);
    assert.equal(delivery.headers["content-type"], "application/json; charset=utf-8");
    assert.equal(delivery.headers["hub-path"], "otherhub,thishub000");
    assert.equal(delivery.headers["user-agent"], "sse-mcp-server/0.0.0");
    const { timestamp, time, ...rest } = delivery.body;
    assert.equal(timestamp, time);
    assert.deepEqual(rest, {
      type: "order",
      id,
      channel: "orders.eu",
      event: "order",
      data: { text: "Grüße 👋" },
      sender: "anyone",
    });
    await rig.passes(100, "its position", async () => (await rig.status(webhook)).position === id);
  });

  it("sends only the events that are asked for, and CloudEvents if they are", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    await rig.add(receiver.url, { events: ["order", "message"], format: "cloudevents" });
    await rig.publish("a", 1, { event: "other" });
    const id = await rig.publish("a.b", [true], { event: "order", sender: "shop" });
    await rig.publish("a", "text");
    await until("two deliveries", () => receiver.deliveries.length === 2);
    const [first, second] = receiver.deliveries.toSorted(
      (a, b) => Number(a.id.split("-")[1]) - Number(b.id.split("-")[1]),
    );
    const { time, ...event } = first?.body ?? {};
    assert.match(String(time), /^\d{4}-.*Z$/);
    assert.deepEqual(event, {
      specversion: "1.0",
      id,
      source: "hub:thishub000",
      type: "order",
      subject: "a.b",
      sender: "shop",
      hubpath: "thishub000",
      datacontenttype: "application/json",
      data: [true],
    });
    assert.equal(first?.headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert.deepEqual([second?.body["type"], second?.body["data"]], ["hub.message", "text"]);
    assert.equal(verifies(second as never, rig.secret), true);
  });

  it("tries again with growing waits until it is taken, with the same id, a fresh time and a good signature", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open({ random: () => 1 });
    receiver.answer = (_, count) => (count < 4 ? 500 : 200);
    const webhook = await rig.add(receiver.url);
    const id = await rig.publish("a", "again");
    for (const [tries, wait] of [
      [1, 5000],
      [2, 10_000],
      [3, 20_000],
    ] as const) {
      await until(`try ${tries}`, () => receiver.deliveries.length === tries);
      await rig.passes(100, "its status", async () => {
        const { attempts, pending } = await rig.status(webhook);
        return attempts.length === tries && pending === 1;
      });
      const { nextAttempt = 0, state } = await rig.status(webhook);
      assert.equal(state, "failing");
      const left = nextAttempt - rig.clock.now();
      assert.ok(left <= wait && left > wait - 2500, `${left} of ${wait}`);
      rig.clock.advance(left - 1);
      assert.equal(receiver.deliveries.length, tries, "not before its time");
      rig.clock.advance(1);
    }
    await until("the last", () => receiver.deliveries.length === 4);
    await rig.passes(100, "its position", async () => (await rig.status(webhook)).position === id);
    const { attempts, state, delivered } = await rig.status(webhook);
    assert.deepEqual(
      attempts.map(({ status, outcome, attempt }) => [attempt, status, outcome]),
      [
        [4, 200, "delivered"],
        [3, 500, "failed"],
        [2, 500, "failed"],
        [1, 500, "failed"],
      ],
    );
    assert.deepEqual([state, delivered], ["active", 1]);
    assert.deepEqual(new Set(receiver.deliveries.map((delivery) => delivery.id)), new Set([id]));
  });

  it("[SEND-6] suspends a webhook that took nothing for a day, and continues where it stopped when it is resumed", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    receiver.answer = () => 503;
    const webhook = await rig.add(receiver.url);
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    for (const n of numbers) await rig.publish("a", n);
    await rig.passes(1000, "it fails", async () => (await rig.status(webhook)).state === "failing");
    await rig.passes(HOUR / 4, "suspended", async () => (await rig.status(webhook)).state === "suspended");
    const suspended = await rig.webhooks.store.get(webhook.id);
    assert.equal(suspended?.suspension?.reason, "failures");
    assert.ok(receiver.deliveries.length < 3000, `${receiver.deliveries.length} tries`);
    assert.ok(new Set(receiver.deliveries.map(({ id }) => id)).size <= 16, "new messages wait while all fail");
    assert.match(rig.warnings.join("\n"), /a webhook was suspended/);
    assert.doesNotMatch(rig.warnings.join("\n"), /whsec_/);
    const tries = receiver.deliveries.length;
    rig.clock.advance(48 * HOUR);
    assert.equal(receiver.deliveries.length, tries, "nothing is sent");
    receiver.deliveries.length = 0;
    receiver.answer = () => 200;
    await rig.resume(webhook);
    await rig.passes(100, "all of them", () => new Set(receiver.data).size === 40);
    // Those that were under way when it was suspended may come twice.
    assert.deepEqual(
      [...new Set(receiver.data)].map(Number).toSorted((a, b) => a - b),
      numbers,
    );
  });

  it("[SEND-6] gives up a message that is refused for a day while others are taken, and says so", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    receiver.answer = ({ body }) => (body["data"] === "bad" ? 400 : 200);
    const webhook = await rig.add(receiver.url);
    await rig.publish("a", "bad");
    const good = Array.from({ length: 30 }, (_, n) => n);
    await until("given up", async () => {
      const n = good.shift();
      if (n !== undefined) await rig.publish("a", n);
      rig.clock.advance(HOUR);
      return (await rig.status(webhook)).attempts.some(({ outcome }) => outcome === "given_up");
    });
    const last = await rig.publish("a", "after");
    await rig.passes(1000, "its position", async () => (await rig.status(webhook)).position === last);
    assert.equal((await rig.status(webhook)).state, "active");
    assert.equal(rig.webhooks.counters.givenUp, 1);
    assert.match(rig.warnings.join("\n"), /given up/);
  });

  it("keeps a position that is before all that is not taken yet, whatever was taken after it", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open({ random: () => 1 });
    receiver.answer = ({ body }) => (body["data"] === "bad" ? 500 : 200);
    const webhook = await rig.add(receiver.url);
    const first = await rig.publish("a", 1);
    await rig.publish("a", "bad");
    await rig.publish("a", 3);
    await until("all are tried", () => receiver.deliveries.length === 3);
    await rig.passes(500, "noted", async () => (await rig.status(webhook)).delivered === 2);
    const { position, pending } = await rig.status(webhook);
    assert.deepEqual([position, pending], [first, 1]);
  });

  it("waits as long as Retry-After asks, at most an hour, and sends nothing else meanwhile", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open({ random: () => 0 });
    receiver.answer = (_, count) => (count === 1 ? { status: 429, headers: { "retry-after": "99999" } } : 200);
    const webhook = await rig.add(receiver.url);
    await rig.publish("a", 1);
    await until("a try", () => receiver.deliveries.length === 1);
    await rig.passes(1000, "noted", async () => (await rig.status(webhook)).attempts.length === 1);
    await rig.publish("a", 2);
    const { nextAttempt = 0 } = await rig.status(webhook);
    assert.ok(nextAttempt - rig.clock.now() <= HOUR);
    rig.clock.advance(nextAttempt - rig.clock.now() - 1);
    assert.equal(receiver.deliveries.length, 1);
    rig.clock.advance(1);
    await until("both", () => receiver.deliveries.length === 3);
  });

  it("ends with 410, and with the right of its owner", async () => {
    await using receiver = await WebhookReceiver.open();
    let isGone = false;
    await using rig = await WebhookRig.open({ isGone: () => isGone });
    receiver.answer = () => 410;
    const webhook = await rig.add(receiver.url);
    await rig.publish("a", 1);
    await rig.passes(10, "suspended", async () => (await rig.status(webhook)).state === "suspended");
    assert.equal((await rig.webhooks.store.get(webhook.id))?.suspension?.reason, "gone");
    assert.equal(receiver.deliveries.length, 1);
    receiver.answer = () => 200;
    await rig.resume(webhook);
    await rig.passes(100, "it is sent after all", () => receiver.deliveries.length === 2);
    isGone = true;
    await rig.publish("a", "secret");
    await rig.passes(10, "suspended", async () => (await rig.status(webhook)).state === "suspended");
    assert.equal((await rig.webhooks.store.get(webhook.id))?.suspension?.reason, "credential");
    assert.equal(receiver.deliveries.length, 2, "nothing more is sent");
  });

  it("[SEND-7] says that messages are missing if retention dropped them before they were sent", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open({ retention: { messages: 5 } });
    receiver.answer = () => 500;
    const webhook = await rig.add(receiver.url);
    await rig.publish("a", 0);
    await until("a try", () => receiver.deliveries.length === 1);
    for (let n = 1; n < 40; n++) await rig.publish("a", n);
    receiver.answer = () => 200;
    await rig.passes(60_000, "the last", async () => receiver.data.includes(39));
    const gaps = receiver.deliveries.filter(({ body }) => body["type"] === "hub.gap");
    assert.ok(gaps.length >= 1);
    for (const gap of gaps) {
      assert.match(gap.id, /^gap_wh_0_/);
      assert.equal((gap.body["data"] as { reason: string }).reason, "expired");
    }
    await rig.passes(1000, "its position", async () => (await rig.status(webhook)).position === rig.hub.cursor());
  });

  it("lets one destination that is down, and one that is slow, hold up no other", async () => {
    await using dead = await WebhookReceiver.open();
    await using slow = await WebhookReceiver.open();
    await using good = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    dead.answer = () => 500;
    const held = Promise.withResolvers<number>();
    slow.answer = () => held.promise;
    for (const { url } of [dead, slow, good]) await rig.add(url);
    for (let n = 0; n < 60; n++) await rig.publish("a", n);
    await rig.passes(100, "all at the good one", () => good.deliveries.length === 60);
    assert.ok(slow.deliveries.length <= 8, "no more at once than may be");
    held.resolve(200);
    await rig.passes(100, "all at the slow one", () => slow.deliveries.length === 60);
    assert.ok(slow.mostActive <= 8);
    assert.ok(good.mostActive <= 8);
  });

  it("leaves room for others when all the destinations of one owner are slow", async () => {
    await using slow = await WebhookReceiver.open(0, "0.0.0.0");
    await using good = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    const held = Promise.withResolvers<number>();
    slow.answer = () => held.promise;
    const { port } = new URL(slow.url);
    const eve = { id: "key-eve00000", subject: "eve", kind: "key" } as const;
    for (let n = 1; n <= 40; n++) await rig.add(`http://127.0.0.${n}:${port}/`, { owner: eve });
    for (let n = 0; n < 8; n++) await rig.publish("a", n);
    await rig.passes(10, "all that one owner may have", () => slow.active >= 128);
    await rig.add(good.url, { channels: patternsOf("b") });
    await rig.publish("b", "others");
    await rig.passes(10, "a delivery", () => good.deliveries.length === 1);
    assert.equal(slow.mostActive, 128);
    held.resolve(200);
    await rig.passes(10, "all", () => slow.deliveries.length >= 320);
  });

  it("replays from a cursor with the ids that the messages had", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    const webhook = await rig.add(receiver.url);
    const ids = [await rig.publish("a", 1), await rig.publish("a", 2), await rig.publish("a", 3)];
    await until("all", () => receiver.deliveries.length === 3);
    await rig.webhooks.store.change(webhook.id, (before) => ({
      ...before,
      start: { number: 1, after: ids[0] as string },
    }));
    await until("the last two again", () => receiver.deliveries.length === 5);
    assert.deepEqual(
      receiver.deliveries
        .slice(3)
        .map(({ id }) => id)
        .toSorted(),
      ids.slice(1),
    );
  });

  it("signs with the secret of before, too, until that has ended", async () => {
    await using receiver = await WebhookReceiver.open();
    await using rig = await WebhookRig.open();
    const webhook = await rig.add(receiver.url);
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const until24 = rig.clock.now() + 24 * HOUR;
    await rig.webhooks.store.change(webhook.id, (before) => ({
      ...before,
      secrets: [{ secret }, { secret: rig.secret, until: until24 }],
    }));
    await rig.publish("a", 1);
    await until("one", () => receiver.deliveries.length === 1);
    const [first] = receiver.deliveries;
    assert.deepEqual([verifies(first as never, secret), verifies(first as never, rig.secret)], [true, true]);
    rig.clock.advance(25 * HOUR);
    await rig.publish("a", 2);
    await until("two", () => receiver.deliveries.length === 2);
    assert.equal(String(receiver.deliveries[1]?.headers["webhook-signature"]).split(" ").length, 1);
  });

  it("goes on after a restart where it was, and begins where a new webhook began", async () => {
    await using receiver = await WebhookReceiver.open();
    using folder = new TemporaryFolder();
    const data = `file:${folder.file("hub.db")}`;
    {
      await using rig = await WebhookRig.open({ data });
      await rig.publish("a", "before it was there");
      await rig.add(receiver.url);
      await rig.publish("a", 1);
      await until("one", () => receiver.deliveries.length === 1);
    }
    await using rig = await WebhookRig.open({ data });
    await rig.publish("a", 2);
    await until("the next", () => receiver.data.includes(2));
    assert.deepEqual(receiver.data, [1, 2]);
  });
});
