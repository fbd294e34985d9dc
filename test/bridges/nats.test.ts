import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Batch, Bus, BusMessage, Outgoing, Outcome, Source } from "../../src/bridges/bus.ts";
import { nats } from "../../src/bridges/kinds/nats.ts";
import type { NatsIn, NatsOut } from "../../src/bridges/kinds/nats/rules.ts";
import { needsNats, startNats, type NatsServer } from "../support/buses/nats.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { describeBridge } from "./bridge.suite.ts";

const utf8 = new TextEncoder();

describeBridge("a bridge to streams of NATS", {
  needs: needsNats,
  start: startNats,
  prefix: "ce-",
  isDurable: true,
});

describe("a bridge to JetStream", () => {
  it("receives a stream in order, with subjects, headers and positions", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await server.send("shop", [
      { body: utf8.encode("one"), headers: { "ce-sender": "Euro € 😀", trace: "a b" }, contentType: "text/plain" },
      { body: utf8.encode("two"), headers: {} },
      { body: new Uint8Array(), headers: {} },
    ]);
    await using bus = await open(server);
    await using source = await sourceOf(bus, { stream: "shop", from: "all" });

    const batch = await source.batch(3);

    const { messages } = batch;
    assert.deepEqual(
      messages.map(({ body }) => Buffer.from(body ?? []).toString()),
      ["one", "two", ""],
    );
    assert.deepEqual(messages[0]?.headers, { "ce-sender": "Euro € 😀", trace: "a b" });
    assert.equal(messages[0]?.contentType, "text/plain");
    assert.deepEqual(messages[0]?.names, { subject: "shop.in", stream: "shop" });
    assert.match(messages[0]?.position ?? "", /^shop\/1\/\d{13}$/);
    await batch.settle(["done", "done", "done"]);
    assert.deepEqual(await pending(server, "shop"), [0, 0]);
  });

  it("does not get again what was rejected", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await server.send("shop", texts(1, 3));
    await using bus = await open(server);
    await using source = await sourceOf(bus, { stream: "shop", from: "all" });
    const batch = await source.batch(3);
    await batch.settle(["done", "rejected", "done"]);
    assert.deepEqual(await pending(server, "shop"), [0, 0]);
  });

  it("gets what another one had not settled when its link broke, before what is newer", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await using proxy = await TcpProxy.open(server.port);
    const lostBus = await open(server, server.connectionAt(proxy.port));
    const lost = await sourceOf(lostBus, { stream: "shop", from: "all", ackWait: 2 });
    await server.send("shop", texts(1, 2));
    await (await lost.batch(2)).settle(["done", "done"]);
    assert.deepEqual(await pending(server, "shop"), [0, 0]);
    await server.send("shop", texts(3, 5));
    await lost.batch(1);
    proxy.cut();
    await assert.rejects(lostBus.bus.lost, /connection to NATS was lost/);
    await server.send("shop", texts(6, 7));

    await using bus = await open(server);
    await using source = await sourceOf(bus, { stream: "shop", from: "all" });
    await until("all is there", async () => (await source.texts()).length >= 5);

    assert.deepEqual(await source.texts(), ["3", "4", "5", "6", "7"]);
  });

  it("passes on to another node what it had not settled when it is closed", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await server.send("shop", texts(1, 3));
    const rule = { stream: "shop", from: "all", order: false };
    const first = await open(server);
    const left = await sourceOf(first, rule);
    await left.batch(1);
    await using bus = await open(server);
    await using source = await sourceOf(bus, rule);
    await left[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    await until("all is there", async () => (await source.texts()).length >= 3);
    // Nothing says in which order: two nodes receive at a time.
    assert.deepEqual((await source.texts()).toSorted(), ["1", "2", "3"]);
  });

  it("keeps what it works on from being delivered again", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await server.send("shop", texts(1, 400));
    await using bus = await open(server);
    await using source = await sourceOf(bus, { stream: "shop", from: "all", ackWait: 1, durable: "slow" });
    await source.batch(1);
    const started = performance.now();
    await until("twice the time has passed", () => performance.now() - started > 2000);
    const info = await (await server.manager()).consumers.info("shop", "slow");
    assert.deepEqual([info.num_redelivered, info.num_ack_pending], [0, 400]);
  });

  it("receives what is new, or all of it, and of the subjects that it names", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    const publish = async (...subjects: string[]): Promise<void> => {
      for (const subject of subjects) await server.jetstream.publish(subject, subject);
    };
    await publish("shop.eu", "shop.eu.paid", "shop.us");
    await using bus = await open(server);
    await using fresh = await sourceOf(bus, { stream: "shop", durable: "fresh" });
    await using word = await sourceOf(bus, { stream: "shop", from: "all", durable: "word", subjects: ["shop.*"] });
    await using rest = await sourceOf(bus, { stream: "shop", from: "all", durable: "rest", subjects: ["shop.eu.>"] });
    await publish("shop.us.paid", "shop.eu.sent", "shop.last");

    await until("all is there", async () => (await fresh.texts()).includes("shop.last"));
    await until("all is there", async () => (await word.texts()).includes("shop.last"));
    await until("all is there", async () => (await rest.texts()).includes("shop.eu.sent"));

    assert.deepEqual(await fresh.texts(), ["shop.us.paid", "shop.eu.sent", "shop.last"]);
    assert.deepEqual(await word.texts(), ["shop.eu", "shop.us", "shop.last"]);
    assert.deepEqual(await rest.texts(), ["shop.eu.paid", "shop.eu.sent"]);
  });

  it("takes over other subjects and times of a rule for a consumer that is there", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await using bus = await open(server);
    await (await sourceOf(bus, { stream: "shop" }))[Symbol.asyncDispose]();
    await using _source = await sourceOf(bus, { stream: "shop", subjects: ["shop.eu"], ackWait: 7, maxAckPending: 9 });
    const { config } = await (await server.manager()).consumers.info("shop", "hub-orders");
    assert.deepEqual([config.filter_subjects, config.ack_wait, config.max_ack_pending], [["shop.eu"], 7e9, 9]);
  });

  it("says what is wrong with a stream or a consumer", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    const { consumers } = await server.manager();
    await consumers.add("shop", { durable_name: "none", ack_policy: "none" });
    await consumers.add("shop", { durable_name: "push", ack_policy: "explicit", deliver_subject: "push" });
    await consumers.add("shop", { durable_name: "endless", ack_policy: "explicit", max_ack_pending: -1 });
    await using bus = await open(server);
    const refuses = (rule: object, sentence: RegExp): Promise<void> =>
      assert.rejects(() => bus.bus.source(inRule(rule)), sentence);

    await refuses({ stream: "nowhere" }, /NATS has no stream nowhere; create it, or let "declare": true do so/);
    await refuses({ stream: "shop", durable: "none" }, /its acknowledgements are none; they must be explicit/);
    await refuses({ stream: "shop", durable: "push" }, /it is a push consumer; a bridge needs a pull consumer/);
    await refuses({ stream: "shop", durable: "endless" }, /its max_ack_pending is -1; it must be from 1 to 10000/);
    await assert.rejects(() => bus.bus.target(outRule({ stream: "nowhere", subject: "a" })), /no stream nowhere/);
    await assert.rejects(() => bus.bus.sample(inRule({ stream: "nowhere" })), /no stream nowhere/);
    await using _source = await sourceOf(bus, { stream: "shop" });
    await refuses(
      { stream: "shop" },
      /Two rules receive from consumer hub-orders of stream shop; give one a "durable"/,
    );
  });

  it("creates a stream only if it is declared", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await using bus = await open(server);
    await using _source = await sourceOf(bus, { stream: "made", declare: true, subjects: ["made.eu", "made.us"] });
    await bus.bus.target(outRule({ stream: "sent", subject: "sent.${channel}", declare: true }));
    const { streams } = await server.manager();
    assert.deepEqual((await streams.info("made")).config.subjects, ["made.eu", "made.us"]);
    assert.deepEqual((await streams.info("sent")).config.subjects, ["sent.>"]);
  });

  it("shows the newest message, which stays, and makes no consumer", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await using bus = await open(server);
    assert.equal(await bus.bus.sample(inRule({ stream: "shop" })), undefined);
    await server.send("shop", texts(1, 2));
    const sample = await bus.bus.sample(inRule({ stream: "shop" }));
    assert.equal(Buffer.from(sample?.body ?? []).toString(), "2");
    await using source = await sourceOf(bus, { stream: "shop", from: "all" });
    const { messages } = await source.batch(2);
    assert.equal(messages[1]?.position, sample?.position);
  });

  it("holds eight megabytes of messages, whatever their number", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await using bus = await open(server);
    const source = await bus.bus.source(inRule({ stream: "shop", from: "all" }));
    await server.send("shop", large(40));
    const seen: number[] = [];
    for await (const batch of source.batches()) {
      assert.ok(batch.messages.length <= 10, `${batch.messages.length} messages`);
      seen.push(...batch.messages.map(({ body }) => Number.parseInt(Buffer.from(body ?? []).toString(), 10)));
      await batch.settle(batch.messages.map(() => "done"));
      if (seen.length === 40) break;
    }
    assert.deepEqual(seen, [...Array(40).keys()]);
  });

  it("fails if its consumer is deleted", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await using bus = await open(server);
    const source = await bus.bus.source(inRule({ stream: "shop" }));
    const next = source.batches()[Symbol.asyncIterator]().next();
    const failed = assert.rejects(next, /consumer hub-orders/);
    await (await server.manager()).consumers.delete("shop", "hub-orders");
    await failed;
  });

  it("sends in order, and once if it has to send again", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await server.declare("shop");
    await using receiver = await server.receive("shop");
    await using bus = await open(server);
    const target = await bus.bus.target(outRule({ stream: "shop", subject: "shop.${channel}" }));
    const messages = Array.from({ length: 256 }, (_, index) => outgoing(String(index)));
    assert.deepEqual(await target.send(messages), messages.map(() => undefined)); // prettier-ignore
    assert.deepEqual(await target.send(messages.slice(200)), messages.slice(200).map(() => undefined)); // prettier-ignore
    const { state } = await (await server.manager()).streams.info("shop");
    assert.equal(state.messages, 256);
    await until("all is there", () => receiver.messages.length === 312);
    assert.deepEqual(
      receiver.messages.slice(0, 256).map(({ body }) => Buffer.from(body ?? []).toString()),
      messages.map(({ id }) => id),
    );
    assert.equal(receiver.messages[0]?.headers["ce-sender"], "Zoë");
  });

  it("tells what is refused for good from what may be taken later", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await (await server.manager()).streams.add({ name: "small", subjects: ["small.>"], max_msg_size: 1000 });
    await using bus = await open(server);
    const target = await bus.bus.target(outRule({ stream: "small", subject: "small.${event}" }));
    const long = { ...outgoing("2"), body: new Uint8Array(2000) };
    const huge = { ...outgoing("3"), body: new Uint8Array(2_000_000) };
    const spaced = outgoing("4", "a b");
    const without = outgoing("5", "");
    // The server would end the connection.
    const endless = outgoing("7", "x".repeat(4200));
    const results = await target.send([outgoing("1"), long, huge, spaced, without, endless, outgoing("6")]);
    assert.deepEqual(
      results.map((error) => error?.message),
      [
        undefined,
        "message size exceeds maximum allowed",
        "'payload' max_payload size exceeded",
        '"small.a b" is not a subject to publish on',
        "it has no value for a placeholder of its subject, small.${event}",
        `its subject is longer than 3800 bytes: small.${"x".repeat(44)}…`,
        undefined,
      ],
    );
    // An event such as order.created may add words, and a sender may not.
    const words = await bus.bus.target(outRule({ stream: "small", subject: "small.${sender}.${event}" }));
    const from = (sender: string, event: string): Outgoing => {
      return { ...outgoing(`${sender} ${event}`), names: { channel: "orders", sender, event } };
    };
    const [created, added] = await words.send([from("ana", "order.created"), from("bo.b.c", "order")]);
    assert.equal(created, undefined);
    assert.equal(added?.message, 'its sender has ".", and may only be one level of small.${sender}.${event}: bo.b.c');
    const elsewhere = await bus.bus.target(outRule({ stream: "small", subject: "elsewhere" }));
    await assert.rejects(() => elsewhere.send([outgoing("7")]), /a message on elsewhere for stream small/);
    const anywhere = await bus.bus.target(outRule({ stream: "small", subject: "${event}" }));
    await (await server.manager()).streams.add({ name: "other", subjects: ["other.>"] });
    const subjects = ["$JS.API.STREAM.DELETE.small", "nowhere", "other.a", "small.a"];
    const [reserved, nowhere, other, fine] = await anywhere.send(subjects.map((subject) => outgoing(subject, subject)));
    assert.match(reserved?.message ?? "", /is reserved for the server/);
    assert.match(nowhere?.message ?? "", /^stream small takes nothing on nowhere from this bridge$/);
    assert.match(other?.message ?? "", /^stream small takes nothing on other\.a from this bridge$/);
    assert.equal(fine, undefined);
  });
});

