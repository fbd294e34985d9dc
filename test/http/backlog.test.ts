import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draftOf } from "../support/sample.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import type { Wire } from "../support/wire.ts";

const TOTAL = 4 * 1024 * 1024;
const BIG = "x".repeat(60_000);

/** Readers of channel sets of their own that never read, so that what each leaves is a copy of its own. */
async function frozen(server: TestServer, count: number, query = ""): Promise<Wire[]> {
  const wires: Wire[] = [];
  for (let n = 0; n < count; n++) {
    const wire = await server.wire();
    wire.socket.pause();
    wire.send([`GET /events?channel=all,own${n}${query} HTTP/1.1`, "Host: localhost"]);
    wires.push(wire);
  }
  await until("all are there", () => server.hub.size >= count);
  return wires;
}

function untaken(server: TestServer, count: number): number {
  return Array.from({ length: count }, (_, n) => server.sink(n)?.pending ?? 0).reduce((sum, one) => sum + one, 0);
}

describe("what all readers together leave untaken", () => {
  it("[SSE-23] has a bound that cuts those that left most, while others notice nothing", async () => {
    const count = 40;
    const total = 4 * TOTAL;
    await using server = await startServer({ maxPendingTotalBytes: total, maxPendingBytes: 64 * 1024 * 1024 });
    const wires = await frozen(server, count);
    using good = await server.events("?channel=all");
    let published = 0;
    let most = 0;
    // Each socket takes some megabytes that nobody reads before anything is left.
    while (server.hub.stats.slow < count) {
      assert.ok(published < 2000, `only ${server.hub.stats.slow} were cut`);
      // What readers of other channels lack alike they share, so each is sent messages of its own.
      await Promise.all(Array.from({ length: count }, (_, n) => server.hub.publish(draftOf(`own${n}`, BIG))));
      await server.hub.publish(draftOf("all", "small"));
      published++;
      most = Math.max(most, untaken(server, count));
    }
    // Beside it, what one of them was given last.
    assert.ok(most < 1.25 * total, `${most} bytes waited`);
    assert.equal((await good.data(published)).length, published);
    assert.equal(server.hub.size, 1);
    for (const wire of wires) wire.socket.destroy();
  });

  it("holds for replays, too: a reader waits for room rather than being given a page", async () => {
    const count = 20;
    await using server = await startServer({ maxPendingTotalBytes: TOTAL, maxPendingBytes: 64 * 1024 * 1024 });
    await Promise.all(Array.from({ length: 200 }, () => server.publish("all", BIG)));
    const wires = await frozen(server, count, "&last_event_id=earliest");
    let most = 0;
    await until("those that take nothing make room", () => {
      most = Math.max(most, untaken(server, count));
      return server.hub.stats.slow > 0;
    });
    assert.ok(most < TOTAL, `${most} bytes waited`);
    using good = await server.events("?channel=all&last_event_id=earliest");
    assert.equal((await good.data(200)).length, 200);
    for (const wire of wires) wire.socket.destroy();
  });

  it("counts the answers that WebSocket clients do not take", async () => {
    await using server = await startServer({ maxPendingTotalBytes: TOTAL, maxPendingBytes: 64 * 1024 * 1024 });
    await Promise.all(Array.from({ length: 10 }, () => server.publish("all", BIG)));
    const count = 10;
    for (let n = 0; n < count; n++) {
      const reader = await server.frames("?channel=");
      await reader.next();
      reader.ws.pause();
      for (let id = 0; id < 60; id++) {
        reader.send({ type: "mcp_call", tool: "read_messages", arguments: { channel: "all", limit: 10 }, id });
      }
    }
    const open = (): Promise<number> => server.metric('sse_mcp_connections{door="websocket"}');
    await until("those that left most are cut", async () => (await open()) < count);
    assert.equal((await server.request("/health")).status, 200);
  });
});
