import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { needsEngine, startEngine } from "../../support/redis.ts";
import { kept, openNode } from "../../support/redis-node.ts";
import { draftOf, FOREVER } from "../../support/sample.ts";
import { startServer } from "../../support/server.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { until } from "../../support/until.ts";

describe("a node of a log on Redis that recovers", { concurrency: true }, () => {
  for (const [older, newer] of [
    [5, 8],
    [8, 5],
  ] as const) {
    it(`[LOG-28] has what replaced its ${older} messages, ${newer} of a flushed log, and tells its readers`, async (test) => {
      if (!needsEngine(test)) return;
      await using engine = await startEngine();
      await using proxy = await TcpProxy.open(engine.port);
      await using a = await startServer({ data: `redis://127.0.0.1:${proxy.port}` });
      using reader = await a.events("?channel=x");
      for (let count = 0; count < older; count++) await a.publish("x", `old ${count}`);
      proxy.treat({ refuse: true });
      await engine.cli("FLUSHALL");
      // A new node does not know that there was anything.
      await using b = await openNode(engine.url);
      for (let count = 0; count < newer; count++) await b.log.append(draftOf("x", `new ${count}`));
      const { epoch } = b.log;
      proxy.treat();
      await until("the node is back", () => b.log.epoch !== epoch && a.hub.log.epoch === b.log.epoch);
      await b.log.append(draftOf("x", "end"));
      const told: string[] = [];
      while (told.at(-1) !== "end") {
        const { event, data } = await reader.next();
        const word = event === "gap" ? (JSON.parse(data) as { reason: string }).reason : data;
        // A node that asks twice before it has the answer may be told of two losses in a row.
        if (event !== "live" && (event !== "gap" || told.at(-1) !== word)) told.push(word);
      }
      const numbered = (word: string, length: number) => Array.from({ length }, (_, n) => `${word} ${n}`);
      assert.deepEqual(told, [...numbered("old", older), "lost", ...numbered("new", newer), "lost", "end"]);
      const { messages } = await a.hub.history({ channels: [draftOf("x", 0).channel], limit: 100 });
      assert.deepEqual(
        messages.map((message) => [JSON.parse(message.data), a.hub.idOf(message)]),
        numbered("new", newer).map((data, n) => [data, `${epoch}-${n + 1}`]),
      );
    });
  }

  it("tells what retention dropped meanwhile, also if the link breaks again while it reads the rest", async (test) => {
    if (!needsEngine(test)) return;
    const retention = { ...FOREVER, messages: 300 };
    await using engine = await startEngine();
    await using proxy = await TcpProxy.open(engine.port);
    await using a = await openNode(`redis://127.0.0.1:${proxy.port}`, { retention });
    await using b = await openNode(engine.url, { retention });
    await b.log.append(draftOf("x", 0));
    await until("both have it", () => a.followed.length === 1);
    proxy.treat({ refuse: true });
    const texts = Array.from({ length: 700 }, (_, n) => `${n} ${"y".repeat(300)}`);
    await Promise.all(texts.map((text) => b.log.append(draftOf("x", text))));
    const { commands } = a.connection;
    const xrange = commands.xrange.bind(commands);
    let reads = 0;
    commands.xrange = async () => {
      reads++;
      throw new Error("Connection is closed.");
    };
    proxy.treat();
    await until("it cannot read the rest", () => reads > 2);
    commands.xrange = xrange;
    await until("it has the rest", async () => (await kept(a.log)).length === 300);
    await b.log.append(draftOf("x", "end"));
    await until("it goes on", () => a.followed.at(-1)?.data === '"end"');
    assert.deepEqual(a.resets, [701]);
    assert.deepEqual(a.data(), ["0", '"end"'], "readers read the rest after they are told");
  });

  it("drops what is too old from an engine whose memory is full, and publishes again then", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using a = await openNode(engine.url, { retention: { ...FOREVER, age: 2000 } });
    const [, used = ""] = /used_memory:(\d+)/.exec(await engine.cli("INFO", "memory")) ?? [];
    await engine.cli("CONFIG", "SET", "maxmemory", String(Number(used) + 500_000));
    await assert.rejects(
      async () => {
        for (;;) await a.log.append(draftOf("x", "y".repeat(1000)));
      },
      { code: "LOG_UNAVAILABLE", message: /^Redis refused this \(OOM/ },
    );
    await until("what is too old has gone", async () => (await kept(a.log)).length === 0);
    await a.log.append(draftOf("x", "after"));
    assert.deepEqual(await kept(a.log), ['"after"']);
  });
});
