import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Webhook } from "standardwebhooks";
import { deliver, githubHeaders, githubHook, GITHUB_SECRET, HooksFile } from "../support/hooks.ts";
import { KeyRing } from "../support/keys.ts";
import type { Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface Listed {
  readonly hooks: readonly {
    readonly name: string;
    readonly deliveries: readonly { readonly verdict: string; readonly status: number; readonly reason?: string }[];
  }[];
}

async function deliveries(server: TestServer, hook = "github"): Promise<Listed["hooks"][number]["deliveries"]> {
  const { hooks } = (await server.request("/hooks")).json() as Listed;
  return hooks.find(({ name }) => name === hook)?.deliveries ?? [];
}

describe("POST /hooks/{name}", () => {
  it("[HOOK-1] verifies a delivery and publishes it: a page, a bare EventSource and an agent that waits have it", async () => {
    using file = new HooksFile(githubHook({ wakes: true, event: "message" }));
    await using server = await startServer({ hooksFile: file.path });
    using json = await server.events("?channel=builds&format=json");
    using plain = await server.events("?channel=builds");
    const waiting = server.call("wait_for_messages", { channels: ["builds"] });
    await until("it waits", () => server.hub.size === 3);
    const answer = await deliver(server, { action: "opened", sender: { login: "ana" } });
    const { id } = answer.json() as { id: string };
    assert.deepEqual([answer.status, answer.text], [200, JSON.stringify({ id })]);
    const { time, ...message } = JSON.parse((await json.next()).data) as Record<string, unknown>;
    assert.deepEqual(message, {
      id,
      channel: "builds",
      event: "message",
      data: { action: "opened", sender: { login: "ana" } },
      sender: "hook:github",
      via: "webhook",
      verified: true,
    });
    assert.equal(typeof time, "string");
    assert.equal((await plain.next()).data, '{"action":"opened","sender":{"login":"ana"}}');
    const [waited] = (await waiting).structuredContent["messages"] as { id: string }[];
    assert.equal(waited?.id, id);
  });

  it("[HOOK-3] answers a delivery that comes again with the first message, also after a restart", async () => {
    using file = new HooksFile(githubHook());
    using folder = new TemporaryFolder();
    const settings = { hooksFile: file.path, data: `file:${folder.file()}` };
    const again = { delivery: "72d3162e-cc78-11e3-81ab-4c9367dc0958" };
    let first: unknown;
    {
      await using server = await startServer(settings);
      first = (await deliver(server, { n: 1 }, again)).json();
      const repeated = await deliver(server, { n: 1 }, again);
      assert.deepEqual([repeated.status, repeated.json()], [200, first]);
      assert.equal(repeated.headers["idempotent-replayed"], "true");
      // Another template or pick makes other content of it: it is the same delivery all the same.
      file.set(githubHook({ text: "n is {/n}" }));
    }
    await using server = await startServer(settings);
    assert.deepEqual((await deliver(server, { n: 1 }, again)).json(), first);
    // Its id is in a header that is not signed: whoever has seen a delivery can send it with another one.
    assert.deepEqual((await deliver(server, { n: 1 })).json(), first);
    assert.notDeepEqual((await deliver(server, { n: 2 }, again)).json(), first);
    const messages = (await server.request("/channels/builds/messages")).json() as { messages: { data: unknown }[] };
    assert.deepEqual(
      messages.messages.map(({ data }) => data),
      [{ n: 1 }, "n is 2"],
    );
  });

  it("keeps apart the ids of two hooks, and ids that are too long for a key", async () => {
    const id = { header: "x-github-delivery" };
    using file = new HooksFile(githubHook({ name: "ana", id }), githubHook({ name: "ben", id }));
    await using server = await startServer({ hooksFile: file.path });
    const long = "x".repeat(1000);
    const ids = [];
    for (const hook of ["ana", "ben"])
      for (const delivery of ["1", `${long}1`, `${long}2`])
        ids.push((await deliver(server, 0, { hook, delivery })).text);
    assert.equal(new Set(ids).size, 6);
    assert.equal((await deliver(server, 0, { hook: "ana", delivery: `${long}1` })).text, ids[1]);
    // No one else can have its keys.
    const headers = { "content-type": "application/json", "idempotency-key": "hook-ana\\n1" };
    await server.request("/channels/builds/messages", { method: "POST", body: "0", headers });
    assert.equal((await deliver(server, 0, { hook: "ana", delivery: "1" })).text, ids[0]);
  });

  it("[HOOK-2] says the same to whoever is refused, and tells the reason to admins only", async () => {
    using file = new HooksFile(githubHook());
    await using server = await startServer({ hooksFile: file.path });
    const body = '{"n":1}';
    const good = githubHeaders(body);
    const wrong: Record<string, string>[] = [
      { ...good, "x-hub-signature-256": "" },
      { ...good, "x-hub-signature-256": "sha256=xyz" },
      githubHeaders(body, { secret: "another" }),
      githubHeaders(`${body} `),
    ];
    const answers = [];
    for (const headers of wrong) {
      const answer = await server.request("/hooks/github", { method: "POST", body, headers });
      answers.push(`${answer.status} ${answer.text} ${answer.headers["www-authenticate"]}`);
    }
    assert.equal(new Set(answers).size, 1);
    assert.match(answers[0] ?? "", /^401 .*UNAUTHENTICATED.* Webhook$/);
    const reasons = (await deliveries(server)).map(({ verdict, status, reason }) => `${verdict} ${status} ${reason}`);
    assert.deepEqual(reasons.toReversed(), [
      "refused 401 its x-hub-signature-256 is empty",
      "refused 401 its x-hub-signature-256 is not sha256= and hex",
      "refused 401 its signature does not match the secret",
      "refused 401 its signature does not match the secret",
    ]);
    assert.ok(!JSON.stringify(await deliveries(server)).includes(GITHUB_SECRET));
  });

  it("[HOOK-4] refuses pages, unknown names, other methods, compressed bodies, and bodies that are too large", async () => {
    using file = new HooksFile(githubHook({ limitBytes: 1000 }));
    await using server = await startServer({ hooksFile: file.path });
    const body = '{"n":1}';
    const headers = githubHeaders(body);
    const post = (path: string, more: Record<string, string> = {}, sent: string = body) =>
      server.request(path, { method: "POST", body: sent, headers: { ...headers, ...more } });
    const code = async (answer: ReturnType<typeof post>): Promise<string> => {
      const found = await answer;
      return `${found.status} ${(found.json() as { code: string }).code}`;
    };
    assert.equal(await code(post("/hooks/github", { origin: server.url })), "403 ORIGIN_NOT_ALLOWED");
    assert.equal(await code(post("/hooks/other")), "404 NOT_FOUND");
    assert.equal(await code(server.request("/hooks/github")), "405 METHOD_NOT_ALLOWED");
    assert.equal(await code(post("/hooks/github", { "content-encoding": "gzip" })), "415 UNSUPPORTED_MEDIA_TYPE");
    const most = JSON.stringify("x".repeat(998));
    assert.equal((await post("/hooks/github", githubHeaders(most), most)).status, 200);
    assert.equal(await code(post("/hooks/github", githubHeaders(`${most} `), `${most} `)), "413 BODY_TOO_LARGE");
    const chunked = { ...githubHeaders(`${most} `), "transfer-encoding": "chunked" };
    assert.equal(await code(post("/hooks/github", chunked, `${most} `)), "413 BODY_TOO_LARGE");
    assert.equal((await post("/hooks/github/")).status, 200);
  });

  it("takes any Content-Type, and refuses for good what cannot be a message", async () => {
    using file = new HooksFile(githubHook());
    await using server = await startServer({ hooksFile: file.path, maxMessageBytes: 100 });
    using reader = await server.events("?channel=builds&format=json");
    const post = (body: string | Uint8Array, type: string) =>
      server.request("/hooks/github", {
        method: "POST",
        body,
        headers: { ...githubHeaders(body), "content-type": type },
      });
    for (const [body, type, expected] of [
      ['\uFEFF{"a":1}', "application/json; charset=utf-8", { a: 1 }],
      [`payload=${encodeURIComponent('{"b":"é"}')}`, "application/x-www-form-urlencoded", { b: "é" }],
      ["a=1&b=2&b=3", "application/x-www-form-urlencoded", { a: "1", b: ["2", "3"] }],
      ['{"c":12345678901234567890}', "application/vnd.x+json", undefined],
      ['{"d":1}', "text/plain", { d: 1 }],
      ["plain text", "text/plain", "plain text"],
      ["<xml/>", "application/xml", "<xml/>"],
      ["anything", "nonsense type", "anything"],
      ["", "", ""],
    ] as const) {
      assert.equal((await post(body, type)).status, 200, type);
      const { data } = await reader.next();
      if (expected === undefined) assert.match(data, /"c":12345678901234567890/);
      else assert.deepEqual((JSON.parse(data) as { data: unknown }).data, expected);
    }
    assert.equal((await post("{", "application/json")).status, 422);
    assert.equal((await post(Buffer.from([0xff, 0xfe]), "application/json")).status, 422);
    assert.equal((await post(`{"a":${"[".repeat(200)}${"]".repeat(200)}}`, "application/json")).status, 422);
    assert.equal((await post(JSON.stringify("x".repeat(200)), "application/json")).status, 413);
    const verdicts = (await deliveries(server)).slice(0, 4).map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, ["invalid", "invalid", "invalid", "invalid"]);
  });

  it("needs no credential of the hub, and its list is for admins", async () => {
    using file = new HooksFile(githubHook());
    using keys = new KeyRing();
    const admin = keys.add("ada", { admin: true });
    const service = keys.add("shop", { publish: ["*"], subscribe: ["*"] });
    await using server = await startServer({ hooksFile: file.path, apiKeysFile: keys.path });
    assert.equal((await deliver(server, 1)).status, 200);
    const statuses = [];
    for (const key of ["", service, admin]) {
      const headers = key === "" ? {} : { authorization: `Bearer ${key}` };
      statuses.push((await server.request("/hooks", { headers })).status);
    }
    assert.deepEqual(statuses, [401, 403, 200]);
  });

  it("cannot be told by a body who sent it, that it is verified, or which channel it is for", async () => {
    using file = new HooksFile(githubHook());
    await using server = await startServer({ hooksFile: file.path });
    using reader = await server.events("?channel=builds&format=json");
    await deliver(server, { sender: "ada", via: "tool", verified: true, channel: "other", quiet: false });
    const message = JSON.parse((await reader.next()).data) as Record<string, unknown>;
    assert.deepEqual(
      ["sender", "via", "verified", "channel"].map((name) => message[name]),
      ["hook:github", "webhook", true, "builds"],
    );
  });

  it("marks a message as verified unless the secret is in the path", async () => {
    const hook = { name: "any", provider: "unsigned", channel: "a", secrets: ["s3cret"] };
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    using reader = await server.events("?channel=a&format=json");
    assert.equal((await server.request("/hooks/any", { method: "POST", body: "x" })).status, 401);
    assert.equal((await server.request("/hooks/any/wrong", { method: "POST", body: "x" })).status, 401);
    assert.equal((await server.request("/hooks/any/s3cret", { method: "POST", body: "x" })).status, 200);
    assert.ok(!(await reader.next()).data.includes("verified"));
  });

  it("reads its file again when it changes, and keeps what it had while the file is wrong", async () => {
    using file = new HooksFile(githubHook());
    await using server = await startServer({ hooksFile: file.path });
    file.set(githubHook(), githubHook({ name: "second", channel: "other" }));
    await until("the new hook is there", async () => (await deliver(server, 1, { hook: "second" })).status === 200);
    file.text = '{"hooks": [{"name": "github"';
    file.set({ name: "broken" });
    await until("it was looked at", async () => (await deliver(server, 1)).status === 200);
    assert.equal((await deliver(server, 1, { hook: "second" })).status, 200);
    file.set(githubHook());
    await until("the hook is gone", async () => (await deliver(server, 1, { hook: "second" })).status === 404);
  });

  it("takes the old and the new secret while one takes the place of the other", async () => {
    const hour = new Date(Date.now() + 3_600_000).toISOString();
    const past = new Date(Date.now() - 1000).toISOString();
    using file = new HooksFile(
      githubHook({ secrets: ["new", { secret: "old", until: hour }, { secret: "older", until: past }] }),
    );
    await using server = await startServer({ hooksFile: file.path });
    const statuses = [];
    for (const secret of ["new", "old", "older", "other"]) statuses.push((await deliver(server, 1, { secret })).status);
    assert.deepEqual(statuses, [200, 200, 401, 401]);
    assert.match((await deliveries(server))[1]?.reason ?? "", /signed with secret 3, whose time is over/);
  });

  it("has secrets from the environment and from files, also when a file changes", async () => {
    using folder = new TemporaryFolder();
    const secret = folder.file("secret");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(secret, "from a file\n");
    using file = new HooksFile(githubHook({ secrets: ["${env:HOOK_SECRET}", `\${file:${secret}}`] }));
    await using server = await startServer({ hooksFile: file.path, environment: { HOOK_SECRET: "from outside" } });
    assert.equal((await deliver(server, 1, { secret: "from outside" })).status, 200);
    assert.equal((await deliver(server, 1, { secret: "from a file" })).status, 200);
    writeFileSync(secret, "another\n");
    await until("the new one is good", async () => (await deliver(server, 1, { secret: "another" })).status === 200);
  });

  it("counts deliveries by what became of them, and remembers the last 50", async () => {
    using file = new HooksFile(githubHook({ events: ["push"] }));
    await using server = await startServer({ hooksFile: file.path });
    for (let n = 0; n < 51; n++) await deliver(server, n, { event: n % 2 === 0 ? "push" : "issues" });
    await deliver(server, 0, { secret: "wrong" });
    await deliver(server, {}, { event: "ping" });
    const last = await deliveries(server);
    assert.equal(last.length, 50);
    assert.deepEqual(
      last.slice(0, 4).map(({ verdict }) => verdict),
      ["handshake", "refused", "accepted", "filtered"],
    );
    const counted = async (verdict: string): Promise<number> =>
      server.metric(`sse_mcp_hook_deliveries_total{hook="github",verdict="${verdict}"}`);
    assert.deepEqual(
      [await counted("accepted"), await counted("filtered"), await counted("refused"), await counted("handshake")],
      [26, 25, 1, 1],
    );
  });

  it("[HOOK-3] is known by the id that is signed, whatever other id is added to it", async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    using file = new HooksFile({ name: "svix", provider: "svix", channel: "mails", secrets: [secret] });
    await using server = await startServer({ hooksFile: file.path });
    const [body, now] = ['{"type":"sent"}', new Date()];
    const headers = {
      "content-type": "application/json",
      "svix-id": "msg_1",
      "svix-timestamp": String(Math.floor(now.getTime() / 1000)),
      "svix-signature": new Webhook(secret).sign("msg_1", now, body),
    };
    const post = (more: object): Promise<Answer> =>
      server.request("/hooks/svix", { method: "POST", headers: { ...headers, ...more }, body });
    const first = await post({});
    const again = await post({ "webhook-id": "msg_2" });
    assert.deepEqual([again.status, again.headers["idempotent-replayed"], again.text], [200, "true", first.text]);
  });

  it("limits what comes from one address to one hook, and counts what is refused for more", async () => {
    using file = new HooksFile(githubHook(), githubHook({ name: "other" }));
    await using server = await startServer({ hooksFile: file.path, rateLimits: "on", limitHookDeliveries: 10 });
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push((await deliver(server, n, { secret: "wrong" })).status);
    // Four that are refused count as much as a hundred that are not.
    assert.deepEqual(statuses, [401, 401, 401, 401, 429]);
    assert.equal((await deliver(server, 1)).status, 429);
    assert.equal((await deliver(server, 1, { hook: "other" })).status, 200);
    assert.equal((await deliveries(server))[0]?.verdict, "limited");
  });

  it("answers 503 while the log cannot keep it", async () => {
    using file = new HooksFile(githubHook());
    await using server = await startServer({ hooksFile: file.path });
    await server.hub.close();
    const answer = await deliver(server, 1);
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers["retry-after"]) > 0);
  });

  it("tells admins of each delivery on hub.hooks", async () => {
    using file = new HooksFile(githubHook());
    await using server = await startServer({ hooksFile: file.path });
    using reader = await server.events("?channel=hub.hooks");
    const { id } = (await deliver(server, 1)).json() as { id: string };
    const { event, data } = await reader.next();
    const { hook, verdict, id: told } = JSON.parse(data) as Record<string, unknown>;
    assert.deepEqual([event, hook, verdict, told], ["delivery", "github", "accepted", id]);
  });
});

