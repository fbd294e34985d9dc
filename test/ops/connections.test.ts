import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describe, it } from "node:test";
import { ANYONE, type Principal } from "../../src/core/principal.ts";
import { counted } from "../../src/ops/client-address.ts";
import { Connections, type Client } from "../../src/ops/connections.ts";
import { LegacyClient, messagesOf } from "../support/legacy-client.ts";
import { mcp } from "../support/mcp.ts";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const BIG = "x".repeat(60_000);
const PENDING = 64 * 1024;

async function gone(server: TestServer, door: "sse" | "websocket"): Promise<void> {
  await until("its place is free", async () => (await server.metric(`sse_mcp_connections{door="${door}"}`)) === 0);
}

/** Publishes until a reader was cut; resolves with what was published and the most that waited for that reader. */
async function publishUntilCut(server: TestServer, reader: number): Promise<{ count: number; most: number }> {
  let most = 0;
  let count = 0;
  for (; server.hub.stats.slow === 0; count++) {
    assert.ok(count < 1000, "a reader that takes nothing is never cut");
    await server.publish("default", BIG);
    most = Math.max(most, server.sink(reader)?.pending ?? 0);
  }
  return { count, most };
}

describe("MAX_CONNECTIONS", () => {
  it("[HTTP-4] refuses the reader over it at both doors, with when to come back, until a place is free", async () => {
    await using server = await startServer({ maxConnections: 2 });
    using first = await server.events();
    using second = await server.frames();
    await second.next();
    const refused = await server.request("/events");
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    const { code, detail } = refused.json() as { code: string; detail: string };
    assert.equal(code, "TOO_MANY_CONNECTIONS");
    assert.match(detail, /2 readers are connected, the limit/);
    await assert.rejects(server.frames(), (error) => {
      assert.ok(error instanceof RefusedUpgrade);
      assert.deepEqual([error.status, error.headers["retry-after"]], [503, "2"]);
      return true;
    });
    assert.equal((await server.request("/health")).status, 200);
    await server.publish("default", "unmoved");
    assert.equal((await first.next()).data, "unmoved");
    first.close();
    await gone(server, "sse");
    using third = await server.events();
    assert.equal(third.status, 200);
  });

  it("[SSE-11] counts each reader out once, however often it leaves", () => {
    const connections = new Connections(2);
    const client = clientAt("127.0.0.1");
    const leave = connections.enter("sse", client);
    connections.enter("websocket", client);
    leave();
    leave();
    assert.deepEqual([connections.total, connections.by("sse"), connections.by("websocket")], [1, 0, 1]);
    connections.drain();
    assert.throws(() => connections.enter("sse", client), { code: "SHUTTING_DOWN" });
  });

  it("is not used up by readers that come and break off, in whatever way", async () => {
    await using server = await startServer({ maxConnections: 8 });
    for (let round = 0; round < 20; round++) {
      using reset = await server.wire();
      reset.send(["GET /events HTTP/1.1", "Host: localhost"]);
      reset.socket.resetAndDestroy();
      using ended = await server.wire();
      ended.send(["GET /events HTTP/1.1", "Host: localhost"]);
      ended.socket.end();
      using malformed = await server.wire();
      malformed.socket.end("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\nnonsense\r\n\r\n");
      using web = await server.frames().catch(() => undefined);
      web?.ws.terminate();
      await gone(server, "sse");
      await gone(server, "websocket");
    }
    assert.equal(server.hub.size, 0);
  });
});

function clientAt(address: string): Client {
  return { address, waits: 0 };
}

function lets(connections: Connections, door: "sse" | "waiting", address: string, most: number): number {
  let count = 0;
  try {
    for (; count < most; count++) connections.enter(door, clientAt(address));
  } catch (error) {
    assert.match(String(error), /MAX_CONNECTIONS/);
  }
  return count;
}

