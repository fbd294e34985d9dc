import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newSecret } from "../../../src/webhooks/out/signature.ts";
import { KeyRing, type KeyGrants } from "../../support/keys.ts";
import { asHolder, type Ask } from "../../support/mcp-events.ts";
import { mcp } from "../../support/mcp.ts";
import { needsEngine, startEngine } from "../../support/redis.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import type { ServerOptions } from "../../../src/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";
import { verifies, WebhookReceiver, type Delivery } from "../../support/webhook-receiver.ts";

const DAY = 86_400_000;
const READ: KeyGrants = { subscribe: ["a", "b"], publish: ["a", "b"] };

interface Subscribed {
  readonly id: string;
  readonly refreshBefore: string;
  readonly cursor: string;
  readonly truncated: boolean;
  readonly deliveryStatus?: Readonly<Record<string, unknown>>;
}

/** A server with keys, and an endpoint that echoes challenges. */
class Rig implements AsyncDisposable {
  readonly ring: KeyRing = new KeyRing();
  readonly receiver: WebhookReceiver;
  readonly secret: string = newSecret();
  readonly key: string;
  server!: TestServer;

  private constructor(receiver: WebhookReceiver) {
    this.receiver = receiver;
    this.key = this.ring.add("ada", READ);
    receiver.body = ({ body }) => (body["type"] === "verification" ? { challenge: body["challenge"] } : undefined);
    receiver.answer = ({ body }) => (body["type"] === "verification" ? 200 : 204);
  }

  static async open(options: ServerOptions = {}): Promise<Rig> {
    const rig = new Rig(await WebhookReceiver.open());
    await rig.start(options);
    return rig;
  }

  async start(options: ServerOptions = {}): Promise<void> {
    const settings = { apiKeysFile: this.ring.path, webhookAllow: ["127.0.0.0/8"], ...options };
    this.server = await startServer(settings);
  }

  as(key: string = this.key): Ask {
    return asHolder(this.server, key);
  }

  asked(more: Record<string, unknown> = {}, delivery: object = {}): object {
    const { url } = this.receiver;
    return {
      name: "message.published",
      arguments: { channels: ["a"] },
      delivery: { mode: "webhook", url, secret: this.secret, ...delivery },
      ...more,
    };
  }

  async subscribe(more: Record<string, unknown> = {}, delivery: object = {}, key = this.key): Promise<Subscribed> {
    const { result, error } = await this.as(key)("events/subscribe", this.asked(more, delivery));
    if (result === undefined) throw new Error(JSON.stringify(error));
    return result as unknown as Subscribed;
  }

  async publish(channel: string, data: unknown): Promise<string> {
    const answer = await this.server.request(`/channels/${channel}/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.key}` },
      body: JSON.stringify(data),
    });
    return (JSON.parse(answer.text) as { id: string }).id;
  }

  /** What came, without verifications. */
  get events(): readonly Delivery[] {
    return this.receiver.deliveries.filter(({ body }) => body["type"] !== "verification");
  }

  get challenges(): readonly Delivery[] {
    return this.receiver.deliveries.filter(({ body }) => body["type"] === "verification");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await this.receiver[Symbol.asyncDispose]();
    this.ring[Symbol.dispose]();
  }
}

