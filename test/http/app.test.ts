import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const SECURITY = [
  "content-security-policy",
  "cross-origin-resource-policy",
  "referrer-policy",
  "x-content-type-options",
  "x-frame-options",
];

function missing(headers: Readonly<Record<string, unknown>>): string[] {
  return SECURITY.filter((name) => headers[name] === undefined);
}

describe("every response", () => {
  it("[HTTP-5] has security headers: pages, data, streams, errors and refusals alike", async () => {
    await using server = await startServer({ maxConnections: 2 });
    const requests: readonly (readonly [string, string, Record<string, string>, number])[] = [
      ["GET", "/", {}, 200],
      ["GET", "/assets/shared.css", {}, 200],
      ["GET", "/docs", {}, 200],
      ["GET", "/openapi.json", {}, 200],
      ["GET", "/metrics", {}, 200],
      ["GET", "/channels", {}, 200],
      ["HEAD", "/events", {}, 200],
      ["GET", "/nowhere", {}, 404],
      ["GET", "/%zz", {}, 400],
      ["GET", "/events?channel=a.*.b", {}, 400],
      ["GET", "/ws", {}, 426],
      ["POST", "/channels/a/messages", { "content-type": "application/json" }, 400],
      ["POST", "/mcp/tools/call", {}, 400],
      ["GET", "/health", { host: "evil.example" }, 200],
      ["GET", "/metrics", { host: "evil.example" }, 403],
      ["GET", "/%zz", { host: "evil.example" }, 403],
      ["GET", "/health", { origin: "http://evil.example" }, 403],
      ["OPTIONS", "/channels", { origin: "http://localhost:1", "access-control-request-method": "GET" }, 204],
    ];
    for (const [method, path, headers, status] of requests) {
      const answer = await server.request(path, { method, headers });
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
      assert.deepEqual(missing(answer.headers), [], `${method} ${path}`);
      assert.equal(answer.headers["x-powered-by"], undefined);
    }
    using first = await server.events();
    using second = await server.events();
    assert.deepEqual([missing(first.headers), missing(second.headers)], [[], []]);
    const refused = await server.request("/events");
    assert.deepEqual([refused.status, missing(refused.headers)], [503, []]);
    await assert.rejects(
      server.frames(),
      (error) => error instanceof RefusedUpgrade && missing(error.headers).length === 0,
    );
    using wire = await server.wire();
    wire.socket.write("nonsense\r\n\r\n");
    const { status, headers } = await wire.response();
    assert.deepEqual([status, missing(headers)], [400, []]);
  });

  it("[HTTP-3] is a problem with a stable code where something is wrong, and tells nothing of the inside", async () => {
    await using server = await startServer();
    const bad: readonly (readonly [string, string, string, Record<string, string>, number, string])[] = [
      ["GET", "/nowhere", "", {}, 404, "NOT_FOUND"],
      ["PUT", "/channels/a/messages", "", {}, 405, "METHOD_NOT_ALLOWED"],
      ["GET", "/%zz", "", {}, 400, "INVALID_REQUEST"],
      ["GET", "/channels/%ff/messages", "", {}, 400, "INVALID_REQUEST"],
      ["GET", "/assets/%2e%2e/package.json", "", {}, 404, "NOT_FOUND"],
      ["GET", "/assets/..%2f..%2fpackage.json", "", {}, 404, "NOT_FOUND"],
      ["GET", "/assets/shared.css%00", "", {}, 400, "INVALID_REQUEST"],
      ["GET", "/channels?limit=0", "", {}, 400, "INVALID_INPUT"],
      ["POST", "/channels/a/messages", "{", { "content-type": "application/json" }, 400, "INVALID_JSON"],
    ];
    for (const [method, path, body, headers, status, code] of bad) {
      const answer = await server.request(path, { method, headers, body });
      assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/, `${method} ${path}`);
      const problem = answer.json() as { type: string; title: string; status: number; detail: string; code: string };
      assert.deepEqual(
        [answer.status, problem.status, problem.code, problem.type],
        [status, status, code, "about:blank"],
        `${method} ${path}`,
      );
      assert.notEqual(problem.title, "Error");
      assert.doesNotMatch(answer.text, /node_modules|file:\/\/|\/src\/|at .*\(|FST_|stack/);
    }
  });

  it("comes to HEAD without its body, for every GET, and a stream is not opened", async () => {
    await using server = await startServer();
    for (const path of [
      "/",
      "/health",
      "/health/ready",
      "/health/live",
      "/metrics",
      "/channels",
      "/channels/a/messages",
      "/openapi.json",
      "/docs",
      "/assets/start.css",
      "/events",
      "/ws",
    ]) {
      const get = path === "/events" ? undefined : await server.request(path);
      const head = await server.request(path, { method: "HEAD" });
      assert.equal(head.status, get?.status ?? 200, path);
      assert.equal(head.text, "");
      assert.equal(
        head.headers["content-type"],
        get?.headers["content-type"] ?? "text/event-stream; charset=utf-8",
        path,
      );
    }
    assert.equal(server.hub.size, 0);
    assert.equal(await server.metric('sse_mcp_connections{door="sse"}'), 0);
  });
});

