import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { answerOf, listen, mcp, mcpRequest, McpStream, mcpText, type McpAnswer } from "../../support/mcp.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const FINE = [200, undefined];
const LIST = mcpRequest("tools/list");

function said({ status, error }: McpAnswer): (number | undefined)[] {
  return [status, error?.code];
}

/** The head of a POST, with these headers beside those of its request. */
function head(more: Record<string, string | number>, version = "1.1"): string[] {
  const headers = { host: "localhost", ...LIST.headers, ...more };
  return [`POST /mcp HTTP/${version}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`)];
}

/** Sends a body in pieces, without saying how long it will be. */
async function sendChunked(server: TestServer, pieces: readonly string[]): Promise<McpAnswer> {
  const outgoing = httpRequest(`${server.url}/mcp`, { method: "POST", headers: LIST.headers, agent: false });
  for (const piece of pieces) outgoing.write(piece);
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const { statusCode: status = 0, headers } = response;
  return answerOf("tools/list", { status, headers, text: await textOf(response), json: () => null });
}

describe("a body on /mcp", { concurrency: true }, () => {
  it("is read as JSON whatever it is called", async () => {
    await using server = await startServer();
    for (const type of [
      undefined,
      "application/json; charset=utf-8",
      "text/plain",
      "application/x-www-form-urlencoded",
      "nonsense",
      "a/b; =",
      "",
    ]) {
      assert.deepEqual(said(await mcp(server, "tools/list", {}, { headers: { "content-type": type } })), FINE, type);
    }
    for (const accept of [undefined, "application/json", "text/event-stream", "*/*", "image/png"]) {
      assert.deepEqual(said(await mcp(server, "tools/list", {}, { headers: { accept } })), FINE, accept);
    }
  });

  it("may come in pieces, cut anywhere", async () => {
    await using server = await startServer();
    const { body } = mcpRequest("tools/list", {}, { id: "größe 😀" });
    assert.deepEqual(said(await sendChunked(server, Array.from(body))), FINE);
    using wire = await server.wire();
    const bytes = Buffer.from(body);
    wire.socket.write(`${head({ "content-length": bytes.length }).join("\r\n")}\r\n\r\n`);
    for (const byte of bytes) {
      wire.socket.write(Uint8Array.of(byte));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const answer = JSON.parse(Buffer.from((await wire.response()).body, "latin1").toString()) as { id: string };
    assert.equal(answer.id, "größe 😀");
  });

  it("that is too large is refused with 413, and the connection goes on", async () => {
    await using server = await startServer({ maxBodyBytes: 64 * 1024 });
    const large = JSON.stringify({ ...(JSON.parse(LIST.body) as object), more: "x".repeat(64 * 1024) });
    for (const answer of [await mcpText(server, large), await sendChunked(server, large.match(/[^]{1,5000}/g) ?? [])]) {
      assert.deepEqual(said(answer), [413, -32600]);
      assert.equal(answer.id, undefined);
      assert.deepEqual(answer.error?.data, { code: "BODY_TOO_LARGE" });
      assert.match(answer.error?.message ?? "", /65536 bytes/);
    }
    using wire = await server.wire();
    wire.send(head({ "content-length": large.length }), large);
    assert.equal((await wire.response()).status, 413);
    wire.send(head({ "content-length": LIST.body.length }), LIST.body);
    assert.equal((await wire.response()).status, 200);
    const exact = LIST.body.padEnd(64 * 1024, " ");
    assert.deepEqual(said(await mcpText(server, exact)), FINE);
    assert.deepEqual(said(await mcpText(server, `${exact} `)), [413, -32600]);
  });

  it("that is compressed is answered 415 with what is taken", async () => {
    await using server = await startServer();
    const answer = await mcpText(server, gzipSync(LIST.body), { ...LIST.headers, "content-encoding": "gzip" });
    assert.deepEqual(said(answer), [415, -32600]);
  });

  it("that never comes, or breaks off, is nobody's fault: nothing is logged, and nothing left", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("hub.log");
    await using server = await startServer({ logLevel: "info", logFile });
    for (const leave of ["reset", "end"] as const) {
      const wires = await Promise.all(Array.from({ length: 5 }, () => server.wire()));
      for (const wire of wires) wire.send(head({ "content-length": 1000 }), LIST.body);
      // The server has begun to read when it answers what came after.
      assert.deepEqual(said(await mcp(server, "tools/list")), FINE);
      for (const { socket } of wires) {
        if (leave === "reset") socket.resetAndDestroy();
        else socket.end();
      }
      await until("all are closed", () => wires.every(({ ended, closed }) => ended || closed));
      for (const wire of wires) wire[Symbol.dispose]();
    }
    assert.deepEqual(said(await mcp(server, "tools/list")), FINE);
    const lines = readFileSync(logFile, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.includes("Server listening"));
    assert.deepEqual(lines, []);
  });

  it("may be announced before it is sent", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    wire.send(head({ "content-length": LIST.body.length, expect: "100-continue" }));
    assert.equal((await wire.response()).status, 100);
    wire.socket.write(LIST.body);
    assert.equal((await wire.response()).status, 200);
  });
});

