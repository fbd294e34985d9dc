import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runCli } from "../support/cli.ts";
import { startServer } from "../support/server.ts";
import { StdioBridge, type Line } from "../support/stdio-bridge.ts";
import { until } from "../support/until.ts";

const WAITING = 'sse_mcp_connections{door="waiting"}';
const PUSHED = "notifications/claude/channel";
const INITIALIZE = {
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "claude-code", version: "2.1" } },
};

async function initialized(bridge: StdioBridge): Promise<Line> {
  bridge.send(INITIALIZE);
  const answer = await bridge.next();
  bridge.send({ method: "notifications/initialized" });
  return answer;
}

function capabilitiesIn(result: Line["result"] = {}): Readonly<Record<string, unknown>> {
  return result["capabilities"] as Readonly<Record<string, unknown>>;
}

/** The next message that is pushed; others come between them. */
async function pushed(bridge: StdioBridge): Promise<{ content: string; meta: Record<string, string> }> {
  for (;;) {
    const { method, params } = await bridge.next();
    if (method === PUSHED) return params as { content: string; meta: Record<string, string> };
  }
}

describe("sse-mcp-server stdio --channel", { concurrency: 2 }, () => {
  it("wakes Claude Code with what others send, several as one, and says which are strangers", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url, "--channel", "orders.*", "--channel=talk"]);
    const { result } = await initialized(bridge);
    const { experimental, tools } = capabilitiesIn(result);
    assert.deepEqual([experimental, typeof tools], [{ "claude/channel": {} }, "object"]);
    await until("it waits", async () => (await server.metric(WAITING)) === 1);
    const before = server.hub.cursor();
    bridge.send({
      id: 2,
      method: "tools/call",
      params: { name: "send_sse_message", arguments: { channel: "talk", message: "my own" } },
    });
    await bridge.answer(2);
    await server.publish("elsewhere", "not ours");
    await Promise.all([server.publish("orders.eu", "one"), server.publish("talk", "two")]);
    const { content, meta } = await pushed(bridge);
    assert.match(content, /anyone: one\n/);
    assert.match(content, /anyone: two\n/);
    assert.doesNotMatch(content, /my own|not ours/);
    assert.deepEqual([meta["count"], meta["after"]], ["2", before]);
    assert.equal(meta["next"], server.hub.cursor());
    assert.ok(Object.entries(meta).every(([key, value]) => /^\w+$/.test(key) && typeof value === "string"));

    await server.publish("talk", "x".repeat(50_000));
    const large = await pushed(bridge);
    assert.ok(large.content.length <= 8000);
    assert.match(large.content, /of 50000 bytes left out; read_messages with channel talk/);
  });

  it("goes on after the hub was started again", async () => {
    await using first = await startServer();
    await using bridge = await StdioBridge.open(["--url", first.url, "--channel", "talk"]);
    await initialized(bridge);
    await until("it waits", async () => (await first.metric(WAITING)) === 1);
    await first.close();
    await using second = await startServer({ port: first.port });
    await until("it waits again", async () => (await second.metric(WAITING)) === 1);
    await second.publish("talk", "again");
    assert.match((await pushed(bridge)).content, /anyone: again\n|Messages are missing/);
  });

  it("pushes nothing unless it is asked to, and nothing to a client of revision 2026-07-28", async () => {
    await using server = await startServer();
    await using plain = await StdioBridge.open(["--url", server.url]);
    const { result } = await initialized(plain);
    assert.equal(capabilitiesIn(result)["experimental"], undefined);
    await using modern = await StdioBridge.open(["--url", server.url, "--channel", "talk"]);
    modern.modern(1, "server/discover");
    assert.ok(!JSON.stringify(await modern.next()).includes("claude/channel"));
    assert.equal(await server.metric(WAITING), 0);
  });

  it("refuses what is no channel", async () => {
    for (const words of [["--channel", "a.*.b"], ["--channel"], ["--channel="]]) {
      const { code, stderr } = await runCli(["stdio", ...words]);
      assert.equal(code, 2);
      assert.match(stderr, /--channel is ".*"; use a channel or a pattern such as orders\.\*/);
    }
  });
});