const NEEDED = [
  "authorization",
  "content-type",
  "last-event-id",
  "mcp-protocol-version",
  "mcp-session-id",
  "idempotency-key",
];

describe("CORS", () => {
  it("is granted to allowed origins only, with what the protocols need", async () => {
    await using server = await startServer({ allowedOrigins: ["https://app.example"] });
    const headers = {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": NEEDED.join(),
    };
    for (const path of ["/mcp/tools/call", "/channels/a/messages", "/events", "/nowhere"]) {
      const { status, headers: answered } = await server.request(path, { method: "OPTIONS", headers });
      assert.deepEqual([status, answered["access-control-allow-origin"]], [204, "https://app.example"]);
      assert.match(String(answered["access-control-allow-methods"]), /GET.*POST.*DELETE/);
      const allowed = String(answered["access-control-allow-headers"]).toLowerCase();
      for (const name of NEEDED) {
        assert.ok(allowed.includes(name), name);
      }
    }
    const get = await server.request("/channels", { headers: { origin: "https://app.example" } });
    assert.match(String(get.headers["access-control-expose-headers"]), /Mcp-Session-Id/);
    assert.match(String(get.headers["vary"]), /Origin/);
    using stream = await server.events("", { headers: { origin: "https://app.example" } });
    assert.equal(stream.headers["access-control-allow-origin"], "https://app.example");
    assert.match(String(stream.headers["vary"]), /Origin/);
    const none = await server.request("/channels");
    assert.match(String(none.headers["vary"]), /Origin/);
    assert.equal(none.headers["access-control-allow-origin"], undefined);
    assert.equal(none.headers["access-control-allow-credentials"], undefined);
  });
});

it("[HTTP-24] a page of an allowed origin may send headers of its own, and one of another may not", async () => {
  await using server = await startServer({ allowedOrigins: ["https://app.example"] });
  const own = "X-Requested-With, traceparent,content-type,idempotency-key,x-b3.id";
  for (const [origin, allowed] of [
    ["https://app.example", true],
    ["https://other.example", false],
  ] as const) {
    for (const path of ["/mcp/tools/call", "/channels/a/messages", "/events", "/mcp"]) {
      const headers = {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": own,
      };
      const answer = await server.request(path, { method: "OPTIONS", headers });
      const names = String(answer.headers["access-control-allow-headers"])
        .toLowerCase()
        .split(/\s*,\s*/);
      const granted = own
        .toLowerCase()
        .split(/\s*,\s*/)
        .every((name) => names.includes(name));
      assert.deepEqual([answer.status, granted], [allowed ? 204 : 403, allowed], `${path} from ${origin}`);
    }
  }
});