describe("readers of one address", () => {
  it("[LIM-1] are half of all unless it is loopback, and what MAX_CONNECTIONS_PER_ADDRESS says where it says something", () => {
    const connections = new Connections(9);
    assert.equal(lets(connections, "sse", "192.0.2.1", 9), 5);
    assert.equal(lets(connections, "sse", "192.0.2.2", 9), 4);
    assert.equal(lets(new Connections(9), "sse", "127.0.0.1", 99), 9);
    assert.equal(lets(new Connections(9), "sse", "", 99), 9);
    for (const address of ["127.0.0.1", "192.0.2.1"]) {
      const few = new Connections(9, 3);
      assert.equal(lets(few, "sse", address, 99), 3);
      assert.equal(lets(few, "sse", "192.0.2.9", 1), 1);
    }
    const left = new Connections(9, 1);
    const leave = left.enter("sse", clientAt("192.0.2.1"));
    assert.throws(() => left.enter("waiting", clientAt("192.0.2.1")), /1 readers of this address/);
    leave();
    leave();
    assert.equal(lets(left, "waiting", "192.0.2.1", 2), 1);
  });

  it("[LIM-6] are half of all for one credential, too, from wherever it comes, and others get in", () => {
    const connections = new Connections(8);
    const enter = (id: string, address: string): (() => void) => {
      const principal: Principal = { ...ANYONE, kind: "key", id };
      return connections.enter("sse", clientAt(address), { principal, address });
    };
    const [leave = () => {}] = [1, 2, 3, 4].map((host) => enter("key:a", `192.0.2.${host}`));
    const refused = { code: "TOO_MANY_CONNECTIONS", message: /^4 readers of this principal are connected/ };
    assert.throws(() => enter("key:a", "192.0.2.5"), refused);
    assert.throws(() => enter("key:a", "127.0.0.1"), refused);
    for (const host of [1, 2, 3]) enter("key:b", `192.0.2.${host}`);
    leave();
    enter("key:a", "192.0.2.5");
    assert.throws(() => enter("key:a", "192.0.2.5"), refused);
  });

  it("[LIM-2] and calls that wait leave half of all to readers, wherever they come from", () => {
    const connections = new Connections(9);
    assert.equal(lets(connections, "waiting", "127.0.0.1", 99), 5);
    assert.equal(lets(connections, "waiting", "192.0.2.1", 1), 0);
    assert.equal(lets(connections, "sse", "127.0.0.1", 99), 4);
    assert.equal(lets(new Connections(1), "waiting", "127.0.0.1", 9), 1);
  });

  it("are counted by the address of IPv4, however it is written, and by the network of IPv6", () => {
    const of = counted;
    assert.equal(of("192.0.2.1"), "192.0.2.1");
    assert.equal(of("::ffff:192.0.2.1"), "192.0.2.1");
    assert.equal(of("::ffff:127.0.0.1"), "127.0.0.1");
    assert.equal(of("::1"), "::1");
    assert.equal(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert.equal(of("2001:db8::1"), of("2001:db8:0:0:1::2"));
    assert.notEqual(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert.equal(of("fe80::1%eth0"), of("fe80::2%eth1"));
    assert.equal(of(""), "");
  });

  it("[LIM-1] are refused at every door over their share, with when to come back, and others are not", async () => {
    await using server = await startServer({ maxConnectionsPerAddress: 2 });
    const session = await LegacyClient.open(server);
    using _one = await server.events();
    using two = await server.frames();
    await two.next();
    const refused = await server.request("/events");
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    const { code, detail } = refused.json() as { code: string; detail: string };
    assert.deepEqual([code, /MAX_CONNECTIONS_PER_ADDRESS/.test(detail)], ["TOO_MANY_CONNECTIONS", true]);
    await assert.rejects(server.frames(), (error) => error instanceof RefusedUpgrade && error.status === 503);
    const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 0 } };
    const called = await server.request("/mcp/tools/call", { method: "POST", body: JSON.stringify({ params: wait }) });
    assert.equal(called.status, 503);
    for (const answer of [
      await mcp(server, "subscriptions/listen", { notifications: {} }),
      await mcp(server, "tools/call", wait),
    ])
      assert.deepEqual(answer.error?.data, { code: "TOO_MANY_CONNECTIONS", retry: true });
    assert.equal((await server.request("/mcp", { headers: session.headers })).status, 503);
    const inSession = await session.ask("tools/call", wait);
    assert.equal(inSession.error?.data?.["code"], "TOO_MANY_CONNECTIONS");
    const asked = await two.ask({ type: "mcp_call", tool: wait.name, arguments: wait.arguments });
    assert.equal(asked["code"], "TOO_MANY_CONNECTIONS");
    const body = JSON.stringify({ params: wait });
    const agent = new Agent({ localAddress: "127.0.0.2" });
    const elsewhere = await server.request("/mcp/tools/call", { method: "POST", body, agent });
    assert.equal(elsewhere.status, 200);
  });
});

