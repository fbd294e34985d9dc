import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listen } from "../support/mcp.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

describe("a log whose engine has lost messages", () => {
  it("[LOG-28] is told of on every door, to whoever is live, waits, comes back or asks", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using publisher = await startServer({ data: engine.url });
    await using server = await startServer({ data: engine.url });
    const events = await server.events("?channel=x&format=json");
    using frames = await server.frames("?channel=x");
    await until("both are live", async () => {
      const { readers } =
        ((await server.call("list_channels")).structuredContent["channels"] as { readers: number }[])[0] ?? {};
      return readers === 2;
    });
    const { id } = await publisher.publish("x", "before");
    assert.equal((await events.next()).id, id);
    using listener = await listen(server, { resourceSubscriptions: ["hub://channels/x"] });
    const waiting = server.call("wait_for_messages", { channels: ["x"], after: id, timeoutSeconds: 30 });
    await until("it waits", async () => (await server.metric('sse_mcp_connections{door="waiting"}')) === 1);

    await engine.cli("FLUSHALL");

    const gap = await events.next();
    assert.deepEqual([gap.event, (JSON.parse(gap.data) as { reason: string }).reason], ["gap", "lost"]);
    assert.equal((await frames.nextOf("gap"))["reason"], "lost");
    const { structuredContent } = await waiting;
    // A log that was flushed does not know its ids of before.
    assert.equal((structuredContent["gap"] as { reason: string } | null)?.reason, "unknown_cursor");
    assert.equal((await listener.stream.next()).method, "notifications/resources/updated");
    const back = await server.events(`?channel=x&last_event_id=${id}`);
    const again = await back.next();
    assert.equal(again.event, "gap");
    const page = await server.request(`/channels/x/messages?after=${id}`);
    const { gap: told, messages } = JSON.parse(page.text) as { gap: { reason: string }; messages: unknown[] };
    assert.equal(told.reason, "unknown_cursor");
    assert.deepEqual(messages, []);
    for (const reader of [events, back]) reader.close();
  });
});
