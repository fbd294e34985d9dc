import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listen } from "../support/mcp.ts";
import { memoryHeld } from "../support/memory.ts";
import { draftOf } from "../support/sample.ts";
import { IS_SOAK, load } from "../support/soak.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const MB = 1024 * 1024;
/** Bytes waiting in a socket at which Node says that it has enough. */
const HIGH_WATER = 64 * 1024;

type Listener = Awaited<ReturnType<typeof listen>>;

async function listeners(server: TestServer, count: number, notifications: object): Promise<Listener[]> {
  const all: Listener[] = [];
  while (all.length < count) {
    const some = Math.min(count - all.length, 200);
    all.push(...(await Promise.all(Array.from({ length: some }, () => listen(server, notifications)))));
  }
  return all;
}

async function closeAll(server: TestServer, all: readonly Listener[]): Promise<void> {
  for (const { stream } of all) stream.close();
  const isOver = async (): Promise<boolean> =>
    server.hub.size === 0 && (await server.metric('sse_mcp_connections{door="mcp"}')) === 0;
  await until("all are gone", isOver, 30_000);
}

describe("many subscriptions to resources", () => {
  it("are all told, and leave nothing when they go", async () => {
    await using server = await startServer();
    const asked = { resourcesListChanged: true, resourceSubscriptions: ["hub://channels/a", "hub://channels"] };
    // What the first ones need stays, as it should.
    await closeAll(server, await listeners(server, load(200), asked));
    const before = await memoryHeld();
    const all = await listeners(server, load(2000), asked);
    assert.equal(server.hub.size, load(2000));
    await server.publish("a", 1);
    const news = [
      "notifications/resources/list_changed",
      "notifications/resources/updated",
      "notifications/resources/updated",
    ];
    await until("all are told", () => all.every(({ stream }) => stream.reader.waiting.length === news.length), 30_000);
    for (const { stream } of all) assert.deepEqual(new Set(stream.waiting.map(({ method }) => method)), new Set(news));
    await closeAll(server, all);
    // What this test itself keeps of them.
    all.length = 0;
    await until("what they held is let go of", async () => (await memoryHeld()) - before < 10 * MB, 30_000);
  });
});

describe("a subscription to resources whose client does not read", () => {
  const uris = Array.from({ length: 100 }, (_, n) => `${String(n).padStart(3, "0")}.${"x".repeat(120)}`);
  const asked = { resourceSubscriptions: uris.map((channel) => `hub://channels/${channel}`) };

  /** Publishes so many messages, the same number on each channel, as fast as the hub takes them. */
  async function publish(server: TestServer, count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += uris.length) {
      await Promise.all(uris.map((channel) => server.hub.publish(draftOf(channel, sent))));
    }
  }

  /** Publishes until the socket of the first reader takes no more. */
  async function fill(server: TestServer): Promise<void> {
    const isFull = async (): Promise<boolean> => {
      await publish(server, 100);
      return (server.sink(0)?.pending ?? 0) >= HIGH_WATER;
    };
    await until("its socket is full", isFull, 60_000);
  }

  it("[MCP-8] costs nothing more however much is published; others are told, and so is it when it reads again", async () => {
    await using server = await startServer({ retentionMessages: 1000 });
    using stalled = await listen(server, asked, { id: "s".repeat(256) });
    stalled.stream.reader.freeze();
    await fill(server);
    using other = await listen(server, { resourceSubscriptions: ["hub://channels"] });
    const before = await memoryHeld();
    let heard = 0;
    const hearing = (async () => {
      for (;;) {
        await other.stream.next();
        heard++;
      }
    })();
    const start = performance.now();
    await publish(server, load(400_000));
    const took = performance.now() - start;
    if (IS_SOAK) assert.ok(heard > 1 && heard <= took / 100 + 2, `the other heard ${heard} times in ${took} ms`);
    const after = await memoryHeld();
    assert.ok(after - before < 10 * MB, `${((after - before) / MB).toFixed(1)} MB more`);
    assert.equal(server.hub.size, 2);
    assert.ok((server.sink(0)?.pending ?? 0) < MB);
    other.stream.close();
    await assert.rejects(hearing, /the stream ended/);
    // All it was told before it stood still comes first, and then that everything has changed since.
    stalled.stream.reader.thaw();
    await until("its socket is empty", () => server.sink(0)?.pending === 0, 30_000);
    const last = stalled.stream.waiting.slice(-uris.length).map(({ params }) => params?.["uri"] as string);
    assert.deepEqual(last.sort(), asked.resourceSubscriptions);
  });

  it("is over when its connection breaks, whatever waits for it", async () => {
    await using server = await startServer({ retentionMessages: 1000 });
    const stalled = await listen(server, asked, { id: "s".repeat(256) });
    stalled.stream.reader.freeze();
    await fill(server);
    await closeAll(server, [stalled]);
    assert.equal(server.sink(0)?.pending, 0);
  });

  it("is cut off where it may leave less than that untaken", async () => {
    await using server = await startServer({ retentionMessages: 1000, maxPendingBytes: 64 * 1024 });
    const stalled = await listen(server, asked, { id: "s".repeat(256) });
    stalled.stream.reader.freeze();
    const isCut = async (): Promise<boolean> => {
      await publish(server, 100);
      return server.hub.size === 0;
    };
    await until("it is cut", isCut, 60_000);
    assert.equal(server.hub.stats.slow, 1);
    stalled.stream.reader.thaw();
    await stalled.stream.reader.ended;
    assert.ok(stalled.stream.waiting.every(({ result }) => result === undefined));
    await closeAll(server, []);
  });
});
