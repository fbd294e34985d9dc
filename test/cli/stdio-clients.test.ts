import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";
import { openStdioClient, STDIO_CLIENTS, type StdioClientName } from "../support/stdio-clients.ts";
import { until } from "../support/until.ts";

const WAITING = 'sse_mcp_connections{door="waiting"}';
const EMBEDDED = ["--port", "0", "--data", "memory:"];

for (const [name, revision] of Object.entries(STDIO_CLIENTS) as [StdioClientName, string][]) {
  describe(`the official client ${name} over stdio`, { concurrency: 2 }, () => {
    it("lists the tools and calls them, reads resources and gets prompts", async () => {
      await using server = await startServer();
      await using agent = await openStdioClient(name, ["--url", server.url]);
      assert.equal(agent.client.getServerVersion()?.name, "sse-mcp-server");
      const { tools } = await agent.client.listTools();
      assert.ok(tools.some((tool) => tool.name === "wait_for_messages"));
      const { structuredContent: sent } = await agent.call("send_sse_message", { message: "Grüße", channel: "a" });
      assert.equal(sent["channel"], "a");
      const { structuredContent: read } = await agent.call("read_messages", { channel: "a" });
      assert.deepEqual(
        (read["messages"] as { data: string }[]).map(({ data }) => data),
        ["Grüße"],
      );
      const { contents } = await agent.client.readResource({ uri: "hub://channels/a" });
      assert.ok("text" in contents[0]! && contents[0].text.includes("Grüße"));
      const { prompts } = await agent.client.listPrompts();
      assert.ok(prompts.length > 0);
      const refused = await agent.call("read_messages", { channel: "no channel" });
      assert.equal(refused.isError, true);
    });

    it("agrees on its revision with a hub that the bridge runs itself", async () => {
      await using agent = await openStdioClient(name, EMBEDDED);
      const { structuredContent: info } = await agent.call("get_server_info");
      assert.equal(info["name"], "sse-mcp-server");
      if ("getNegotiatedProtocolVersion" in agent.client) {
        assert.equal(agent.client.getNegotiatedProtocolVersion(), revision);
      }
    });

    it("is told of changes, and cancels a call that waits", async () => {
      await using server = await startServer();
      await using agent = await openStdioClient(name, ["--url", server.url]);
      const updated: string[] = [];
      await agent.follow("hub://channels/a", (uri) => updated.push(uri));
      await server.publish("a", 1);
      await until("it is told", () => updated.length > 0);
      assert.equal(updated[0], "hub://channels/a");

      const stop = new AbortController();
      const call = agent.call("wait_for_messages", { channels: ["b"], timeoutSeconds: 50 }, stop.signal);
      await until("the call waits", async () => (await server.metric(WAITING)) === 1);
      stop.abort();
      await assert.rejects(call);
      await until("the hub waits no more", async () => (await server.metric(WAITING)) === 0);
      assert.equal((await agent.call("list_channels")).isError, undefined);
    });

    it("[STDIO-2] goes on when the hub is started again: with its calls, and with what it follows", async () => {
      await using first = await startServer();
      await using agent = await openStdioClient(name, ["--url", first.url]);
      const updated: string[] = [];
      await agent.follow("hub://channels/a", (uri) => updated.push(uri));
      await first.close();
      await assert.rejects(agent.call("list_channels"), /No hub answers at/);
      await using second = await startServer({ port: first.port });
      await until("it is told that it may have missed something", () => updated.length > 0);
      assert.equal((await agent.call("list_channels")).isError, undefined);
      updated.length = 0;
      await second.publish("a", 1);
      await until("it is told of what is new", () => updated.length > 0);
    });

    it("has its first call after a restart answered, though it follows nothing", async () => {
      await using first = await startServer();
      await using agent = await openStdioClient(name, ["--url", first.url]);
      await agent.call("list_channels");
      await first.close();
      await using second = await startServer({ port: first.port });
      const { structuredContent: sent } = await agent.call("send_sse_message", { message: "Hello" });
      assert.equal(sent["channel"], "default");
      assert.equal(second.hub.log.size().messages, 1);
    });
  });
}

describe("two clients over stdio on one hub", { concurrency: 2 }, () => {
  it("hold a conversation: what one sends, the other has waited for", async () => {
    await using server = await startServer();
    await using ann = await openStdioClient("v2 in auto mode", ["--url", `${server.url}/mcp`]);
    await using bob = await openStdioClient("v1", ["--url", `${server.url}/mcp`]);
    const wait = { channels: ["talk"], timeoutSeconds: 50 };
    const heard = bob.call("wait_for_messages", wait);
    await until("Bob waits", async () => (await server.metric(WAITING)) === 1);
    await ann.call("send_sse_message", { channel: "talk", message: "Are you there?", sender: "ann" });
    const { messages, next } = (await heard).structuredContent as { messages: { data: string }[]; next: string };
    assert.deepEqual(
      messages.map(({ data }) => data),
      ["Are you there?"],
    );
    const answered = ann.call("wait_for_messages", { ...wait, after: next });
    await until("Ann waits", async () => (await server.metric(WAITING)) === 1);
    await bob.call("send_sse_message", { channel: "talk", message: "I am", sender: "bob" });
    const { structuredContent } = await answered;
    assert.deepEqual(
      (structuredContent["messages"] as { data: string; sender: string }[]).map(({ data, sender }) => [sender, data]),
      [["bob", "I am"]],
    );
  });
});
