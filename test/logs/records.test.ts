import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Records } from "../../src/core/records.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { redisAddress } from "../../src/logs/redis/address.ts";
import { RedisConnection } from "../../src/logs/redis/connection.ts";
import { RedisRecords } from "../../src/logs/redis/records.ts";
import { ENGINES, startEngine, type Engine } from "../support/redis.ts";
import { FOREVER } from "../support/sample.ts";
import { openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

interface Opened extends AsyncDisposable {
  readonly records: Records;
}

function describeRecords(what: string, open: () => Promise<Opened>): void {
  describe(what, () => {
    it("are kept by kind and name until they are deleted", async () => {
      await using opened = await open();
      const { records } = opened;
      await records.set("bridge", "a", "1\n√");
      await records.set("bridge", "b", "");
      await records.set("hook", "a", "3");
      assert.deepEqual(
        await records.list("bridge"),
        new Map([
          ["a", "1\n√"],
          ["b", ""],
        ]),
      );
      await records.set("bridge", "a", "2");
      await records.delete("bridge", "b");
      assert.deepEqual([await records.get("bridge", "a"), await records.get("bridge", "b")], ["2", undefined]);
      assert.deepEqual(await records.list("none"), new Map());
    });

    it("are replaced only while they are what the caller found", async () => {
      await using opened = await open();
      const { records } = opened;
      const made = await Promise.all(["1", "2"].map((value) => records.replace("x", "a", undefined, value)));
      assert.deepEqual(
        made.map(Number).toSorted((a, b) => a - b),
        [0, 1],
      );
      const value = await records.get("x", "a");
      assert.equal(await records.replace("x", "a", "other", "3"), false);
      assert.equal(await records.replace("x", "a", value, ""), true);
      assert.equal(await records.replace("x", "a", undefined, "4"), false, "an empty text is not nothing");
      assert.equal(await records.replace("x", "a", "", undefined), true);
      assert.equal(await records.replace("x", "a", undefined, undefined), true);
      assert.equal(await records.get("x", "a"), undefined);
    });
  });
}

describeRecords("the records of a log in memory", async () => {
  const log = new MemoryLog(FOREVER);
  return { records: log.records, [Symbol.asyncDispose]: () => log.close() };
});

for (const durability of ["normal", "full"] as const) {
  describeRecords(`the records of a log in a file with ${durability} durability`, async () => {
    const folder = new TemporaryFolder();
    const log = await openSqlite(folder.file(), { durability });
    const close = async (): Promise<void> => {
      await log.close();
      folder[Symbol.dispose]();
    };
    return { records: log.records, [Symbol.asyncDispose]: close };
  });
}

describe("the records of a log in a file", () => {
  it("are there when it is opened again", async () => {
    using folder = new TemporaryFolder();
    {
      await using log = await openSqlite(folder.file());
      await log.records.set("bridge", "a", "1");
    }
    await using log = await openSqlite(folder.file());
    assert.equal(await log.records.get("bridge", "a"), "1");
  });
});

for (const kind of ENGINES) {
  describe(`on ${kind}`, () => {
    let engine: Engine;
    let opened = 0;
    before(async () => {
      engine = await startEngine({ kind });
    });
    after(() => engine[Symbol.asyncDispose]());

    describeRecords("the records of a log", async () => {
      const files = { ca: "", cert: "", key: "" };
      const address = redisAddress(`${engine.url}?prefix=records${++opened}`);
      const connection = await RedisConnection.open({ address, ...files, report: () => {} });
      return {
        records: new RedisRecords(connection),
        [Symbol.asyncDispose]: async () => connection.close(),
      };
    });
  });
}
