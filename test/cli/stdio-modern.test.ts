import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixtures } from "../conformance/fixtures.ts";
import { ScriptedHub } from "../support/scripted-hub.ts";
import { startServer } from "../support/server.ts";
import { StdioBridge, type Line } from "../support/stdio-bridge.ts";
import { until } from "../support/until.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const WAIT = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } };

function newsOf({ method, params = {} }: Line): readonly unknown[] {
  return [method, params["uri"], (params["_meta"] as Record<string, unknown>)[SUBSCRIPTION]];
}

describe("sse-mcp-server stdio, revision 2026-07-28", { concurrency: 2 }, () => {
  it("repeats in headers what the hub compares with the body, in Base64 where it must", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    for (const [id, uri] of ["hub://channels/grüße", " hub://channels", "=?base64?aHVi?=", ""].entries()) {
      bridge.modern(id, "resources/read", { uri });
      const { error } = await bridge.answer(id);
      assert.equal(error?.code, -32602, error?.message);
      assert.match(error.message, /Resource not found/);
    }
    bridge.modern("ok", "resources/read", { uri: "hub://channels" });
    assert.ok((await bridge.answer("ok")).result !== undefined);
    bridge.modern("unknown", "no\nsuch method");
    assert.ok((await bridge.answer("unknown")).error !== undefined);
    bridge.modern("nameless", "tools/call", {});
    assert.match((await bridge.answer("nameless")).error?.message ?? "", /name is missing/);
  });

  it("passes on the refusal of a tool whose schema wants arguments in headers, which it does not send", async () => {
    await using server = await startServer({}, fixtures());
    await using bridge = await StdioBridge.open(["--url", server.url]);
    bridge.modern(1, "tools/call", { name: "test_header_param", arguments: { region: "eu" } });
    const { error } = await bridge.answer(1);
    assert.equal(error?.code, -32020);
    assert.match(error.message, /^The Mcp-Param-Region header is missing/);
  });

  it("closes the connection of a request that is cancelled, and writes nothing more of it", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    bridge.modern(1, "tools/call", WAIT);
    const waiting = (): Promise<number> => server.metric('sse_mcp_connections{door="waiting"}');
    await until("it waits", async () => (await waiting()) === 1);
    bridge.send({ method: "notifications/cancelled", params: { requestId: "1" } });
    bridge.send({ method: "notifications/cancelled", params: { requestId: 1, reason: "enough" } });
    await until("it waits no more", async () => (await waiting()) === 0);
    await server.publish("a", "late");
    bridge.modern(2, "server/discover");
    assert.equal((await bridge.next()).id, 2);
    bridge.modern(1, "tools/call", { ...WAIT, arguments: { ...WAIT.arguments, timeoutSeconds: 0 } });
    assert.equal((await bridge.next()).id, 1);
  });

  it("refuses a second request with the id of one that is being answered", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    bridge.modern(1, "tools/call", WAIT);
    bridge.modern(1, "server/discover");
    assert.equal((await bridge.next()).error?.code, -32600);
  });

  it("passes progress on before the answer", async () => {
    await using server = await startServer({}, fixtures());
    await using bridge = await StdioBridge.open(["--url", server.url]);
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      progressToken: "p",
    };
    bridge.send({ id: 1, method: "tools/call", params: { name: "test_tool_with_progress", arguments: {}, _meta } });
    const first = await bridge.next();
    assert.deepEqual([first.method, first.params?.["progressToken"]], ["notifications/progress", "p"]);
    assert.ok((await bridge.answer(1)).result !== undefined);
  });

  it("opens a subscription again when the hub has ended it: one acknowledgement, then what may be missed", async () => {
    await using first = await startServer();
    await using bridge = await StdioBridge.open(["--url", first.url]);
    const notifications = { resourcesListChanged: true, resourceSubscriptions: ["hub://channels/a", "no://such"] };
    bridge.modern("s", "subscriptions/listen", { notifications });
    const { method, params } = await bridge.next();
    assert.equal(method, "notifications/subscriptions/acknowledged");
    assert.deepEqual(params?.["notifications"], {
      resourcesListChanged: true,
      resourceSubscriptions: ["hub://channels/a"],
    });
    await first.close();
    await using second = await startServer({ port: first.port });
    assert.deepEqual(newsOf(await bridge.next()), ["notifications/resources/list_changed", undefined, "s"]);
    assert.deepEqual(newsOf(await bridge.next()), ["notifications/resources/updated", "hub://channels/a", "s"]);
    await second.publish("a", 1);
    const news = [newsOf(await bridge.next()), newsOf(await bridge.next())];
    assert.ok(news.some(([name, uri]) => name === "notifications/resources/updated" && uri === "hub://channels/a"));

    bridge.send({ method: "notifications/cancelled", params: { requestId: "s" } });
    await until("the hub knows", async () => (await second.metric('sse_mcp_connections{door="mcp"}')) === 0);
    await second.publish("a", 2);
    bridge.modern(1, "server/discover");
    assert.equal((await bridge.next()).id, 1);
  });

  it("comes back to a subscription whose connection broke, and takes no for an answer", async () => {
    const ack = `data: ${JSON.stringify({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { _meta: { [SUBSCRIPTION]: 1 }, notifications: { toolsListChanged: true } },
    })}\n\n`;
    await using hub = await ScriptedHub.start(({ message, response, stream, reply }, { asked }) => {
      switch (asked.length) {
        case 1:
          stream(ack);
          return void response.write(":\n\n", () => response.destroy());
        case 2:
          return void response.writeHead(503).end();
        case 3:
          return reply({ error: { code: 503, message: "stopping", data: { retry: true } } });
        case 4:
          stream(ack);
          return void response.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id: message.id, result: {} })}\n\n`);
        default:
          return reply({ error: { code: -32602, message: "no more" } });
      }
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    bridge.modern(1, "subscriptions/listen", { notifications: { toolsListChanged: true } });
    assert.equal((await bridge.next()).method, "notifications/subscriptions/acknowledged");
    assert.deepEqual(newsOf(await bridge.next()), ["notifications/tools/list_changed", undefined, 1]);
    assert.equal((await bridge.next()).error?.message, "no more");
    assert.equal(hub.asked.length, 5);
  });

  it("answers a subscription that never began with why", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    bridge.modern(1, "subscriptions/listen", {});
    assert.equal((await bridge.next()).error?.code, -32602);
    await server.close();
    bridge.modern(2, "subscriptions/listen", { notifications: {} });
    assert.equal((await bridge.next()).error?.code, 503);
  });
});
