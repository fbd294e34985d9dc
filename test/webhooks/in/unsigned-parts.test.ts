import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hookRecords } from "../../../src/webhooks/in/hook-file.ts";
import type { HookRecord } from "../../../src/webhooks/in/hook-record.ts";
import { Hmac, type HmacSettings } from "../../../src/webhooks/in/schemes/hmac.ts";
import { Standard } from "../../../src/webhooks/in/schemes/standard.ts";
import { secretsOf } from "../../support/deliveries.ts";
import { HooksFile } from "../../support/hooks.ts";
import type { Answer } from "../../support/request.ts";
import { startServer, type TestServer } from "../../support/server.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const JSON_TYPE = { "content-type": "application/json" };
const SIGNED = { scheme: "hmac", header: "x-signature" };

function hookOf(provider: string, more: object = {}): object {
  return { name: provider, provider, channel: "a", secrets: [SECRET], ...more };
}

/** Posts a body with the signature of its hook, made at one time, and any other headers. */
function poster(server: TestServer, hook: object): (body: string, headers?: Record<string, string>) => Promise<Answer> {
  const [record] = hookRecords(JSON.stringify({ hooks: [hook] })) as [HookRecord];
  const seconds = String(Math.floor(Date.now() / 1000));
  return (body, headers = {}) => {
    const bytes = Buffer.from(body);
    const signature =
      record.verify.scheme === "standard"
        ? new Standard(record.verify, secretsOf(SECRET)).sign(bytes, seconds, SECRET, "msg_1")
        : new Hmac(record.verify as HmacSettings, secretsOf(SECRET)).sign(bytes, seconds, SECRET);
    const all = { ...JSON_TYPE, ...signature, ...headers };
    return server.request(`/hooks/${record.name}`, { method: "POST", body, headers: all });
  };
}

async function kept(server: TestServer): Promise<readonly { readonly event: string; readonly data: unknown }[]> {
  const { messages } = (await server.request("/channels/a/messages")).json() as {
    messages: { event: string; data: unknown }[];
  };
  return messages;
}

describe("what a signature does not cover", () => {
  it("[HOOK-6] a signed body is read as its bytes say, whatever its Content-Type", async () => {
    const hook = hookOf("generic", { verify: SIGNED });
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const post = poster(server, hook);
    for (const [body, expected] of [
      ['{"a":"&b=1&"}', { a: "&b=1&" }],
      [" [1]", [1]],
      ["12", 12],
      ["a=1&b=2&b=%C3%A9+x&c=", { a: "1", b: ["2", "é x"], c: "" }],
      [`payload=${encodeURIComponent('{"b":"é"}')}`, { b: "é" }],
      ["level=info it is done", "level=info it is done"],
      ["https://shop.example/?a=b", "https://shop.example/?a=b"],
      ["a=1\nb=2", "a=1\nb=2"],
      ["", ""],
    ] as const) {
      for (const type of ["application/x-www-form-urlencoded", "text/plain", "nonsense", ""]) {
        assert.equal((await post(body, { "content-type": type })).status, 200);
        assert.deepEqual((await kept(server)).at(-1)?.data, expected, `${body} as ${type}`);
      }
    }
    // JSON that is refused is not taken as something else, and what is not JSON is refused if it is said to be.
    for (const type of ["application/json", "application/x-www-form-urlencoded", "text/plain"])
      assert.equal((await post('{"a":1,"a":2}', { "content-type": type })).status, 422, type);
    for (const body of ["{", "a=1"]) assert.equal((await post(body)).status, 422, body);
  });

  it("a body that comes with a token is read as its Content-Type says: the token proves the whole request", async () => {
    using file = new HooksFile(hookOf("bearer"));
    await using server = await startServer({ hooksFile: file.path });
    for (const [body, type, expected] of [
      ["a=1", "text/plain", "a=1"],
      ["12", "text/plain", "12"],
      ["12", "application/json", 12],
      ["text=the disk is full", "application/x-www-form-urlencoded", { text: "the disk is full" }],
      ['{"a":1}', "text/plain", { a: 1 }],
    ] as const) {
      const headers = { authorization: `Bearer ${SECRET}`, "content-type": type };
      assert.equal((await server.request("/hooks/bearer", { method: "POST", body, headers })).status, 200);
      assert.deepEqual((await kept(server)).at(-1)?.data, expected, `${body} as ${type}`);
    }
  });

  it("a filter holds for a delivery that is sent again as a form", async () => {
    const hook = hookOf("github", { filter: [{ pointer: "/sender/login", notIn: ["our-bot"] }] });
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const post = poster(server, hook);
    for (const type of [JSON_TYPE, FORM, { "content-type": "text/plain" }])
      assert.deepEqual((await post('{"sender":{"login":"our-bot"}}', type)).json(), { id: null });
    assert.deepEqual(await kept(server), []);
  });

  it("a delivery that is too old stays so, whatever its text holds", async () => {
    const hook = hookOf("linear");
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const post = poster(server, hook);
    const body = JSON.stringify({
      title: `&webhookTimestamp=${Date.now()}&`,
      webhookTimestamp: Date.now() - 86_400_000,
    });
    for (const type of [JSON_TYPE, FORM]) assert.equal((await post(body, type)).status, 401);
  });

  it("[HOOK-3] Slack is known by what it signs, as JSON and as a form, also without an id", async () => {
    const hook = hookOf("slack");
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const post = poster(server, hook);
    const payload = encodeURIComponent('{"type":"block_actions","trigger_id":"1"}');
    for (const [body, event] of [
      ['{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}', "message"],
      ["token=x&command=%2Fdeploy&text=&trigger_id=2", "/deploy"],
      [`payload=${payload}`, "block_actions"],
      ['{"type":"view_closed"}', "view_closed"],
    ] as const) {
      const before = (await kept(server)).length;
      for (const type of [FORM, JSON_TYPE, { "content-type": "text/plain" }])
        assert.ok([200, 422].includes((await post(body, type)).status));
      const made = (await kept(server)).slice(before);
      assert.deepEqual(
        made.map((message) => message.event),
        [event],
      );
    }
  });

  for (const [provider, header] of [
    ["shopify", "x-shopify-webhook-id"],
    ["cursor", "x-webhook-id"],
  ] as const) {
    it(`[HOOK-3] ${provider} is known by its body, whatever id the header has`, async () => {
      const hook = hookOf(provider);
      using file = new HooksFile(hook);
      await using server = await startServer({ hooksFile: file.path });
      const post = poster(server, hook);
      for (const id of ["a", "b", "c"]) assert.equal((await post('{"n":1}', { [header]: id })).status, 200);
      await post('{"n":2}', { [header]: "a" });
      assert.deepEqual(
        (await kept(server)).map(({ data }) => data),
        [{ n: 1 }, { n: 2 }],
      );
    });
  }

  it("[HOOK-3] shopify may send the same body for two topics, which are two messages", async () => {
    const hook = hookOf("shopify");
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const post = poster(server, hook);
    for (const topic of ["orders/create", "orders/paid", "orders/create"])
      assert.equal((await post('{"n":1}', { "x-shopify-topic": topic })).status, 200);
    assert.deepEqual(
      (await kept(server)).map(({ event }) => event),
      ["orders/create", "orders/paid"],
    );
  });

  it("the event is that of the body if the body has one", async () => {
    const hooks = [hookOf("cursor"), hookOf("gitlab-signed")];
    using file = new HooksFile(...hooks);
    await using server = await startServer({ hooksFile: file.path });
    const forged = { "x-webhook-event": "forged", "x-gitlab-event": "forged" };
    await poster(server, hooks[0] as object)('{"event":"statusChange"}', forged);
    await poster(server, hooks[1] as object)('{"event_name":"project_create"}', forged);
    assert.deepEqual(
      (await kept(server)).map(({ event }) => event),
      ["statusChange", "project_create"],
    );
  });
});

