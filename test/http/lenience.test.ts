import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FrameReader } from "../support/frame-reader.ts";
import { startServer } from "../support/server.ts";

describe("a request that says null or nothing for what it leaves out", { concurrency: true }, () => {
  it("[TOOL-10] is answered as if that were not there, at /mcp/tools/list and /mcp/tools/call", async () => {
    await using server = await startServer();
    const params = { name: "get_server_info", arguments: null };
    for (const [path, body] of [
      ["/mcp/tools/list", { jsonrpc: null, id: null, method: null, params: null }],
      ["/mcp/tools/list", { method: "", params: "" }],
      ["/mcp/tools/call", { jsonrpc: "", method: "", params }],
      ["/mcp/tools/call", { params: { ...params, arguments: "", _meta: null } }],
    ] as const) {
      const answer = await server.request(path, { method: "POST", body: JSON.stringify(body) });
      assert.equal(answer.status, 200, answer.text);
      assert.ok("result" in (answer.json() as object));
    }
  });

  it("[TOOL-10] is answered so in a query", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    for (const path of ["/channels?pattern=&after=&limit=", "/channels/a/messages?after=&limit=&before="]) {
      const answer = await server.request(path);
      assert.equal(answer.status, 200, answer.text);
      const [found] = Object.values(answer.json() as Record<string, unknown>);
      assert.equal((found as unknown[]).length, 1);
    }
    const headers = { "content-type": "text/plain" };
    const path = "/channels/b/messages?event=&sender=&ephemeral=";
    assert.equal((await server.request(path, { method: "POST", headers, body: "x" })).status, 201);
    const { structuredContent } = await server.call("read_messages", { channel: "b" });
    const [message] = structuredContent["messages"] as { event: string; sender: string }[];
    assert.deepEqual([message?.event, message?.sender], ["message", "anyone"]);
  });

  it("[TOOL-10] is answered so in a frame", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    using reader = await server.frames("?channel=");
    await reader.next();
    for (const none of [null, ""]) {
      const subscribed = await reader.ask({ type: "subscribe", channels: "a", last_event_id: none, id: none });
      assert.deepEqual([subscribed.type, subscribed["channels"], "id" in subscribed], ["subscribed", ["a"], false]);
      const sent = { type: "publish", channel: "b", data: none, event: none, sender: none, ephemeral: none, id: none };
      assert.equal((await reader.ask(sent)).type, "published");
      const called = await reader.ask({ type: "mcp_call", tool: "get_server_info", arguments: none });
      assert.equal(called.type, "mcp_result");
      assert.equal((await reader.ask({ type: "unsubscribe", channels: '["a"]' })).type, "unsubscribed");
    }
    const { structuredContent } = await server.call("read_messages", { channel: "b" });
    const messages = structuredContent["messages"] as { data: unknown; event: string; sender: string }[];
    assert.deepEqual(
      messages.map(({ data, event, sender }) => [data, event, sender]),
      [
        [null, "message", "anyone"],
        ["", "message", "anyone"],
      ],
    );
  });

  it("[TOOL-10] resumes by the query where its Last-Event-ID header is empty", async () => {
    await using server = await startServer();
    await server.publish("default", "kept");
    using reader = await server.events("?last_event_id=earliest", { lastEventId: "" });
    assert.equal((await reader.next()).data, "kept");
  });
});

describe("an address that ends with a slash", { concurrency: true }, () => {
  it("[MCP-36] is the one without it", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    for (const path of [
      "/health/",
      "/health/ready/",
      "/health/live/",
      "/channels/",
      "/channels/a/messages/",
      "/metrics/",
      "/openapi.json/",
    ]) {
      assert.equal((await server.request(path)).status, 200, path);
    }
    // What a page names is relative to its folder.
    for (const path of ["/docs", "/chat", "/dashboard", "/guide/mcp"]) {
      const { status, headers } = await server.request(`${path}/`);
      const to = new URL(String(headers["location"]), `http://hub${path}/`).pathname;
      assert.deepEqual([status, to], [308, path]);
    }
    const post = async (path: string, body: string, headers = {}): Promise<number> =>
      (await server.request(path, { method: "POST", body, headers })).status;
    const call = JSON.stringify({ params: { name: "get_server_info" } });
    assert.equal(await post("/mcp/tools/list/", "{}"), 200);
    assert.equal(await post("/mcp/tools/call/", call), 200);
    assert.equal(await post("/channels/a/messages/?event=x", "x", { "content-type": "text/plain" }), 201);
    const discover = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "server/discover", params: { _meta: discover } });
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover" };
    assert.equal(await post("/mcp/", body, headers), 200);
    const wrong = await server.request("/health/", { method: "DELETE" });
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, "GET, HEAD"]);
    assert.equal((await server.request("/nothing/")).status, 404);
    const events = await server.request("/events/", { method: "HEAD" });
    assert.equal(events.status, 200);
    using frames = await FrameReader.open(`${server.url.replace("http", "ws")}/ws/`);
    assert.equal((await frames.next()).type, "welcome");
  });
});
