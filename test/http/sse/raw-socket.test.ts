import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draftOf } from "../../support/sample.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import type { Wire } from "../../support/wire.ts";

const EVENT_SOURCE = { accept: "text/event-stream" };

/** Sends a GET and leaves its connection open. */
async function get(
  server: TestServer,
  lines: readonly string[] = [],
  version = "1.1",
  path = "/events",
): Promise<Wire> {
  const wire = await server.wire();
  wire.send([`GET ${path} HTTP/${version}`, "Host: localhost", ...lines]);
  return wire;
}

/** The chunks of a body, without their heads. */
function chunksOf(wire: Wire): string[] {
  const chunks: string[] = [];
  for (let rest = wire.text.slice(wire.text.indexOf("\r\n\r\n") + 4); rest !== "";) {
    const head = rest.indexOf("\r\n");
    const end = head + 2 + Number.parseInt(rest.slice(0, head), 16);
    assert.equal(rest.slice(end, end + 2), "\r\n", "a chunk ends where it says");
    chunks.push(rest.slice(head + 2, end));
    rest = rest.slice(end + 2);
  }
  return chunks;
}

describe("a stream of events", { concurrency: true }, () => {
  it("[SSE-20] comes in chunks: one for what a turn publishes, whatever it holds, and the last one when it ends", async () => {
    await using server = await startServer();
    using wire = await get(server);
    await until("the stream begins", () => wire.text.includes(": welcome\n\n"));
    assert.match(wire.text, /\r\ntransfer-encoding: chunked\r\n/);
    const all = ["1", "\u20ac\ud83d\ude00", "0\r\n\r\n", "x".repeat(60_000)];
    await Promise.all(all.map((data) => server.hub.publish(draftOf("default", data))));
    await until("all is there", () => wire.text.includes(`data: ${"x".repeat(60_000)}\n\n\r\n`));
    const [opening, ...rest] = chunksOf(wire);
    assert.match(opening ?? "", /^retry: \d+\nid: .+\n: welcome\n\n$/);
    assert.equal(rest.length, 1);
    const text = Buffer.from(rest.join(""), "latin1").toString();
    assert.deepEqual(
      [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data),
      ["1", "\u20ac\ud83d\ude00", "0", "", "", "x".repeat(60_000)],
    );
    await server.close();
    await until("the stream ends", () => wire.ended);
    assert.match(wire.text, /\r\n0\r\n\r\n$/);
  });

  it("is without chunks for HTTP/1.0, which does not know them, and ends with the connection", async () => {
    await using server = await startServer();
    using wire = await get(server, [], "1.0");
    await until("the stream begins", () => wire.text.includes(": welcome\n\n"));
    await Promise.all([server.publish("default", 1), server.publish("default", 2)]);
    await until("both are there", () => wire.text.includes("data: 1\n\n") && wire.text.includes("data: 2\n\n"));
    await server.close();
    await until("the stream ends", () => wire.ended);
    assert.doesNotMatch(wire.text, /transfer-encoding/);
    assert.match(wire.text.slice(wire.text.indexOf("\r\n\r\n") + 4), /^retry: [^\r]+$/);
  });

  it("that is replayed and has a gap comes whole in its chunks", async () => {
    await using server = await startServer();
    await Promise.all(Array.from({ length: 600 }, (_, n) => server.hub.publish(draftOf("default", String(n)))));
    await server.publish("default", "last");
    using reader = await server.events("?last_event_id=earliest");
    assert.deepEqual(await reader.data(601), [...Array.from({ length: 600 }, (_, n) => String(n)), "last"]);
    assert.equal((await reader.next()).event, "live");
    using lost = await server.events("?last_event_id=nonsense");
    assert.equal((await lost.next()).event, "gap");
  });
});

