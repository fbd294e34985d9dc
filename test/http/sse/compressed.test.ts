import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { EventReader } from "../../support/event-reader.ts";
import { draftOf } from "../../support/sample.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const GZIP = { headers: { "accept-encoding": "gzip" } };
const NAMED = ["content-encoding", "vary", "content-type", "cache-control"];

/** What a stream said, but for what is random in it and for heartbeats. */
function said({ text }: EventReader): string {
  return text.replace(/^retry: \d+$/m, "retry").replaceAll(": heartbeat\n", "");
}

/** Publishes numbers one after the other; each in a turn of its own. */
async function count(server: TestServer, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await server.hub.publish(draftOf("a", { n, text: "a text of some length" }));
}

function numbers(data: readonly string[]): number[] {
  return data.map((json) => (JSON.parse(json) as { n: number }).n);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n);
}

describe("a compressed stream of events", { concurrency: true }, () => {
  it("[SSE-50] is sent to readers that accept gzip, if COMPRESS_STREAMS is set; HEAD has the same headers", async () => {
    for (const compressStreams of [true, false]) {
      await using server = await startServer({ compressStreams });
      for (const accepted of ["gzip, deflate, br, zstd", "identity", "gzip;q=0.5, identity", ""]) {
        const headers = { "accept-encoding": accepted };
        using reader = await server.events("?channel=a", { headers });
        const isGzip = compressStreams && accepted.startsWith("gzip, ");
        assert.equal(reader.headers["content-encoding"], isGzip ? "gzip" : undefined, accepted);
        assert.equal(reader.headers.vary, compressStreams ? "Origin, accept-encoding" : "Origin");
        const head = await server.request("/events", { method: "HEAD", headers });
        for (const name of NAMED) assert.equal(head.headers[name], reader.headers[name], name);
        await until("it begins", () => reader.retry !== undefined);
        await server.publish("a", "1");
        assert.equal((await reader.next()).data, "1");
      }
    }
  });

  it("[SSE-50] is not used for refusals, nor for streams of MCP", async () => {
    await using server = await startServer({ compressStreams: true, maxConnections: 1, legacySse: true });
    const mcp = await server.events("/../sse", GZIP);
    assert.equal(mcp.headers["content-encoding"], undefined);
    assert.equal((await mcp.next()).event, "endpoint");
    using refused = await server.events("", GZIP);
    assert.deepEqual([refused.status, refused.headers["content-encoding"]], [200, undefined]);
    await until("it says why", () => refused.comments.length > 0);
    mcp.close();
    const bad = await server.request("/events?channel=a.*.b", GZIP);
    assert.deepEqual([bad.status, bad.headers["content-encoding"], bad.headers.vary], [400, undefined, "Origin"]);
    assert.match(bad.text, /INVALID_PATTERN/);
  });

  it("[SSE-51] carries what any other stream carries: messages, replay, signals, heartbeats and the end", async () => {
    await using server = await startServer({ compressStreams: true, heartbeat: 1, retentionMessages: 1000 });
    await count(server, 0, 500);
    const { id } = await server.publish("a", { n: 500 });
    for (const query of ["?channel=a&format=json&last_event_id=earliest", "?channel=a,b&last_event_id=nonsense"]) {
      using plain = await server.events(query);
      using compressed = await server.events(query, GZIP);
      assert.equal(compressed.headers["content-encoding"], "gzip");
      for (const reader of [plain, compressed])
        await until("it is live", () => reader.text.includes("\n: heartbeat\n"));
      await server.publish("b", "\u20ac\ud83d\ude00 \r\n line");
      await server.publish("a", randomBytes(30_000).toString("base64"));
      await Promise.all([1, 2, 3].map((n) => server.hub.publish(draftOf("a", n, { event: "e" }))));
      await server.publish("a", "the last");
      for (const reader of [plain, compressed]) await until("it has all", () => /data: .*the last/.test(reader.text));
      assert.ok(said(compressed) === said(plain), `${said(compressed).slice(-500)}\n---\n${said(plain).slice(-500)}`);
      assert.ok(compressed.ids.includes(id) || query.includes("nonsense"));
    }
    using last = await server.events("?channel=a", GZIP);
    await until("it begins", () => last.retry !== undefined);
    await server.close();
    await last.ended;
    assert.equal(last.broken, undefined);
  });

  it("[SSE-51] has one block for all that a turn brings, the same bytes for all of its readers", async () => {
    await using server = await startServer({ compressStreams: true });
    const wires = await Promise.all([1, 2, 3].map(() => server.wire()));
    const open = (query: string): readonly string[] => [
      `GET /events${query} HTTP/1.1`,
      "Host: localhost",
      "Accept-Encoding: gzip",
    ];
    for (const wire of wires) wire.send(open("?channel=a&format=json"));
    await until("all read", () => server.hub.size === wires.length && wires.every(({ text }) => text.endsWith("\r\n")));
    const before = wires.map(({ text }) => text.length);
    await Promise.all(range(0, 64).map((n) => server.hub.publish(draftOf("a", { n, text: "a text of some length" }))));
    await until("all have it", () => wires.every(({ text }, n) => text.length > (before[n] as number)));
    const chunks = wires.map(({ text }, n) => text.slice(before[n]));
    assert.equal(new Set(chunks).size, 1);
    const [chunk = ""] = chunks;
    const length = Number.parseInt(chunk, 16);
    assert.equal(chunk.length, chunk.indexOf("\r\n") + 2 + length + 2, "one chunk");
    assert.ok(length < 1800, `64 messages of 190 bytes in ${length}`);
    for (const wire of wires) wire.socket.destroy();
  });

  it("[SSE-51] is without chunks for HTTP/1.0, and tells a client that sends something why it ends", async () => {
    await using server = await startServer({ compressStreams: true });
    using wire = await server.wire();
    wire.send(["GET /events HTTP/1.0", "Host: localhost", "Accept-Encoding: gzip"]);
    await until("it begins", () => wire.text.includes(": welcome\n\n"));
    assert.match(wire.text, /content-encoding: gzip\r\n/);
    assert.doesNotMatch(wire.text, /transfer-encoding/);
    const body = wire.text.slice(wire.text.indexOf("\r\n\r\n") + 4);
    assert.ok(body.startsWith("\u001f\u008b\u0008"), "a header, and what is short in a stored block");
    wire.socket.write("something");
    await until("it ends", () => wire.ended);
    assert.match(wire.text, /: nothing is read from a stream; closing\n\n$/);
  });

  it("loses nothing over a restart, a cut, and a slow link that splits everything", async () => {
    using folder = new TemporaryFolder();
    const settings = { compressStreams: true, data: `file:${folder.file()}` };
    let server = await startServer(settings);
    const { port } = server;
    await using link = await TcpProxy.open(port);
    const url = `http://127.0.0.1:${link.port}/events?channel=a`;
    try {
      const got: number[] = [];
      let lastEventId = "earliest";
      const follow = async (end: number): Promise<EventReader> => {
        const reader = await EventReader.open(url, { ...GZIP, lastEventId });
        assert.equal(reader.headers["content-encoding"], "gzip");
        while (got.at(-1) !== end - 1) {
          const { event, data, id } = await reader.next();
          if (event === "message") got.push(...numbers([data]));
          lastEventId = id ?? lastEventId;
        }
        return reader;
      };
      await count(server, 0, 700);
      link.treat({ piece: 3, delay: 5 });
      const first = await follow(700);
      await count(server, 700, 720);
      link.cut();
      await first.ended;
      const second = await follow(720);
      await count(server, 720, 730);
      await server.close();
      await second.ended;
      server = await startServer({ ...settings, port });
      link.treat();
      await count(server, 730, 760);
      using third = await follow(760);
      assert.deepEqual([got, third.broken], [range(0, 760), undefined]);
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });

  it("[SSE-52] is cut by compressed bytes: text that compresses well reaches the limit later", async () => {
    await using server = await startServer({ compressStreams: true });
    using plain = await server.events("?channel=a");
    using compressed = await server.events("?channel=a", GZIP);
    const { stats } = server.hub;
    for (const reader of [plain, compressed]) {
      await until("it begins", () => reader.retry !== undefined);
      reader.freeze();
    }
    let published = 0;
    const cut = async (which: number, data: () => string): Promise<void> => {
      for (; stats.slow < which; published++) {
        assert.ok(published < 2000, `${stats.slow} were cut`);
        await server.hub.publish(draftOf("a", data()));
      }
    };
    // Beside what may be pending, the sockets take some megabytes that no one reads.
    await cut(1, () => "x".repeat(60_000));
    assert.equal(server.hub.size, 1);
    compressed.thaw();
    const all = await compressed.data(published);
    assert.ok(all.every((text) => text.length === 60_000));
    assert.ok(compressed.received < 2000 * published);
    compressed.freeze();
    await cut(2, () => randomBytes(45_000).toString("base64"));
    assert.equal(server.hub.size, 0);
  });
});
