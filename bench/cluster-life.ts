import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { openStorage } from "../src/logs/open.ts";
import type { ChannelName } from "../src/protocol/channel.ts";
import { Nodes, ours } from "./nodes.ts";
import { Returning } from "./returning-readers.ts";
import { ServerProcess } from "./server-process.ts";

const MESSAGES = 100_000;
const PAYLOAD = "x".repeat(100);
const AT_ONCE = 2000;
const RETURNING = 10_000;
const MISSED = 20;
const SETTLE = 1500;
const EVERYTHING = { age: 604_800_000, messages: 1e6, bytes: 2 ** 30, channels: 100_000 };

/** What happens to nodes, rather than to messages. */
export interface LifeFigures {
  readonly messages: number;
  /** Seconds from the start of the process until it is ready, with no messages and with these. */
  readonly emptyStart: number;
  readonly fullStart: number;
  /** Resident bytes of the process, the same way. */
  readonly emptyBytes: number;
  readonly fullBytes: number;
  /** Bytes that Redis uses for these messages. */
  readonly redisBytes: number;
  readonly readers: number;
  readonly missed: number;
  /** Seconds after the death of their node, until each reader is on another one, and until it has what it missed. */
  readonly connected: number;
  readonly caughtUp: number;
  /** Seconds of CPU that the other nodes used for it. */
  readonly cpuSeconds: number;
  /** Bytes that the readers got in answers and messages meanwhile. */
  readonly received: number;
}

/** How long a node takes to start, and the readers of a node that died to be on the others. */
export async function measureLife(say: (line: string) => void): Promise<LifeFigures> {
  const returned = await readersReturn();
  say(`${returned.readers} readers of a dead node returned in ${returned.connected.toFixed(2)} s`);
  const started = await nodesStart();
  say(`a node with ${MESSAGES} messages was ready after ${started.fullStart.toFixed(2)} s`);
  return { ...returned, ...started };
}

async function nodesStart(): Promise<
  Pick<LifeFigures, "messages" | "emptyStart" | "fullStart" | "emptyBytes" | "fullBytes" | "redisBytes">
> {
  const cluster = ours("");
  await using nodes = await Nodes.start(cluster, 0);
  const { redis } = nodes;
  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await redis.info())?.[1]);
  const start = async (): Promise<{ seconds: number; bytes: number }> => {
    const began = performance.now();
    await using node = await ServerProcess.start(cluster.node(redis.port));
    const seconds = (performance.now() - began) / 1000;
    await pause(SETTLE);
    return { seconds, bytes: node.residentBytes() };
  };
  const empty = await start();
  const before = await used();
  await fill(redis.port);
  const redisBytes = (await used()) - before;
  const full = await start();
  return {
    messages: MESSAGES,
    emptyStart: empty.seconds,
    fullStart: full.seconds,
    emptyBytes: empty.bytes,
    fullBytes: full.bytes,
    redisBytes,
  };
}

async function fill(port: number): Promise<void> {
  const files = { ca: "", cert: "", key: "" };
  const data = `redis://127.0.0.1:${port}`;
  const opened = await openStorage({
    data,
    retention: EVERYTHING,
    durability: "normal",
    mirror: "temporary:",
    redis: files,
  });
  for (let sent = 0; sent < MESSAGES; sent += AT_ONCE) {
    const drafts = Array.from({ length: AT_ONCE }, (_, index) =>
      opened.log.append({
        channel: `load.${index % 100}` as ChannelName,
        event: "message",
        data: PAYLOAD,
        sender: "bench",
      }),
    );
    await Promise.all(drafts);
  }
  await opened.log.close();
  await opened.close();
}

async function readersReturn(): Promise<
  Pick<LifeFigures, "readers" | "missed" | "connected" | "caughtUp" | "cpuSeconds" | "received">
> {
  const channel = `moving.${randomBytes(4).toString("hex")}`;
  await using nodes = await Nodes.start(ours("", ["MAX_CONNECTIONS=20000"]), 3);
  const [first, ...others] = nodes.nodes;
  if (first === undefined) throw new Error("there is no node");
  const publish = async (port: number): Promise<string> => {
    const url = `http://127.0.0.1:${port}/channels/${channel}/messages`;
    const response = await fetch(url, { method: "POST", body: PAYLOAD });
    const { id } = (await response.json()) as { readonly id?: string };
    if (id === undefined) throw new Error(`a publish was answered ${response.status}`);
    return id;
  };
  using readers = new Returning(channel, RETURNING);
  await readers.connect([first.port]);
  const last = await publish(first.port);
  await readers.until(1);
  await first[Symbol.asyncDispose]();
  const [second] = others;
  for (let missed = 0; missed < MISSED; missed += 1) await publish(second?.port ?? 0);
  const cpuSeconds = (): number => others.reduce((sum, node) => sum + node.cpuSeconds(), 0);
  const before = cpuSeconds();
  const began = performance.now();
  await readers.connect(
    others.map(({ port }) => port),
    last,
  );
  const connected = (performance.now() - began) / 1000;
  await readers.until(MISSED);
  const caughtUp = (performance.now() - began) / 1000;
  const used = cpuSeconds() - before;
  return { readers: RETURNING, missed: MISSED, connected, caughtUp, cpuSeconds: used, received: readers.received };
}