describe("the body of a request for a stream", { concurrency: true }, () => {
  const HI = "2\r\nhi\r\n";

  it("[SSE-22] is read to its end and dropped, whether it is empty, chunked or late", async () => {
    await using server = await startServer({ legacySse: true });
    const chunked = "Transfer-Encoding: chunked";
    const bodies: readonly (readonly [readonly string[], readonly string[]])[] = [
      [[chunked], ["0\r\n\r\n"]],
      [[chunked], [HI, "0\r\nTrailer: x\r\n", "\r\n"]],
      [["Content-Length: 0"], []],
      [["Content-Length: 2"], ["{", "}"]],
      [["Content-Length: 65536"], ["x".repeat(65_000), "x".repeat(536)]],
      [[], ["\r\n"]],
    ];
    for (const path of ["/events", "/sse"]) {
      for (const [lines, parts] of bodies) {
        using wire = await get(server, lines, "1.1", path);
        const begun = path === "/sse" ? "event: endpoint" : ": welcome";
        await until("the stream begins", () => wire.text.includes(begun));
        for (const part of parts) {
          await new Promise((resolve) => wire.socket.write(part, resolve));
          // By then the server has read what came before on another connection.
          await server.request("/health/live");
        }
        if (path === "/events") {
          await server.publish("default", "after");
          await until("the message", () => wire.text.includes("data: after\n\n"));
        }
        assert.deepEqual([wire.ended, wire.closed, wire.text.match(/HTTP/g)?.length], [false, false, 1], lines.join());
        wire.socket.write("GET / HTTP/1.1\r\n");
        await until("what comes after it ends the stream", () => wire.ended || wire.closed);
        assert.match(wire.text, /: nothing is read from a stream; closing\n\n\r\n0\r\n\r\n$/);
      }
    }
    await until("all have left", async () => (await server.metric('sse_mcp_connections{door="sse"}')) === 0);
  });

  it("ends the stream with a word where it is too long, broken, or never ends", async () => {
    await using server = await startServer({ requestTimeout: 1 });
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ["Content-Length: 100000", "x".repeat(70_000), /: the body of this request is longer than 65536 bytes; closing/],
      ["Transfer-Encoding: chunked", "nonsense\r\n", /: The request cannot be read as HTTP/],
      ["Content-Length: 10", "x", /: The request took too long to arrive/],
    ];
    for (const [line, body, sentence] of wrong) {
      using wire = await get(server, [line]);
      await until("the stream begins", () => wire.text.includes(": welcome\n\n"));
      wire.socket.write(body);
      await until("the stream ends", () => wire.ended || wire.closed);
      assert.match(wire.text, sentence);
      assert.equal(wire.text.match(/HTTP\/1\.1/g)?.length, 1);
      assert.match(wire.text, /\n\n\r\n0\r\n\r\n$/);
    }
  });
});

describe("a refusal that will pass", { concurrency: true }, () => {
  it("[SSE-11] is a stream of nothing but retry and a reason for an EventSource, and 503 for everyone else", async () => {
    await using server = await startServer({ maxConnections: 1, legacySse: true });
    using reader = await server.events();
    for (const path of ["/events", "/sse"]) {
      for (const accept of ["text/event-stream", " Text/Event-Stream;charset=utf-8"]) {
        const told = await server.request(path, { headers: { accept } });
        assert.deepEqual([told.status, told.headers["content-type"]], [200, "text/event-stream; charset=utf-8"]);
        assert.match(
          told.text,
          /^retry: (?:[23]\d{3}|4000)\n: 1 readers are connected, the limit that MAX_CONNECTIONS sets; come back later\n$/,
        );
      }
      for (const accept of [undefined, "*/*", "application/json", "text/event-stream, application/problem+json"]) {
        const refused = await server.request(path, { headers: accept === undefined ? {} : { accept } });
        assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"], accept);
      }
    }
    assert.equal((await server.request("/events?channel=a..b", { headers: EVENT_SOURCE })).status, 400);
    reader.close();
    await until("there is room", async () => {
      using next = await server.events();
      return next.headers["transfer-encoding"] === "chunked";
    });
  });

  it("is told so to an EventSource for as long as a stopping server answers", async () => {
    await using server = await startServer({ drain: 1 });
    using first = await server.events();
    using second = await server.events();
    const closing = server.close();
    await first.ended;
    const told = await server.request("/events", { headers: EVENT_SOURCE });
    assert.equal(told.status, 200);
    assert.match(told.text, /^retry: \d{4}\n: The server is stopping; come back in a few seconds\n$/);
    assert.equal((await server.request("/events")).status, 503);
    await closing;
    await second.ended;
  });
});
