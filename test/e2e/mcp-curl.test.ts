import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { legacyCurl, modernCurl, needsCurl, type Curl, type CurlMcp } from "../support/curl.ts";
import { HUB_TOOLS } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const WAIT = { name: "wait_for_messages", arguments: { channels: ["default"], timeoutSeconds: 25 } };
const STREAMS = 'sse_mcp_connections{door="mcp"}';
const FOLLOWED = "hub://channels/default";

describe("curl", { concurrency: true }, () => {
  for (const era of ["modern", "legacy"] as const) {
    const open = (server: TestServer): Promise<CurlMcp> =>
      era === "modern" ? Promise.resolve(modernCurl(server.url)) : legacyCurl(server.url);

    it(`lists the tools and calls each, ${era} era`, async (test) => {
      if (!needsCurl(test)) return;
      await using server = await startServer();
      const mcp = await open(server);
      const { result: listed } = await mcp.ask("tools/list");
      const names = (listed?.["tools"] as { name: string }[] | undefined)?.map(({ name }) => name);
      assert.deepEqual(names, HUB_TOOLS);
      const call = async (name: string, input: object): Promise<Record<string, unknown>> => {
        const { result } = await mcp.ask("tools/call", { name, arguments: input });
        return result?.["structuredContent"] as Record<string, unknown>;
      };
      assert.equal((await call("get_server_info", {}))["name"], "sse-mcp-server");
      const { id } = await call("send_sse_message", { message: "Hello" });
      assert.match(JSON.stringify(await call("list_channels", {})), /"channel":"default"/);
      assert.match(JSON.stringify(await call("read_messages", { channel: "*" })), /"data":"Hello"/);
      const waited = await call("wait_for_messages", { channels: ["*"], timeoutSeconds: 0 });
      assert.deepEqual([waited["messages"], waited["next"]], [[], id]);
      const { questionId } = await call("ask_person", { question: "Deploy?", timeoutSeconds: 0 });
      assert.equal((await call("await_answer", { questionId, timeoutSeconds: 0 }))["status"], "open");
    });

    it(`reads channels, gets prompts and completes the name of a channel, ${era} era`, async (test) => {
      if (!needsCurl(test)) return;
      await using server = await startServer();
      await server.publish("default", "Hello");
      const mcp = await open(server);
      const read = async (uri: string): Promise<string> => {
        const { result } = await mcp.ask("resources/read", { uri });
        return (result?.["contents"] as { text: string }[] | undefined)?.[0]?.text ?? "";
      };
      const told = async (method: string, params = {}): Promise<string> =>
        JSON.stringify((await mcp.ask(method, params)).result);
      assert.match(await told("resources/list"), /"uri":"hub:\/\/channels\/default"/);
      assert.match(await read("hub://channels"), /"channel":"default"/);
      assert.match(await read(FOLLOWED), /"data":"Hello"/);
      assert.match(await told("prompts/list"), /"name":"catch_up".*"name":"join_channel"/);
      const prompt = { name: "join_channel", arguments: { channel: "default", name: "curl" } };
      assert.match(await told("prompts/get", prompt), /Take part in the conversation on the channel \\"default\\"/);
      const { result } = await mcp.ask("completion/complete", {
        ref: { type: "ref/prompt", name: "catch_up" },
        argument: { name: "channel", value: "def" },
      });
      assert.deepEqual((result?.["completion"] as { values: string[] } | undefined)?.values, ["default"]);
    });

    it(`waits for messages, is told of progress, and is answered when one comes, ${era} era`, async (test) => {
      if (!needsCurl(test)) return;
      await using server = await startServer();
      const mcp = await open(server);
      await using waiting = mcp.send(7, "tools/call", WAIT, { progressToken: "seven" });
      await until("it is told of progress", () => waiting.messages.length === 1);
      const { method, params } = waiting.messages[0] ?? {};
      assert.deepEqual(
        [method, params?.["progressToken"], params?.["total"]],
        ["notifications/progress", "seven", WAIT.arguments.timeoutSeconds],
      );
      const { id } = await server.publish("default", "Hello");
      const { messages } = await waiting.end();
      const { result } = messages.at(-1) ?? {};
      assert.equal((result?.["structuredContent"] as { next: string } | undefined)?.next, id);
    });
  }

  it("is told when a channel changes by listening to it, and cancels by going away, modern era", async (test) => {
    if (!needsCurl(test)) return;
    await using server = await startServer();
    const mcp = modernCurl(server.url);
    {
      const notifications = { resourceSubscriptions: [FOLLOWED] };
      await using listening = mcp.send(1, "subscriptions/listen", { notifications });
      await until("it is acknowledged", () => listening.messages.length === 1);
      assert.equal(listening.messages[0]?.method, "notifications/subscriptions/acknowledged");
      await isTold(server, listening, 1);
    }
    await until("nobody listens", async () => (await server.metric(STREAMS)) === 0);
    {
      await using _waiting = mcp.send(2, "tools/call", WAIT);
      await until("it waits", async () => (await waitingCalls(server)) === 1);
    }
    await until("nobody waits", async () => (await waitingCalls(server)) === 0);
  });

  it("is told when a channel changes by a subscription, cancels by saying so, and ends, legacy era", async (test) => {
    if (!needsCurl(test)) return;
    await using server = await startServer();
    const session = await legacyCurl(server.url);
    assert.equal(session.initialized.result?.["protocolVersion"], "2025-11-25");
    await using listening = session.listen();
    await until("the stream is open", async () => (await server.metric(STREAMS)) === 1);
    assert.deepEqual((await session.ask("resources/subscribe", { uri: FOLLOWED })).result, {});
    await isTold(server, listening, 0);

    await using waiting = session.send(9, "tools/call", WAIT);
    await until("it waits", async () => (await waitingCalls(server)) === 1);
    assert.equal((await session.notify("notifications/cancelled", { requestId: 9 })).status, 202);
    await waiting.end();
    assert.deepEqual(waiting.messages, []);
    assert.equal(await waitingCalls(server), 0);

    assert.equal((await session.end()).status, 200);
    await listening.end();
    assert.equal((await session.ask("tools/list")).error?.code, -32001);
  });
});

/** Publishes, and waits for the message that says so, after some others. */
async function isTold(server: TestServer, listening: Curl, others: number): Promise<void> {
  await server.publish("default", "Hello");
  const updates = (): readonly unknown[] =>
    listening.messages.slice(others).filter(({ method }) => method === "notifications/resources/updated");
  await until("it is told", () => updates().length === 1);
  assert.match(JSON.stringify(updates()[0]), /"uri":"hub:\/\/channels\/default"/);
}

function waitingCalls(server: TestServer): Promise<number> {
  return server.metric('sse_mcp_connections{door="waiting"}');
}
