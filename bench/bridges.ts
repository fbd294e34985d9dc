import { setTimeout as pause } from "node:timers/promises";
import type { Bus, BusKind, BusMessage, Outgoing } from "../src/bridges/bus.ts";
import { HubProcess } from "../test/bridges/hub-process.ts";
import type { BusServer } from "../test/support/buses/bus-server.ts";
import { machine, writeDocument } from "./document.ts";
import { medianRatio, median } from "./median.ts";
import { table } from "./table.ts";

/** Messages of one measurement, of 100 bytes each. */
const COUNT = 20_000;
const ROUNDS = 3;
const BATCH = 256;
const BODY: Uint8Array<ArrayBuffer> = new TextEncoder().encode(JSON.stringify({ order: 17, note: "x".repeat(76) }));
const TIMEOUT = 120_000;

type AnyKind = BusKind<unknown, unknown, unknown>;

/** A kind of bus, and how a real server of it is started. */
const KINDS: Readonly<Record<string, () => Promise<{ kind: AnyKind; server: BusServer }>>> = {
  amqp: async () => ({
    kind: (await import("../src/bridges/kinds/amqp.ts")).amqp as unknown as AnyKind,
    server: await (await import("../test/support/buses/rabbitmq.ts")).Rabbit.start(),
  }),
  kafka: async () => ({
    kind: (await import("../src/bridges/kinds/kafka.ts")).kafka as unknown as AnyKind,
    server: await (await import("../test/support/buses/kafka.ts")).openKafka(),
  }),
  mqtt: async () => ({
    kind: (await import("../src/bridges/kinds/mqtt.ts")).mqtt as unknown as AnyKind,
    server: await (await import("../test/support/buses/mosquitto.ts")).Mosquitto.start(),
  }),
  nats: async () => ({
    kind: (await import("../src/bridges/kinds/nats.ts")).nats as unknown as AnyKind,
    server: await (await import("../test/support/buses/nats.ts")).startNats(),
  }),
  redis: async () => ({
    kind: (await import("../src/bridges/kinds/redis.ts")).redis as unknown as AnyKind,
    server: await (await import("../test/support/buses/redis-streams.ts")).startRedisStreams(),
  }),
};

/** Messages a second of one kind, in each round. */
interface Figures {
  readonly plainIn: number[];
  readonly bridgeIn: number[];
  readonly plainOut: number[];
  readonly bridgeOut: number[];
}

const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const rows: string[][] = [];
for (const name of asked.length > 0 ? asked : Object.keys(KINDS)) {
  const start = KINDS[name];
  if (start === undefined) throw new Error(`${name} is none of ${Object.keys(KINDS).join(", ")}`);
  const { kind, server } = await start();
  await using held = server;
  const figures: Figures = { plainIn: [], bridgeIn: [], plainOut: [], bridgeOut: [] };
  for (let round = 0; round < ROUNDS; round++) await measure(kind, held, `bench${round}`, figures);
  rows.push([name, ...cells(figures.plainIn, figures.bridgeIn), ...cells(figures.plainOut, figures.bridgeOut)]);
  process.stderr.write(`${rows.at(-1)?.join(" ")}\n`);
}
const heads = [
  "bus",
  "in: driver alone, messages/s",
  "bridge",
  "ratio",
  "out: driver alone, messages/s",
  "bridge",
  "ratio",
];
const text = `${machine()}\n\n${table(1, heads, rows)}`;
process.stdout.write(`${text}\n`);
if (process.argv.includes("--write")) writeDocument("bridges", text);

