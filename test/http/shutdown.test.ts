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
