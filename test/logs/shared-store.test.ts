import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SharedStore } from "../../src/core/shared-store.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { redisAddress } from "../../src/logs/redis/address.ts";
import { RedisConnection } from "../../src/logs/redis/connection.ts";
import { RedisStore } from "../../src/logs/redis/store.ts";
import { ENGINES, startEngine, type Engine } from "../support/redis.ts";
import { until } from "../support/until.ts";

/** What one node, and another, see of the same store. */
interface Pair extends AsyncDisposable {
  readonly one: SharedStore;
  readonly other: SharedStore;
}

function describeStore(what: string, open: () => Promise<Pair>): void {
  describe(what, () => {
    it("has a value until its time is over", async () => {
      await using pair = await open();
      const { one, other } = pair;
      await one.set("long", "a\nb", 60_000);
      await one.set("short", "x", 50);
      assert.deepEqual([await other.get("long"), await other.get("none")], ["a\nb", undefined]);
      await until("it is over", async () => (await other.get("short")) === undefined);
      await other.delete("long");
      assert.equal(await one.get("long"), undefined);
    });

    it("sets a new value once, and gives it to one of those who take it", async () => {
      await using pair = await open();
      const { one, other } = pair;
      const set = await Promise.all([one.getOrSet("key", "1"), other.getOrSet("key", "2", 1000)]);
      assert.equal(set[0], set[1]);
      const taken = await Promise.all([one.take("key"), other.take("key")]);
      assert.deepEqual(new Set(taken), new Set([set[0], undefined]));
    });

    it("replaces a value only if it is still what the caller found, and makes it last", async () => {
      await using pair = await open();
      const { one, other } = pair;
      assert.equal(await one.replace("key", "", "x", 1000), false);
      await one.set("key", "0", 200);
      const replaced = await Promise.all([
        one.replace("key", "0", "1", 60_000),
        other.replace("key", "0", "2", 60_000),
      ]);
      assert.deepEqual(new Set(replaced), new Set([true, false]));
      const since = performance.now();
      await until("its first time is over", () => performance.now() > since + 400);
      assert.equal(await one.get("key"), replaced[0] ? "1" : "2");
      await one.delete("key");
      assert.deepEqual([await one.replace("key", "1", "3", 1000), await one.get("key")], [false, undefined]);
    });

    it("counts what all add, from 0 again once the time since the first is over", async () => {
      await using pair = await open();
      const { one, other } = pair;
      assert.equal((await one.increment("count", 2, 300)).total, 2);
      const { total, resetsIn } = await other.increment("count", 3, 60_000);
      assert.deepEqual([total, resetsIn <= 300], [5, true]);
      await until("it begins again", async () => (await one.increment("count", 0, 60_000)).total === 0);
    });

    it("sends a text to the subscribers of its topic on all nodes, in order, until they leave", async () => {
      await using pair = await open();
      const { one, other } = pair;
      const heard: string[] = [];
      const here: string[] = [];
      const leave = other.subscribe("topic", (text) => void heard.push(text));
      one.subscribe("topic", (text) => void here.push(text));
      await one.publish("another", "no");
      await Promise.all(["1", "a\nb", "3"].map((text) => one.publish("topic", text)));
      await until("all is heard", () => heard.length === 3 && here.length === 3);
      assert.deepEqual([heard, here], [["1", "a\nb", "3"], heard]);
      leave();
      await one.publish("topic", "4");
      await until("it is heard", () => here.length === 4);
      assert.equal(heard.length, 3);
    });
  });
}

describeStore("what the only node shares with itself", async () => {
  const store = new LocalStore();
  return { one: store, other: store, [Symbol.asyncDispose]: async () => store.close() };
});

for (const kind of ENGINES) {
  describe(`on ${kind}`, () => {
    let engine: Engine;
    let pairs = 0;
    before(async () => {
      engine = await startEngine({ kind });
    });
    after(() => engine[Symbol.asyncDispose]());

    describeStore("what nodes share", async () => {
      const files = { ca: "", cert: "", key: "" };
      const address = redisAddress(`${engine.url}?prefix=store${++pairs}`);
      const connect = (): Promise<RedisConnection> => RedisConnection.open({ address, ...files, report: () => {} });
      const [a, b] = [await connect(), await connect()];
      return {
        one: await RedisStore.open(a, "a"),
        other: await RedisStore.open(b, "b"),
        [Symbol.asyncDispose]: async () => {
          a.close();
          b.close();
        },
      };
    });
  });
}
