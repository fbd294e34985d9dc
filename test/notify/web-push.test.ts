import assert from "node:assert/strict";
import { createDecipheriv, createECDH, hkdfSync, randomBytes, type ECDH } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { importJWK, jwtVerify } from "jose";
import { encrypted } from "../../src/notify/push-encryption.ts";
import type { Question } from "../../src/protocol/question.ts";
import type { ServerOptions } from "../../src/server.ts";
import { KeyRing } from "../support/keys.ts";
import type { Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const JSON_TYPE = { "content-type": "application/json" };

interface Sent {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A push service: it takes messages for browsers, and says what became of them. */
async function pushService() {
  const sent: Sent[] = [];
  const gone = new Set<string>();
  const broken = new Set<string>();
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url: path = "", headers } = request;
    sent.push({ path, headers, body: await buffer(request) });
    response.writeHead(gone.has(path) ? 410 : broken.has(path) ? 500 : 201).end();
  };
  const server = createServer((request, response) => void take(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { sent, gone, broken, origin, [Symbol.asyncDispose]: close };
}

/** A browser with a subscription, as `PushSubscription` has it. */
class Subscribed {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
  readonly expirationTime = null;
  readonly #key: ECDH = createECDH("prime256v1");
  readonly #auth: Buffer = randomBytes(16);

  constructor(origin: string, name: string) {
    this.endpoint = `${origin}/${name}`;
    this.keys = { p256dh: this.#key.generateKeys("base64url"), auth: this.#auth.toString("base64url") };
  }

  /** What a message says (RFC 8188, RFC 8291). */
  read(body: Buffer): Record<string, unknown> {
    const [salt, size, length] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)];
    assert.ok(body.length <= 4096 && size >= body.length - 21 - length);
    const sender = body.subarray(21, 21 + length);
    const own = Buffer.from(this.keys.p256dh, "base64url");
    const info = Buffer.concat([Buffer.from("WebPush: info\0"), own, sender]);
    const secret = hkdfSync("sha256", this.#key.computeSecret(sender), this.#auth, info, 32);
    const key = hkdfSync("sha256", Buffer.from(secret), salt, "Content-Encoding: aes128gcm\0", 16);
    const nonce = hkdfSync("sha256", Buffer.from(secret), salt, "Content-Encoding: nonce\0", 12);
    const decipher = createDecipheriv("aes-128-gcm", Buffer.from(key), Buffer.from(nonce));
    decipher.setAuthTag(body.subarray(-16));
    const text = Buffer.concat([decipher.update(body.subarray(21 + length, -16)), decipher.final()]);
    assert.equal(text.at(-1), 2, "the last record");
    return JSON.parse(text.subarray(0, -1).toString()) as Record<string, unknown>;
  }
}

async function serverWith(more: ServerOptions = {}): Promise<TestServer> {
  using folder = new TemporaryFolder();
  const notifyFile = folder.file("notify.json");
  const steps = [{ name: "browsers", channels: ["*"], webPush: { contact: "mailto:ops@hub.example" } }];
  writeFileSync(notifyFile, JSON.stringify({ steps }));
  const settings = { notifyFile, publicUrl: "https://hub.example", webhookAllow: ["127.0.0.0/8"] };
  return await startServer({ ...settings, auth: "none", ...more });
}

function call(server: TestServer, method: string, path: string, body?: object, key?: string): Promise<Answer> {
  const headers = { ...JSON_TYPE, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
  return server.request(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function ask(server: TestServer, question: object, key?: string): Promise<Question> {
  const answer = await call(server, "POST", "/questions", question, key);
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as Question;
}

async function noted(server: TestServer, { id }: Question, key?: string): Promise<number> {
  let count = -1;
  await until("it is noted", async () => {
    const { notices = [] } = (await call(server, "GET", `/questions/${id}`, undefined, key)).json() as Question;
    count = notices[0]?.count ?? -1;
    return notices.length === 1;
  });
  return count;
}

describe("Web Push", { concurrency: true, timeout: 60_000 }, () => {
  it("encrypts as the example of RFC 8291 does", () => {
    const sender = createECDH("prime256v1");
    sender.setPrivateKey("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", "base64url");
    const keys = {
      p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
      auth: "BTBZMqHH6r4Tts7J_aSIgg",
    };
    const salt = Buffer.from("DGv6ra1nlYgDCS1FRnbzlw", "base64url");
    assert.equal(
      encrypted("When I grow up, I want to be a watermelon", keys, { sender, salt }).toString("base64url"),
      "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
    );
  });

  it("[ASK-16] tells browsers of a question, signed for their push service and encrypted for them alone", async () => {
    await using service = await pushService();
    await using server = await serverWith();
    const { publicKey } = (await call(server, "GET", "/push")).json() as { publicKey: string };
    const point = Buffer.from(publicKey, "base64url");
    assert.deepEqual([point.length, point[0]], [65, 4]);
    const browser = new Subscribed(service.origin, "a");
    const subscribed = await call(server, "POST", "/push", browser);
    assert.equal(subscribed.status, 201, subscribed.text);
    const proposal = { name: "deploy", arguments: { version: "2.14" } };
    const question = await ask(server, { channel: "ops", text: "Deploy?", asker: "ci", urgency: "high", proposal });
    assert.equal(await noted(server, question), 1);
    const [sent] = service.sent as [Sent];
    const { authorization = "", ttl, urgency, topic, "content-encoding": coding } = sent.headers;
    assert.deepEqual([sent.path, ttl, urgency, topic, coding], ["/a", "86400", "high", question.id, "aes128gcm"]);
    const [, token = "", shown] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(authorization) ?? [];
    assert.equal(shown, publicKey);
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url")) as [
      string,
      string,
    ];
    const key = await importJWK({ kty: "EC", crv: "P-256", x, y }, "ES256");
    const { payload } = await jwtVerify(token, key, { audience: service.origin, subject: "mailto:ops@hub.example" });
    assert.ok((payload.exp ?? Infinity) < Date.now() / 1000 + 86_400);
    const { body, ...said } = browser.read(sent.body);
    assert.deepEqual(said, { id: question.id, title: "Deploy?", url: "chat#ops" });
    assert.match(String(body), /^ci asks in ops\n[^]*"version":"2.14"/);

    // A browser that unsubscribed is not asked again, nor is one that its owner removed.
    const other = new Subscribed(service.origin, "b");
    const { id } = (await call(server, "POST", "/push", other)).json() as { id: string };
    service.gone.add("/a");
    assert.equal(await noted(server, await ask(server, { channel: "ops", text: "Again?" })), 1);
    assert.equal((await call(server, "DELETE", `/push/${id}`)).status, 204);
    assert.equal(await noted(server, await ask(server, { channel: "ops", text: "Now?" })), 0);
    assert.deepEqual(service.sent.map(({ path }) => path).toSorted(), ["/a", "/a", "/b"]);
  });

  it("[ASK-16] tells only those who may read the channel, while their key is good, and who may answer", async () => {
    await using service = await pushService();
    using keys = new KeyRing();
    const admin = keys.add("root", { admin: true });
    const ana = keys.add("ana", { subscribe: ["ops", "dev"] });
    const kim = keys.add("kim", { subscribe: ["ops"] });
    await using server = await serverWith({ auth: "", apiKeysFile: keys.path });
    const subscribe = async (name: string, key?: string): Promise<Answer> =>
      call(server, "POST", "/push", new Subscribed(service.origin, name), key);
    const anas = (await subscribe("ana", ana)).json() as { id: string };
    assert.deepEqual([(await subscribe("kim", kim)).status, (await subscribe("x")).status], [201, 401]);
    assert.equal((await call(server, "DELETE", `/push/${anas.id}`, undefined, kim)).status, 404);
    const told = async (question: object): Promise<string> => {
      const from = service.sent.length;
      await noted(server, await ask(server, { text: "A?", ...question }, admin), admin);
      return service.sent
        .slice(from)
        .map(({ path }) => path)
        .toSorted()
        .join();
    };
    assert.equal(await told({ channel: "ops" }), "/ana,/kim");
    assert.equal(await told({ channel: "dev" }), "/ana");
    assert.equal(await told({ channel: "ops", assignees: ["kim"] }), "/kim");
    assert.equal(await told({ channel: "secret" }), "");
    keys.revoke("ana");
    await until("it is revoked", async () => (await call(server, "GET", "/push", undefined, ana)).status === 401);
    assert.equal(await told({ channel: "ops" }), "/kim");
    for (let number = 0; number < 10; number++) await subscribe(`kim-${number}`, kim);
    assert.equal((await told({ channel: "ops" })).split(",").includes("/kim"), false, "the oldest made room");
  });

  it("forgets a browser whose push service fails again and again", async () => {
    await using service = await pushService();
    await using server = await serverWith();
    for (const name of ["good", "bad"]) await call(server, "POST", "/push", new Subscribed(service.origin, name));
    const tell = async (): Promise<string> => {
      const from = service.sent.length;
      await noted(server, await ask(server, { channel: "ops", text: "A?" }));
      return service.sent
        .slice(from)
        .map(({ path }) => path)
        .toSorted()
        .join();
    };
    service.broken.add("/bad");
    for (let failures = 1; failures <= 3; failures++) assert.equal(await tell(), "/bad,/good");
    service.broken.clear();
    assert.equal(await tell(), "/bad,/good");
    service.broken.add("/bad");
    for (let failures = 1; failures <= 10; failures++) assert.equal(await tell(), "/bad,/good");
    assert.equal(await tell(), "/good");
  });

  it("refuses what is no subscription, and addresses that are not public, naming the field", async () => {
    await using server = await serverWith();
    const good = new Subscribed("https://push.example", "a");
    const { keys, endpoint } = good;
    const point = `${keys.p256dh.slice(0, -6)}AAAAAA`;
    for (const [body, sentence] of [
      [{ keys }, /endpoint/],
      [{ endpoint: "https://10.0.0.1/a", keys }, /endpoint: that address is not on the public internet/],
      [{ endpoint: "http://push.example/a", keys: { ...keys, auth: "x" } }, /keys\.auth|endpoint/],
      [{ endpoint, keys: { ...keys, auth: "AAAA" } }, /keys\.auth: use 16 bytes/],
      [{ endpoint, keys: { ...keys, p256dh: point } }, /keys\.p256dh: use a point of P-256/],
      [{ endpoint, keys: { ...keys, p256dh: "AAAA" } }, /keys\.p256dh: use a point of P-256/],
      [
        { endpoint, keys: { ...keys, p256dh: `${"!".repeat(10_000)}${keys.p256dh}` } },
        /keys\.p256dh: use a point of P-256/,
      ],
      [{ endpoint, keys: { ...keys, auth: `${keys.auth}${"!".repeat(10_000)}` } }, /keys\.auth: use 16 bytes/],
      [[], /must be a PushSubscription/],
    ] as const) {
      const answer = await call(server, "POST", "/push", body);
      assert.equal(answer.status, 400, answer.text);
      assert.match((answer.json() as { detail: string }).detail, sentence);
    }
    await using none = await startServer();
    assert.deepEqual((await call(none, "GET", "/push")).json(), { publicKey: null });
    assert.equal((await call(none, "POST", "/push", good)).status, 404);
  });
});
