import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HooksFile } from "../support/hooks.ts";
import { KeyRing } from "../support/keys.ts";
import type { Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { WebhookReceiver } from "../support/webhook-receiver.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SETTINGS = { webhookAllow: ["127.0.0.0/8"] };

/** A hook that takes what a hub sends. */
function hook(): HooksFile {
  return new HooksFile({ name: "hub", provider: "standard", channel: "shared", secrets: [SECRET] });
}

/** Has one hub send its channel to the hook of another. */
async function send(from: TestServer, to: TestServer, format: string): Promise<void> {
  const body = JSON.stringify({ url: `${to.url}/hooks/hub`, channels: ["shared"], secret: SECRET, format });
  const headers = { "content-type": "application/json" };
  const answer = await from.request("/webhooks", { method: "POST", headers, body });
  assert.equal(answer.status, 201, answer.text);
}

async function kept(server: TestServer): Promise<number> {
  const { messages } = (await server.request("/channels/shared/messages")).json() as { messages: unknown[] };
  return messages.length;
}

/** Has one hub send its channel to the door of another, which publishes whatever comes as a message. */
async function sendToDoor(from: TestServer, to: TestServer, format: string, query = ""): Promise<string> {
  const body = JSON.stringify({ url: `${to.url}/channels/shared/messages${query}`, channels: ["shared"], format });
  const answer = await from.request("/webhooks", { method: "POST", body });
  assert.equal(answer.status, 201, answer.text);
  return (answer.json() as { id: string }).id;
}

/** How many deliveries of a webhook were taken. */
async function delivered(server: TestServer, id: string): Promise<number> {
  const { delivered: count } = (await server.request(`/webhooks/${id}`)).json() as { delivered: number };
  return count;
}

/** Deliveries to its hook that were left out because they had been in this hub before. */
async function loops(server: TestServer): Promise<number> {
  const { hooks } = (await server.request("/hooks")).json() as { hooks: { deliveries: { verdict: string }[] }[] };
  return hooks.flatMap(({ deliveries }) => deliveries).filter(({ verdict }) => verdict === "loop").length;
}

describe("what a hub sends to itself", () => {
  for (const format of ["json", "cloudevents"]) {
    it(`[HOOK-5] is left out, as ${format}`, async () => {
      using file = hook();
      await using server = await startServer({ ...SETTINGS, hooksFile: file.path });
      await send(server, server, format);
      await server.publish("shared", 1);
      await until("it has come back", async () => (await loops(server)) === 1);
      assert.equal(await kept(server), 1);
    });

    it(`is left out when it comes back through another hub, as ${format}`, async () => {
      using ours = hook();
      using theirs = hook();
      await using one = await startServer({ ...SETTINGS, hooksFile: ours.path });
      await using two = await startServer({ ...SETTINGS, hooksFile: theirs.path });
      await send(one, two, format);
      await send(two, one, format);
      await one.publish("shared", 1);
      await until("it has come back", async () => (await loops(one)) === 1);
      assert.deepEqual([await kept(one), await kept(two)], [1, 1]);
    });

    it(`[PUB-50] is taken and left out at its own door, as ${format}`, async () => {
      await using server = await startServer(SETTINGS);
      const id = await sendToDoor(server, server, format);
      await server.publish("shared", 1);
      await until("it was taken", async () => (await delivered(server, id)) === 1);
      assert.equal(await kept(server), 1);
      const later = await sendToDoor(server, server, format, "?delaySeconds=0");
      await server.publish("shared", 2);
      await until("it was taken", async () => (await delivered(server, later)) === 1);
      assert.equal(await kept(server), 2);
    });

    it(`[PUB-50] is left out when it comes back to its door through that of another hub, as ${format}`, async () => {
      await using one = await startServer(SETTINGS);
      await using two = await startServer(SETTINGS);
      await sendToDoor(one, two, format);
      const back = await sendToDoor(two, one, format);
      await one.publish("shared", 1);
      await until("it came back", async () => (await delivered(two, back)) === 1);
      assert.deepEqual([await kept(one), await kept(two)], [1, 1]);
    });
  }

  it("[PUB-50] a message with another path is published, and goes on with it, also if it waits for its time", async () => {
    await using receiver = await WebhookReceiver.open();
    await using server = await startServer(SETTINGS);
    const body = JSON.stringify({ url: receiver.url, channels: ["shared"] });
    await server.request("/webhooks", { method: "POST", body });
    const post = (path: string, query = ""): Promise<Answer> =>
      server.request(`/channels/shared/messages${query}`, { method: "POST", headers: { "hub-path": path }, body: "x" });
    assert.equal((await post("one, two,not an id")).status, 201);
    assert.equal((await post("three", "?delaySeconds=0")).status, 202);
    const far = await post("1,2,3,4,5,6,7,8");
    assert.deepEqual([far.status, (far.json() as { id: null }).id], [200, null]);
    await until("both", () => receiver.deliveries.length === 2);
    const paths = receiver.deliveries.map(({ headers }) => String(headers["hub-path"]).replace(/\w+$/, "this"));
    assert.deepEqual(paths.toSorted(), ["one,two,this", "three,this"]);
  });

  it("[PUB-50] is refused like any other if its publisher may not publish", async () => {
    using keys = new KeyRing();
    keys.add("ada", { publish: ["*"] });
    await using server = await startServer({ ...SETTINGS, apiKeysFile: keys.path });
    const headers = { "hub-path": "1,2,3,4,5,6,7,8" };
    const answer = await server.request("/channels/shared/messages", { method: "POST", headers, body: "x" });
    assert.equal(answer.status, 401);
  });

  it("[HOOK-5] is left out of a batch of CloudEvents, whichever of them it is, and the others are taken", async () => {
    using file = new HooksFile({ name: "ce", provider: "cloudevents", channel: "shared", secrets: ["secret"] });
    await using server = await startServer({ ...SETTINGS, hooksFile: file.path });
    await using receiver = await WebhookReceiver.open();
    const webhook = JSON.stringify({ url: receiver.url, channels: ["shared"] });
    await server.request("/webhooks", { method: "POST", body: webhook });
    const first = await server.publish("shared", 1);
    await until("the id of the hub", () => receiver.deliveries.length === 1);
    const own = String(receiver.deliveries[0]?.headers["hub-path"]);
    const event = { specversion: "1.0", source: "/other", type: "order", data: 2 };
    const batch = [
      { ...event, id: "a", hubpath: "other" },
      { ...event, id: first.id, hubpath: `other, ${own}` },
    ];
    const headers = { authorization: "Bearer secret", "content-type": "application/cloudevents-batch+json" };
    const answer = await server.request("/hooks/ce", { method: "POST", headers, body: JSON.stringify(batch) });
    assert.deepEqual([answer.status, (answer.json() as { ids: string[] }).ids.length], [200, 1]);
    assert.equal(await kept(server), 2);
  });
});
