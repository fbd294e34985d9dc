import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Connections } from "../../src/http/limits.ts";
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
    const leave = connections.enter("sse");
    connections.enter("websocket");
    leave();
    leave();
    assert.deepEqual([connections.total, connections.by("sse"), connections.by("websocket")], [1, 0, 1]);
    connections.drain();
    assert.throws(() => connections.enter("sse"), { code: "SHUTTING_DOWN" });
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
