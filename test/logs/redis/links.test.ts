import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openNode } from "../../support/redis-node.ts";
import { needsEngine, startEngine } from "../../support/redis.ts";
import { draftOf, patternsOf } from "../../support/sample.ts";
import { TcpProxy, type LinkFault } from "../../support/tcp-proxy.ts";
import { until } from "../../support/until.ts";

describe("a node whose links to the engine are bad", { concurrency: 2 }, () => {
  it("goes on after its connections broke at any point of being made", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    await using node = await openNode(`redis://127.0.0.1:${proxy.port}`);
    for (let cuts = 0; cuts < 300; cuts++) {
      proxy.cut();
      await pause(cuts % 40);
    }
    await until("it publishes again", () =>
      node.log.append(draftOf("c", "last")).then(
        () => true,
        () => false,
      ),
    );
    assert.equal(node.followed.at(-1)?.data, '"last"');
  });

  it("loses nothing when the engine drops it because it did not read", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine({ args: ["--client-output-buffer-limit", "pubsub", "64kb", "32kb", "1"] });
    await using proxy = await TcpProxy.open(engine.port);
    await using a = await openNode(engine.url);
    await using b = await openNode(`redis://127.0.0.1:${proxy.port}`);
    const filling = "x".repeat(170_000);
    proxy.treat({ stall: "replies" });
    // More than the buffers of the kernel and of the proxy take, so that those of the engine fill up.
    for (let count = 0; count < 230; count++) await a.log.append(draftOf("c", `${count} ${filling}`));
    await until("the engine dropped it", () => engine.output.includes("overcoming of output buffer limits"));
    proxy.treat();
    await until("b has all", () => b.followed.length === 230);
    assert.deepEqual(b.data(), a.data());
    assert.deepEqual([a.resets, b.resets], [[], []]);
  });

  it("publishes once and in order through pieces, delays, pauses of the engine and halves of a link", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    await using a = await openNode(engine.url);
    await using b = await openNode(`redis://127.0.0.1:${proxy.port}`);
    const faults: readonly LinkFault[] = [
      { piece: 1 },
      { delay: 60 },
      {},
      { stall: "requests" },
      { stall: "replies" },
      {},
    ];
    const kept: string[] = [];
    for (const [round, fault] of faults.entries()) {
      proxy.treat(fault);
      if (fault.stall !== undefined) setTimeout(() => proxy.treat(), 600);
      if (round === 2) await engine.cli("CLIENT", "PAUSE", "300");
      for (let count = 0; count < 10; count++) {
        const other = a.log.append(draftOf("c", `a ${round} ${count}`));
        const { message } = await b.log.append(draftOf("c", `b ${round} ${count}`, { key: `${round} ${count}` }));
        kept.push(message.data);
        await other;
      }
    }
    assert.equal(kept.length, 60);
    await until("both have all", () => a.followed.length === 120 && b.followed.length === 120);
    assert.deepEqual(a.data(), b.data());
    assert.deepEqual(
      b.data().filter((text) => text.startsWith('"b')),
      kept,
    );
    assert.deepEqual([a.resets, b.resets], [[], []]);
  });

  it("goes on after several losses in a row, between which nothing was published", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    await using a = await openNode(`redis://127.0.0.1:${proxy.port}`);
    await using b = await openNode(engine.url);
    for (let count = 0; count < 5; count++) await b.log.append(draftOf("c", count));
    await until("a has them", () => a.followed.length === 5);
    proxy.treat({ refuse: true });
    await engine.cli("HSET", "{hub}:runs", "100", "lossone 5", "200", "losstwo 100");
    await engine.cli("HSET", "{hub}:meta", "head", "200", "epoch", "losstwo");
    const { message } = await b.log.append(draftOf("c", "after"));
    assert.equal(message.offset, 201);
    proxy.treat();
    await until("a is told, and is well again", () =>
      a.log.check().then(
        () => a.resets.length > 0,
        () => false,
      ),
    );
    const page = await a.log.read({ after: 200, channels: patternsOf("*"), limit: 10 });
    assert.deepEqual(
      page.messages.map(({ data }) => data),
      ['"after"'],
    );
  });

  it("gives nothing that was deleted once it has heard of that, however late it hears the rest", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    await using node = await openNode(`redis://127.0.0.1:${proxy.port}`);
    for (let count = 0; count < 10; count++) await node.log.append(draftOf("c", count));
    const { epoch } = node.log;
    proxy.treat({ delay: 50 });
    await engine.cli("FLUSHALL");
    let pages = 0;
    await until("it is told", async () => {
      const page = await node.log.read({ after: 4, channels: patternsOf("*"), limit: 10 });
      pages++;
      const epochs = page.messages.map(({ offset }) => node.log.epochAt(offset));
      assert.deepEqual(
        epochs,
        epochs.map(() => epoch),
        "a message of before with an id of after",
      );
      assert.ok(page.isLost !== true || page.messages.length === 0);
      return node.resets.length > 0;
    });
    assert.ok(pages > 1);
  });
});