describe("a bridge to core NATS", () => {
  it("receives subjects, and sends to them", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats({ isCore: true });
    await using bus = await open(server);
    await using source = await sourceOf(bus, { subjects: ["in.*", "deep.>"] });
    await using receiver = await server.receive("out");
    const { client } = server;
    for (const subject of ["in.a", "in.a.b", "deep.a.b", "deep"]) client.publish(subject, subject);
    await client.flush();
    await until("both are there", async () => (await source.texts()).length >= 2);
    assert.deepEqual(await source.texts(), ["in.a", "deep.a.b"]);

    const target = await bus.bus.target(outRule({ subject: "out.${channel}" }));
    assert.deepEqual(await target.send([outgoing("1"), { ...outgoing("2"), body: new Uint8Array(0) }]), [
      undefined,
      undefined,
    ]);
    await until("both are there", () => receiver.messages.length === 2);
    assert.equal(receiver.messages[0]?.headers["ce-sender"], "Zoë");
    const [error] = await target.send([{ ...outgoing("3"), body: new Uint8Array(2_000_000) }]);
    assert.match(error?.message ?? "", /max_payload/);
  });

  it("shares a queue group with other nodes", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats({ isCore: true });
    await using one = await open(server);
    await using other = await open(server);
    await using first = await sourceOf(one, { subjects: ["in"], queue: "hub" });
    await using second = await sourceOf(other, { subjects: ["in"], queue: "hub" });
    for (let index = 0; index < 100; index++) server.client.publish("in", String(index));
    await server.client.flush();
    const all = async (): Promise<string[]> => [...(await first.texts()), ...(await second.texts())];
    await until("all is there", async () => (await all()).length >= 100);
    assert.deepEqual(
      (await all()).map(Number).sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, index) => index),
    );
    assert.ok(nats.isExclusive(inRule({ subjects: ["in"] })));
    assert.ok(!nats.isExclusive(inRule({ subjects: ["in"], queue: "hub" })));
  });

  it("says that it drops what comes faster than it is taken", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats({ isCore: true });
    await using bus = await open(server);
    const source = await bus.bus.source(inRule({ subjects: ["in"] }));
    for (let index = 0; index < 5000; index++) server.client.publish("in", String(index));
    await server.client.flush();
    await until("it was said", () => bus.reports.length > 0);
    let count = 0;
    for await (const { messages } of source.batches()) {
      count += messages.length;
      if (count >= 1000) break;
    }
    assert.equal(count, 1000);
    assert.deepEqual(bus.reports, [
      "Core NATS sends faster than messages are kept; some are dropped",
      "Core NATS sent faster than messages were kept; 4000 were dropped",
    ]);
  });

  it("drops what would be more than eight megabytes", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats({ isCore: true });
    await using bus = await open(server);
    const source = await bus.bus.source(inRule({ subjects: ["in.>"] }));
    for (const inHeader of [false, true]) {
      await server.send("in", large(20, inHeader));
      await until("it was said", () => bus.reports.at(-1)?.endsWith("some are dropped") === true);
      const { value } = (await source.batches()[Symbol.asyncIterator]().next()) as { value: Batch };
      assert.equal(value.messages.length, 10);
      assert.match(bus.reports.at(-1) ?? "", /; (?:[1-9]|10) were dropped$/);
    }
  });
});

