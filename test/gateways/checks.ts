import assert from "node:assert/strict";
import type { EventReader } from "../support/event-reader.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { listen, mcp, resultOf } from "../support/mcp.ts";
import { until } from "../support/until.ts";
import type { Gateway } from "./gateway.ts";
import type { Nodes } from "./nodes.ts";

/** A gateway in front of three nodes. */
export interface Scene {
  readonly gateway: Gateway;
  readonly nodes: Nodes;
  /** Seconds without a message. */
  readonly quiet: number;
  /** Seconds between heartbeats of the nodes. */
  readonly heartbeat: number;
}

/** Something that a gateway must do. `run` resolves with what stands in the table. */
export interface Check {
  readonly title: string;
  readonly run: (scene: Scene) => Promise<string>;
}

/** Milliseconds that a gateway may add at most: what it holds back comes much later, or not at all. */
const MOST = 2000;
const MOST_BODY = 2 ** 20;

export const CHECKS: readonly Check[] = [
  { title: "First byte", run: firstByte },
  { title: "Message through, to a reader that accepts gzip", run: messageThrough },
  { title: "WebSocket: echo, a frame of 1 MiB, a message", run: webSocket },
  { title: "POST of 1 MiB taken, one byte more refused", run: largestBody },
  { title: "MCP 2026-07-28: a call, `subscriptions/listen`", run: modern },
  { title: "MCP 2025-11-25: a session, ten calls, its stream", run: legacy },
  { title: "Readers on every node", run: balanced },
  { title: "Quiet", run: quiet },
  { title: "Resume after the gateway restarted", run: resume },
];

async function firstByte({ gateway, nodes }: Scene): Promise<string> {
  const direct = await median(async () => {
    using reader = await nodes.server().events(`?channel=${unique()}`);
    await until("the first bytes", () => reader.text !== "");
  });
  const through = await median(async () => {
    using reader = await gateway.events(`?channel=${unique()}`);
    assert.equal(reader.status, 200);
    assert.match(String(reader.headers["content-type"]), /^text\/event-stream/);
    await until("the first bytes", () => reader.text !== "");
  });
  return compared(through, direct);
}

async function messageThrough({ gateway, nodes }: Scene): Promise<string> {
  const channel = unique();
  const headers = { "accept-encoding": "gzip, br, zstd" };
  using reader = await gateway.events(`?channel=${channel}`, { headers });
  assert.equal(reader.headers["content-encoding"], undefined);
  using near = await nodes.server().events(`?channel=${channel}`);
  const through: number[] = [];
  const direct: number[] = [];
  for (let n = 0; n < 5; n++) {
    const start = performance.now();
    const arrival = async (of: EventReader, times: number[]): Promise<void> => {
      const { data } = await of.next();
      times.push(performance.now() - start);
      assert.equal(data, `message ${n}`);
    };
    const arrivals = Promise.all([arrival(reader, through), arrival(near, direct)]);
    assert.equal(await gateway.publish(channel, `message ${n}`), 201);
    await arrivals;
  }
  return compared(middle(through), middle(direct));
}

async function webSocket({ gateway }: Scene): Promise<string> {
  const channel = unique();
  using frames = await gateway.frames(`?channel=${channel}`);
  await frames.nextOf("welcome");
  frames.send({ type: "ping", id: 1 });
  assert.equal((await frames.nextOf("pong"))["id"], 1);
  frames.send(JSON.stringify({ type: "ping", id: 2 }).padEnd(MOST_BODY));
  assert.equal((await frames.nextOf("pong"))["id"], 2);
  const data = "x".repeat(60_000);
  frames.send({ type: "publish", channel, data });
  assert.equal((await frames.nextOf("message"))["data"], data);
  return "yes";
}

async function largestBody({ gateway }: Scene): Promise<string> {
  const call = { params: { name: "send_sse_message", arguments: { channel: unique(), message: "large" } } };
  const post = async (size: number): Promise<number> => {
    const body = JSON.stringify(call).padEnd(size);
    // Refused before all of it was read, the connection may be closed while it is written.
    return gateway.request("/mcp/tools/call", { method: "POST", body }).then(
      ({ status }) => status,
      () => 0,
    );
  };
  assert.equal(await post(MOST_BODY), 200);
  assert.ok([413, 0].includes(await post(MOST_BODY + 1)));
  return "yes";
}