describe("an HTTP/1.1 client with habits of its own", () => {
  it("that offers HTTP/2 with every request is answered in HTTP/1.1", async () => {
    await using server = await startServer();
    const offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"];
    using wire = await server.wire();
    wire.send(["GET /health/live HTTP/1.1", "Host: localhost", ...offer]);
    assert.equal((await wire.response()).status, 200);
    using stream = await server.wire();
    stream.send(["GET /events HTTP/1.1", "Host: localhost", ...offer]);
    await until("the stream begins", () => stream.text.includes("retry: "));
  });

  it("that waits for 100 Continue gets it", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const body = '"patient"';
    wire.send([
      "POST /channels/a/messages HTTP/1.1",
      "Host: localhost",
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
      "Expect: 100-continue",
    ]);
    assert.equal((await wire.response()).status, 100);
    wire.socket.write(body);
    assert.equal((await wire.response()).status, 201);
    using reader = await server.wire();
    reader.send(["GET /events HTTP/1.1", "Host: localhost", "Expect: 100-continue"]);
    await until("the stream begins", () => reader.text.includes("retry: "));
    assert.equal(reader.text.match(/HTTP\/1\.1 200/g)?.length, 1);
  });

  it("that speaks HTTP/1.0 reads streams and answers", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    wire.send(["GET /health/live HTTP/1.0", "Host: localhost"]);
    assert.equal((await wire.response()).status, 200);
    await until("the connection ends", () => wire.ended);
    using stream = await server.wire();
    stream.send(["GET /events HTTP/1.0", "Host: localhost"]);
    await until("the stream begins", () => stream.text.includes("retry: "));
    await server.publish("default", "for an old client");
    await until("the message", () => stream.text.includes("data: for an old client\n\n"));
  });

  it("that sends one header twice does no harm", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    wire.send([
      "GET /health/live HTTP/1.1",
      "Host: localhost",
      "Host: evil.example",
      "Origin: http://localhost:1",
      "Origin: http://evil.example",
    ]);
    assert.equal((await wire.response()).status, 403);
    using other = await server.wire();
    other.send(
      ["POST /channels/a/messages HTTP/1.1", "Host: localhost", "Content-Length: 2", "Content-Length: 3"],
      '""x',
    );
    assert.equal((await other.response()).status, 400);
  });
});

describe("a peer that does not do its part", { concurrency: true }, () => {
  it("whose request takes too long to arrive is answered with 408, whether its head or its body is late, and its connection is closed", async () => {
    await using server = await startServer({ requestTimeout: 1 });
    using head = await server.wire();
    head.socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    using body = await server.wire();
    body.send(["POST /mcp/tools/call HTTP/1.1", "Host: localhost", "Content-Length: 100"], '{"params":');
    using stream = await server.wire();
    stream.send(["GET /events HTTP/1.1", "Host: localhost"]);
    for (const wire of [head, body]) {
      const { status, body: text } = await wire.response();
      assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [408, "REQUEST_TIMEOUT"]);
      await until("the connection ends", () => wire.closed || wire.ended);
    }
    await server.publish("default", "streams are not late");
    await until("the message", () => stream.text.includes("streams are not late"));
  });

  it("is let go of after a refusal, whatever it keeps open", async () => {
    await using server = await startServer();
    using garbage = await server.wire();
    garbage.socket.write("nonsense\r\n\r\n");
    using upgrade = await server.wire();
    upgrade.send(["GET /elsewhere HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]);
    using handshake = await server.wire();
    handshake.send([
      "GET /ws HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
    ]);
    using talker = await server.wire();
    talker.send(["GET /events HTTP/1.1", "Host: localhost"]);
    await until("the stream begins", () => talker.text.includes("retry: "));
    talker.socket.write("more");
    const statuses = [await garbage.response(), await upgrade.response(), await handshake.response()].map(
      ({ status }) => status,
    );
    assert.deepEqual(statuses, [400, 404, 400]);
    await until("the server closes all four", () => [garbage, upgrade, handshake, talker].every(({ ended }) => ended));
    for (const door of ["sse", "websocket"]) {
      await until(
        "all are counted out",
        async () => (await server.metric(`sse_mcp_connections{door="${door}"}`)) === 0,
      );
    }
  });
});
