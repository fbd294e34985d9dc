import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { boundDecompression } from "../../src/bridges/kinds/kafka/decompression.ts";
import { kafka } from "../../src/bridges/kinds/kafka.ts";
import { assignPartitions } from "../../src/bridges/kinds/kafka/assigner.ts";
import type { FetchedPartition } from "../../src/bridges/kinds/kafka/driver.ts";
import { committedRecords, received } from "../../src/bridges/kinds/kafka/records.ts";

const TRANSACTIONAL = 0b01_0000;
const CONTROL = 0b10_0000;

describe("Kafka without a broker", () => {
  it("has a connection, rules and templates in one form", () => {
    const brokers = ["k1:9092", "[::1]:9092", "kafka.example"];
    assert.deepEqual(kafka.connection.parse({ brokers }), { brokers, tls: false });
    const sasl = { mechanism: "scram-sha-512", username: "hub", password: "secret" };
    assert.deepEqual(kafka.connection.parse({ brokers, tls: { ca: "ca.pem" }, sasl }), {
      brokers,
      tls: { ca: "ca.pem" },
      sasl,
    });
    assert.deepEqual(kafka.in.parse({ topics: ["a"] }), { topics: ["a"], from: "latest", declare: false });
    assert.deepEqual(kafka.out.parse({ topic: "hub.${channel}" }), {
      topic: "hub.${channel}",
      key: "${channel}",
      declare: false,
    });
  });

  for (const [what, schema, value] of [
    ["a broker with a scheme", kafka.connection, { brokers: ["kafka://k1:9092"] }],
    ["no broker", kafka.connection, { brokers: [] }],
    [
      "an unknown mechanism",
      kafka.connection,
      { brokers: ["k1"], sasl: { mechanism: "md5", username: "a", password: "b" } },
    ],
    ["an unknown field", kafka.connection, { brokers: ["k1"], ssl: true }],
    ["a topic with a slash", kafka.in, { topics: ["a/b"] }],
    ["a topic of two dots", kafka.in, { topics: [".."] }],
    ["no topic", kafka.in, { topics: [] }],
    ["a group with a space", kafka.in, { topics: ["a"], group: "a b" }],
    ["another beginning", kafka.in, { topics: ["a"], from: "yesterday" }],
  ] as const) {
    it(`refuses ${what}`, () => assert.equal(schema.safeParse(value).success, false));
  }

  it("a broker that is not there is one sentence", async () => {
    const client = { bridge: "orders", node: "node-1", report: () => {} };
    const connection = { brokers: ["127.0.0.1:1"], tls: false };
    await assert.rejects(
      kafka.connect(connection, client),
      /^HubError: Kafka at 127.0.0.1:1 does not answer: .*ECONNREFUSED/,
    );
    await assert.rejects(kafka.connect({ ...connection, tls: { ca: "not-there.pem" } }, client), {
      message: "connection.tls.ca must be a file that can be read: ENOENT",
    });
  });

  it("reads compressed messages, but not those of a few kilobytes that hold gigabytes", async () => {
    const driver = await import("@platformatic/kafka");
    boundDecompression(driver);
    const { gzip, zstd } = driver.compressionsAlgorithms;
    const bomb = Buffer.alloc(129 * 1024 * 1024);
    for (const { compressSync, decompressSync } of [gzip, zstd]) {
      assert.equal(String(decompressSync(compressSync(Buffer.from("orders")))), "orders");
      const small = compressSync(bomb);
      assert.ok(small.length < 200_000);
      assert.throws(() => decompressSync(small), /^Error: a batch of messages has more than 128 MiB decompressed/);
    }
  });

  it("shares partitions among those who subscribed to their topic", () => {
    const members = new Map([
      ["b", member("b", ["both", "old"])],
      ["a", member("a", ["both", "new"])],
    ]);
    const topics = new Map([
      ["both", { partitionsCount: 3 }],
      ["old", { partitionsCount: 2 }],
      ["new", { partitionsCount: 1 }],
    ]);
    const shares = assignPartitions("a", members, new Set(["both", "new"]), { topics } as never);
    assert.deepEqual(
      shares.map(({ memberId, assignments }) => [
        memberId,
        ...[...assignments.values()].map((share) => `${share.topic} ${share.partitions.join(",")}`),
      ]),
      [
        ["a", "both 0,2", "new 0"],
        ["b", "both 1", "old 0,1"],
      ],
    );
  });

  it("leaves out transactions that were aborted, also those whose end is not fetched yet", () => {
    const fetched = committedRecords(
      partition({
        abortedTransactions: [
          { producerId: 7n, firstOffset: 12n },
          { producerId: 7n, firstOffset: 10n },
        ],
        records: [
          batch(10n, 7n, TRANSACTIONAL, ["aborted"]),
          batch(11n, 7n, TRANSACTIONAL | CONTROL, [], 0),
          batch(12n, 7n, TRANSACTIONAL, ["aborted, and not ended"]),
          batch(13n, 8n, TRANSACTIONAL, ["committed"]),
          batch(14n, 8n, TRANSACTIONAL | CONTROL, [], 1),
          batch(15n, -1n, 0, ["plain"]),
        ],
      }),
      10n,
    );
    assert.deepEqual(
      fetched.deliveries.map(({ record, offset }) => [record.value?.toString(), offset]),
      [
        ["committed", 13n],
        ["plain", 15n],
      ],
    );
    assert.equal(fetched.next, 16n);
  });

  it("leaves out what comes before the wanted offset of a batch", () => {
    const records = [batch(10n, -1n, 0, ["a", "b", "c"])];
    const fetched = committedRecords(partition({ records }), 12n);
    assert.deepEqual(
      fetched.deliveries.map(({ offset }) => offset),
      [12n],
    );
    assert.deepEqual(committedRecords(partition({ records: null }), 12n), { deliveries: [], next: 12n });
  });

  it("counts what the headers of small messages take in memory", () => {
    const headers: [Buffer, Buffer][] = Array.from({ length: 1000 }, () => [Buffer.from("a"), Buffer.alloc(0)]);
    const [plain] = committedRecords(partition({ records: [batch(0n, 1n, 0, ["x"])] }), 0n).deliveries;
    const made = batch(0n, 1n, 0, ["x"]);
    const records = [{ ...made, records: made.records.map((record) => ({ ...record, length: 3000, headers })) }];
    const [wide] = committedRecords(partition({ records }), 0n).deliveries;
    assert.ok((plain?.size ?? 0) > 200);
    assert.ok((wide?.size ?? 0) > 100_000);
  });

  it("of headers with one name the last one counts", () => {
    const headers: [Buffer, Buffer | null][] = [
      [Buffer.from("a"), Buffer.from("1")],
      [Buffer.from("a"), Buffer.from("2")],
      [Buffer.from("__proto__"), null],
      [Buffer.from("Content-Type"), Buffer.from("text/plain")],
    ];
    const record = { ...emptyRecord, headers };
    const message = received(record, 3n, { topic: "orders", topicId: "0a1b2c3d-0000", partition: 1 });
    assert.deepEqual(Object.entries(message.headers), [
      ["a", "2"],
      ["__proto__", ""],
    ]);
    assert.equal(message.contentType, "text/plain");
    assert.equal(message.position, "orders/1/3@0a1b2c3d");
  });
});