describe("calls that wait", { concurrency: true }, () => {
  const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } };
  const waiting = (server: TestServer): Promise<number> => server.metric('sse_mcp_connections{door="waiting"}');
  const post = (params: object): string => {
    const body = JSON.stringify({ params });
    return `POST /mcp/tools/call HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };

  it("[LIM-3] and come down one connection are a tenth of all readers at most, and end with it", async () => {
    await using server = await startServer({ maxConnections: 200 });
    for (let round = 0; round < 2; round++) {
      using wire = await server.wire();
      for (let count = 0; count < 6; count++) wire.socket.write(post(wait).repeat(100));
      await until("as many wait as may", async () => (await waiting(server)) === 20);
      using reader = await server.events();
      assert.equal(reader.status, 200);
      assert.equal(await waiting(server), 20);
      wire.socket.destroy();
      await until("none waits", async () => (await waiting(server)) === 0);
    }
    await until("nobody reads", () => server.hub.size === 0);
  });

  it("[LIM-3] and come down one connection are answered, the one too many is refused, and then it is closed", async () => {
    await using server = await startServer({ maxConnections: 320 });
    using wire = await server.wire();
    wire.socket.write(post(wait).repeat(40));
    await until("as many wait as may", async () => (await waiting(server)) === 32);
    await server.publish("a", 1);
    for (let count = 0; count < 32; count++) assert.equal((await wire.response()).status, 200);
    const refused = await wire.response();
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    assert.match(refused.body, /OVERLOADED/);
    await until("it is closed", () => wire.ended || wire.closed);
  });

  it("end with their connection, also where much comes down it after them", async () => {
    await using server = await startServer({ maxConnections: 100 });
    using wire = await server.wire();
    wire.socket.write(post(wait));
    await until("it waits", async () => (await waiting(server)) === 1);
    for (let count = 0; count < 20; count++) wire.socket.write(post({ name: "get_server_info" }).repeat(50));
    using other = await server.wire();
    other.socket.write(post({ name: "get_server_info" }).repeat(500) + post(wait));
    for (let count = 0; count < 500; count++) assert.equal((await other.response()).status, 200);
    await until("both wait", async () => (await waiting(server)) === 2);
    wire.socket.destroy();
    other.socket.destroy();
    await until("none waits", async () => (await waiting(server)) === 0);
  });

  it("end with their connection, even if more answers wait after them than Node keeps without a pause", async () => {
    await using server = await startServer({ maxConnections: 100 });
    using wire = await server.wire();
    wire.socket.write(post(wait));
    await until("it waits", async () => (await waiting(server)) === 1);
    const list = "POST /mcp/tools/list HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    for (let count = 0; count < 80; count++) {
      wire.socket.write(list);
      // One after the other, so that each answer is there before the next request.
      await server.request("/health/live");
    }
    wire.socket.destroy();
    await until("none waits", async () => (await waiting(server)) === 0);
  });

  it("[LIM-3] are 64 at most on one WebSocket, which goes on answering, and end with it", async () => {
    await using server = await startServer();
    using reader = await server.frames("?channel=");
    await reader.next();
    for (let id = 0; id < 72; id++) reader.send({ type: "mcp_call", tool: wait.name, arguments: wait.arguments, id });
    for (let id = 64; id < 72; id++) {
      const { type, code, id: of } = await reader.next();
      assert.deepEqual([type, code, of], ["error", "OVERLOADED", id]);
    }
    assert.equal((await reader.ask({ type: "ping" })).type, "pong");
    assert.equal(await waiting(server), 64);
    reader.ws.terminate();
    await until("none waits", async () => (await waiting(server)) === 0);
  });

  it("[LIM-3] are 64 at most in one session of MCP, in one batch or many requests", async () => {
    await using server = await startServer();
    const session = await LegacyClient.open(server, { version: "2025-03-26" });
    const batch = Array.from({ length: 72 }, (_, id) => ({ id, method: "tools/call", params: wait }));
    const answered = session.post(batch);
    await until("as many wait as may", async () => (await waiting(server)) === 64);
    const one = await session.ask("tools/call", wait);
    assert.equal(one.error?.data?.["code"], "OVERLOADED");
    await server.publish("a", 1);
    const answers = messagesOf(await answered);
    assert.deepEqual(
      [answers.filter(({ error }) => error?.data?.["code"] === "OVERLOADED").length, answers.length],
      [8, 72],
    );
    assert.equal(await waiting(server), 0);
  });
});

describe("requests that come down one connection together with one for a stream", () => {
  it("take one place, and the stream holds nothing but itself", async () => {
    await using server = await startServer();
    const stream = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const behind = [
      stream.repeat(5),
      "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /health HTTP/1.1\r\n\r\n",
      "GET /health HTTP/1.1\r\nHost: localhost\r\nExpect: nothing\r\n\r\n",
      "POST /mcp/tools/call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n{",
    ];
    for (const [round, more] of behind.entries()) {
      using wire = await server.wire();
      wire.socket.write(stream + more);
      await until("the stream begins", () => wire.text.includes(": welcome\n\n"));
      await server.publish("default", `only ${round}`);
      await until("the message", () => wire.text.includes(`data: only ${round}\n\n`));
      assert.equal(wire.text.match(/HTTP\/1\.1/g)?.length, 1, more);
      assert.equal(await server.metric('sse_mcp_connections{door="sse"}'), 1);
      wire.socket.destroy();
      await gone(server, "sse");
    }
    assert.equal(server.hub.size, 0);
  });

  it("are answered before it, and the stream that cannot have the connection is refused in its turn", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const body = JSON.stringify({ params: { name: "wait_for_messages", arguments: { channels: ["a"] } } });
    wire.socket.write(
      `POST /mcp/tools/call HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
        "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    await until("the call waits", () => server.hub.size === 1);
    assert.equal(await server.metric('sse_mcp_connections{door="sse"}'), 0);
    await server.publish("a", 1);
    assert.equal((await wire.response()).status, 200);
    const refused = await wire.response();
    assert.equal(refused.status, 400);
    assert.match(refused.body, /takes its connection over/);
    wire.send(["GET /health/live HTTP/1.1", "Host: localhost"]);
    assert.equal((await wire.response()).status, 200);
  });
});

