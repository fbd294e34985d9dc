import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Producer } from "@platformatic/kafka";
import { MissingError, type Received } from "../../src/bridges/bus.ts";
import { kafka } from "../../src/bridges/kinds/kafka.ts";
import { openKafka } from "../support/buses/kafka.ts";
import { hasKafka, needsKafka } from "../support/buses/kafka-broker.ts";
import {
  KafkaRig,
  message,
  nextBatch,
  numbered,
  outgoing,
  positions,
  settle,
  texts,
} from "../support/buses/kafka-rig.ts";
import { until } from "../support/until.ts";
import { describeBridge } from "./bridge.suite.ts";

let rig: KafkaRig;

describeBridge("a bridge to Kafka", {
  needs: needsKafka,
  start: () => openKafka(),
  prefix: "ce_",
  isDurable: true,
});

describe("Kafka", { concurrency: 4 }, () => {
  before(async () => {
    if (hasKafka) rig = await KafkaRig.open();
  });
  after(async () => {
    if (hasKafka) await rig[Symbol.asyncDispose]();
  });

  it("commits what is settled, and nothing earlier", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    await rig.server.send(place, numbered(600));
    await using bus = await rig.connected();
    const source = await bus.source(rig.incoming(place));
    const batches = source.batches()[Symbol.asyncIterator]();
    const first = await nextBatch(batches);
    assert.deepEqual(texts(first.messages), texts(numbered(first.messages.length)));
    assert.equal(await rig.server.waiting(place), 600);
    await settle(first);
    await until(
      "the first batch is committed",
      async () => (await rig.server.waiting(place)) === 600 - first.messages.length,
    );
    const second = await nextBatch(batches);
    await source.close();
    assert.equal(await rig.server.waiting(place), 600 - first.messages.length);
    // The next one begins with what was not settled, at the same positions.
    await using other = await rig.connected();
    const again = await nextBatch((await other.source(rig.incoming(place))).batches()[Symbol.asyncIterator]());
    assert.deepEqual(positions(again.messages), positions(second.messages));
  });

  it("commits when it closes, without waiting for the next second", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(2);
    await rig.server.send(place, numbered(100));
    await using bus = await rig.connected();
    const source = await bus.source(rig.incoming(place));
    let count = 0;
    for await (const batch of source.batches()) {
      await settle(batch);
      if ((count += batch.messages.length) === 100) break;
    }
    await source.close();
    assert.equal(await rig.server.waiting(place), 0);
  });

  it("a group that begins with the latest messages goes on from there, also if none came before its bridge ended", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    await rig.server.send(place, [message("before")]);
    const rule = { ...rig.incoming(place), from: "latest" };
    await using bus = await rig.connected();
    await (await bus.source(rule)).close();
    await rig.server.send(place, [message("between")]);
    await using other = await rig.connected();
    const source = await other.source(rule);
    assert.deepEqual(texts((await nextBatch(source.batches()[Symbol.asyncIterator]())).messages), ["between"]);
  });

  it("delivers keys, headers, tombstones and empty messages as they are", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    await rig.server.send(place, [
      {
        body: Buffer.from("{}"),
        headers: { ce_id: "1", "content-type": "overridden" },
        contentType: "application/json",
        key: "é",
      },
      { body: undefined, headers: {}, key: "gone" },
      { body: Buffer.alloc(0), headers: {} },
      { body: Buffer.from([0, 255]), headers: {} },
    ]);
    await using bus = await rig.connected();
    const source = await bus.source(rig.incoming(place));
    const { messages } = await nextBatch(source.batches()[Symbol.asyncIterator]());
    assert.deepEqual(
      messages.map(({ body, key, headers, contentType }) => ({ body: body && [...body], key, headers, contentType })),
      [
        { body: [123, 125], key: "é", headers: { ce_id: "1" }, contentType: "application/json" },
        { body: undefined, key: "gone", headers: {}, contentType: undefined },
        { body: [], key: undefined, headers: {}, contentType: undefined },
        { body: [0, 255], key: undefined, headers: {}, contentType: undefined },
      ],
    );
    assert.deepEqual(messages[1]?.names, { topic: place, partition: "0", offset: "1" });
    assert.match(messages[1]?.position ?? "", new RegExp(`^${place}/0/1@[0-9a-f]{8}$`));
  });

  it("reads no message of an aborted transaction, and has nothing left to read after the end of one", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    const producer = new Producer({
      clientId: "transactions",
      bootstrapBrokers: [...rig.server.connection.brokers],
      idempotent: true,
      transactionalId: place,
    });
    for (const word of ["kept-1", "aborted-1", "aborted-2", "kept-2", "aborted-3"]) {
      const transaction = await producer.beginTransaction({});
      await transaction.send({ messages: [{ topic: place, value: Buffer.from(word), partition: 0 }] });
      await (word.startsWith("kept") ? transaction.commit() : transaction.abort());
    }
    await producer.close();
    await using bus = await rig.connected();
    const source = await bus.source(rig.incoming(place));
    const seen: string[] = [];
    void (async () => {
      for await (const batch of source.batches()) {
        seen.push(...texts(batch.messages));
        await settle(batch);
      }
    })();
    await until("everything is committed", async () => (await rig.server.waiting(place)) === 0);
    assert.deepEqual(seen, ["kept-1", "kept-2"]);
    assert.equal(await source.lag?.(), 0);
  });

  it("a sample is the newest message, and the group stays where it is", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(2);
    await using bus = await rig.connected();
    assert.equal(await bus.sample(rig.incoming(place)), undefined);
    await rig.server.send(place, numbered(3), 1);
    assert.deepEqual(texts([(await bus.sample(rig.incoming(place))) as Received]), ["2"]);
    assert.equal(await rig.server.waiting(place), 3);
    await assert.rejects(bus.sample(rig.incoming("not-there")), {
      message: 'Kafka has no topic not-there; create it, or set "declare": true',
    });
  });

  it("makes topics only if it is told to", async (test) => {
    if (!needsKafka(test)) return;
    const place = rig.newPlace();
    await using bus = await rig.connected();
    await assert.rejects(bus.source(rig.incoming(place)), MissingError);
    await assert.rejects(bus.target(kafka.out.parse({ topic: place })), MissingError);
    await bus.source(rig.incoming(place, { declare: true }));
    await bus.target(kafka.out.parse({ topic: place }));
    const target = await bus.target(kafka.out.parse({ topic: `${place}.\${channel}`, declare: true }));
    assert.deepEqual(await target.send([outgoing("a")]), [undefined]);
  });

  it("two rules of one bridge cannot share a topic in one group", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    await using bus = await rig.connected();
    await bus.source(rig.incoming(place));
    await assert.rejects(bus.source(rig.incoming(place)), {
      message: /would share it: give each rule a "group" of its own$/,
    });
  });

  it("refuses only the messages that the broker refuses, and keeps the order of the others", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    await using receiver = await rig.server.receive(place);
    await using bus = await rig.connected();
    const target = await bus.target(kafka.out.parse({ topic: "${event}" }));
    const sent = [
      outgoing("1", { event: place }),
      outgoing("2", { event: "not a topic" }),
      outgoing("3", { event: place }),
      { ...outgoing("4", { event: place }), body: Buffer.alloc(2_000_000) },
      outgoing("5", { event: "not-there" }),
      outgoing("6", { event: place }),
    ];
    const results = await target.send(sent);
    assert.deepEqual(
      results.map((error) => error?.message.slice(0, 36)),
      [
        undefined,
        "Kafka allows no topic with this name",
        undefined,
        "Kafka refused it: The request includ",
        "Kafka has no topic not-there; create",
        undefined,
      ],
    );
    await until("they are there", () => receiver.messages.length >= 3);
    assert.deepEqual(texts(receiver.messages), ["1", "3", "6"]);
  });

  it("sends messages of more bytes than one request may have", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    await using receiver = await rig.server.receive(place);
    await using bus = await rig.connected();
    const target = await bus.target(kafka.out.parse({ topic: place }));
    const sent = Array.from({ length: 100 }, (_, index) => ({
      ...outgoing(String(index)),
      body: Buffer.alloc(64 * 1024, index),
    }));
    assert.deepEqual(new Set(await target.send(sent)), new Set([undefined]));
    await until("they are there", () => receiver.messages.length >= 100);
    assert.deepEqual(
      receiver.messages.map(({ body }) => body?.[0]),
      sent.map((_, index) => index),
    );
  });
});
