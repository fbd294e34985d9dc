import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface Health {
  readonly status: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly checks: { readonly delivery: string; readonly accepting: string };
}

describe("GET /health", { concurrency: true }, () => {
  it("[OPS-1] is healthy once a message has gone through the log and come back, without leaving one there", async () => {
    using folder = new TemporaryFolder();
    for (const data of ["memory:", `file:${folder.file()}`]) {
      await using server = await startServer({ data });
      const answer = await server.request("/health");
      const { status, version, uptimeSeconds, checks } = answer.json() as Health;
      assert.deepEqual([answer.status, status, checks], [200, "healthy", { delivery: "ok", accepting: "ok" }]);
      assert.match(version, /^\d+\.\d+\.\d+/);
      assert.ok(Number.isInteger(uptimeSeconds));
      assert.equal(answer.headers["cache-control"], "no-store");
      assert.deepEqual([server.hub.log.size().messages, server.hub.stats.published], [0, 0]);
    }
  });

  it("[PUB-5] says 503 and why while the log cannot keep messages, and recovers with it", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    const { id } = await server.publish("default", "before");
    using reader = await server.events();
    using other = new DatabaseSync(folder.file());
    other.exec("BEGIN IMMEDIATE");
    const failing = server.request("/channels/default/messages", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x",
    });
    const call = server.request("/mcp/tools/call", {
      method: "POST",
      body: '{"params":{"name":"send_sse_message","arguments":{"message":"x"}}}',
    });
    await until("it is unhealthy", async () => (await server.request("/health")).status === 503);
    const answer = await server.request("/health");
    const { status, checks } = answer.json() as Health;
    assert.deepEqual([status, checks.accepting, answer.headers["retry-after"]], ["unhealthy", "ok", "2"]);
    assert.match(checks.delivery, /locked/);
    assert.doesNotMatch(answer.text, /hub\.db|hub-test|SQLITE/);
    const refused = await failing;
    assert.deepEqual(
      [refused.status, (refused.json() as { code: string }).code, refused.headers["retry-after"]],
      [503, "LOG_UNAVAILABLE", "2"],
    );
    const refusedCall = await call;
    assert.deepEqual([refusedCall.status, refusedCall.headers["retry-after"]], [503, "2"]);
    assert.equal((refusedCall.json() as { error: { code: number } }).error.code, 503);
    assert.equal((await server.request("/health/live")).status, 200);
    assert.equal((await server.request("/channels/default/messages")).status, 200);
    other.exec("ROLLBACK");
    await until("it is healthy again", async () => (await server.request("/health")).status === 200);
    const { id: next } = await server.publish("default", "after");
    assert.notEqual(next, id);
    assert.equal((await reader.next()).data, "after");
  });

  it("says 503 while the server drains its readers, and /health/live goes on", async () => {
    await using server = await startServer({ drain: 1 });
    const readers = await Promise.all([1, 2, 3, 4].map(() => server.events()));
    const closing = server.close();
    for (const path of ["/health", "/health/ready"]) {
      const answer = await server.request(path);
      assert.deepEqual([answer.status, (answer.json() as Health).checks.accepting], [503, "draining"]);
    }
    assert.equal((await server.request("/health/live")).status, 200);
    await Promise.all(readers.map(({ ended }) => ended));
    await closing;
  });
});

describe("GET /health/ready", () => {
  it("[OPS-23] is what probes usually call /health", async () => {
    await using server = await startServer();
    const { status, headers, text } = await server.request("/health/ready");
    assert.deepEqual([status, headers["cache-control"]], [200, "no-store"]);
    const { checks } = JSON.parse(text) as Health;
    assert.deepEqual(checks, { delivery: "ok", accepting: "ok" });
  });
});

describe("GET /health/live", () => {
  it("[OPS-2] answers as long as the event loop runs", async () => {
    await using server = await startServer();
    const answer = await server.request("/health/live");
    assert.deepEqual([answer.status, (answer.json() as { status: string }).status], [200, "alive"]);
  });
});
