import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import * as fc from "../../support/properties.ts";
import type { ArchivePart } from "../../../src/logs/archive.ts";
import { openArchive, writeArchive } from "../../../src/logs/open-archive.ts";
import { openStorage } from "../../../src/logs/open.ts";
import type { Retention, Log } from "../../../src/core/log.ts";
import { exported, importFrom, placeOf, read, step, work } from "../../support/archives.ts";
import { viewOf } from "../../support/log-view.ts";
import { ENGINES, needsEngine, startEngine, type Engine, type EngineKind } from "../../support/redis.ts";
import { draftOf, FOREVER, patternsOf } from "../../support/sample.ts";
import { openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

/** A node's log on Redis. */
async function openNode(data: string, retention: Retention = FOREVER): Promise<Log & AsyncDisposable> {
  const { redis } = placeOf(data);
  const { log, ...opened } = await openStorage({ data, redis, retention, durability: "normal", mirror: "temporary:" });
  return Object.assign(log, {
    [Symbol.asyncDispose]: async () => {
      await log.close();
      await opened.close();
    },
  });
}

/** Publishes to each log, five messages at a time, until it is disposed. */
function publishingTo(...targets: readonly (readonly [Log, string])[]): AsyncDisposable {
  const done = new AbortController();
  const publish = async ([log, channel]: readonly [Log, string]): Promise<void> => {
    for (let round = 0; !done.signal.aborted; round++) {
      await Promise.all(Array.from({ length: 5 }, (_, each) => log.append(draftOf(channel, [round, each]))));
    }
  };
  const publishing = Promise.all(targets.map(publish));
  return {
    [Symbol.asyncDispose]: async () => {
      done.abort();
      await publishing;
    },
  };
}

/** What only a file says: when it was last in use. */
function withoutUse(text: string): string {
  return text.replace(/"used":\d+,/, "");
}

async function onEngine(
  test: TestContext,
  kind: EngineKind,
  body: (engine: Engine, folder: TemporaryFolder) => Promise<void>,
): Promise<void> {
  if (!needsEngine(test, kind)) return;
  using folder = new TemporaryFolder();
  await using engine = await startEngine({ kind });
  await body(engine, folder);
}

for (const kind of ENGINES.length === 0 ? (["redis"] as const) : ENGINES) describeMoves(kind);

function describeMoves(kind: EngineKind): void {
  describe(`a log that is moved to ${kind}, and back`, { concurrency: 2 }, () => {
    it("reads the same after any work: messages, gaps, cursors, channels and keys", async (test) => {
      let logs = 0;
      await onEngine(test, kind, async (engine) => {
        const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          using folder = new TemporaryFolder();
          const [path, back] = [folder.file(), folder.file("back.db")];
          const data = `${engine.url}?prefix=log${++logs}`;
          const epochs = await work(path, steps);
          const text = await exported(path);
          {
            await using archive = await openArchive(placeOf(path));
            await writeArchive(placeOf(data), archive);
          }
          assert.equal(await exported(data), withoutUse(text), "and is exported the same");
          {
            await using archive = await openArchive(placeOf(data));
            await writeArchive(placeOf(back), archive);
          }
          await using original = await openSqlite(path);
          const expected = await viewOf(original, epochs);
          const next = await original.append(draftOf("a", "again", { key: "k" }));
          for (const log of [await openNode(data), await openSqlite(back)]) {
            await using _ = log;
            assert.deepEqual(await viewOf(log, epochs), expected);
            assert.equal(original.knows({ epoch: log.epoch, offset: expected.head + 1 }), false);
            assert.equal(log.knows({ epoch: original.epoch, offset: expected.head + 1 }), false);
            const again = await log.append(draftOf("a", "again", { key: "k" }));
            assert.deepEqual([again.repeated, again.message.offset], [next.repeated, next.message.offset]);
          }
        });
        // A channel that was forgotten, beside one that has lost nothing.
        const limits = { messages: 2, channels: 2 };
        const [c, a, b] = ["c", "a", "b.x"].map((channel) => ({ channel, key: null }));
        const forgotten = [c, limits, a, b, b].filter((one) => one !== undefined);
        await fc.assert(property, { numRuns: 15, examples: [[forgotten]] });
      });
    });

    it("may be in use on Redis meanwhile: it is copied up to where it was", async (test) => {
      await onEngine(test, kind, async (engine, folder) => {
        // Many more than are published while a page is read, or the copy says that retention overtook it.
        const retention = { ...FOREVER, messages: 4000 };
        await using node = await openNode(engine.url, retention);
        await using other = await openNode(engine.url, retention);
        await Promise.all(Array.from({ length: 4000 }, (_, each) => node.append(draftOf("a", each))));
        await using _publishing = publishingTo([node, "a"], [other, "b"]);
        const all = { after: -1, channels: patternsOf("*"), limit: 1 };
        await until(
          "retention drops",
          async () =>
            (await node.read(all)).dropped > 0 && node.channels({ pattern: all.channels[0]!, limit: 9 }).length === 2,
        );
        for (let copies = 0; copies < 5; copies++) {
          const path = folder.file(`copy${copies}.db`);
          await importFrom(await exported(engine.url), path);
          await using copy = await openSqlite(path);
          const head = await copy.follow(() => {});
          const { messages, dropped } = await copy.read({ after: -1, channels: patternsOf("*"), limit: 5000 });
          const first = messages[0]?.offset ?? 0;
          assert.deepEqual(
            messages.map(({ offset }) => offset),
            Array.from({ length: head - first + 1 }, (_, index) => first + index),
          );
          assert.ok(dropped > 0 && dropped < first, `dropped up to ${dropped}, kept from ${first}`);
          assert.equal(copy.knows({ epoch: node.epoch, offset: head }), true);
          await copy.append(draftOf("a", "mine"));
          assert.equal(copy.knows({ epoch: node.epoch, offset: head + 1 }), false);
        }
      });
    });

    it("tells of what was lost, and of offsets that are left out, on both", async (test) => {
      await onEngine(test, kind, async (engine, folder) => {
        const records = [
          {
            archive: "sse-mcp-server",
            format: 1,
            head: 20,
            floor: 0,
            runs: [
              { first: 0, epoch: "one" },
              { first: 8, epoch: "two" },
            ],
            lost: [
              { after: 3, end: 8 },
              { after: 12, end: 20 },
            ],
          },
          ...[2, 3, 9, 12].map((offset) => ({
            offset,
            channel: "a",
            event: "message",
            sender: "me",
            time: 5,
            data: offset,
          })),
          { channel: "a", last: 12, time: 5, dropped: 1 },
          { end: { channels: 1, messages: 4 } },
        ];
        await importFrom(records.map((record) => `${JSON.stringify(record)}\n`).join(""), engine.url);
        await importFrom(await exported(engine.url), folder.file());
        for (const log of [await openNode(engine.url), await openSqlite(folder.file())]) {
          await using _ = log;
          const told = async (after: number): Promise<unknown[]> => {
            const { messages, dropped, isLost } = await log.read({ after, channels: patternsOf("a"), limit: 9 });
            return [messages.map(({ offset }) => offset), dropped, isLost];
          };
          assert.deepEqual(await told(0), [[2, 3], 1, undefined]);
          assert.deepEqual(await told(4), [[9], 8, true]);
          // Rows that someone has deleted: messages 10 and 11.
          assert.deepEqual(await told(8), [[9], 1, undefined]);
          assert.deepEqual(await told(9), [[12], 11, true]);
          assert.deepEqual(await told(12), [[], 20, true]);
          assert.deepEqual(await told(20), [[], 1, undefined]);
          assert.equal(await log.follow(() => {}), 20);
          assert.deepEqual(
            [
              ["one", 7],
              ["two", 8],
              ["two", 20],
              ["one", 8],
            ].map(([epoch, offset]) => log.knows({ epoch: String(epoch), offset: Number(offset) })),
            [true, true, true, false],
          );
          assert.equal((await log.append(draftOf("a", "next"))).message.offset, 21);
        }
      });
    });

    it("needs a prefix without a log, and leaves nothing if it is not whole", async (test) => {
      await onEngine(test, kind, async (engine, folder) => {
        await assert.rejects(openArchive(placeOf(engine.url)), {
          code: "LOG_UNAVAILABLE",
          message: /^There is no log on this Redis under \{hub\}:…; give the URL of one, with its prefix$/,
        });
        {
          await using log = await openSqlite(folder.file());
          for (const key of ["k", "l"]) await log.append(draftOf("a", key, { key }));
        }
        const text = await exported(folder.file());
        await assert.rejects(importFrom(text.slice(0, -5), engine.url), /is not JSON|it was cut short/);
        assert.equal(await engine.cli("DBSIZE"), "0");
        await importFrom(text, engine.url);
        assert.deepEqual(
          (await engine.cli("KEYS", "*")).split("\n").sort(),
          ["idempotency", "log", "meta", "runs"].map((word) => `{hub}:${word}`),
        );
        for (const word of ["log", "idempotency"]) assert.equal(await engine.cli("TTL", `{hub}:${word}`), "-1");
        await assert.rejects(importFrom(text, engine.url), {
          message: /^There is a log on this Redis under \{hub\}: already; give another prefix, such as redis:/,
        });
        await importFrom(text, `${engine.url}?prefix=other`);
        assert.equal(await exported(`${engine.url}?prefix=other`), withoutUse(text));
        await engine.kill();
        await assert.rejects(openArchive(placeOf(engine.url)), /The Redis that DATA names cannot be used: /);
      });
    });

    it("gives way to a server that starts before it is whole", async (test) => {
      await onEngine(test, kind, async (engine, folder) => {
        {
          await using log = await openSqlite(folder.file());
          await log.append(draftOf("a", "old"));
        }
        const { header, parts } = await read(await exported(folder.file()));
        const all: ArchivePart[] = [];
        for await (const part of parts) all.push(part);
        const messages = [];
        {
          async function* halted(): AsyncGenerator<ArchivePart> {
            for (const part of all) yield part;
            await using node = await openNode(engine.url);
            messages.push((await node.append(draftOf("a", "new"))).message);
          }
          await assert.rejects(
            writeArchive(placeOf(engine.url), { header, parts: halted() }),
            /There is a log on this Redis/,
          );
        }
        await using node = await openNode(engine.url);
        const page = await node.read({ after: -1, channels: patternsOf("*"), limit: 9 });
        assert.deepEqual(
          page.messages.map(({ data }) => data),
          ['"new"'],
        );
        assert.equal(await engine.cli("KEYS", "*import*"), "");
      });
    });
  });
}
