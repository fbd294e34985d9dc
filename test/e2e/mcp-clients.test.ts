import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HUB_TOOLS } from "../support/mcp.ts";
import { openSdkClient, SDK_CLIENTS, type SdkClientName } from "../support/mcp-clients.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const REVISIONS: Readonly<Record<SdkClientName, string>> = {
  "v2 in auto mode": "2026-07-28",
  "v2 in legacy mode": "2025-11-25",
  v1: "2025-11-25",
};
const WAITING = 'sse_mcp_connections{door="waiting"}';
const STREAMS = 'sse_mcp_connections{door="mcp"}';

for (const name of SDK_CLIENTS) {
  describe(`the official client ${name}`, { concurrency: true }, () => {
    it("connects, is told what the server is, lists the tools and calls each", async () => {
      await using server = await startServer();
      await using agent = await openSdkClient(name, server.url);
      assert.equal(agent.revision, REVISIONS[name]);
      assert.equal(agent.client.getServerVersion()?.name, "sse-mcp-server");
      assert.match(agent.client.getInstructions() ?? "", /wait_for_messages again and again/);
      const { tools } = await agent.client.listTools();
      assert.deepEqual(
        tools.map((tool) => tool.name),
        HUB_TOOLS,
      );

      const info = await agent.call("get_server_info");
      assert.equal(info.structuredContent["name"], "sse-mcp-server");
      const { structuredContent: sent } = await agent.call("send_sse_message", { message: "Hello", sender: name });
      assert.deepEqual([sent["channel"], sent["receivers"]], ["default", 0]);
      const { structuredContent: listed } = await agent.call("list_channels");
      assert.deepEqual(
        (listed["channels"] as { channel: string; lastId: string }[]).map(({ channel, lastId }) => [channel, lastId]),
        [["default", sent["id"]]],
      );
      const { structuredContent: read } = await agent.call("read_messages", { channel: "default" });
      const message = {
        id: sent["id"],
        channel: "default",
        event: "message",
        data: "Hello",
        sender: name,
        via: "tool",
      };
      assert.deepEqual(read["messages"], [{ ...message, time: sent["time"] }]);
      const waited = await agent.call("wait_for_messages", { channels: ["default"], timeoutSeconds: 0 });
      assert.deepEqual(waited.structuredContent, { messages: [], next: sent["id"], more: false, gap: null });

      const asked = await agent.call("ask_person", {
        question: "Deploy?",
        options: ["now", "later"],
        timeoutSeconds: 0,
      });
      const { questionId } = asked.structuredContent;
      assert.equal(asked.structuredContent["status"], "open");
      const answered = agent.call("await_answer", { questionId, timeoutSeconds: 30 });
      await until("it waits", async () => (await server.metric(WAITING)) === 1);
      const value = { method: "POST", headers: { "content-type": "application/json" }, body: '{"value":"later"}' };
      await server.request(`/questions/${String(questionId)}/answer`, value);
      assert.deepEqual((await answered).structuredContent["value"], "later");

      const { isError, content } = await agent.call("read_messages", { channel: "no channel" });
      assert.equal(isError, true);
      assert.match(content[0]?.text ?? "", /^read_messages: Not a channel/);
    });

    it("reads channels as resources, gets prompts and completes the name of a channel", async () => {
      await using server = await startServer();
      await using agent = await openSdkClient(name, server.url);
      await server.publish("deploys", "of the day");
      const { id } = await server.publish("default", "Hello");

      const { resources } = await agent.client.listResources();
      assert.deepEqual(
        resources.map(({ uri }) => uri),
        ["hub://channels", "hub://channels/default", "hub://channels/deploys"],
      );
      const { resourceTemplates } = await agent.client.listResourceTemplates();
      assert.deepEqual(
        resourceTemplates.map(({ uriTemplate }) => uriTemplate),
        ["hub://channels/{channel}", "hub://questions/{id}"],
      );
      const read = async (uri: string): Promise<unknown> => {
        const { contents } = await agent.client.readResource({ uri });
        const [content] = contents;
        assert.ok(content !== undefined && "text" in content);
        return JSON.parse(content.text);
      };
      const { channels } = (await read("hub://channels")) as { channels: { channel: string }[] };
      assert.deepEqual(
        channels.map(({ channel }) => channel),
        ["default", "deploys"],
      );
      const { messages, next } = (await read("hub://channels/default")) as {
        messages: { data: string }[];
        next: string;
      };
      assert.deepEqual([messages.map(({ data }) => data), next], [["Hello"], id]);
      await assert.rejects(read("hub://nowhere"), { code: -32602 });

      const { prompts } = await agent.client.listPrompts();
      assert.deepEqual(
        prompts.map((prompt) => prompt.name),
        ["catch_up", "join_channel"],
      );
      const prompt = await agent.client.getPrompt({ name: "catch_up", arguments: { channel: "default" } });
      const [spoken] = prompt.messages;
      assert.ok(spoken?.content.type === "text");
      assert.match(spoken.content.text, /^Read the channel "default"/);

      for (const ref of [
        { type: "ref/prompt", name: "catch_up" },
        { type: "ref/resource", uri: "hub://channels/{channel}" },
      ] as const) {
        const { completion } = await agent.client.complete({ ref, argument: { name: "channel", value: "dep" } });
        assert.deepEqual(completion.values, ["deploys"]);
      }
    });

    it("is told when a channel changes and when there is a new one", async () => {
      await using server = await startServer();
      await using agent = await openSdkClient(name, server.url);
      const updates: string[] = [];
      let lists = 0;
      await agent.follow(
        "hub://channels/default",
        (uri) => updates.push(uri),
        () => lists++,
      );
      // The stream of a session is opened behind the back of who connects.
      await until("the stream is open", async () => (await server.metric(STREAMS)) === 1);
      await server.publish("default", "Hello");
      await until("it is told of both", () => updates.length > 0 && lists > 0);
      assert.deepEqual([updates, lists], [["hub://channels/default"], 1]);
      await server.publish("elsewhere", "Hello");
      await until("it is told of the new channel", () => lists === 2);
      assert.deepEqual(updates, ["hub://channels/default"]);
    });

    it("waits for messages, is told how long, and gets what comes", async () => {
      await using server = await startServer();
      await using agent = await openSdkClient(name, server.url);
      const totals: (number | undefined)[] = [];
      const waiting = agent.call(
        "wait_for_messages",
        { channels: ["orders.*"], timeoutSeconds: 30 },
        { onprogress: ({ total }) => totals.push(total) },
      );
      await until("it is told of progress", () => totals.length > 0);
      assert.equal(await server.metric(WAITING), 1);
      const { id } = await server.publish("orders.eu", { order: 1 });
      const { structuredContent: page } = await waiting;
      assert.deepEqual([totals[0], page["next"]], [30, id]);
      assert.deepEqual(
        (page["messages"] as { data: unknown }[]).map(({ data }) => data),
        [{ order: 1 }],
      );
      assert.equal(await server.metric(WAITING), 0);
    });

    it("cancels a call that waits, and the server waits no longer", async () => {
      await using server = await startServer();
      await using agent = await openSdkClient(name, server.url);
      const cancel = new AbortController();
      const waiting = agent.call(
        "wait_for_messages",
        { channels: ["default"], timeoutSeconds: 50 },
        { signal: cancel.signal },
      );
      const rejected = assert.rejects(waiting);
      await until("the server waits", async () => (await server.metric(WAITING)) === 1);
      cancel.abort();
      await rejected;
      await until("the server waits no longer", async () => (await server.metric(WAITING)) === 0);
      assert.equal((await agent.call("get_server_info")).isError, undefined);
    });
  });
}