async function measure(kind: AnyKind, server: BusServer, place: string, figures: Figures): Promise<void> {
  const messages: BusMessage[] = Array.from({ length: COUNT }, () => {
    return { headers: {}, contentType: "application/json", body: BODY };
  });
  const connect = async (): Promise<Bus<unknown, unknown>> => {
    const report = (): void => {};
    return kind.connect(kind.connection.parse(server.connection), { bridge: place, node: "bench", report });
  };
  // In: what waits on the bus, taken and acknowledged by the driver alone, and by a hub that keeps it.
  const [plain, bridged] = [`${place}a`, `${place}b`];
  for (const each of [plain, bridged]) {
    await server.declare(each);
    for (let at = 0; at < COUNT; at += 1000) await server.send(each, messages.slice(at, at + 1000));
  }
  {
    const bus = await connect();
    const source = await bus.source(kind.in.parse(server.incoming(plain)));
    let [first, taken] = [0, 0];
    for await (const batch of source.batches()) {
      first ||= performance.now();
      taken += batch.messages.length;
      await batch.settle(batch.messages.map(() => "kept"));
      if (taken >= COUNT) break;
    }
    figures.plainIn.push(rate(COUNT, first));
    await source.close();
    await bus.close();
  }
  const rule = { ...server.incoming(bridged), channel: place };
  const head = { name: place, kind: server.kind, connection: server.connection };
  {
    await using hub = await HubProcess.start([{ ...head, in: [rule] }], { RETENTION_MESSAGES: "1000000" });
    figures.bridgeIn.push(await rateOf(async () => kept(hub)));
  }
  // Out: what waits in the log, sent and confirmed.
  const [plainOut, bridgedOut] = [`${place}c`, `${place}d`];
  await server.declare(plainOut);
  await server.declare(bridgedOut);
  {
    const bus = await connect();
    const target = await bus.target(kind.out.parse(server.outgoing(plainOut)));
    const outgoing = messages.map((message, index): Outgoing => {
      const names = { channel: "orders", event: "message", sender: "bench", id: String(index) };
      return { ...message, names, id: String(index), key: "orders" };
    });
    const start = performance.now();
    for (let at = 0; at < COUNT; at += BATCH) await target.send(outgoing.slice(at, at + BATCH));
    figures.plainOut.push(rate(COUNT, start));
    await target.close();
    await bus.close();
  }
  const out = {
    ...head,
    name: `${place}-out`,
    out: [{ ...server.outgoing(bridgedOut), channels: ["orders"], format: "raw" }],
  };
  await using hub = await HubProcess.start([out]);
  await using receiver = await server.receive(bridgedOut);
  // It notes where it is, and then it is away while messages are published.
  while (receiver.messages.length === 0) {
    await hub.publish("orders", "first");
    await pause(20);
  }
  await hub.kill("SIGTERM");
  const before = receiver.messages.length;
  await hub.start({ BRIDGES: "[]" });
  for (let at = 0; at < COUNT; at += 64) {
    await Promise.all(Array.from({ length: Math.min(64, COUNT - at) }, () => publish(hub.url)));
  }
  await hub.kill("SIGTERM");
  await hub.start();
  figures.bridgeOut.push(await rateOf(async () => receiver.messages.length - before));
}

async function publish(url: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}/channels/orders/messages`, { method: "POST", headers, body: BODY });
  if (answer.status !== 201) throw new Error(`the hub answered ${answer.status}`);
  await answer.arrayBuffer();
}

/** Messages a second, from when the first are there until all are. */
async function rateOf(count: () => Promise<number>): Promise<number> {
  let first: { readonly time: number; readonly count: number } | undefined;
  for (const end = performance.now() + TIMEOUT; performance.now() < end; await pause(5)) {
    const now = await count();
    if (now > 0) first ??= { time: performance.now(), count: now };
    if (now >= COUNT && first !== undefined) return rate(COUNT - first.count, first.time);
  }
  throw new Error(`not all messages were there within ${TIMEOUT} ms`);
}

function rate(count: number, since: number): number {
  return (1000 * count) / Math.max(performance.now() - since, 1);
}

async function kept(hub: HubProcess): Promise<number> {
  const metrics = await (await fetch(`${hub.url}/metrics`)).text();
  return Number(/^sse_mcp_log_messages (\d+)/m.exec(metrics)?.[1]);
}

function cells(plain: readonly number[], bridge: readonly number[]): string[] {
  const rounded = (rates: readonly number[]): string => Math.round(median(rates)).toLocaleString("en");
  return [rounded(plain), rounded(bridge), medianRatio(bridge, plain).toFixed(2)];
}
