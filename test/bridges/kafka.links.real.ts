import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Received } from "../../src/bridges/bus.ts";
import { kafka } from "../../src/bridges/kinds/kafka.ts";
import { openKafka } from "../support/buses/kafka.ts";
import { hasKafka, needsKafka, USER } from "../support/buses/kafka-broker.ts";
import { KafkaRig, message, nextBatch, numbered, outgoing, settle, texts } from "../support/buses/kafka-rig.ts";
import { Authority } from "../support/certificates.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;";

let rig: KafkaRig;

describe("Kafka whose links and groups change", { concurrency: 4 }, () => {
  before(async () => {
    if (hasKafka) rig = await KafkaRig.open();
  });
  after(async () => {
    if (hasKafka) await rig[Symbol.asyncDispose]();
  });

  // One after the other: they share the address that clients behind a proxy are told.
  describe("behind a proxy", { concurrency: 1 }, () => {
    it("tells that the connection is lost, and goes on with a new one", async (test) => {
      if (!needsKafka(test)) return;
      const place = await rig.topic(1);
      await using proxy = await TcpProxy.open(rig.server.port);
      const bus = await rig.connected(rig.server.connectionAt(proxy.port));
      const source = await bus.source(rig.incoming(place));
      const target = await bus.target(kafka.out.parse({ topic: place }));
      assert.deepEqual(await target.send([outgoing("1")]), [undefined]);
      const batches = source.batches()[Symbol.asyncIterator]();
      await settle(await nextBatch(batches));
      proxy.treat({ refuse: true });
      proxy.cut();
      const ends = await Promise.allSettled([bus.lost, batches.next(), target.send([outgoing("2")])]);
      assert.deepEqual(
        ends.map(({ status }) => status),
        ["rejected", "rejected", "rejected"],
      );
      await bus.close();
      await assert.rejects(
        rig.connected(rig.server.connectionAt(proxy.port)),
        /^HubError: Kafka at .* does not answer/,
      );
      proxy.treat();
      await using other = await rig.connected(rig.server.connectionAt(proxy.port));
      const again = (await other.source(rig.incoming(place))).batches()[Symbol.asyncIterator]();
      await (await other.target(kafka.out.parse({ topic: place }))).send([outgoing("3")]);
      const seen: string[] = [];
      while (seen.at(-1) !== "3") {
        const batch = await nextBatch(again);
        seen.push(...texts(batch.messages));
        await settle(batch);
      }
      // The second one may have arrived before the link was cut, and the first one's commit may not have.
      assert.deepEqual(
        seen.filter((text) => text > "2"),
        ["3"],
      );
    });

    it("survives connections that are cut while brokers are there", async (test) => {
      if (!needsKafka(test)) return;
      const place = await rig.topic(1);
      await using proxy = await TcpProxy.open(rig.server.port);
      await using bus = await rig.connected(rig.server.connectionAt(proxy.port));
      const source = await bus.source(rig.incoming(place));
      const target = await bus.target(kafka.out.parse({ topic: place }));
      const seen: string[] = [];
      const reading = (async () => {
        for await (const batch of source.batches()) {
          seen.push(...texts(batch.messages));
          await settle(batch);
        }
      })();
      for (let index = 0; index < 50; index++) {
        if (index % 10 === 5) proxy.cut();
        assert.deepEqual(await target.send([outgoing(String(index))]), [undefined]);
      }
      await until("all are received", () => seen.length >= 50);
      assert.deepEqual(seen, texts(numbered(50)));
      await source.close();
      await reading;
    });
  });

  it("connects again when a topic gets more partitions, and reads those from their first message", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(1);
    const rule = rig.incoming(place, { from: "latest" });
    await using bus = await rig.connected();
    const reading = (async () => {
      for await (const batch of (await bus.source(rule)).batches()) await settle(batch);
    })();
    await rig.server.send(place, [message("old")]);
    await until("it is committed", async () => (await rig.server.waiting(place)) === 0);
    await rig.server.grow(place, 2);
    await rig.server.send(place, [message("new")], 1);
    await assert.rejects(bus.lost, { message: `Kafka: ${place} has 2 partitions now, not 1` });
    await assert.rejects(reading);
    await bus.close();
    await using other = await rig.connected();
    const { messages } = await nextBatch((await other.source(rule)).batches()[Symbol.asyncIterator]());
    assert.deepEqual(texts(messages), ["new"]);
  });

  it("logs in by SASL over TLS, and says what is wrong if it cannot", async (test) => {
    if (!needsKafka(test)) return;
    using folder = new TemporaryFolder();
    const authority = new Authority(folder.path);
    const { tlsCert, tlsKey } = authority.server();
    writeFileSync(folder.file("both.pem"), readFileSync(tlsKey, "utf8") + readFileSync(tlsCert, "utf8"));
    const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${USER.username}="${USER.password}";`;
    await using secure = await openKafka({
      properties: {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.proxied.plain.sasl.jaas.config": plain,
        "listener.name.proxied.scram-sha-256.sasl.jaas.config": SCRAM,
        "listener.name.proxied.scram-sha-512.sasl.jaas.config": SCRAM,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": folder.file("both.pem"),
      },
    });
    await secure.declare("secret");
    const { brokers } = secure.connectionAt(secure.port) as { brokers: string[] };
    const tls = { ca: authority.file };
    for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"]) {
      await using bus = await rig.connected({ brokers, tls, sasl: { mechanism, ...USER } });
      const source = await bus.source(rig.incoming("secret", { group: mechanism, from: "latest" }));
      const target = await bus.target(kafka.out.parse({ topic: "secret" }));
      assert.deepEqual(await target.send([outgoing(mechanism)]), [undefined]);
      const { messages } = await nextBatch(source.batches()[Symbol.asyncIterator]());
      assert.deepEqual(texts(messages), [mechanism]);
    }
    for (const [wrong, reason] of [
      [
        { tls, sasl: { mechanism: "scram-sha-512", username: "hub", password: "guess" } },
        /SASL authentication failed|invalid credentials/i,
      ],
      [{ tls }, /does not answer/],
      [{ tls: true, sasl: { mechanism: "plain", ...USER } }, /self-signed certificate|unable to verify/],
      [{ sasl: { mechanism: "plain", ...USER } }, /does not answer/],
    ] as const) {
      await assert.rejects(rig.connected({ brokers, ...wrong }), (error: Error) => {
        assert.match(error.message, reason);
        assert.doesNotMatch(error.message, /hub-password|guess/);
        test.diagnostic(error.message);
        return true;
      });
    }
  });

  it("nodes that come and go share the partitions: nothing is lost, reordered or kept twice", async (test) => {
    if (!needsKafka(test)) return;
    const place = await rig.topic(2);
    const hub = new Hub();
    const random = Math.random;
    const over = new AbortController();
    const node = async () => {
      while (!over.signal.aborted) {
        await using bus = await rig.connected();
        const source = await bus.source(rig.incoming(place));
        const end = performance.now() + 1000 + random() * 3000;
        const closing = wait(end - performance.now()).then(() => source.close());
        for await (const batch of source.batches()) {
          await hub.keep(batch.messages, random() * 30);
          // Now and then it leaves between keeping and settling: another node is given the same again.
          if (performance.now() > end - 500 && random() < 0.1) break;
          await settle(batch);
        }
        await closing;
        await wait(random() * 1000);
      }
    };
    const running = [node(), node(), node()];
    const counts = [0, 0];
    for (const start = performance.now(); performance.now() < start + 30_000; await wait(20)) {
      const partition = random() < 0.5 ? 0 : 1;
      const some = Array.from({ length: 20 }, () => message(String(counts[partition]!++)));
      await rig.server.send(place, some, partition);
    }
    await until("everything is kept", () => hub.kept.length === counts[0]! + counts[1]!, 60_000);
    over.abort();
    await Promise.all(running);
    for (const [partition, count] of counts.entries()) {
      const ofPartition = hub.kept.filter(({ names }) => names["partition"] === String(partition));
      assert.deepEqual(texts(ofPartition), texts(numbered(count)));
    }
    test.diagnostic(`${hub.kept.length} messages kept, ${hub.repeated} delivered again`);
    assert.equal(await rig.server.waiting(place), 0);
  });
});

/** Keeps messages in the order in which it is given them, each position once, as the log of a hub does. */
class Hub {
  readonly kept: Received[] = [];
  repeated = 0;
  readonly #positions = new Set<string | undefined>();

  async keep(messages: readonly Received[], delay: number): Promise<void> {
    for (const [index, received] of messages.entries()) {
      if (index % 16 === 0) await wait(delay / 16);
      if (this.#positions.has(received.position)) {
        this.repeated++;
        continue;
      }
      this.#positions.add(received.position);
      this.kept.push(received);
    }
  }
}
