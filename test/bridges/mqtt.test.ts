import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { it, type TestContext } from "node:test";
import { connectAsync } from "mqtt";
import {
  PartlyRefusedError,
  type Batch,
  type Bus,
  type Outcome,
  type Outgoing,
  type Received,
  type Source,
} from "../../src/bridges/bus.ts";
import { mqtt } from "../../src/bridges/kinds/mqtt.ts";
import type { MqttIn, MqttOut } from "../../src/bridges/kinds/mqtt/rules.ts";
import { filterProblem, matches } from "../../src/bridges/kinds/mqtt/topic.ts";
import { Mosquitto, needsMosquitto } from "../support/buses/mosquitto.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { describeBridge } from "./bridge.suite.ts";

describeBridge("a bridge to MQTT", {
  needs: needsMosquitto,
  start: () => Mosquitto.start(),
  prefix: "",
  isDurable: true,
});

test("holds many messages that are not acknowledged, and is given them again, in order", async (broker) => {
  const first = await connect(broker);
  const source = await first.source(incoming({ topics: ["plant/#"] }));
  await broker.send("plant/a", texts(40));
  const kept = await receive(source, 40);
  await broker.send("plant/a", texts(100).slice(40));
  const held = await receive(source, 60);
  assert.deepEqual([...kept, ...held].flatMap(bodiesOf), [...Array(100).keys()].map(String));
  assert.doesNotMatch(broker.output, /Received PUBACK from hub-test/);
  await settleAll(kept);
  await first.close();
  await using second = await connect(broker);
  const again = await receive(await second.source(incoming({ topics: ["plant/#"] })), 60);
  assert.deepEqual(again.flatMap(bodiesOf), held.flatMap(bodiesOf));
});

test("reads no further than its prefetch", async (broker) => {
  await using bus = await connect(broker);
  const source = await bus.source(incoming({ topics: ["few/#"], prefetch: 5 }));
  await broker.send("few/a", texts(100));
  const batches = source.batches()[Symbol.asyncIterator]();
  const seen: string[] = [];
  while (seen.length < 100) {
    const { value } = (await batches.next()) as { readonly value: Batch };
    assert.ok(value.messages.length <= 6);
    seen.push(...bodiesOf(value));
    await value.settle(value.messages.map(() => "done"));
  }
  assert.deepEqual(seen, [...Array(100).keys()].map(String));
});

test("reads no further than eight megabytes, also of what waited in its session", async (broker) => {
  const big = Array.from({ length: 60 }, (_, index) => ({ body: Buffer.alloc(500_000, `${index} `), headers: {} }));
  const rule = incoming({ topics: ["heavy/#"] });
  const first = await connect(broker);
  await first.source(rule);
  await first.close();
  await broker.send("heavy/a", big.slice(0, 30));
  await using bus = await connect(broker);
  const source = await bus.source(rule);
  await broker.send("heavy/a", big.slice(30));
  const batches = await receive(source, 60, async (batch) => {
    assert.ok(batch.messages.length <= 18, `${batch.messages.length} messages`);
    await batch.settle(batch.messages.map(() => "done"));
  });
  assert.deepEqual(
    batches.flatMap(bodiesOf).map((body) => Number.parseInt(body, 10)),
    [...Array(60).keys()],
  );
});

test("reads no further than eight megabytes of properties, even if messages are empty otherwise", async (broker) => {
  await using bus = await connect(broker);
  const source = await bus.source(incoming({ topics: ["empty/#"] }));
  const text = "x".repeat(60_000);
  const headers = { a: text, b: text, c: text, d: text };
  await broker.send(
    "empty/a",
    Array.from({ length: 80 }, () => ({ body: Buffer.alloc(0), headers })),
  );
  await receive(source, 80, async (batch) => {
    assert.ok(batch.messages.length <= 36, `${batch.messages.length} messages`);
    await batch.settle(batch.messages.map(() => "done"));
  });
});