describe("events by webhook", { concurrency: true }, () => {
  it("[EVENTS-15] are for callers that the server knows: others are told Forbidden, and not offered it", async () => {
    await using rig = await Rig.open();
    const { result } = await rig.as()("events/list");
    assert.partialDeepStrictEqual(result, { events: [{ delivery: ["webhook", "push", "poll"] }] });
    const unknown = await mcp(rig.server, "events/subscribe", rig.asked());
    assert.deepEqual([unknown.status], [401]);
    await using open = await startServer({ webhookAllow: ["127.0.0.0/8"] });
    for (const method of ["events/subscribe", "events/unsubscribe"]) {
      const { error } = await mcp(open, method, rig.asked());
      assert.equal(error?.code, -32012, method);
    }
  });

  it("[EVENTS-16] begin after the endpoint has echoed a challenge, which is signed like a delivery", async () => {
    await using rig = await Rig.open();
    const { id, refreshBefore, truncated, cursor } = await rig.subscribe();
    assert.equal(rig.challenges.length, 1);
    const [challenge] = rig.challenges as [Delivery];
    assert.ok(verifies(challenge, rig.secret));
    assert.match(challenge.id, /^msg_verification_\w+$/);
    assert.equal(challenge.headers["x-mcp-subscription-id"], id);
    assert.equal(truncated, false);
    const granted = Date.parse(refreshBefore) - Date.now();
    assert.ok(granted > DAY - 60_000 && granted <= DAY);
    const published = performance.now();
    const message = await rig.publish("a", { n: 1 });
    await until("it came", () => rig.events.length === 1);
    assert.ok(performance.now() - published < 9000, "no one had to look for it");
    const [delivery] = rig.events as [Delivery];
    assert.ok(verifies(delivery, rig.secret));
    assert.equal(delivery.headers["content-type"], "application/json");
    assert.equal(delivery.headers["x-mcp-subscription-id"], id);
    assert.equal(delivery.id, message);
    assert.notEqual(cursor, message);
    const { timestamp, data, ...rest } = delivery.body;
    assert.deepEqual(rest, { eventId: message, name: "message.published", cursor: message });
    assert.ok(!Number.isNaN(Date.parse(timestamp as string)));
    assert.partialDeepStrictEqual(data, { channel: "a", event: "message", sender: "ada", data: { n: 1 } });
  });

  it("[EVENTS-16] are refused if the endpoint does not echo it, or is not there, and nothing is kept", async () => {
    await using rig = await Rig.open();
    const reasonOf = async (url: string): Promise<unknown> => {
      const { error } = await rig.as()("events/subscribe", rig.asked({}, { url }));
      assert.equal(error?.code, -32015);
      assert.ok(!JSON.stringify(error).includes(rig.secret));
      return error?.data?.["reason"];
    };
    rig.receiver.body = () => ({ challenge: "another" });
    assert.equal(await reasonOf(rig.receiver.url), "challenge_failed");
    rig.receiver.answer = () => 404;
    assert.equal(await reasonOf(rig.receiver.url), "challenge_failed");
    assert.equal(await reasonOf("http://127.0.0.1:9/"), "connection_refused");
    const { error } = await rig.as()("events/unsubscribe", rig.asked());
    assert.deepEqual([error?.code, error?.data], [-32011, { kind: "subscription" }]);
  });

  it("[EVENTS-17] have an id that follows from principal, URL, event and arguments, and is verified once a URL", async () => {
    await using rig = await Rig.open();
    const bob = rig.ring.add("bob", READ);
    const first = await rig.subscribe();
    assert.equal((await rig.subscribe()).id, first.id);
    assert.equal(rig.challenges.length, 1);
    const other = await rig.subscribe({ arguments: { channels: ["b"] } });
    assert.notEqual(other.id, first.id);
    assert.equal(rig.challenges.length, 1, "the URL is verified");
    assert.notEqual((await rig.subscribe({}, { url: `${rig.receiver.url}?key=1` })).id, first.id);
    assert.equal(rig.challenges.length, 2, "another query is another URL");
    assert.equal(rig.challenges[1]?.path, "/hook?key=1");
    assert.notEqual((await rig.subscribe({}, {}, bob)).id, first.id);
    assert.equal(rig.challenges.length, 3, "and another principal verifies for itself");
  });

  it("[EVENTS-18] live as long as was asked for, within bounds, and forever for no one", async () => {
    await using rig = await Rig.open();
    const granted = async (ttlMs: unknown): Promise<number> =>
      Math.round((Date.parse((await rig.subscribe({ ttlMs })).refreshBefore) - Date.now()) / 60_000);
    assert.equal(await granted(3_600_000), 60);
    assert.equal(await granted(1), 1);
    assert.equal(await granted(30 * DAY), 7 * 24 * 60);
    assert.equal(await granted(null), 24 * 60);
  });

  it("[EVENTS-19] are signed with the secret before, too, while a new one comes into use", async () => {
    await using rig = await Rig.open();
    await rig.subscribe();
    const secret = newSecret();
    const { deliveryStatus } = await rig.subscribe({}, { secret });
    assert.deepEqual(deliveryStatus, { active: true, lastDeliveryAt: null, lastError: null });
    await rig.publish("a", 1);
    await until("it came", () => rig.events.length === 1);
    const [delivery] = rig.events as [Delivery];
    assert.ok(verifies(delivery, secret) && verifies(delivery, rig.secret));
  });

  it("[EVENTS-20] are replayed from a cursor, and truncated says that some are gone", async () => {
    await using rig = await Rig.open();
    const first = await rig.publish("a", 1);
    await rig.publish("a", 2);
    const { cursor, truncated } = await rig.subscribe({ cursor: first });
    assert.deepEqual([cursor, truncated], [first, false]);
    await until("it came", () => rig.events.length === 1);
    assert.partialDeepStrictEqual(rig.events[0]?.body, { data: { data: 2 } });
    const gone = await rig.subscribe({ cursor: "other-1", arguments: { channels: ["b"] } });
    assert.equal(gone.truncated, true);
  });

  it("[EVENTS-20] say in their cursor how far everything is taken, and go on from there after a restart", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    await using rig = await Rig.open({ data });
    rig.receiver.answer = ({ body }, count) => {
      if (body["type"] === "verification") return 200;
      return (body["data"] as Record<string, unknown>)["data"] === 1 && count < 5 ? 500 : 204;
    };
    const { id, cursor } = await rig.subscribe();
    await rig.publish("a", 1);
    await until("it was refused", () => rig.events.length === 1);
    const second = await rig.publish("a", 2);
    await until("the next came", () => rig.events.some(({ id: one }) => one === second));
    const next = rig.events.find(({ id: one }) => one === second);
    assert.equal(next?.body["cursor"], cursor, "what came before it was not taken");
    const refreshed = await rig.subscribe({ cursor });
    assert.equal(refreshed.cursor, cursor);
    assert.partialDeepStrictEqual(refreshed.deliveryStatus, { active: true });
    await rig.server.close();
    rig.receiver.answer = ({ body }) => (body["type"] === "verification" ? 200 : 204);
    const before = rig.events.length;
    await rig.start({ data });
    await until("what was refused came again", () => rig.events.length > before, 60_000);
    const [again] = rig.events.slice(before) as [Delivery];
    assert.deepEqual((again.body["data"] as Record<string, unknown>)["data"], 1);
    assert.equal(again.body["cursor"], second);
    assert.equal((await rig.subscribe({ cursor })).id, id);
    assert.equal(rig.challenges.length, 1, "it is verified after the restart, too");
  });

  it("[EVENTS-21] come again in about a second, and that counts for nothing, if the endpoint is not ready", async () => {
    await using rig = await Rig.open();
    let unready = 2;
    rig.receiver.answer = ({ body }) => (body["type"] === "verification" ? 200 : unready-- > 0 ? 503 : 204);
    await rig.subscribe();
    const begun = performance.now();
    await rig.publish("a", 1);
    await until("it was taken", () => rig.events.length === 3);
    assert.ok(performance.now() - begun < 15_000);
    await until("that is known", async () => (await rig.subscribe()).deliveryStatus?.["lastDeliveryAt"] !== null);
    assert.partialDeepStrictEqual((await rig.subscribe()).deliveryStatus, { active: true, lastError: null });
    assert.equal(await rig.server.metric('sse_mcp_webhook_deliveries_total{outcome="failed"}').catch(() => 0), 0);
  });

  it("[EVENTS-22] are given up alone if the endpoint answers 410 or 413, and the next ones come", async () => {
    await using rig = await Rig.open();
    const refusals = [410, 413];
    rig.receiver.answer = ({ body }) => (body["type"] === "verification" ? 200 : (refusals.shift() ?? 204));
    await rig.subscribe();
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      ids.push(await rig.publish("a", n));
      await until("it came", () => rig.events.length === n + 1);
    }
    assert.deepEqual(
      rig.events.map(({ id }) => id),
      ids,
    );
    assert.equal(rig.events.at(-1)?.body["cursor"], ids[2]);
  });

  it("[EVENTS-23] end at once when their client unsubscribes, which no one else can", async () => {
    await using rig = await Rig.open();
    const bob = rig.ring.add("bob", READ);
    await rig.subscribe();
    assert.equal((await rig.as(bob)("events/unsubscribe", rig.asked())).error?.code, -32011);
    const { result } = await rig.as()("events/unsubscribe", rig.asked());
    assert.equal(result?.["resultType"], "complete");
    await rig.subscribe({ arguments: { channels: ["b"] } });
    await rig.publish("a", 1);
    const last = await rig.publish("b", 2);
    await until("the other came", () => rig.events.length > 0);
    assert.deepEqual(
      rig.events.map(({ id }) => id),
      [last],
    );
  });

  it("[EVENTS-24] end with a word to the endpoint when the credential is revoked", async () => {
    await using rig = await Rig.open();
    const { id } = await rig.subscribe();
    rig.ring.revoke("ada");
    await until("it was told", () => rig.events.some(({ body }) => body["type"] === "terminated"), 60_000);
    const told = rig.events.find(({ body }) => body["type"] === "terminated") as Delivery;
    assert.ok(verifies(told, rig.secret));
    assert.match(told.id, /^msg_terminated_\w+$/);
    assert.equal(told.headers["x-mcp-subscription-id"], id);
    assert.partialDeepStrictEqual(told.body["error"], { code: -32012, message: "Forbidden" });
  });

  it("[EVENTS-25] have an id for each subscription in the dialect of SEP-3415, and the same when they come again", async () => {
    await using rig = await Rig.open({ eventsDialect: "sep-3415" });
    let refusals = 1;
    rig.receiver.answer = ({ body }) => (body["type"] === "verification" ? 200 : refusals-- > 0 ? 500 : 204);
    const { id } = await rig.subscribe();
    const message = await rig.publish("a", 1);
    await until("it came twice", () => rig.events.length === 2, 60_000);
    assert.deepEqual(
      rig.events.map((delivery) => delivery.id),
      [`${id}_${message}`, `${id}_${message}`],
    );
    assert.ok(rig.events.every((delivery) => verifies(delivery, rig.secret)));
    assert.equal((await rig.as()("events/subscribe", { name: "none" })).error?.code, -32023);
  });

  it("[EVENTS-26] are refused for a URL, a secret, a mode or channels that may not be", async () => {
    await using rig = await Rig.open({ webhookAllow: [] });
    const refusals: [object, object, number, RegExp][] = [
      [{}, { url: "http://example.com/hook" }, -32602, /delivery\.url: use https/],
      [{}, { url: "https://127.0.0.1/hook" }, -32602, /not on the public internet/],
      [{}, { url: "https://10.0.0.1/hook" }, -32602, /not on the public internet/],
      [{}, { url: "nonsense" }, -32602, /delivery\.url/],
      [{}, { url: "https://example.com", secret: "whsec_short" }, -32602, /delivery\.secret: use whsec_/],
      [{}, { url: "https://example.com", secret: undefined }, -32602, /delivery\.secret: it is missing/],
      [{}, { mode: "push" }, -32014, /delivery\.mode must be webhook/],
      [{ delivery: undefined }, {}, -32602, /delivery must be an object/],
      [{ arguments: { channels: ["secret"] } }, {}, -32012, /may not read/],
    ];
    for (const [more, delivery, code, sentence] of refusals) {
      const { error } = await rig.as()("events/subscribe", rig.asked({ ...more }, delivery));
      assert.equal(error?.code, code, JSON.stringify([more, delivery, error]));
      assert.match(error?.message ?? "", sentence);
    }
    assert.equal(rig.receiver.deliveries.length, 0);
  });

  it("[EVENTS-27] are among the webhooks of their owner, who cannot change what the client asked for", async () => {
    await using rig = await Rig.open();
    const { id } = await rig.subscribe();
    const headers = { authorization: `Bearer ${rig.key}`, "content-type": "application/json" };
    const { text } = await rig.server.request(`/webhooks/${id}`, { headers });
    assert.partialDeepStrictEqual(JSON.parse(text), { id, format: "mcp", channels: ["a"], state: "active" });
    const body = JSON.stringify({ channels: ["b"] });
    assert.equal((await rig.server.request(`/webhooks/${id}`, { method: "PATCH", headers, body })).status, 403);
    assert.equal((await rig.server.request(`/webhooks/${id}/test`, { method: "POST", headers })).status, 403);
    assert.equal((await rig.server.request(`/webhooks/${id}`, { method: "DELETE", headers })).status, 204);
  });

  it("[EVENTS-20] are sent once by several nodes, whichever was asked and published on, and go on when one ends", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    const settings = { data: engine.url };
    await using rig = await Rig.open(settings);
    const { server: first } = rig;
    await using second = await startServer({
      apiKeysFile: rig.ring.path,
      webhookAllow: ["127.0.0.0/8"],
      ...settings,
    });
    const { id } = await rig.subscribe();
    for (let n = 0; n < 10; n++) {
      rig.server = n % 2 === 0 ? first : second;
      await rig.publish("a", n);
    }
    await until("all came", () => rig.events.length >= 10);
    rig.server = second;
    await first.close();
    // The node that is left knows the subscription, and renews it under its id.
    assert.equal((await rig.subscribe()).id, id);
    await rig.publish("a", 10);
    await until("the last one came", () => rig.events.length >= 11);
    const came = rig.events.map(({ body }) => (body["data"] as { data: number }).data);
    // Their order is not promised.
    assert.deepEqual(
      came.toSorted((a, b) => a - b),
      Array.from({ length: 11 }, (_, n) => n),
    );
  });
});