describe("the handshakes of providers", () => {
  it("answers the challenge of Slack once it is verified, and nothing before", async () => {
    using file = new HooksFile({ name: "slack", provider: "slack", channel: "a", secrets: ["s"] });
    await using server = await startServer({ hooksFile: file.path });
    const { Hmac } = await import("../../src/webhooks/in/schemes/hmac.ts");
    const { PROVIDERS } = await import("../../src/webhooks/in/providers.ts");
    const scheme = new Hmac(PROVIDERS["slack"]?.verify as never, [{ text: "s", until: Infinity }]);
    const body = JSON.stringify({
      type: "url_verification",
      challenge: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
    });
    const post = (secret: string, seconds: number) =>
      server.request("/hooks/slack", {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...scheme.sign(Buffer.from(body), String(seconds), secret) },
      });
    const now = Math.floor(Date.now() / 1000);
    const answer = await post("s", now);
    assert.deepEqual(answer.json(), { challenge: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" });
    assert.equal((await post("wrong", now)).status, 401);
    for (const late of [now - 302, now + 302, now * 1000]) assert.equal((await post("s", late)).status, 401);
  });

  it("answers Discord: the two kinds of PING, interactions and events, and the bad signatures that it tries", async () => {
    const { generateKeyPairSync, sign } = await import("node:crypto");
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const key = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
    using file = new HooksFile({ name: "discord", provider: "discord", channel: "a", secrets: [key] });
    await using server = await startServer({ hooksFile: file.path });
    const post = (payload: unknown, spoil = false) => {
      const [body, time] = [JSON.stringify(payload), String(Math.floor(Date.now() / 1000))];
      const signature = sign(null, Buffer.from(`${time}${body}${spoil ? " " : ""}`), privateKey).toString("hex");
      const headers = { "x-signature-ed25519": signature, "x-signature-timestamp": time };
      return server.request("/hooks/discord", { method: "POST", body, headers });
    };
    assert.deepEqual((await post({ type: 1, id: "1" })).json(), { type: 1 });
    const ping = await post({ version: 1, application_id: "1", type: 0 });
    assert.deepEqual([ping.status, ping.text], [204, ""]);
    const command = await post({ type: 2, id: "2", token: "secret", data: { name: "deploy" } });
    assert.deepEqual([command.status, command.text], [202, ""]);
    assert.equal((await post({ type: 1, id: "1" }, true)).status, 401);
    const event = { version: 1, type: 1, event: { type: "APPLICATION_AUTHORIZED", timestamp: "2026-11-29T00:00:00" } };
    const taken = await post(event);
    assert.deepEqual([taken.status, taken.text], [204, ""]);
    assert.equal((await post(event)).headers["idempotent-replayed"], "true");
    const { messages } = (await server.request("/channels/a/messages")).json() as { messages: { event: string }[] };
    assert.deepEqual(
      messages.map((message) => message.event),
      ["message", "APPLICATION_AUTHORIZED"],
    );
  });

  it("lets a source of CloudEvents begin, and takes its events in all three modes", async () => {
    const hook = {
      name: "events",
      provider: "cloudevents",
      channel: "a",
      secrets: ["s"],
      origins: ["eventgrid.example"],
    };
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const ask = (origin: string) =>
      server.request("/hooks/events", {
        method: "OPTIONS",
        headers: { "webhook-request-origin": origin, "webhook-request-rate": "120" },
      });
    const allowed = await ask("eventgrid.example");
    assert.deepEqual(
      [allowed.status, allowed.headers["webhook-allowed-origin"], allowed.headers["webhook-allowed-rate"]],
      [200, "eventgrid.example", "120"],
    );
    assert.equal((await ask("other.example")).headers["webhook-allowed-origin"], undefined);
    const post = (body: string, headers: Record<string, string>) =>
      server.request("/hooks/events", { method: "POST", body, headers: { authorization: "Bearer s", ...headers } });
    const event = (id: string) => ({ specversion: "1.0", id, source: "/shop", type: "order.paid", data: { n: 1 } });
    const binary = {
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": "1",
      "ce-source": "/shop",
      "ce-type": "order.paid",
      "ce-name": "%E2%82%AC",
    };
    const first = (await post('{"n":1}', binary)).json() as { id: string };
    const structured = { "content-type": "application/cloudevents+json" };
    assert.deepEqual((await post(JSON.stringify(event("1")), structured)).json(), first);
    const batch = { "content-type": "application/cloudevents-batch+json" };
    const several = await post(JSON.stringify([event("1"), event("2"), event("3")]), batch);
    assert.equal((several.json() as { ids: string[] }).ids[0], first.id);
    assert.equal((await post("{}", structured)).status, 422);
    assert.equal((await post('{"n":1}', { ...binary, authorization: "Bearer x" })).status, 401);
    const { messages } = (await server.request("/channels/a/messages")).json() as {
      messages: { event: string; data: Record<string, unknown> }[];
    };
    assert.equal(messages.length, 3);
    assert.deepEqual(
      [messages[0]?.event, messages[0]?.data["name"], messages[0]?.data["data"]],
      ["order.paid", "€", { n: 1 }],
    );
  });
});
