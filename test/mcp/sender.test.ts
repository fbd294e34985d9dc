import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { senderOf } from "../../src/mcp/modern/envelope.ts";
import { ACCEPT, LegacyClient, rpc } from "../support/legacy-client.ts";
import { mcp } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { StdioBridge } from "../support/stdio-bridge.ts";

const SAY = { name: "send_sse_message", arguments: { message: "hi" } };

async function lastSender(server: TestServer): Promise<unknown> {
  const { structuredContent } = await server.call("read_messages", { channel: "default", limit: 100 });
  return (structuredContent["messages"] as { sender: string }[]).at(-1)?.sender;
}

describe("who sends what an MCP client sends without saying who", { concurrency: true }, () => {
  it("[MCP-35] is what the client calls itself, in both eras and over the bridge", async () => {
    await using server = await startServer();
    for (const name of ["planner", "Ada's agent", "エージェント"]) {
      const meta = { "io.modelcontextprotocol/clientInfo": { name, version: "1" } };
      await mcp(server, "tools/call", SAY, { meta });
      assert.equal(await lastSender(server), name);
      const clientInfo = { name, version: "1", title: "Title" };
      const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
      const body = rpc({ id: 1, method: "initialize", params });
      const answer = await server.request("/mcp", { method: "POST", headers: { accept: ACCEPT }, body });
      const client = new LegacyClient(server, answer.headers["mcp-session-id"] as string, "2025-06-18");
      await client.ask("tools/call", { ...SAY, arguments: { ...SAY.arguments, sender: null } });
      assert.equal(await lastSender(server), name);
      await client.ask("tools/call", { ...SAY, arguments: { ...SAY.arguments, sender: "someone" } });
      assert.equal(await lastSender(server), "someone");
    }
    await using bridge = await StdioBridge.open(["--url", server.url]);
    bridge.modern(1, "tools/call", SAY);
    await bridge.answer(1);
    assert.equal(await lastSender(server), "test");
  });

  it("[MCP-35] is anyone where the client has no name, and at doors that know no clients", async () => {
    await using server = await startServer();
    for (const client of [undefined, null, {}, { name: "" }, { name: " \n" }, { name: 5 }, "planner"]) {
      const { result } = await mcp(server, "tools/call", SAY, {
        meta: { "io.modelcontextprotocol/clientInfo": client },
      });
      assert.equal(result?.["isError"], undefined, JSON.stringify(client));
      assert.equal(await lastSender(server), "anyone");
    }
    await server.call(SAY.name, SAY.arguments);
    assert.equal(await lastSender(server), "anyone");
  });

  it("is made one line of at most 128 characters, and never refused for its name", async () => {
    await using server = await startServer();
    for (const [name, sender] of [
      ["two\nlines\u2028\u0000", "two lines"],
      ["x".repeat(5000), "x".repeat(128)],
      [`${"x".repeat(127)}🙂`, `${"x".repeat(127)}\ufffd`],
      ["\u202eevil", "evil"],
    ] as const) {
      assert.equal(senderOf({ name }), sender);
      await mcp(server, "tools/call", SAY, { meta: { "io.modelcontextprotocol/clientInfo": { name, version: "1" } } });
      assert.equal(await lastSender(server), sender);
    }
  });
});