test("keeps what comes while no one is connected", async (broker) => {
  const first = await connect(broker);
  await first.source(incoming({ topics: ["away/#"] }));
  await first.close();
  await broker.send("away/a", texts(3));
  await using second = await connect(broker);
  assert.deepEqual(await bodies(await second.source(incoming({ topics: ["away/#"] })), 3), ["0", "1", "2"]);
});

test("is not given a rejected message again", async (broker) => {
  const first = await connect(broker);
  const source = await first.source(incoming({ topics: ["poison/#"] }));
  await broker.send("poison/a", texts(3));
  await settleAll(await receive(source, 3), 1);
  await first.close();
  await using second = await connect(broker);
  const later = await second.source(incoming({ topics: ["poison/#"] }));
  await broker.send("poison/a", [{ body: Buffer.from("later"), headers: {} }]);
  assert.deepEqual(await bodies(later, 1), ["later"]);
});

test("skips what the broker kept from before, unless it is told to take it", async (broker) => {
  const client = await broker.client();
  await client.publishAsync("kept/a", "old", { qos: 1, retain: true });
  await using bus = await connect(broker);
  const skipping = await bus.source(incoming({ topics: ["kept/a"] }));
  const taking = await bus.source(incoming({ topics: ["kept/+"], retained: "take" }));
  await client.publishAsync("kept/a", "new", { qos: 1, retain: true });
  assert.deepEqual(await bodies(skipping, 1), ["new"]);
  assert.deepEqual(await bodies(taking, 2), ["old", "new"]);
});

test("shares topics of a group with other nodes", async (broker) => {
  const rule = incoming({ topics: ["$share/hub/work/#"] });
  assert.deepEqual([mqtt.isExclusive(rule), mqtt.isExclusive(incoming({ topics: ["work/#"] }))], [false, true]);
  await using first = await connect(broker, { node: "n1" });
  await using second = await connect(broker, { node: "n2" });
  const sources = [await first.source(rule), await second.source(rule)];
  await broker.send("work/a", texts(10));
  const seen: string[] = [];
  for (const source of sources) void drain(source, seen);
  await until("all have come", () => seen.length >= 10);
  assert.deepEqual([...seen].sort(), [...Array(10).keys()].map(String));
});

test("gives the levels of a topic, user properties and the content type", async (broker) => {
  await using bus = await connect(broker);
  const source = await bus.source(incoming({ topics: ["plant/+/temp"] }));
  const userProperties = { id: "1", source: "/plant", tag: ["a", "b"] };
  const properties = { userProperties, contentType: "application/json" };
  await (await broker.client()).publishAsync("plant/kiln/temp", "{}", { qos: 1, properties });
  const [batch] = await receive(source, 1);
  assert.deepEqual(batch?.messages, [
    {
      body: Buffer.from("{}"),
      headers: { id: "1", source: "/plant", tag: "a,b" },
      contentType: "application/json",
      names: { topic: "plant.kiln.temp", "topic:0": "plant", "topic:1": "kiln", "topic:2": "temp" },
      position: undefined,
    } satisfies Received,
  ]);
});

test("takes messages of QoS 0 as they come", async (broker) => {
  await using bus = await connect(broker);
  const source = await bus.source(incoming({ topics: ["fast/#"], prefetch: 10 }));
  const client = await broker.client();
  for (let index = 0; index < 50; index++) client.publish("fast/a", String(index), { qos: 0 });
  const batches = await receive(source, 50);
  assert.ok(batches.every(({ messages }) => messages.length <= 11));
  assert.deepEqual(batches.flatMap(bodiesOf), [...Array(50).keys()].map(String));
});

test("does not receive what it sends", async (broker) => {
  await using bus = await connect(broker);
  const target = await bus.target(outgoing({ topic: "both/${channel}" }));
  const source = await bus.source(incoming({ topics: ["both/#"] }));
  await using others = await broker.receive("both/#");
  assert.deepEqual(await target.send([message("ours", { channel: "a.b" })]), [undefined]);
  await broker.send("both/a", [{ body: Buffer.from("theirs"), headers: {} }]);
  assert.deepEqual(await bodies(source, 1), ["theirs"]);
  await until("others receive both", () => others.messages.length === 2);
});

