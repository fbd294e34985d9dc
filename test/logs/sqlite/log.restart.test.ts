import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import * as fc from "../../support/properties.ts";
import { channelName } from "../../../src/core/channel.ts";
import { BEGINNING } from "../../../src/protocol/cursor.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../../support/sample.ts";
import { commitsIn, dataOf, openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { TestSink } from "../../support/test-sink.ts";
import { until } from "../../support/until.ts";

const ALL = patternsOf("*");

describe("a SQLite log that is opened again", { concurrency: true }, () => {
  it("has everything it had, and goes on from there", async () => {
    using folder = new TemporaryFolder();
    const before = await openSqlite(folder.file(), { now: () => 77 });
    for (const [data, channel] of ["a", "b.x", "a"].entries())
      await before.append(draftOf(channel, data, { sender: "me", event: "e" }));
    const [everything] = ALL;
    const query = { pattern: everything as NonNullable<typeof everything>, limit: 9 };
    const [size, channels] = [before.size(), before.channels(query)];
    const page = await before.read({ after: 0, channels: ALL, limit: 9 });
    await before.close();
    await using after = await openSqlite(folder.file());
    assert.deepEqual(await after.follow(() => {}), 3);
    assert.deepEqual([after.size(), after.channels(query)], [size, channels]);
    assert.deepEqual(await after.read({ after: 0, channels: ALL, limit: 9 }), page);
    assert.equal((await after.append(draftOf("a", 3))).message.offset, 4);
  });

  it("resumes readers where they were, without a gap", async () => {
    using folder = new TemporaryFolder();
    const first = await openHub(await openSqlite(folder.file()));
    const { id } = await first.publish(draftOf("a", 1));
    await first.publish(draftOf("a", 2));
    await first.close();
    await using second = await openHub(await openSqlite(folder.file()));
    await second.publish(draftOf("a", 3));
    const sink = new TestSink();
    second.subscribe({ channels: ALL, after: id }, sink);
    await until("it is live", () => sink.of("live").length === 1);
    assert.deepEqual(sink.story, [2, 3, "live"]);
  });

  it("tells readers by beats of places that it knows, before anything is published", async () => {
    using folder = new TemporaryFolder();
    const first = await openHub(await openSqlite(folder.file()), { page: 1 });
    const { id } = await first.publish(draftOf("a", 1));
    const last = await first.publish(draftOf("a", 2));
    await first.close();
    await using second = await openHub(await openSqlite(folder.file()), { page: 1 });
    const [live, late] = [new TestSink(), new TestSink()];
    second.subscribe({ channels: ALL }, live);
    late.stall();
    second.subscribe({ channels: ALL, after: "earliest" }, late);
    await until("it waits for its socket", () => late.waiting === 1);
    second.heartbeat(0, 1);
    assert.deepEqual([live.of("beat")[0]?.id, late.of("beat")[0]?.id], [last.id, id]);
  });

  it("knows the keys it knew: the same message, repeated, and nobody gets it again", async () => {
    using folder = new TemporaryFolder();
    const first = await openHub(await openSqlite(folder.file()));
    const published = await first.publish(draftOf("a", 1, { key: "k" }));
    await first.close();
    await using second = await openHub(await openSqlite(folder.file()));
    const sink = new TestSink();
    second.subscribe({ channels: ALL }, sink);
    const [again, elsewhere] = await Promise.all([
      second.publish(draftOf("a", 2, { key: "k" })),
      second.publish(draftOf("b", 3, { key: "k" })),
    ]);
    assert.deepEqual([again.id, again.repeated, again.receivers, again.message.data], [published.id, true, 0, "1"]);
    assert.equal(elsewhere.repeated, false);
    assert.deepEqual(sink.data, []);
    await until("the other came", () => sink.data.length === 1);
    assert.deepEqual(sink.data, [3]);
  });

  it("keeps to lower limits than it had, and drops by age what grew old meanwhile", async () => {
    using folder = new TemporaryFolder();
    let now = 0;
    const clock = (): number => now;
    const cost = 5 + "message".length + "anyone".length + "a".length;
    for (const [retention, left] of [
      [FOREVER, 3000],
      [{ ...FOREVER, messages: 1500 }, 1500],
      [{ ...FOREVER, bytes: 1000 * cost }, 1000],
      [{ ...FOREVER, age: 500 }, 500],
      [FOREVER, 500],
    ] as const) {
      await using log = await openSqlite(folder.file(), { retention, now: clock });
      if (left === 3000) {
        for (let data = 0; data < 2500; data++) void log.append(draftOf("a", 10_000 + data));
        await log.check();
        now = 1000;
        for (let data = 2500; data < 3000; data++) void log.append(draftOf("a", 10_000 + data));
        now = 1400;
      }
      await log.check();
      await until(`it kept ${left}`, () => log.size().messages === left);
      const data = await dataOf(log);
      assert.deepEqual([data.length, data[0], data.at(-1)], [left, 13_000 - left, 12_999]);
      const page = await log.read({ after: 0, channels: ALL, limit: 1 });
      assert.equal(page.dropped, 3000 - left);
      assert.equal(log.size().bytes, left * cost);
    }
  });

  it("remembers how far each channel was dropped", async () => {
    using folder = new TemporaryFolder();
    const retention = { ...FOREVER, messages: 1 };
    const before = await openSqlite(folder.file(), { retention });
    for (const channel of ["quiet", "busy", "busy", "other"]) await before.append(draftOf(channel, 1));
    await until("it kept one", () => before.size().messages === 1);
    await before.close();
    await using after = await openSqlite(folder.file(), { retention });
    const dropped = await Promise.all(
      ["quiet", "busy", "other"].map(
        async (text) => (await after.read({ after: 0, channels: patternsOf(text), limit: 1 })).dropped,
      ),
    );
    assert.deepEqual(dropped, [1, 3, 0]);
    assert.equal((await after.append(draftOf("a", 1))).message.offset, 5, "a dropped offset is not given out again");
  });

  it("never gives an offset out again, even when nothing is kept of it", async () => {
    using folder = new TemporaryFolder();
    const retention = { ...FOREVER, messages: 0 };
    for (let run = 1; run <= 3; run++) {
      await using log = await openSqlite(folder.file(), { retention });
      assert.equal((await log.append(draftOf("a", run))).message.offset, run);
      await until("nothing is kept", () => log.size().messages === 0);
    }
  });

  it("leaves nothing but one file when it was closed", async () => {
    using folder = new TemporaryFolder();
    const log = await openSqlite(folder.file());
    await log.append(draftOf("a", 1));
    assert.ok(existsSync(`${folder.file()}-wal`));
    await log.close();
    assert.deepEqual([existsSync(`${folder.file()}-wal`), existsSync(`${folder.file()}-shm`)], [false, false]);
  });
});

describe("a SQLite log", { concurrency: true }, () => {
  it("commits once for what a turn appends, whatever it is, and not at all where nothing is to be kept", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    await log.append(draftOf("a", 0));
    const commits = commitsIn(folder.file());
    const drafts = Array.from({ length: 100 }, (_, data) =>
      draftOf(`c.${data % 7}`, data, data % 3 ? {} : { ephemeral: true }),
    );
    await Promise.all([...drafts.map((draft) => log.append(draft)), log.check()]);
    assert.equal(commitsIn(folder.file()), commits + 1);
    await log.append(draftOf("a", 1, { ephemeral: true }));
    assert.equal(commitsIn(folder.file()), commits + 1);
    for (let turn = 0; turn < 5; turn++) await log.append(draftOf("a", turn));
    assert.equal(commitsIn(folder.file()), commits + 6);
  });

  it("drops at least as much as it keeps: a flood does not outgrow the limits", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file(), { retention: { ...FOREVER, messages: 100 } });
    let most = 0;
    for (let turn = 0; turn < 20; turn++) {
      await Promise.all(Array.from({ length: 1500 }, (_, data) => log.append(draftOf("a", data))));
      most = Math.max(most, log.size().messages);
    }
    assert.ok(most <= 2 * 1500 + 100, `it held ${most}`);
    await until("it keeps 100", () => log.size().messages === 100);
  });

  it("has counters that agree with its rows, after any work and over restarts", async () => {
    const step = fc.tuple(fc.constantFrom("append", "turn", "restart"), fc.nat(8), fc.nat(60));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 1, max: 30 }),
        async (steps, messages) => {
          using folder = new TemporaryFolder();
          const retention = { ...FOREVER, messages, bytes: 1500 };
          let log = await openSqlite(folder.file(), { retention });
          for (const [kind, channel, size] of steps) {
            const key = size % 4 ? {} : { key: `k${size % 5}` };
            if (kind !== "restart") {
              const appended = log.append(draftOf(`c.${channel}`, "é".repeat(size), key));
              if (kind === "turn") await appended;
              continue;
            }
            await log.close();
            log = await openSqlite(folder.file(), { retention });
          }
          await log.check();
          using database = openDatabase(folder.file());
          const rows = database
            .prepare(
              `SELECT c.channel, c.kept, c.bytes, c.last, c.dropped, count(m.offset) AS rows, ifnull(sum(m.cost), 0) AS cost,
               ifnull(max(m.offset), c.last) AS latest, ifnull(min(m.offset), c.dropped + 1) AS oldest
             FROM channels c LEFT JOIN messages m ON m.channel = c.id GROUP BY c.id`,
            )
            .all() as Record<string, number>[];
          for (const row of rows) {
            assert.deepEqual([row.kept, row.bytes, row.last], [row.rows, row.cost, row.latest], String(row.channel));
            assert.ok(Number(row.dropped) < Number(row.oldest));
          }
          const totals = (column: string): number => rows.reduce((sum, row) => sum + Number(row[column]), 0);
          assert.deepEqual(log.size(), {
            messages: totals("rows"),
            bytes: totals("cost"),
            channels: rows.length,
            channelsCreated: rows.length,
          });
          assert.equal(database.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
          await log.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  it("gives back exactly what was published, whatever the text", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    const text = fc.string({ unit: "grapheme", maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(text, fc.stringMatching(/^[ -~äß😀]{1,40}$/u), async (data, event) => {
        const { message: appended } = await log.append(draftOf("a", data, { event, sender: event }));
        const { messages } = await log.read({ after: appended.offset - 1, channels: [channelName("a")], limit: 9 });
        assert.deepEqual(messages, [appended]);
      }),
    );
    assert.ok((await log.read({ after: BEGINNING, channels: ALL, limit: 9 })).messages.length > 0);
  });
});
