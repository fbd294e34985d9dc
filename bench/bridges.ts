import { spawn } from "node:child_process";
import { text as textOf } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { channelName } from "../src/core/channel.ts";
import { draft } from "../src/core/message.ts";
import { SqliteLog } from "../src/logs/sqlite/log.ts";
import { HubProcess } from "../test/bridges/hub-process.ts";
import type { BusServer } from "../test/support/buses/bus-server.ts";
import { TemporaryFolder } from "../test/support/temporary-folder.ts";
import { IN, MESSAGE, OUT, SERVERS, type Counts, type Figure } from "./bridge-kinds.ts";
import { machine, writeDocument } from "./document.ts";
import { medianRatio, median } from "./median.ts";
import { table } from "./table.ts";

const ROUNDS = 3;
const BATCH = 1000;
const TIMEOUT = 120_000;
/** Milliseconds between two looks at a hub: each costs it about one. */
const LOOK = 50;
const CONSUMER = new URL("./bridge-consumer.ts", import.meta.url).pathname;
const PRODUCER = new URL("./bridge-producer.ts", import.meta.url).pathname;
const KEEPS = { RETENTION_MESSAGES: "1000000" };

/** The program without a hub and the bridge, in each round. */
interface Compared {
  readonly plain: Figure[];
  readonly bridge: Figure[];
}

const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const rows: string[][] = [];
for (const name of asked.length > 0 ? asked : Object.keys(SERVERS)) {
  const start = SERVERS[name];
  if (start === undefined) throw new Error(`${name} is none of ${Object.keys(SERVERS).join(", ")}`);
  await using server = await start();
  const [into, out]: [Compared, Compared] = [
    { plain: [], bridge: [] },
    { plain: [], bridge: [] },
  ];
  for (let round = 0; round < ROUNDS; round++) {
    await measureIn(server, `in${round}`, into);
    await measureOut(server, `out${round}`, out);
  }
  rows.push([name, "in", ...cells(into)], [name, "out", ...cells(out)]);
  for (const row of rows.slice(-2)) process.stderr.write(`${row.join(" ")}\n`);
}
const heads = [
  "bus",
  "direction",
  "without a hub, messages/s",
  "bridge, messages/s",
  "ratio",
  "without a hub, µs CPU/message",
  "bridge, µs CPU/message",
];
const text = `${machine(false)}\n\n${table(2, heads, rows)}`;
process.stdout.write(`${text}\n`);
if (process.argv.includes("--write")) writeDocument("bridges", text);

/** What waits on the bus, taken and acknowledged by a plain consumer, and by a hub that keeps it. */
async function measureIn(server: BusServer, place: string, { plain, bridge }: Compared): Promise<void> {
  const [warm, measured, bridged] = [`${place}a`, `${place}b`, `${place}c`];
  await fillBus(server, warm, IN.warm);
  await fillBus(server, measured, IN.count);
  const rules = { warm: server.incoming(warm), measured: server.incoming(measured) };
  plain.push(await run(CONSUMER, server, rules));
  await fillBus(server, bridged, IN.warm + IN.count);
  const rule = { ...server.incoming(bridged), channel: place };
  await using hub = await HubProcess.start([{ ...headOf(server, place), in: [rule] }], KEEPS);
  bridge.push(await figureOf(hub, place, "received", IN));
}

async function fillBus(server: BusServer, place: string, count: number): Promise<void> {
  await server.declare(place);
  const batch = Array.from({ length: BATCH }, () => MESSAGE);
  for (let at = 0; at < count; at += BATCH) await server.send(place, batch);
}