describe("CloudEvents that are signed", () => {
  const BINARY = { "ce-specversion": "1.0", "ce-id": "forged", "ce-source": "/forged", "ce-type": "forged" };
  const STRUCTURED = { "content-type": "application/cloudevents+json" };
  const EVENT = { specversion: "1.0", id: "1", source: "/shop", type: "order.paid" };

  for (const verify of [SIGNED, { scheme: "standard" }]) {
    it(`[HOOK-6] with ${verify.scheme}, attributes in headers are refused: the signature does not cover them`, async () => {
      const hook = hookOf("cloudevents", { verify });
      using file = new HooksFile(hook);
      await using server = await startServer({ hooksFile: file.path });
      const post = poster(server, hook);
      const body = JSON.stringify(EVENT);
      const first = await post(body, STRUCTURED);
      assert.equal(first.status, 200);
      for (const type of [JSON_TYPE, FORM, { "content-type": "application/cloudevents-batch+json" }]) {
        const forged = await post(body, { ...BINARY, ...type });
        assert.deepEqual([forged.status, (forged.json() as { code: string }).code], [422, "INVALID_DELIVERY"]);
      }
      assert.match((await post(body, BINARY)).text, /application\/cloudevents\+json/);
      assert.equal((await post(body, { ...BINARY, ...STRUCTURED })).text, first.text);
      assert.equal((await kept(server)).length, 1);
    });
  }

  it("[HOOK-5] are left out for the hubs that they name, whatever the header says", async () => {
    const hook = hookOf("cloudevents", { verify: SIGNED });
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const post = poster(server, hook);
    const body = JSON.stringify({ ...EVENT, hubpath: "1,2,3,4,5,6,7,8" });
    for (const path of ["1,2,3,4,5,6,7,8", "other"])
      assert.deepEqual((await post(body, { ...STRUCTURED, "hub-path": path })).json(), { id: null });
    const few = JSON.stringify({ ...EVENT, hubpath: "1,2,3,4,5,6,7" });
    assert.notDeepEqual((await post(few, { ...STRUCTURED, "hub-path": "1,2,3,4,5,6,7" })).json(), { id: null });
  });

  it("are known by source and id, wherever a space is", async () => {
    const hook = hookOf("cloudevents", { verify: SIGNED });
    using file = new HooksFile(hook);
    await using server = await startServer({ hooksFile: file.path });
    const post = poster(server, hook);
    for (const [source, id] of [
      ["/a b", "c"],
      ["/a", "b c"],
    ])
      assert.equal((await post(JSON.stringify({ ...EVENT, source, id }), STRUCTURED)).status, 200);
    assert.equal((await kept(server)).length, 2);
  });
});
