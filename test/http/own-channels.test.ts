import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

describe("hub.stats", () => {
  it("[NAME-5] tells once a second what get_server_info answers, to whoever reads it by its name", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=hub.stats&format=json");
    using everything = await server.events("?channel=*");
    const { event, data } = await reader.next();
    const { channel, sender, id, data: told } = JSON.parse(data) as Record<string, unknown>;
    assert.deepEqual([event, channel, sender, id], ["stats", "hub.stats", "hub", null]);
    const { structuredContent } = await server.call("get_server_info");
    assert.deepEqual(Object.keys(told as object), Object.keys(structuredContent));
    assert.deepEqual((told as { connections: unknown }).connections, structuredContent["connections"]);
    await reader.next();
    assert.doesNotMatch(everything.text, /data:/);
  });

  it("counts as nothing published, is not kept, and is not listed", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=hub.stats");
    await reader.next();
    assert.equal(server.hub.stats.published, 0);
    assert.equal(server.hub.log.size().messages, 0);
    assert.deepEqual((await server.call("list_channels")).structuredContent["channels"], []);
    const history = await server.request("/channels/hub.stats/messages");
    assert.deepEqual((history.json() as { messages: unknown[] }).messages, []);
  });
});

describe("hub.logs", () => {
  it("[NAME-5] tells what the server logs, without what an error carries beside its sentence", async () => {
    using folder = new TemporaryFolder();
    const broken = {
      listing: { name: "broken", description: "Fails", inputSchema: { type: "object" } },
      call: () => Promise.reject(new Error("the password is 1234")),
    };
    const logFile = folder.file("hub.log");
    await using server = await startServer({ logLevel: "info", logFile }, { tools: [broken] });
    using reader = await server.events("?channel=hub.logs");
    const answer = await server.request("/mcp", {
      method: "POST",
      headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "broken" },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: {
          name: "broken",
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      }),
    });
    assert.doesNotMatch(answer.text, /1234/);
    const { event, data } = await reader.next();
    const { time, ...line } = JSON.parse(data) as Record<string, string>;
    assert.equal(event, "log");
    assert.deepEqual(line, { level: "error", msg: "an MCP method failed" });
    assert.ok(Math.abs(Date.parse(time ?? "") - Date.now()) < 60_000);
  });
});