describe("a reader of events", { concurrency: true }, () => {
  it("[SSE-9] that never reads is cut with its memory bounded, and others notice nothing", async () => {
    await using server = await startServer({ maxPendingBytes: PENDING });
    using frozen = await server.events();
    using good = await server.events("?format=json");
    frozen.freeze();
    const { count, most } = await publishUntilCut(server, 0);
    assert.ok(most <= PENDING + 2 * BIG.length, `${most} bytes waited for it`);
    for (let index = 0; index < count; index++) await good.next();
    assert.deepEqual([server.hub.stats.slow, server.hub.size], [1, 1]);
    await until("its place is free", async () => (await server.metric('sse_mcp_connections{door="sse"}')) === 1);
    assert.equal(await server.metric("sse_mcp_slow_readers_cut_total"), 1);
  });

  it("that stops reading in the middle of its replay is cut after a few heartbeats, with one page in memory", async () => {
    await using server = await startServer({ heartbeat: 1, maxPendingBytes: PENDING });
    const publishing = Array.from({ length: 300 }, () => server.publish("default", BIG));
    await Promise.all(publishing);
    using frozen = await server.events("?last_event_id=earliest");
    frozen.freeze();
    let most = 0;
    await until("it is cut", () => {
      most = Math.max(most, server.sink(0)?.pending ?? 0);
      return server.hub.stats.slow === 1;
    });
    assert.ok(most > 0 && most < 1024 * 1024, `${most} bytes waited for it`);
    await gone(server, "sse");
  });

  it("that sends anything more is told so and closed", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    wire.send(["GET /events HTTP/1.1", "Host: localhost"]);
    await until("the stream begins", () => wire.text.includes(": welcome\n\n"));
    for (let index = 0; index < 50; index++) wire.socket.write("GET / HTTP/1.1\r\n");
    await until("the stream ends", () => wire.ended || wire.closed);
    assert.match(wire.text, /: nothing is read from a stream; closing\n\n\r\n0\r\n\r\n$/);
    wire.socket.destroy();
    await gone(server, "sse");
    await server.publish("default", "to nobody");
  });

  it("that ends its side is taken to have gone", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    wire.send(["GET /events HTTP/1.1", "Host: localhost"]);
    await until("the stream begins", () => wire.text.includes(": welcome\n\n"));
    wire.socket.end();
    await until("the stream ends", () => wire.ended);
    await gone(server, "sse");
  });
});

