import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const MADE = /^[0-9a-z]+-[0-9a-z]+$/;

describe("the id of a request [HTTP-25]", () => {
  it("comes back as it was brought, on answers, errors, streams and upgrades", async () => {
    await using server = await startServer();
    const headers = { "x-request-id": "Root=1-67891233;a/b+c@d" };
    const post = { method: "POST", headers, body: "{}" };
    const asked: readonly [string, object][] = [
      ["/health", { headers }],
      ["/channels", { headers }],
      ["/channels?unknown=1", { headers }],
      ["/nothing", { headers }],
      ["/%zz", { headers }],
      ["/channels/a/messages", post],
      ["/mcp/tools/call", post],
      ["/mcp", post],
      ["/", { headers }],
      ["/ws", { headers }],
    ];
    for (const [path, options] of asked) {
      const answer = await server.request(path, options);
      assert.equal(answer.headers["x-request-id"], headers["x-request-id"], path);
    }
    using stream = await server.events("", { headers });
    assert.equal(stream.headers["x-request-id"], headers["x-request-id"]);
    using frames = await server.frames("", { headers });
    assert.equal(frames.headers["x-request-id"], headers["x-request-id"]);
    await assert.rejects(server.frames("?channel=hub..x", { headers }), (error) => {
      return error instanceof RefusedUpgrade && error.headers["x-request-id"] === headers["x-request-id"];
    });
  });

  it("is made if there is none, or one that is too long, empty or could forge a field or a line", async () => {
    await using server = await startServer();
    const ids = new Set<string>();
    for (const brought of [undefined, "", "x".repeat(129), "a b", 'a"b', "a\tb", "é"]) {
      const headers = brought === undefined ? {} : { "x-request-id": brought };
      const id = (await server.request("/health/live", { headers })).headers["x-request-id"];
      assert.match(String(id), MADE);
      ids.add(String(id));
    }
    assert.equal(ids.size, 7);
    const longest = "x".repeat(128);
    const { headers } = await server.request("/health/live", { headers: { "x-request-id": longest } });
    assert.equal(headers["x-request-id"], longest);
  });

  it("can be read by the pages of origins that may call", async () => {
    await using server = await startServer({ allowedOrigins: ["https://app.example"] });
    const { headers } = await server.request("/channels", { headers: { origin: "https://app.example" } });
    assert.match(headers["access-control-expose-headers"] ?? "", /\bX-Request-Id\b/);
  });

  it("is in the log line about a failure, and in its answer", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("hub.log");
    await using server = await startServer({ logLevel: "error", logFile });
    using frames = await server.frames("", { headers: { "x-request-id": "socket" } });
    await frames.next();
    server.hub.publish = () => Promise.reject(new Error("broken"));
    const post = (path: string, id: string, body: string): Promise<{ readonly text: string }> =>
      server.request(path, {
        method: "POST",
        headers: { "x-request-id": id, "content-type": "application/json", accept: "application/json" },
        body,
      });
    const failed = await post("/channels/a/messages", "plain", "1");
    assert.equal((JSON.parse(failed.text) as { requestId: string }).requestId, "plain");
    const call = { name: "send_sse_message", arguments: { message: "x" } };
    await post("/mcp/tools/call", "tools", JSON.stringify({ params: call }));
    await frames.ask({ type: "publish", channel: "a", data: 1, id: 1 });
    const lines = (): readonly { request_id: string; err: { message: string } }[] =>
      readFileSync(logFile, "utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { request_id: string; err: { message: string } });
    await until("three lines", () => lines().length === 3);
    assert.deepEqual(
      lines().map(({ request_id, err }) => [request_id, err.message]),
      [
        ["plain", "broken"],
        ["tools", "broken"],
        ["socket", "broken"],
      ],
    );
  });
});