/** Messages of 900 kilobytes that begin with their numbers; JetStream takes 64 in their headers. */
function large(count: number, inHeader = false): BusMessage[] {
  return Array.from({ length: count }, (_, index): BusMessage => {
    const body = Buffer.alloc(900_000, `${index} `);
    return inHeader ? { body: body.subarray(0, 3), headers: { text: String(body) } } : { body, headers: {} };
  });
}

interface OpenBus extends AsyncDisposable {
  readonly bus: Bus<NatsIn, NatsOut>;
  readonly reports: string[];
}

async function open(server: NatsServer, connection = server.connection): Promise<OpenBus> {
  const reports: string[] = [];
  const client = { bridge: "orders", node: "node-1", report: (sentence: string) => void reports.push(sentence) };
  const bus = await nats.connect(nats.connection.parse(connection), client);
  return { bus, reports, [Symbol.asyncDispose]: () => bus.close() };
}

function inRule(rule: object): NatsIn {
  return nats.in.parse(rule) as unknown as NatsIn;
}

function outRule(rule: object): NatsOut {
  return nats.out.parse(rule) as unknown as NatsOut;
}

interface OpenSource extends AsyncDisposable {
  /** The next batch, which must have as many messages. */
  batch(atLeast: number): Promise<Batch>;
  /** All that came so far, which is kept. */
  texts(): Promise<readonly string[]>;
}

