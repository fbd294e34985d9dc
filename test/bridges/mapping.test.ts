import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Received } from "../../src/bridges/bus.ts";
import { deadLetter, draftOf, type Origin } from "../../src/bridges/incoming.ts";
import type { InRule } from "../../src/bridges/rules.ts";
import { render, templateProblem } from "../../src/bridges/template.ts";

const HUB = "0123456789";
const ORIGIN: Origin = { bridge: "shop", kind: "kafka", rule: 0, prefixes: ["ce_"], hub: HUB, maxBytes: 65_536 };
const RULE: InRule = { channel: "orders", encoding: "auto", sanitize: false, onError: "skip" };

function received(body: string | Uint8Array | undefined, more: Partial<Received> = {}): Received {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return { body: bytes, headers: {}, names: { topic: "orders" }, position: "orders/0/17", ...more };
}

function mapped(message: Received, rule: Partial<InRule> = {}, origin: Partial<Origin> = {}): Record<string, unknown> {
  const draft = draftOf(message, { ...RULE, ...rule }, { ...ORIGIN, ...origin });
  assert.equal(typeof draft, "object");
  return draft as unknown as Record<string, unknown>;
}

const BINARY = { ce_specversion: "1.0", ce_id: "7", ce_source: "/shop", ce_type: "order.placed", ce_subject: "eu" };

describe("a template", () => {
  it("has its places filled in, and is nothing if one of them has no value", () => {
    const values = { topic: "a.b", "topic:1": "b", header: (name: string) => (name === "x" ? "1" : undefined) };
    assert.equal(render("x.${topic}-${topic:1}.${header:x}", values), "x.a.b-b.1");
    assert.equal(render("${header:y}", values), undefined);
    assert.equal(render("${toString}", values), undefined);
    assert.equal(render("plain", values), "plain");
  });

  it("with a place that is not known is wrong", () => {
    assert.equal(templateProblem("${topic}.${key}", ["topic", "key"]), undefined);
    assert.match(templateProblem("${subject}", ["topic"]) ?? "", /^\$\{subject\} is not one of \$\{topic\}$/);
    assert.match(templateProblem("${to pic}", ["topic"]) ?? "", /without a name/);
  });
});

