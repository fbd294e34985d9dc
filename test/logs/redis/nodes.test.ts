import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Appended, Log } from "../../../src/core/log.ts";
import type { Draft, Message } from "../../../src/core/message.ts";
import type { Redis } from "ioredis";
import { startEngine, ENGINES, type Engine } from "../../support/redis.ts";
import { kept, openNode } from "../../support/redis-node.ts";
import { draftOf, FOREVER, patternsOf } from "../../support/sample.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const ALL = patternsOf("*");

for (const kind of ENGINES) {
  describe(`nodes on one ${kind}`, { concurrency: true }, () => {
    let engine: Engine;
    let hubs = 0;
    before(async () => {
      engine = await startEngine({ kind });
    });
    after(() => engine[Symbol.asyncDispose]());
    const fresh = (): string => `${engine.url}?prefix=hub${++hubs}`;

    it("[LOG-27] see the same messages in the same order, whoever publishes", async () => {
      const url = fresh();
      await using a = await openNode(url);
      await using b = await openNode(url);
      await using c = await openNode(url);
      const nodes = [a, b, c];
      const work = nodes.map(async ({ log }, node) => {
        for (let count = 0; count < 60; count++) {
          const drafts = [0, 1, 2].map((each) =>
            draftOf(`channel-${node}`, `${node} ${count} ${each} é`, each === 2 ? { ephemeral: true } : {}),
          );
          await Promise.all(drafts.map((draft) => log.append(draft)));
        }
      });
      await Promise.all(work);
      await until("all have all", () => nodes.every(({ followed }) => followed.length === 540));
      const keptOf = (node: typeof a): unknown => node.followed.filter(({ ephemeral }) => !ephemeral).map(plain);
      assert.deepEqual(keptOf(a), keptOf(b));
      assert.deepEqual(keptOf(a), keptOf(c));
      assert.deepEqual(
        a.followed.filter(({ ephemeral }) => !ephemeral).map(({ offset }) => offset),
        Array.from({ length: 360 }, (_, index) => index + 1),
      );
      assert.deepEqual(await kept(a.log), await kept(b.log));
      assert.deepEqual(a.log.size(), c.log.size());
      assert.equal(a.log.epoch, b.log.epoch);
      assert.deepEqual([a.resets, b.resets, c.resets], [[], [], []]);
    });

    it("[LOG-30] answer a key that another node has used with the message of that node", async () => {
      const url = fresh();
      await using a = await openNode(url);
      await using b = await openNode(url);
      const first = await a.log.append(draftOf("orders", "one", { key: "k" }));
      await until("b has it", () => b.followed.length === 1);
      const again = await b.log.append(draftOf("orders", "two", { key: "k" }));
      assert.deepEqual([again.repeated, again.message], [true, first.message]);
    });

    it("[LOG-27] resume a cursor that another gave out before its message is here, and refuse one that none gave out", async () => {
      const url = fresh();
      await using proxy = await TcpProxy.open(engine.port);
      await using a = await openNode(url);
      await using b = await openNode(url.replace(String(engine.port), String(proxy.port)));
      await a.log.append(draftOf("x", 1));
      await until("b has it", () => b.followed.length === 1);
      proxy.treat({ delay: 150 });
      const { message } = await a.log.append(draftOf("x", 2));
      const cursor = { epoch: a.log.epoch, offset: message.offset };
      assert.deepEqual([b.followed.length, b.log.knows(cursor)], [1, true]);
      const page = await b.log.read({ after: message.offset, channels: ALL, limit: 9 });
      assert.deepEqual([page.messages, page.end, page.dropped], [[], 2, 0]);
      assert.equal((await b.log.read({ after: 40, channels: ALL, limit: 9 })).end, 2, "no one gave out 40");
    });

    it("[LOG-27] find out about a run that another node has begun, before they judge a cursor of it", async () => {
      await using own = await startEngine({ kind });
      await using proxy = await TcpProxy.open(own.port);
      await using a = await openNode(own.url);
      await using b = await openNode(`redis://127.0.0.1:${proxy.port}`);
      await a.log.append(draftOf("x", 1));
      await until("b has it", () => b.followed.length === 1);
      proxy.treat({ delay: 300 });
      await own.cli("FLUSHALL");
      await until("a is told", () => a.resets.length === 1);
      const { message } = await published(a.log);
      const cursor = { epoch: a.log.epoch, offset: message.offset };
      assert.equal(b.log.knows(cursor), false);
      await b.log.learn?.(cursor);
      assert.equal(b.log.knows(cursor), true);
      proxy.treat();
    });

    it("publish once what was executed before its answer got lost", async () => {
      const url = fresh();
      await using proxy = await TcpProxy.open(engine.port);
      await using a = await openNode(url.replace(String(engine.port), String(proxy.port)));
      await a.log.append(draftOf("x", "before"));
      proxy.treat({ repliesBeforeLoss: 0 });
      const draft = draftOf("x", "once", { key: "once" });
      // On a slow machine the publisher is told that it may have been kept, and publishes it again.
      const appended = a.log.append(draft).catch(() => published(a.log, draft));
      await until(
        "it was executed",
        async () => (await engine.cli("XLEN", `{${url.split("=")[1]}}:log`)).trim() === "2",
      );
      proxy.treat();
      proxy.cut();
      const { message } = await appended;
      assert.equal(message.offset, 2);
      await published(a.log, draftOf("x", "after", { key: "after" }));
      await until("it followed all", () => a.followed.length === 3);
      assert.deepEqual(a.data(), ['"before"', '"once"', '"after"']);
    });

    it("lose nothing while their subscriptions are killed again and again", async () => {
      await using own = await startEngine({ kind });
      await using a = await openNode(own.url);
      await using b = await openNode(own.url);
      const over = new AbortController();
      const kills = (async () => {
        while (!over.signal.aborted) {
          await own.cli("CLIENT", "KILL", "TYPE", "pubsub");
          await new Promise((resolve) => setTimeout(resolve, 30));
        }
      })();
      for (let count = 0; count < 300; count++) await a.log.append(draftOf("x", count));
      over.abort();
      await kills;
      await until("both have all", () => a.followed.length === 300 && b.followed.length === 300);
      const expected = Array.from({ length: 300 }, (_, count) => String(count));
      assert.deepEqual([a.data(), b.data()], [expected, expected]);
      assert.deepEqual([a.resets, b.resets], [[], []]);
    });

    it("notice a subscription that brings nothing any more, and make it anew", async () => {
      const url = fresh();
      await using proxy = await TcpProxy.open(engine.port);
      await using a = await openNode(url);
      await using b = await openNode(url.replace(String(engine.port), String(proxy.port)));
      const { localPort } = (b.connection.commands as Redis).stream;
      const subscriber = proxy.clients.find((port) => port !== localPort);
      proxy.treat((client) => (client === subscriber ? { stall: "replies" } : {}));
      const start = performance.now();
      await a.log.append(draftOf("x", 1));
      await until("b has it", () => b.followed.length === 1);
      assert.ok(performance.now() - start < 2500, "the next look brought it");
      await until("another connection replaced it", () => proxy.clients.length === 3);
      await until("it is well again", () =>
        b.log.check().then(
          () => true,
          () => false,
        ),
      );
    });

    it("[LOG-29] refuse to publish while the engine is away, read on, and go on by themselves", async () => {
      await using own = await startEngine({ kind });
      await using a = await openNode(own.url);
      await a.log.append(draftOf("x", 1));
      const cursor = { epoch: a.log.epoch, offset: 1 };
      await own.kill("SIGTERM");
      await until("it notices", () => !a.connection.isReady);
      await assert.rejects(a.log.append(draftOf("x", "late")), { code: "LOG_UNAVAILABLE" });
      await assert.rejects(a.log.check(), { code: "LOG_UNAVAILABLE" });
      assert.deepEqual(await kept(a.log), ["1"]);
      // Anyone may be told that sentence.
      const why = (): string => a.connection.unavailable().message;
      await until("it knows that nothing listens", () => why().includes("ECONNREFUSED"));
      assert.equal(why(), "Redis cannot be reached (connect ECONNREFUSED); try again in a few seconds");
      await own.restart();
      await until("it is back", () =>
        a.log.check().then(
          () => true,
          () => false,
        ),
      );
      const { message } = await a.log.append(draftOf("x", 2));
      assert.equal(message.offset, 2);
      assert.deepEqual([a.data(), a.resets], [["1", "2"], []], "nothing was lost, so nobody is told of a gap");
      assert.ok(a.log.knows(cursor));
      assert.notEqual(a.log.epoch, cursor.epoch);
    });

    for (const [how, harm] of [
      ["is flushed", (own: Engine) => own.cli("FLUSHALL")],
      ["loses its stream", (own: Engine) => own.cli("DEL", "{hub}:log")],
      ["loses its counters", (own: Engine) => own.cli("DEL", "{hub}:meta")],
      ["comes back empty", (own: Engine) => own.restart(["--appendonly", "no"])],
    ] as const) {
      it(`[LOG-28] say that everything before is lost when the engine ${how}`, async () => {
        await using own = await startEngine({ kind, args: how === "comes back empty" ? ["--appendonly", "no"] : [] });
        await using a = await openNode(own.url);
        await using b = await openNode(own.url);
        for (let count = 0; count < 3; count++) await a.log.append(draftOf("x", count));
        await until("b has all", () => b.followed.length === 3);
        const cursor = { epoch: a.log.epoch, offset: 2 };
        await harm(own);
        await until("both are told", () => a.resets.length === 1 && b.resets.length === 1);
        assert.deepEqual(a.resets, b.resets);
        const page = await b.log.read({ after: 2, channels: ALL, limit: 9 });
        assert.deepEqual([page.messages, page.isLost, page.dropped], [[], true, a.resets[0]]);
        assert.ok(!a.log.knows(cursor), "a reader that was away is told, too");
        const { message } = await published(a.log);
        assert.ok(message.offset > (a.resets[0] as number));
        await until("b has it", () => b.followed.at(-1)?.data === '"new"');
        assert.deepEqual(await kept(b.log), ['"new"']);
      });
    }

    it("tell of what retention dropped while a node was cut off, and of nothing else", async () => {
      const url = fresh();
      const retention = { ...FOREVER, messages: 5 };
      await using proxy = await TcpProxy.open(engine.port);
      await using a = await openNode(url, { retention });
      await using b = await openNode(url.replace(String(engine.port), String(proxy.port)), { retention });
      await a.log.append(draftOf("quiet", 0));
      await until("b has it", () => b.followed.length === 1);
      proxy.treat({ refuse: true });
      for (let count = 1; count < 20; count++) await a.log.append(draftOf("busy", count));
      proxy.treat();
      await until("b has caught up", () => b.resets.length === 1);
      assert.deepEqual(await kept(b.log), ["15", "16", "17", "18", "19"]);
      const missing = async (channel: string): Promise<unknown> => {
        const page = await b.log.read({ after: 1, channels: patternsOf(channel), limit: 1 });
        return [page.dropped, page.isLost];
      };
      assert.deepEqual(
        [await missing("busy"), await missing("quiet")],
        [
          [15, undefined],
          [1, undefined],
        ],
      );
    });

    it("begin with what their mirror has, and throw away one of another log", async () => {
      using folder = new TemporaryFolder();
      const [url, other] = [fresh(), fresh()];
      const mirror = folder.file("mirror.db");
      await using a = await openNode(url);
      for (let count = 0; count < 3; count++) await a.log.append(draftOf("x", count));
      const first = await openNode(url, { mirror });
      await first[Symbol.asyncDispose]();
      await a.log.append(draftOf("y", "meanwhile"));
      {
        await using again = await openNode(url, { mirror });
        assert.deepEqual(await kept(again.log), ["0", "1", "2", '"meanwhile"']);
        assert.deepEqual(again.log.size(), a.log.size());
        await assert.rejects(openNode(url, { mirror }), /MIRROR .* another program has it open/);
      }
      await using foreign = await openNode(other, { mirror });
      assert.deepEqual([await kept(foreign.log), foreign.log.size().channels], [[], 0]);
      assert.equal((await foreign.log.append(draftOf("x", 1))).message.offset, 1);
    });
  });
}

/** Publishes, as soon as the log takes it again. */
async function published(log: Log, draft: Draft = draftOf("x", "new", { key: "new" })): Promise<Appended> {
  for (;;) {
    try {
      return await log.append(draft);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function plain({ offset, channel, event, data, sender, time }: Message): object {
  return { offset, channel, event, data, sender, time };
}
