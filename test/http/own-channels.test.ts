import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";

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
