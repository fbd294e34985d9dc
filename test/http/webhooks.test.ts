import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyRing } from "../support/keys.ts";
import type { Answer, RequestOptions } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { verifies, WebhookReceiver } from "../support/webhook-receiver.ts";

const ALLOW = { webhookAllow: ["127.0.0.0/8"] };
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

interface Shown {
  readonly id: string;
  readonly secret?: string;
  readonly state: string;
  readonly owner: string | null;
  readonly position: string;
  readonly delivered: number;
  readonly channels: readonly string[];
  readonly previousSecretUntil: string | null;
  readonly suspended: { readonly reason: string; readonly sentence: string } | null;
  readonly deliveries: readonly { readonly id: string; readonly outcome: string; readonly status: number | null }[];
}

class Door {
  readonly #server: TestServer;
  readonly #key: string | undefined;

  constructor(server: TestServer, key?: string) {
    this.#server = server;
    this.#key = key;
  }

  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const credential = this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` };
    const headers = { "content-type": "application/json", ...credential };
    const options: RequestOptions = { method, headers };
    return this.#server.request(path, body === undefined ? options : { ...options, body: JSON.stringify(body) });
  }

  async made(body: object): Promise<Shown> {
    const answer = await this.ask("POST", "/webhooks", body);
    assert.equal(answer.status, 201, answer.text);
    return answer.json() as Shown;
  }

  async get(id: string): Promise<Shown> {
    const answer = await this.ask("GET", `/webhooks/${id}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json() as Shown;
  }
}

async function refused(answer: Promise<Answer>, status: number, code: string, sentence: RegExp): Promise<void> {
  const { status: given, text } = await answer;
  assert.equal(given, status, text);
  const problem = JSON.parse(text) as { code: string; detail: string };
  assert.equal(problem.code, code);
  assert.match(problem.detail, sentence);
}