describe("a message that comes in", () => {
  it("becomes one of its bridge, known by its place on the bus", () => {
    assert.deepEqual(mapped(received('{"n":1}')), {
      channel: "orders",
      event: "message",
      data: '{"n":1}',
      sender: "shop",
      via: "bridge:shop",
      key: "bridge:shop\nkafka orders/0/17",
    });
  });

  it("is a CloudEvent in headers, or in one document: its type is the event, and its id makes it known", () => {
    const binary = received("hello", { headers: BINARY, contentType: "text/plain", position: undefined });
    const document = { specversion: "1.0", id: "7", source: "/shop", type: "order.placed", subject: "eu" };
    const structured = received(JSON.stringify({ ...document, data: "hello", datacontenttype: "text/plain" }), {
      contentType: "application/cloudevents+json; charset=utf-8",
      position: undefined,
    });
    for (const message of [binary, structured]) {
      const { event, data, key, channel } = mapped(message, { channel: "shop.${ce:subject}" });
      const found = [event, data, key, channel];
      assert.deepEqual(found, ["order.placed", '"hello"', 'bridge:shop\nce ["/shop","7"]', "shop.eu"]);
    }
    const hubs = received("{}", { headers: { ...BINARY, ce_type: "hub.message" } });
    assert.equal(mapped(hubs)["event"], "message");
    const base64 = received(JSON.stringify({ ...document, data_base64: "aGk=", datacontenttype: "text/plain" }), {
      contentType: "application/cloudevents+json",
    });
    assert.equal(mapped(base64)["data"], '"hi"');
  });

  it("is JSON if it says so or looks like it, and text otherwise; numbers keep their digits", () => {
    const dataOf = (body: string, contentType: string | undefined, encoding?: InRule["encoding"]): unknown =>
      mapped(received(body, { contentType }), encoding === undefined ? {} : { encoding })["data"];
    assert.equal(dataOf("12", "application/json"), "12");
    assert.equal(dataOf("12345678901234567890", "application/vnd.x+json; charset=utf-8"), "12345678901234567890");
    assert.equal(dataOf("12", undefined), '"12"');
    assert.equal(dataOf("[1]", undefined), "[1]");
    assert.equal(dataOf("{broken", undefined), '"{broken"');
    assert.equal(dataOf("[1]", "text/plain"), '"[1]"');
    assert.equal(dataOf("[1]", undefined, "text"), '"[1]"');
    assert.equal(dataOf("ÿ", undefined, "base64"), '"w78="');
    assert.equal(dataOf("", "text/plain"), '""');
  });

  it("comes with the hubs it was in, and is a loop if this one, or too many, are among them", () => {
    const through = (hubpath: string): Received => received("x", { headers: { ...BINARY, ce_hubpath: hubpath } });
    assert.equal(mapped(through("aaa,bbb"))["path"], "aaa,bbb");
    assert.equal(draftOf(through(`aaa,${HUB}`), RULE, ORIGIN), "loop");
    assert.equal(draftOf(through("1,2,3,4,5,6,7,8"), RULE, ORIGIN), "loop");
    assert.equal(draftOf(through(`aaa, ${HUB}`), RULE, ORIGIN), "loop");
    assert.equal(draftOf(received(undefined), RULE, ORIGIN), "tombstone");
    // What is kept of a path is written into records and headers, where a line break or a space would begin something else.
    const forged = mapped(through('aaa,b\n{"forged":1},c via:webhook,d\r\nx-evil: 1,é,' + "x".repeat(65)));
    assert.equal(forged["path"], "aaa");
    assert.equal("path" in mapped(through(" \n,,")), false);
  });

  it("has a key of its own for each rule, and a short one", () => {
    assert.equal(mapped(received("x"), {}, { rule: 2 })["key"], "bridge:shop#2\nkafka orders/0/17");
    const long = mapped(received("x", { position: "o".repeat(400) }))["key"] as string;
    assert.match(long, /^bridge:shop\n[\da-f]{64}$/);
    assert.match(String(mapped(received("x", { position: "a\nb" }))["key"]), /^bridge:shop\n[\da-f]{64}$/);
    assert.equal("key" in mapped(received("x", { position: undefined })), false);
    const keyed = (source: string, id: string): unknown =>
      mapped(received("x", { position: undefined, headers: { ...BINARY, ce_source: source, ce_id: id } }))["key"];
    assert.notEqual(keyed("/a b", "c"), keyed("/a", "b c"));
  });

  it("that no hub takes is refused with a sentence", () => {
    const refused = (message: Received, rule: Partial<InRule>, sentence: RegExp): void =>
      assert.throws(() => draftOf(message, { ...RULE, ...rule }, ORIGIN), { message: sentence });
    refused(
      received("x"),
      { channel: "orders.${key}" },
      /^it has no value for a placeholder of its channel, orders\.\$\{key\}$/,
    );
    refused(received("x", { key: "a b" }), { channel: "orders.${key}" }, /a b/);
    refused(received("x", { key: "stats" }), { channel: "hub.${key}" }, /hub/);
    refused(received(Uint8Array.of(255)), {}, /not UTF-8/);
    refused(received("x"), { encoding: "json" }, /not JSON/);
    refused(received("x".repeat(65_537)), {}, /65537 bytes/);
    refused(received("x", { headers: { ...BINARY, ce_type: "gap" } }), {}, /event gap is/);
    refused(received("{}", { contentType: "application/cloudevents+json" }), {}, /no specversion/);
    const cleaned = mapped(received("x", { key: "a b/ü" }), { channel: "orders.${key}", sanitize: true });
    assert.equal(cleaned["channel"], "orders.a-b-");
  });

  it("leaves a dead letter with all that is needed, within the size of a message", () => {
    const big = received("ä".repeat(60_000), { headers: { long: "x".repeat(10_000) } });
    const letter = deadLetter(big, new Error("no"), 65_536);
    assert.ok(JSON.stringify(letter).length < 65_536);
    assert.deepEqual([letter["error"], letter["position"], letter["bytes"]], ["no", "orders/0/17", 120_000]);
    // Whatever part of it strangers made long, or out of what JSON writes with six bytes.
    const long = "\u0001".repeat(100_000);
    const headers = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`${n}${long}`, long]));
    const worst = received(long, { headers, names: headers, key: long, contentType: long, position: long });
    const small = deadLetter(worst, new Error(long), 65_536);
    assert.ok(Buffer.byteLength(JSON.stringify(small)) <= 65_536);
    const bytes = deadLetter(received(Uint8Array.of(255, 0)), new Error("no"), 65_536);
    assert.equal(bytes["base64"], "/wA=");
  });
});
