import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

describe("a server that stops", { concurrency: true }, () => {
  it("ends its readers at both doors, and every one of its connections", async () => {
    await using server = await startServer();
    using events = await server.events();
    using frames = await server.frames();
    await frames.next();
    using idle = await server.wire();
    idle.send(["GET /health/live HTTP/1.1", "Host: localhost"]);
    await idle.response();
    await server.close();
    await events.ended;
    assert.deepEqual(await frames.closed, { code: 4002, reason: "shutdown" });
    await until("the idle connection ends", () => idle.ended || idle.closed);
    await assert.rejects(server.request("/health/live"), { code: "ECONNREFUSED" });
  });

  it("ends its readers spread over the drain time, and new ones are refused meanwhile", async () => {
    await using server = await startServer({ drain: 1 });
    const readers = await Promise.all(Array.from({ length: 5 }, () => server.events()));
    let ended = 0;
    const all = Promise.all(readers.map((reader) => reader.ended.then(() => ended++)));
    const closing = server.close();
    await until("the first has ended", () => ended > 0);
    assert.ok(ended < 5, `${ended} ended together`);
    const refused = await server.request("/events");
    assert.deepEqual(
      [refused.status, (refused.json() as { code: string }).code, refused.headers["retry-after"]],
      [503, "SHUTTING_DOWN", "2"],
    );
    const publish = await server.request("/channels/a/messages", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x",
    });
    assert.deepEqual([publish.status, publish.headers["retry-after"]], [503, "2"]);
    await closing;
    await all;
  });

  it("does not wait for peers that keep their connection open, whatever they do not answer", async () => {
    await using server = await startServer();
    using halfOpen = await server.wire();
    halfOpen.send(["GET /events HTTP/1.1", "Host: localhost"]);
    using mute = await server.wire();
    mute.send([
      "GET /ws HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]);
    using frozen = await server.events();
    frozen.freeze();
    using body = await server.wire();
    body.send(["POST /mcp/tools/call HTTP/1.1", "Host: localhost", "Content-Length: 100"], "{");
    await until("all are there", () => server.hub.size === 3);
    await server.close();
    await assert.rejects(server.request("/health/live"), { code: "ECONNREFUSED" });
  });

  it("keeps what was confirmed, and lets go of its file for the next", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    const server = await startServer({ data });
    const receipts = await Promise.all(Array.from({ length: 50 }, (_, n) => server.publish("a", n)));
    await server.close();
    assert.ok(!existsSync(`${folder.file()}-wal`), "the write-ahead log is left behind");
    await using next = await startServer({ data });
    const page = (await next.request("/channels/a/messages")).json() as { messages: { id: string }[] };
    assert.deepEqual(page.messages.map(({ id }) => id).sort(), receipts.map(({ id }) => id).sort());
  });

  it("answers a call that waits with where to go on", async () => {
    using folder = new TemporaryFolder();
    for (const data of ["memory:", `file:${folder.file()}`]) {
      await using server = await startServer({ data });
      const { id } = await server.publish("a", 1);
      const waiting = server.call("wait_for_messages", { channels: ["a"] });
      using frames = await server.frames("?channel=");
      await frames.next();
      frames.send({ type: "mcp_call", tool: "wait_for_messages", arguments: { channels: ["a"] } });
      await until("both wait", () => server.hub.size === 3);
      await server.close();
      const { structuredContent } = await waiting;
      assert.deepEqual(structuredContent, { messages: [], next: id, more: false, gap: null });
    }
  });

  it("[OPS-21] says so on /health at once, and all else goes on for the drain wait", async () => {
    await using server = await startServer({ drainWait: 300 });
    using before = await server.events("?channel=a");
    const skip = new AbortController();
    let drained = false;
    const draining = server.drain(skip.signal).then(() => (drained = true));
    const health = await server.request("/health");
    const { status, checks } = health.json() as { status: string; checks: object };
    assert.deepEqual([health.status, health.headers["retry-after"]], [503, "2"]);
    assert.deepEqual([status, checks], ["unhealthy", { delivery: "ok", accepting: "draining" }]);
    assert.equal((await server.request("/health/live")).status, 200);
    using events = await server.events("?channel=a");
    using frames = await server.frames("?channel=a");
    assert.equal((await frames.next()).type, "welcome");
    const waiting = server.call("wait_for_messages", { channels: ["a"] });
    await until("the call waits", () => server.hub.size === 4);
    const { receivers } = await server.publish("a", "still");
    assert.equal(receivers, 4);
    assert.equal((await before.next()).data, "still");
    assert.equal((await events.next()).data, "still");
    assert.equal((await frames.next()).data, "still");
    assert.equal(((await waiting).structuredContent.messages as unknown[]).length, 1);
    assert.equal(drained, false);
    skip.abort();
    await draining;
    await server.close();
    await Promise.all([before.ended, events.ended]);
    assert.deepEqual(await frames.closed, { code: 4002, reason: "shutdown" });
  });

  it("waits before it ends readers if it is closed, and once however often it is told", async () => {
    await using server = await startServer({ drainWait: 1 });
    using reader = await server.events();
    const start = performance.now();
    await Promise.all([server.close(), server.close(), server.drain()]);
    await reader.ended;
    assert.ok(performance.now() - start >= 990, "it did not wait");
  });

  it("answers what it refuses on a connection that ends, so that the next one leads to another server", async () => {
    await using server = await startServer({ drain: 1 });
    const readers = await Promise.all([1, 2].map(() => server.events()));
    using wire = await server.wire();
    wire.send(["GET /health/live HTTP/1.1", "Host: localhost"]);
    assert.equal((await wire.response()).headers.connection, "keep-alive");
    const closing = server.close();
    const head = ["POST /channels/a/messages HTTP/1.1", "Host: localhost", "Content-Type: text/plain"];
    await until("it ends readers", () => server.hub.size < 2);
    wire.send([...head, "Content-Length: 1"], "x");
    const refused = await wire.response();
    assert.deepEqual([refused.status, refused.headers.connection], [503, "close"]);
    await until("the connection ends", () => wire.ended || wire.closed);
    await closing;
    await Promise.all(readers.map(({ ended }) => ended));
  });

  it("resolves every caller of close when it has stopped, and closes once", async () => {
    await using server = await startServer({ drain: 1 });
    using reader = await server.events();
    using other = await server.events();
    let closed = false;
    const first = server.close().then(() => (closed = true));
    await server.close();
    await assert.rejects(server.request("/health/live"), { code: "ECONNREFUSED" });
    await first;
    assert.ok(closed);
    await Promise.all([reader.ended, other.ended]);
  });

  it("lets go of its log when it could not listen", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer();
    const data = `file:${folder.file()}`;
    await assert.rejects(startServer({ data, port: server.port }), { code: "EADDRINUSE" });
    await using next = await startServer({ data });
    await next.publish("a", 1);
  });

  it("does not start where its log file cannot be written, and says so", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    const logFile = `${folder.file()}/not/a/folder/hub.log`;
    await assert.rejects(
      startServer({ logLevel: "info", logFile }),
      /LOG_FILE is ".+hub\.log", which cannot be written/,
    );
    assert.equal((await server.request("/health/live")).status, 200);
  });
});