describe("/mcp over HTTP/1.0", { concurrency: true }, () => {
  it("is answered, streams too, and ends with the connection", async () => {
    await using server = await startServer();
    for (const [method, params, sign] of [
      ["tools/list", {}, "get_server_info"],
      ["subscriptions/listen", { notifications: {} }, "acknowledged"],
    ] as const) {
      const { headers, body } = mcpRequest(method, params);
      using wire = await server.wire();
      const lines = Object.entries({ host: "localhost", ...headers, "content-length": body.length });
      wire.send(["POST /mcp HTTP/1.0", ...lines.map(([name, value]) => `${name}: ${String(value)}`)], body);
      await until("it is answered", () => wire.text.includes(sign));
      assert.ok(!/^transfer-encoding/im.test(wire.text));
    }
  });
});

describe("headers of the eras before on /mcp", { concurrency: true }, () => {
  it("mean nothing to a request of this one: there is no session, and a stream is not resumed", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    const headers = { "mcp-session-id": "nobody's", "last-event-id": "1" };
    const answer = await mcp(server, "tools/list", {}, { headers });
    assert.deepEqual(said(answer), FINE);
    assert.equal(answer.headers["mcp-session-id"], undefined);
    using listener = await listen(server, { resourceSubscriptions: ["hub://channels/a"] }, { headers });
    assert.equal(listener.stream.reader.headers["mcp-session-id"], undefined);
    await server.publish("a", 2);
    await listener.stream.next();
    assert.deepEqual([listener.stream.waiting, listener.stream.reader.ids], [[], []]);
  });
});

describe("methods of HTTP on /mcp", { concurrency: true }, () => {
  it("that the modern era does not have are refused with 405, and say what to do", async () => {
    await using server = await startServer();
    for (const method of ["GET", "DELETE", "PUT", "PATCH"]) {
      const { headers } = LIST;
      const answer = await server.request("/mcp", {
        method,
        headers,
        ...(method === "PUT" || method === "PATCH" ? { body: LIST.body } : {}),
      });
      assert.equal(answer.status, 405, method);
      assert.match(String(answer.headers["allow"]), /POST/);
    }
    assert.equal((await server.request("/mcp", { method: "HEAD" })).status, 405);
  });

  it("let a page of an allowed origin ask first, and read what it is answered", async () => {
    await using server = await startServer({ allowedOrigins: ["https://app.example"] });
    const origin = "https://app.example";
    const preflight = await server.request("/mcp", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,mcp-protocol-version,mcp-method,mcp-name,mcp-param-region",
      },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers["access-control-allow-origin"], origin);
    for (const name of ["content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region"]) {
      assert.ok(String(preflight.headers["access-control-allow-headers"]).toLowerCase().includes(name), name);
    }
    const headers = { origin };
    using listener = await listen(server, {}, { headers });
    const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 20 } };
    using call = await McpStream.open(server, "tools/call", wait, { headers, meta: { progressToken: 1 } });
    for (const given of [
      listener.stream.reader.headers,
      call.reader.headers,
      (await mcp(server, "tools/list", {}, { headers })).headers,
    ]) {
      assert.equal(given["access-control-allow-origin"], origin);
      assert.equal(given["x-content-type-options"], "nosniff");
    }
  });
});

describe("who may call /mcp", { concurrency: true }, () => {
  it("is said before anything is read: what is refused does nothing", async () => {
    await using server = await startServer();
    const send = { name: "send_sse_message", arguments: { message: "x" } };
    for (const headers of [{ origin: "https://evil.example" }, { host: "evil.example" }]) {
      for (const [method, params] of [
        ["tools/call", send],
        ["subscriptions/listen", { notifications: {} }],
      ] as const) {
        const answer = await mcp(server, method, params, { headers });
        assert.deepEqual([...said(answer), answer.id], [403, 403, undefined]);
      }
    }
    const { body, headers } = mcpRequest("tools/call", send, { id: undefined });
    const notification = await mcpText(server, body, { ...headers, origin: "https://evil.example" });
    assert.deepEqual(said(notification), [403, 403]);
    assert.deepEqual([server.hub.stats.published, server.hub.size], [0, 0]);
  });
});