async function modern({ gateway }: Scene): Promise<string> {
  const channel = unique();
  const uri = `hub://channels/${channel}`;
  const call = await mcp(gateway, "tools/call", { name: "send_sse_message", arguments: { channel, message: "one" } });
  assert.equal(resultOf(call)["isError"] ?? false, false);
  using listening = await listen(gateway, { resourceSubscriptions: [uri] });
  assert.equal(await gateway.publish(channel, "two"), 201);
  const { method, params } = await listening.stream.next();
  assert.deepEqual([method, params?.["uri"]], ["notifications/resources/updated", uri]);
  return "yes";
}

async function legacy({ gateway }: Scene): Promise<string> {
  const channel = unique();
  const uri = `hub://channels/${channel}`;
  const client = await LegacyClient.open(gateway);
  using stream = await client.listen();
  assert.equal(stream.status, 200);
  for (let n = 0; n < 10; n++) {
    const call = { name: "send_sse_message", arguments: { channel, message: `call ${n}` } };
    assert.equal((await client.ask("tools/call", call)).error, undefined);
  }
  assert.deepEqual((await client.ask("resources/subscribe", { uri })).result, {});
  assert.equal(await gateway.publish(channel, "for the stream"), 201);
  for (;;) {
    const { data } = await stream.next();
    // The first event has only an id.
    if (data === "") continue;
    const { method, params } = JSON.parse(data) as { method: string; params: { uri: string } };
    if (method === "notifications/resources/updated" && params.uri === uri) break;
  }
  assert.equal((await client.end()).status, 200);
  return "yes";
}

async function balanced({ gateway, nodes }: Scene): Promise<string> {
  const found = nodes.ports.map(() => 0);
  const readers: Disposable[] = [];
  try {
    for (let n = 0; n < 30; n++) {
      const channel = unique();
      readers.push(await gateway.events(`?channel=${channel}`));
      const node = nodes.nodeOf(channel);
      found[node] = (found[node] ?? 0) + 1;
    }
  } finally {
    for (const reader of readers) reader[Symbol.dispose]();
  }
  assert.ok(Math.min(...found) >= 3, found.join(", "));
  return found.join(", ");
}

async function quiet({ gateway, quiet: seconds, heartbeat }: Scene): Promise<string> {
  const channel = unique();
  const uri = `hub://channels/${channel}`;
  using reader = await gateway.events(`?channel=${channel}`);
  using frames = await gateway.frames(`?channel=${channel}`);
  using listening = await listen(gateway, { resourceSubscriptions: [uri] });
  await frames.nextOf("welcome");
  let isOver = false;
  void reader.ended.then(() => (isOver = true));
  void frames.closed.then(() => (isOver = true));
  void listening.stream.reader.ended.then(() => (isOver = true));
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  await until(`${seconds} s are over`, () => isOver || elapsed() > seconds, (seconds + 30) * 1000);
  assert.ok(!isOver, `a stream ended after ${elapsed().toFixed(1)} s`);
  const beats = reader.text.match(/^(?:: heartbeat|id: .*)$/gm)?.length ?? 0;
  assert.ok(beats >= seconds / heartbeat / 2, reader.text);
  assert.equal(await gateway.publish(channel, "after"), 201);
  assert.equal((await reader.next()).data, "after");
  assert.equal((await frames.nextOf("message"))["data"], "after");
  assert.equal((await listening.stream.next()).method, "notifications/resources/updated");
  return `${seconds} s`;
}

async function resume({ gateway, nodes }: Scene): Promise<string> {
  const channel = unique();
  const before = await gateway.events(`?channel=${channel}`);
  assert.equal(await gateway.publish(channel, "0"), 201);
  const { id } = await before.next();
  await gateway.stop();
  await before.ended;
  for (let n = 1; n <= 5; n++) await nodes.server(n % nodes.ports.length).publish(channel, n);
  await gateway.start();
  using after = await gateway.events(`?channel=${channel}`, { lastEventId: id ?? "" });
  assert.deepEqual(await after.data(5), ["1", "2", "3", "4", "5"]);
  assert.equal((await after.next()).event, "live");
  return "nothing lost";
}

let uniques = 0;

/** A channel that nothing else reads. */
export function unique(): string {
  return `gateways.${process.pid}-${++uniques}`;
}

/** The median of the milliseconds that something takes. */
async function median(act: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < 5; n++) {
    const start = performance.now();
    await act();
    times.push(performance.now() - start);
  }
  return middle(times);
}

function middle(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
}

function compared(through: number, direct: number): string {
  assert.ok(through < direct + MOST, `${through.toFixed(0)} ms, and ${direct.toFixed(0)} ms without the gateway`);
  return `${through.toFixed(0)} ms (direct ${direct.toFixed(0)} ms)`;
}