const emptyRecord = {
  length: 0,
  attributes: 0,
  timestampDelta: 0n,
  offsetDelta: 0,
  key: null,
  value: null,
  headers: [],
};

function member(memberId: string, topics: string[]) {
  return { memberId, topics, version: 1 };
}

function partition(parts: Partial<FetchedPartition>): FetchedPartition {
  return {
    partitionIndex: 0,
    errorCode: 0,
    highWatermark: 100n,
    lastStableOffset: 100n,
    logStartOffset: 0n,
    abortedTransactions: null,
    preferredReadReplica: -1,
    ...parts,
  };
}

type RecordsBatch = NonNullable<FetchedPartition["records"]>[number];

/** `type` is that of a marker: 0 for an abort. */
function batch(
  firstOffset: bigint,
  producerId: bigint,
  attributes: number,
  values: readonly string[],
  type?: number,
): RecordsBatch {
  const markers = type === undefined ? [] : [{ ...emptyRecord, key: Buffer.from([0, 0, 0, type]) }];
  const records = values.map((value, offsetDelta) => ({ ...emptyRecord, offsetDelta, value: Buffer.from(value) }));
  return {
    firstOffset,
    length: 0,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    attributes,
    lastOffsetDelta: Math.max(0, values.length - 1),
    firstTimestamp: 0n,
    maxTimestamp: 0n,
    producerId,
    producerEpoch: 0,
    firstSequence: 0,
    records: [...records, ...markers],
  };
}