describe("/webhooks", () => {
  it("[SEND-1] [SEND-2] sends what is published from then on, signed with a secret that is shown once", async () => {
    await using receiver = await WebhookReceiver.open();
    await using server = await startServer(ALLOW);
    const door = new Door(server);
    await server.publish("orders.eu", "before");
    const { id, secret = "", state, owner } = await door.made({ url: receiver.url, channels: ["orders.*"] });
    assert.match(secret, /^whsec_/);
    assert.deepEqual([state, owner], ["active", "anyone"]);
    const sent = await server.publish("orders.eu", { total: 12 });
    await until("a delivery", () => receiver.deliveries.length === 1);
    const [delivery] = receiver.deliveries;
    assert.deepEqual([delivery?.id, delivery?.body["data"]], [sent.id, { total: 12 }]);
    assert.equal(verifies(delivery as never, secret), true);
    await until("its position", async () => (await door.get(id)).position === sent.id);
    const shown = await door.ask("GET", `/webhooks/${id}`);
    assert.ok(!shown.text.includes("whsec_"));
    const [last] = (shown.json() as Shown).deliveries;
    assert.deepEqual([last?.id, last?.outcome, last?.status], [sent.id, "delivered", 204]);
    const list = (await door.ask("GET", "/webhooks")).json() as { webhooks: readonly Shown[] };
    assert.deepEqual(
      list.webhooks.map((webhook) => webhook.id),
      [id],
    );
    assert.equal(await server.metric("sse_mcp_webhook_deliveries_total"), 1);
    assert.equal((await door.ask("DELETE", `/webhooks/${id}`)).status, 204);
    await server.publish("orders.eu", "after");
    await refused(door.ask("GET", `/webhooks/${id}`), 404, "NOT_FOUND", /GET \/webhooks lists them/);
    assert.equal(receiver.deliveries.length, 1);
  });

  it("[SEND-3] says which field is wrong, and what would be right", async () => {
    await using server = await startServer(ALLOW);
    const door = new Door(server);
    const good = { url: "https://example.com/hook", channels: ["a"] };
    const wrong: readonly (readonly [object, string, RegExp])[] = [
      [{ ...good, url: "example.com" }, "INVALID_INPUT", /^url: use a URL such as https:/],
      [{ ...good, url: "ftp://example.com" }, "INVALID_INPUT", /^url: use a URL/],
      [{ ...good, url: "https://ada:pw@example.com" }, "INVALID_INPUT", /^url: leave the user/],
      [{ ...good, url: "https://example.com/#a" }, "INVALID_INPUT", /^url: leave the part after #/],
      [{ ...good, url: `https://example.com/${"a".repeat(2048)}` }, "INVALID_INPUT", /^url: it has \d+ characters/],
      [{ ...good, url: "https://10.0.0.1/" }, "INVALID_INPUT", /^url: that address is not .*WEBHOOK_ALLOW/],
      [{ ...good, url: "https://[::ffff:169.254.169.254]/" }, "INVALID_INPUT", /^url: that address/],
      [{ ...good, url: "http://8.8.8.8/" }, "INVALID_INPUT", /^url: use https/],
      [{ ...good, channels: [] }, "INVALID_INPUT", /channels/],
      [{ url: good.url }, "INVALID_INPUT", /channels/],
      [{ ...good, channels: ["a.*.b"] }, "INVALID_PATTERN", /a\.\*\.b/],
      [{ ...good, channels: ["hub.logs"] }, "INVALID_PATTERN", /server's own channel/],
      [{ ...good, channels: Array.from({ length: 101 }, (_, n) => `a${n}`) }, "TOO_MANY_CHANNELS", /at most 100/],
      [{ ...good, secret: "short" }, "INVALID_INPUT", /^secret: use whsec_/],
      [{ ...good, secret: `whsec_${"=".repeat(900_000)}x` }, "INVALID_INPUT", /^secret: use whsec_/],
      [{ ...good, events: ["a", "b".repeat(65)] }, "INVALID_INPUT", /^events\[1\] has 65 characters/],
      [{ ...good, format: "xml" }, "INVALID_INPUT", /format/],
      [{ ...good, colour: "red" }, "INVALID_INPUT", /colour/],
    ];
    for (const [body, code, sentence] of wrong) await refused(door.ask("POST", "/webhooks", body), 400, code, sentence);
    await using strict = await startServer();
    await refused(
      new Door(strict).ask("POST", "/webhooks", { ...good, url: "http://localhost:1/" }),
      400,
      "INVALID_INPUT",
      /plain http goes only/,
    );
    await refused(
      new Door(strict).ask("POST", "/webhooks", { ...good, url: "https://localhost/" }),
      400,
      "INVALID_INPUT",
      /public internet/,
    );
  });

  it("[SEND-4] is for principals that may read the channels; each sees and changes its own, and admins all", async () => {
    using keys = new KeyRing();
    const [shop, other, admin] = [
      keys.add("shop", { subscribe: ["orders.*"] }),
      keys.add("other", { subscribe: ["*"] }),
      keys.add("root", { admin: true }),
    ];
    await using server = await startServer({ ...ALLOW, apiKeysFile: keys.path, anonymousSubscribe: ["*"] });
    const url = "https://example.com/hook";
    await refused(
      new Door(server).ask("POST", "/webhooks", { url, channels: ["orders.eu"] }),
      401,
      "UNAUTHENTICATED",
      /may not have a webhook/,
    );
    await refused(
      new Door(server, shop).ask("POST", "/webhooks", { url, channels: ["other"] }),
      403,
      "FORBIDDEN",
      /may not read "other"/,
    );
    const { id } = await new Door(server, shop).made({ url, channels: ["orders.*"], secret: SECRET });
    await refused(
      new Door(server, shop).ask("PATCH", `/webhooks/${id}`, { channels: ["*"] }),
      403,
      "FORBIDDEN",
      /may not read "\*"/,
    );
    for (const method of ["GET", "PATCH", "DELETE"]) {
      await refused(
        new Door(server, other).ask(method, `/webhooks/${id}`, method === "PATCH" ? {} : undefined),
        404,
        "NOT_FOUND",
        /no webhook/,
      );
    }
    for (const path of ["resume", "replay", "test"]) {
      await refused(
        new Door(server, other).ask("POST", `/webhooks/${id}/${path}`, { after: "earliest" }),
        404,
        "NOT_FOUND",
        /no webhook/,
      );
    }
    const seen = (await new Door(server, admin).ask("GET", "/webhooks")).json() as { webhooks: readonly Shown[] };
    assert.deepEqual(
      seen.webhooks.map(({ owner }) => owner),
      ["shop"],
    );
    assert.deepEqual((await new Door(server, other).ask("GET", "/webhooks")).json(), { webhooks: [] });
  });

  it("[SEND-5] suspends the webhooks of a key that is revoked, which an admin can take over", async () => {
    using keys = new KeyRing();
    const [shop, admin] = [keys.add("shop", { subscribe: ["a"] }), keys.add("root", { admin: true })];
    await using receiver = await WebhookReceiver.open();
    await using server = await startServer({ ...ALLOW, apiKeysFile: keys.path });
    const { id } = await new Door(server, shop).made({ url: receiver.url, channels: ["a"] });
    const door = new Door(server, admin);
    keys.revoke("shop");
    await until("the key is gone", async () => (await new Door(server, shop).ask("GET", "/webhooks")).status === 401);
    const publish = (data: unknown) => door.ask("POST", "/channels/a/messages", data);
    await publish("secret");
    await until("suspended", async () => (await door.get(id)).state === "suspended");
    const { suspended } = await door.get(id);
    assert.equal(suspended?.reason, "credential");
    assert.match(suspended?.sentence ?? "", /admin take it over/);
    assert.equal(receiver.deliveries.length, 0);
    const resumed = (await door.ask("POST", `/webhooks/${id}/resume`)).json() as Shown;
    assert.deepEqual([resumed.state, resumed.owner], ["active", "root"]);
    await until("what was kept", () => receiver.data.includes("secret"));
  });

  it("[SEND-2] [SEND-5] changes URL, channels and secret, with the old secret for a day, and goes on after being suspended", async () => {
    await using first = await WebhookReceiver.open();
    await using second = await WebhookReceiver.open();
    await using server = await startServer(ALLOW);
    const door = new Door(server);
    const { id } = await door.made({ url: first.url, channels: ["a"], secret: SECRET });
    const answer = await door.ask("PATCH", `/webhooks/${id}`, { url: second.url, channels: ["b"], secret: "new" });
    const { secret = "", previousSecretUntil, channels } = answer.json() as Shown;
    assert.deepEqual(channels, ["b"]);
    assert.ok(Math.abs(Date.parse(previousSecretUntil ?? "") - Date.now() - 86_400_000) < 60_000);
    await server.publish("a", "no longer");
    await server.publish("b", 1);
    await until("a delivery", () => second.deliveries.length === 1);
    const [delivery] = second.deliveries;
    assert.deepEqual([verifies(delivery as never, secret), verifies(delivery as never, SECRET)], [true, true]);
    assert.equal(first.deliveries.length, 0);
    const suspended = (await door.ask("PATCH", `/webhooks/${id}`, { suspended: true })).json() as Shown;
    assert.equal(suspended.suspended?.reason, "owner");
    await server.publish("b", 2);
    await until("it is counted", async () => (await server.metric("sse_mcp_webhooks_suspended")) === 1);
    assert.equal(second.deliveries.length, 1);
    assert.equal((await door.ask("PATCH", `/webhooks/${id}`, { suspended: false })).status, 200);
    await until("the other", () => second.data.includes(2));
    await refused(
      door.ask("PATCH", `/webhooks/${id}`, { url: "http://10.0.0.1/" }),
      400,
      "INVALID_INPUT",
      /^url: use https/,
    );
  });

  it("[SEND-7] replays from a cursor, and tests without a message", async () => {
    await using receiver = await WebhookReceiver.open();
    await using server = await startServer(ALLOW);
    const door = new Door(server);
    const { id, secret = "" } = await door.made({ url: receiver.url, channels: ["a"] });
    const ids: string[] = [];
    for (const n of [1, 2, 3]) ids.push((await server.publish("a", n)).id);
    await until("all", () => receiver.deliveries.length === 3);
    const replayed = await door.ask("POST", `/webhooks/${id}/replay`, { after: ids[0] });
    assert.equal(replayed.status, 202, replayed.text);
    await until("two again", () => receiver.deliveries.length === 5);
    assert.deepEqual(
      receiver.deliveries
        .slice(3)
        .map((delivery) => delivery.id)
        .toSorted(),
      ids.slice(1),
    );
    await refused(
      door.ask("POST", `/webhooks/${id}/replay`, { after: "yesterday" }),
      400,
      "INVALID_INPUT",
      /^after is not a cursor/,
    );
    const tested = (await door.ask("POST", `/webhooks/${id}/test`)).json() as {
      id: string;
      delivered: boolean;
      status: number;
    };
    assert.deepEqual([tested.delivered, tested.status], [true, 204]);
    const test = receiver.deliveries.at(-1);
    assert.deepEqual([test?.id, test?.body["type"], verifies(test as never, secret)], [tested.id, "hub.test", true]);
    await receiver[Symbol.asyncDispose]();
    const failed = (await door.ask("POST", `/webhooks/${id}/test`)).json() as { delivered: boolean; error: string };
    assert.deepEqual([failed.delivered, failed.error], [false, "the connection failed (ECONNREFUSED)"]);
    receiver[Symbol.asyncDispose] = async () => {};
  });

  it("bounds how many webhooks one principal has", async () => {
    await using server = await startServer(ALLOW);
    const door = new Door(server);
    const body = { url: "https://example.com/", channels: ["a"] };
    for (let made = 0; made < 100; made++) await door.made(body);
    await refused(door.ask("POST", "/webhooks", body), 403, "FORBIDDEN", /You have 100 webhooks/);
  });
});