describe("a WebSocket client", { concurrency: true }, () => {
  it("that never reads is cut with its memory bounded, and others notice nothing", async () => {
    await using server = await startServer({ maxPendingBytes: PENDING });
    using frozen = await server.frames();
    await frozen.next();
    frozen.ws.pause();
    using good = await server.frames();
    await good.next();
    const { count, most } = await publishUntilCut(server, 0);
    assert.ok(most <= PENDING + 2 * BIG.length, `${most} bytes waited for it`);
    for (let index = 0; index < count; index++) assert.equal((await good.next()).type, "message");
    await until("its place is free", async () => (await server.metric('sse_mcp_connections{door="websocket"}')) === 1);
  });

  it("that asks and never takes the answers is cut with its memory bounded", async () => {
    await using server = await startServer({ maxPendingBytes: PENDING });
    using frozen = await server.frames("?channel=");
    await frozen.next();
    frozen.ws.pause();
    let most = 0;
    let sent = 0;
    while ((await server.metric('sse_mcp_connections{door="websocket"}')) > 0) {
      assert.ok(sent < 1_000_000, "a client that takes nothing is never cut");
      for (let index = 0; index < 200; index++) frozen.send({ type: "mcp_call", tool: "x".repeat(200), id: sent++ });
      most = Math.max(most, server.sink(0)?.pending ?? 0);
    }
    assert.ok(most <= 2 * PENDING, `${most} bytes waited for it`);
  });

  it("that floods it with pings and takes no pongs is cut with its memory bounded", async () => {
    await using server = await startServer({ maxPendingBytes: PENDING });
    using frozen = await server.frames("?channel=");
    await frozen.next();
    frozen.ws.pause();
    let most = 0;
    while ((await server.metric('sse_mcp_connections{door="websocket"}')) > 0) {
      for (let index = 0; index < 1000; index++) frozen.ws.ping("x".repeat(125), undefined, () => {});
      most = Math.max(most, server.sink(0)?.pending ?? 0);
    }
    assert.ok(most <= 2 * PENDING, `${most} bytes waited for it`);
  });

  it("that sends a flood of frames has each answered in its order, and others are served meanwhile", async () => {
    await using server = await startServer();
    using flooding = await server.frames("?channel=");
    await flooding.next();
    const count = 5000;
    for (let id = 0; id < count; id++) flooding.send({ type: "publish", channel: "flood", data: id, id });
    using other = await server.events();
    await server.publish("default", "meanwhile");
    assert.equal((await other.next()).data, "meanwhile");
    for (let id = 0; id < count; id++) assert.equal((await flooding.next())["id"], id);
    assert.equal(server.hub.stats.published, count + 1);
  });

  it("[WS-6] that sends a frame over the limit is closed with 1009, one of 10 MiB too", async () => {
    await using server = await startServer();
    for (const size of [1024 * 1024 + 1, 10 * 1024 * 1024]) {
      using reader = await server.frames();
      await reader.next();
      reader.send(`"${"x".repeat(size)}"`);
      assert.equal((await reader.closed).code, 1009);
    }
    await gone(server, "websocket");
    assert.equal(server.hub.size, 0);
  });

  it("that sends a message over the limit of messages is told so, and stays", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    const error = await reader.ask({ type: "publish", channel: "a", data: "x".repeat(1024 * 1024 - 200), id: 1 });
    assert.deepEqual([error.type, error["code"], error["id"]], ["error", "MESSAGE_TOO_LARGE", 1]);
    assert.equal((await reader.ask({ type: "ping", id: 2 })).type, "pong");
    assert.equal(server.hub.stats.published, 0);
  });

  it("that sends binary frames is closed with 4101", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    reader.ws.send(Buffer.from('{"type":"ping"}'));
    assert.deepEqual(await reader.closed, { code: 4101, reason: "frames are text" });
  });

  it("that sends three frames in a row that are no JSON objects is closed with 4100, and not for two and two", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    for (const frame of ["nonsense", "[]"]) assert.equal((await reader.ask(frame))["code"], "INVALID_JSON");
    assert.equal((await reader.ask({ type: "ping" })).type, "pong");
    for (const frame of ["null", "7"]) assert.equal((await reader.ask(frame))["code"], "INVALID_JSON");
    assert.equal((await reader.ask({ type: "no such type" }))["code"], "INVALID_REQUEST");
    for (const frame of ['"x"', "", "{"]) reader.send(frame);
    assert.deepEqual(await reader.closed, { code: 4100, reason: "frames are JSON objects" });
  });

  it("that sends text which is not UTF-8 is closed with 1007", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    reader.ws.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false });
    assert.equal((await reader.closed).code, 1007);
  });
});