async function sourceOf({ bus }: OpenBus, rule: object): Promise<OpenSource> {
  const source: Source = await bus.source(inRule(rule));
  const batches = source.batches()[Symbol.asyncIterator]();
  const seen: string[] = [];
  let reading: Promise<unknown> | undefined;
  const read = async (): Promise<void> => {
    for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
      const batch = next.value;
      seen.push(...batch.messages.map(({ body }) => Buffer.from(body ?? []).toString()));
      await batch.settle(batch.messages.map((): Outcome => "done"));
    }
  };
  return {
    async batch(atLeast) {
      const { value } = (await batches.next()) as { value: Batch };
      assert.ok(value.messages.length >= atLeast, `${value.messages.length} messages in a batch`);
      return value;
    },
    texts() {
      reading ??= read().catch(() => {});
      return Promise.resolve(seen);
    },
    async [Symbol.asyncDispose]() {
      await source.close();
    },
  };
}

function texts(first: number, last: number): BusMessage[] {
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    body: utf8.encode(String(first + index)),
    headers: {},
  }));
}

function outgoing(id: string, event = "message"): Outgoing {
  return {
    id,
    body: utf8.encode(id),
    headers: { "ce-specversion": "1.0", "ce-id": id, "ce-sender": "Zoë" },
    contentType: "text/plain",
    names: { id, event, channel: "orders" },
  };
}

/** What a consumer has to deliver, and what it waits to hear of. */
async function pending(server: NatsServer, stream: string, durable = "hub-orders"): Promise<number[]> {
  const manager = await server.manager();
  let found = [-1, -1];
  await until("the consumer heard", async () => {
    const info = await manager.consumers.info(stream, durable);
    found = [info.num_pending, info.num_ack_pending];
    return info.num_ack_pending === 0;
  });
  return found;
}