/** What waits in the log, sent and confirmed; a program of its own sends the same messages by the same driver. */
async function measureOut(server: BusServer, place: string, { plain, bridge }: Compared): Promise<void> {
  const [own, bridged] = [`${place}a`, `${place}b`];
  for (const each of [own, bridged]) await server.declare(each);
  plain.push(await run(PRODUCER, server, { out: server.outgoing(own) }));
  using folder = new TemporaryFolder();
  const path = folder.file("hub.db");
  const rule = { ...server.outgoing(bridged), channels: ["orders"], format: "raw" };
  const env = { ...KEEPS, DATA: `file:${path}` };
  await using hub = await HubProcess.start([{ ...headOf(server, place), out: [rule] }], env);
  // It notes where it is, and then it is away while messages are published.
  while ((await look(hub, place, "sent")).count === 0) {
    await hub.publish("orders", "first");
    await pause(LOOK);
  }
  await hub.kill("SIGTERM");
  await fillLog(path);
  await hub.start();
  bridge.push(await figureOf(hub, place, "sent", OUT));
}

async function fillLog(path: string): Promise<void> {
  const retention = { age: Infinity, messages: Infinity, bytes: Infinity, channels: Infinity };
  const log = await SqliteLog.open({ path, retention, durability: "normal" });
  const data = JSON.parse(Buffer.from(MESSAGE.body ?? []).toString()) as unknown;
  const made = draft({ channel: channelName("orders"), data, sender: "bench" }, 1000);
  for (let at = 0; at < OUT.warm + OUT.count; at += BATCH)
    await log.appendAll(Array.from({ length: BATCH }, () => made));
  await log.close();
}

function headOf(server: BusServer, name: string): object {
  return { name, kind: server.kind, connection: server.connection };
}

/** Runs a program without a hub. */
async function run(program: string, server: BusServer, rules: object): Promise<Figure> {
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"], timeout: TIMEOUT });
  child.stdin.end(JSON.stringify({ kind: server.kind, connection: server.connection, ...rules }));
  return JSON.parse(await textOf(child.stdout)) as Figure;
}

/** Where a hub is: how many messages its bridge has done with, and the seconds of CPU that it took so far. */
interface Look {
  readonly time: number;
  readonly count: number;
  readonly cpu: number;
}

async function look(hub: HubProcess, bridge: string, outcome: "received" | "sent"): Promise<Look> {
  const metrics = await (await fetch(`${hub.url}/metrics`)).text();
  const count = new RegExp(`^sse_mcp_bridge_messages_total\\{bridge="${bridge}",outcome="${outcome}"\\} (\\d+)`, "m");
  const cpu = /^process_cpu_seconds_total (\S+)/m.exec(metrics)?.[1];
  return { time: performance.now(), count: Number(count.exec(metrics)?.[1] ?? 0), cpu: Number(cpu) };
}

/** Between the first look after the warm-up and the last one at which it was still busy. */
async function figureOf(
  hub: HubProcess,
  bridge: string,
  outcome: "received" | "sent",
  { warm, count }: Counts,
): Promise<Figure> {
  let [first, last]: (Look | undefined)[] = [];
  for (const end = performance.now() + TIMEOUT; performance.now() < end; await pause(LOOK)) {
    const now = await look(hub, bridge, outcome);
    if (first !== undefined) last = now.count < warm + count || last === undefined ? now : last;
    else if (now.count >= warm) first = now;
    if (now.count < warm + count) continue;
    if (first === undefined || last === undefined) throw new Error("it was too fast to be measured; raise the counts");
    const done = last.count - first.count;
    return { rate: (1000 * done) / (last.time - first.time), cpu: (1e6 * (last.cpu - first.cpu)) / done };
  }
  throw new Error(`not all messages were done within ${TIMEOUT} ms: ${hub.output}`);
}

function cells({ plain, bridge }: Compared): string[] {
  const rates = (figures: readonly Figure[]): readonly number[] => figures.map(({ rate }) => rate);
  const rate = (figures: readonly Figure[]): string => Math.round(median(rates(figures))).toLocaleString("en");
  const cpu = (figures: readonly Figure[]): string => median(figures.map((figure) => figure.cpu)).toFixed(1);
  const ratio = medianRatio(rates(bridge), rates(plain)).toFixed(2);
  return [rate(plain), rate(bridge), ratio, cpu(plain), cpu(bridge)];
}