test("sends a thousand messages in order, each confirmed, with dots of a channel as slashes", async (broker) => {
  await using receiver = await broker.receive("out/plant/kiln");
  await using bus = await connect(broker);
  const target = await bus.target(outgoing({ topic: "out/${channel}" }));
  const messages = Array.from({ length: 1000 }, (_, index) => message(String(index), { channel: "plant.kiln" }));
  const results = await target.send(messages);
  assert.ok(results.length === 1000 && results.every((result) => result === undefined));
  await until("all have come", () => receiver.messages.length === 1000);
  assert.deepEqual(receiver.messages.map(textOf), [...Array(1000).keys()].map(String));
});

test(
  "says which messages the broker or MQTT refuses",
  async (broker) => {
    await using bus = await connect(broker);
    const target = await bus.target(outgoing({ topic: "${channel}" }));
    const results = await target.send([
      message("wild", { channel: "free/#" }),
      message("system", { channel: "$SYS.a" }),
      { ...message("header", { channel: "free.a" }), headers: { a: "x".repeat(70_000) } },
      message("fine", { channel: "free.a" }),
      message("denied", { channel: "denied.a" }),
    ]);
    const [wild, system, header, fine, denied] = results.map((result) => result?.message);
    assert.match(wild ?? "", /^its topic has \+ or #/);
    assert.match(system ?? "", /^topics that begin with \$ are the broker's own/);
    assert.match(header ?? "", /^one of its headers is longer than 65535 bytes/);
    assert.equal(fine, undefined);
    assert.equal(denied, "the broker refuses topic denied/a: Publish error: Not authorized");
    // This broker ends the connection after a refusal.
    await assert.rejects(bus.lost);
    await using again = await connect(broker);
    const both = (await again.target(outgoing({}))).send([
      message("denied", { channel: "denied.a" }),
      message("fine", { channel: "free.a" }),
    ]);
    await assert.rejects(both, (error: Error) => {
      assert.ok(error instanceof PartlyRefusedError);
      assert.match(error.message, /before that: the broker refuses topic denied\/a: /);
      return error.refusals[0] !== undefined && error.refusals[1] === undefined;
    });
    // If all messages have one topic, they wait until it is allowed.
    await using third = await connect(broker);
    const fixed = await third.target(outgoing({ topic: "denied/b" }));
    await assert.rejects(fixed.send([message("waits")]), (error) => !(error instanceof PartlyRefusedError));
  },
  () => {
    const folder = new TemporaryFolder();
    writeFileSync(folder.file("acl"), "topic readwrite free/#\n");
    return [`acl_file ${folder.file("acl")}`];
  },
);

test("lets no event and no sender add levels to a topic", async (broker) => {
  await using bus = await connect(broker);
  const target = await bus.target(outgoing({ topic: "devices/${channel}/${sender}/telemetry" }));
  await using receiver = await broker.receive("devices/#");
  const from = (sender: string, event = "message"): Outgoing => {
    return { ...message(sender), names: { channel: "eu.west", event, sender } };
  };
  const results = await target.send(["dev2/command/reboot", "#", "+", "dev1"].map((sender) => from(sender)));
  assert.deepEqual(
    results.map((result) => result?.message),
    [
      'its sender has "/", and may only be one level of devices/${channel}/${sender}/telemetry: dev2/command/reboot',
      "its topic has + or #, which only subscriptions may have: devices/eu/west/#/telemetry",
      "its topic has + or #, which only subscriptions may have: devices/eu/west/+/telemetry",
      undefined,
    ],
  );
  const byEvent = await bus.target(outgoing({ topic: "devices/${event}" }));
  const [added, other] = await byEvent.send([from("a", "b/c"), from("d/e")]);
  assert.match(added?.message ?? "", /^its event has "\/"/);
  assert.equal(other, undefined);
  await until("the others have come", () => receiver.messages.length === 2);
});

test("refuses characters for which the broker would end the connection, wherever they are", async (broker) => {
  await using bus = await connect(broker);
  const target = await bus.target(outgoing({ topic: "fine/${event}" }));
  await using receiver = await broker.receive("fine/#");
  const forbidden = ["\u0001", "\u007f", "\u009f", "\ufdd0", "\ufffe", "\uffff", "\u{1fffe}", "\u{10ffff}"];
  for (const character of forbidden) {
    const text = `x${character}`;
    const plain = message("1");
    const results = await target.send([
      { ...plain, names: { ...plain.names, event: text } },
      { ...plain, headers: { type: text } },
      { ...plain, headers: { [text]: "name" } },
      { ...plain, contentType: text },
      { ...plain, headers: { type: "caf\u00e9 \u200d \u{1f600}" } },
    ]);
    const sentence = /^its topic or one of its headers has a character that MQTT does not allow: U\+[0-9A-F]{4,6}$/;
    for (const result of results.slice(0, 4)) assert.match(result?.message ?? "", sentence);
    assert.equal(results[4], undefined);
  }
  await until("the rest has come", () => receiver.messages.length === forbidden.length);
});

test(
  "is not sent what a packet of the broker cannot hold",
  async (broker) => {
    await using bus = await connect(broker);
    const target = await bus.target(outgoing({}));
    const [result] = await target.send([message("x".repeat(2000))]);
    assert.match(result?.message ?? "", /^it takes about 20\d\d bytes; the broker takes 1000 at most$/);
  },
  () => ["max_packet_size 1000"],
);

test("is lost when another client takes its session, or the broker ends", async (broker) => {
  const bus = await connect(broker);
  const source = await bus.source(incoming({ topics: ["one/#"], clientId: "fixed" }));
  const ends = assert.rejects(receive(source, 1), /the connection ended|ECONNRESET/);
  const options = { clientId: "fixed", protocolVersion: 5 as const, reconnectPeriod: 0 };
  const thief = await connectAsync(broker.connection, options);
  await ends;
  await assert.rejects(bus.lost, /the connection ended|ECONNRESET/);
  await bus.close();
  await thief.endAsync(true);
  await using other = await connect(broker);
  const target = await other.target(outgoing({}));
  await broker.end();
  await assert.rejects(other.lost, /the connection ended|ECONNRESET/);
  await assert.rejects(target.send([message("1")]), /the connection ended|ECONNRESET/);
});

test("shows a sample, which stays where it is", async (broker) => {
  await using bus = await connect(broker);
  const rule = incoming({ topics: ["$share/hub/sample/#"], retained: "take" });
  await (await broker.client()).publishAsync("sample/a", "shown", { qos: 1, retain: true });
  assert.equal(textOf(await bus.sample(rule)), "shown");
  assert.equal(textOf(await bus.sample(rule)), "shown");
});

test(
  "connects with TLS and credentials beside the URL, and says why it cannot",
  async (broker) => {
    const tls = { ca: broker.authority.pem };
    const url = ["mqtts://127.0.0.1:1", `mqtts://127.0.0.1:${broker.tlsPort}`];
    const bus = await connect(broker, { connection: { url, username: "hub", password: "secret-word", tls } });
    await bus.close();
    await assert.rejects(connect(broker, { connection: "mqtt://127.0.0.1:1" }), {
      message: "cannot connect to mqtt://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1",
    });
    const wrong = `mqtt://hub:wrong-word@127.0.0.1:${broker.port}`;
    await assert.rejects(connect(broker, { connection: wrong }), (error: Error) => {
      assert.match(error.message, /^cannot connect to mqtt:\/\/127.0.0.1:\d+: Connection refused: Not authorized$/);
      return true;
    });
    await assert.rejects(
      connect(broker, { connection: `mqtts://127.0.0.1:${broker.tlsPort}` }),
      /unable to verify the first certificate/,
    );
  },
  () => {
    const file = new TemporaryFolder().file("passwords");
    spawnSync("mosquitto_passwd", ["-c", "-b", file, "hub", "secret-word"]);
    return [`password_file ${file}`];
  },
);

it("filters of topics are checked, and matched as MQTT does", () => {
  const good = ["a", "a/b", "+", "#", "a/+/b", "a/#", "+/+/#", "/a", "$share/g/a/#", "$SYS/#"];
  assert.deepEqual(good.map(filterProblem), Array(good.length).fill(undefined));
  for (const bad of ["", "a/#/b", "a#", "a+/b", "a/b+", "$share/g", "$share//a", "$share/+/a"]) {
    assert.notEqual(filterProblem(bad), undefined, bad);
  }
  assert.match(mqtt.in.safeParse({ topics: ["a", "$share/g/b"] }).error?.message ?? "", /either all topics are shared/);
  const table: [string, string, boolean][] = [
    ["a/b", "a/b", true],
    ["a/+", "a/b", true],
    ["a/+", "a", false],
    ["a/+", "a/b/c", false],
    ["a/#", "a", true],
    ["a/#", "a/b/c", true],
    ["#", "a/b", true],
    ["#", "$SYS/a", false],
    ["+/a", "$SYS/a", false],
    ["$SYS/#", "$SYS/a", true],
    ["a", "a/b", false],
    ["+", "/a", false],
    ["/+", "/a", true],
  ];
  for (const [filter, topic, isMatch] of table) assert.equal(matches(filter, topic), isMatch, `${filter} ${topic}`);
});

/** A test with a Mosquitto of its own, which has these lines in its configuration. */
function test(title: string, body: (broker: Mosquitto) => Promise<void>, lines = (): string[] => []): void {
  it(`a bridge to MQTT ${title}`, async (context: TestContext) => {
    if (!needsMosquitto(context)) return;
    await using broker = await Mosquitto.start(...lines());
    await body(broker);
  });
}

interface Options {
  readonly connection?: unknown;
  readonly node?: string;
}

async function connect(
  broker: Mosquitto,
  { connection = broker.connection, node = "n1" }: Options = {},
): Promise<Bus<MqttIn, MqttOut> & AsyncDisposable> {
  const bus = await mqtt.connect(mqtt.connection.parse(connection), { bridge: "test", node, report: () => {} });
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
}

function incoming(fields: Readonly<Record<string, unknown>>): MqttIn {
  return mqtt.in.parse(fields) as unknown as MqttIn;
}

function outgoing(fields: Readonly<Record<string, unknown>>): MqttOut {
  return mqtt.out.parse(fields) as unknown as MqttOut;
}

function message(text: string, { channel = "a" }: { readonly channel?: string } = {}): Outgoing {
  return { body: Buffer.from(text), headers: {}, id: "1-1", names: { channel, event: "message" } };
}

function texts(count: number): { readonly body: Buffer; readonly headers: Record<string, string> }[] {
  return Array.from({ length: count }, (_, index) => ({ body: Buffer.from(String(index)), headers: {} }));
}

function textOf(received: { readonly body: Uint8Array | undefined } | undefined): string {
  return Buffer.from(received?.body ?? []).toString();
}

function bodiesOf(batch: Batch): string[] {
  return batch.messages.map(textOf);
}

/** The batches that hold the next `count` messages, not settled. */
async function receive(source: Source, count: number, each?: (batch: Batch) => Promise<void>): Promise<Batch[]> {
  const batches: Batch[] = [];
  const iterator = source.batches()[Symbol.asyncIterator]();
  for (let left = count; left > 0;) {
    const { value } = (await iterator.next()) as { readonly value: Batch };
    batches.push(value);
    await each?.(value);
    left -= value.messages.length;
  }
  return batches;
}

async function bodies(source: Source, count: number): Promise<string[]> {
  return (await receive(source, count)).flatMap(bodiesOf);
}

async function settleAll(batches: readonly Batch[], rejected?: number): Promise<void> {
  let done = 0;
  for (const batch of batches) {
    await batch.settle(batch.messages.map((): Outcome => (done++ === rejected ? "rejected" : "done")));
  }
}

/** Keeps everything that comes, until the source is closed. */
async function drain(source: Source, seen: string[]): Promise<void> {
  for await (const batch of source.batches()) {
    seen.push(...bodiesOf(batch));
    await batch.settle(batch.messages.map(() => "done"));
  }
}
