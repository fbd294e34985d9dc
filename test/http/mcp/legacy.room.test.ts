import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LegacyClient } from "../../support/legacy-client.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

function opened(server: TestServer): Promise<number> {
  return server.metric('sse_mcp_connections{door="mcp"}');
}

describe("sessions of a server that is full", { concurrency: true }, () => {
  it("[MCP-10] say what is wrong with a GET, however many readers there are", async () => {
    await using server = await startServer({ maxConnections: 1 });
    const client = await LegacyClient.open(server);
    using _reader = await server.events();
    for (const [status, wrong] of [
      [405, { "mcp-session-id": undefined }],
      [404, { "mcp-session-id": "nobody's" }],
      [406, { accept: "application/json" }],
      [400, { "last-event-id": "none" }],
      [400, { "mcp-protocol-version": "1999-01-01" }],
      [503, {}],
    ] as const) {
      const given = Object.entries({ ...client.headers, ...wrong }).filter(([, value]) => value !== undefined);
      const answer = await server.request("/mcp", { headers: Object.fromEntries(given) });
      assert.equal(answer.status, status);
    }
  });

  it("have as many streams as there is room for when many ask at once, and one that comes back keeps its place", async () => {
    await using server = await startServer({ maxConnections: 3 });
    const clients = await Promise.all(Array.from({ length: 10 }, () => LegacyClient.open(server)));
    const streams = await Promise.all(clients.map((client) => client.listen()));
    const isOpen = streams.map(({ status }) => status === 200);
    assert.equal(isOpen.filter(Boolean).length, 3);
    assert.equal(await opened(server), 3);
    const inside = clients[isOpen.indexOf(true)] as LegacyClient;
    const outside = clients[isOpen.indexOf(false)] as LegacyClient;
    for (let n = 0; n < 3; n++) streams.push(await inside.listen(), await outside.listen());
    assert.deepEqual(
      streams.slice(10).map(({ status }) => status),
      [200, 503, 200, 503, 200, 503],
    );
    for (const stream of streams) stream.close();
    await until("nobody is connected", async () => (await opened(server)) === 0);
    using last = await outside.listen();
    assert.equal(last.status, 200);
  });
});
