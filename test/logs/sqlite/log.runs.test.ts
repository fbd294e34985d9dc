import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { describe, it } from "node:test";
import { backup } from "node:sqlite";
import { openFile } from "../../../src/logs/sqlite/open-file.ts";
import { Epochs } from "../../../src/logs/sqlite/epochs.ts";
import { writeOldLog } from "../../support/old-formats.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { TestSink } from "../../support/test-sink.ts";
import { until } from "../../support/until.ts";

const ALL = patternsOf("*");
const OLD = "0123456789";

/** Opens a log, publishes so many messages into it and closes it; returns their ids, and that of its end at the start. */
async function run(path: string, count: number): Promise<{ readonly begin: string; readonly ids: string[] }> {
  await using hub = await openHub(await openSqlite(path));
  const begin = hub.cursor();
  const ids: string[] = [];
  for (let data = 0; data < count; data++) ids.push(String((await hub.publish(draftOf("a", data))).id));
  return { begin, ids };
}

/** What a reader is given that comes with a cursor. */
async function resumed(path: string, ...cursors: string[]): Promise<unknown[][]> {
  await using hub = await openHub(await openSqlite(path));
  return await Promise.all(
    cursors.map(async (after) => {
      const sink = new TestSink();
      hub.subscribe({ channels: ALL, after }, sink);
      await until("it is live", () => sink.of("live").length === 1);
      return sink.story;
    }),
  );
}

describe("the cursors of a log file", { concurrency: true }, () => {
  it("[LOG-26] stay good over any number of restarts, those of messages and those of the end", async () => {
    using folder = new TemporaryFolder();
    const runs = [];
    for (const count of [0, 2, 0, 0, 3, 1]) runs.push(await run(folder.file(), count));
    const cursors = runs.flatMap(({ begin, ids }) => [begin, ...ids]);
    const stories = await resumed(folder.file(), ...cursors);
    const all = [0, 1, 0, 1, 2, 0];
    const passed = [0, 0, 1, 2, 2, 2, 2, 3, 4, 5, 5, 6];
    assert.deepEqual(
      stories,
      passed.map((count) => [...all.slice(count), "live"]),
    );
    await using hub = await openHub(await openSqlite(folder.file()));
    const { messages } = await hub.history({ channels: ALL, limit: 9 });
    assert.deepEqual(
      messages.map((message) => hub.idOf(message)),
      runs.flatMap(({ ids }) => ids),
      "and a message has one id for good",
    );
  });

  it("[LOG-26] are unknown if they are of a future that a restored copy does not have, however far it grows", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    const copy = folder.file("copy.db");
    const first = await run(path, 3);
    copyFileSync(path, copy);
    const lost = [await run(path, 4), await run(path, 4)].flatMap(({ ids }) => ids);
    for (const count of [0, 2, 20]) {
      copyFileSync(copy, path);
      const later = await run(path, count);
      const stories = await resumed(path, ...lost, ...first.ids, ...later.ids);
      for (const story of stories.slice(0, lost.length)) assert.deepEqual(story, ["gap", "live"]);
      for (const story of stories.slice(lost.length)) assert.ok(!story.includes("gap"), String(story));
    }
  });

  it("[LOG-26] are unknown in a backup from before them that was made while the log was open", async () => {
    using folder = new TemporaryFolder();
    const copy = folder.file("copy.db");
    const other = folder.file("other.db");
    const hub = await openHub(await openSqlite(folder.file()));
    const kept = await hub.publish(draftOf("a", "kept"));
    {
      using database = openDatabase(folder.file());
      await backup(database, copy);
      database.exec(`VACUUM INTO '${other}'`);
    }
    const lost = await hub.publish(draftOf("a", "lost"));
    await hub.close();
    for (const path of [copy, other]) {
      const { ids } = await run(path, 2);
      assert.deepEqual(await resumed(path, String(lost.id), String(kept.id), String(ids[0])), [
        ["gap", "live"],
        [0, 1, "live"],
        [1, "live"],
      ]);
    }
  });

  it("are unknown in a copy of which each was opened by a server of its own", async () => {
    using folder = new TemporaryFolder();
    await run(folder.file(), 1);
    copyFileSync(folder.file(), folder.file("copy.db"));
    const [one, other] = [await run(folder.file(), 3), await run(folder.file("copy.db"), 3)];
    assert.deepEqual(await resumed(folder.file(), ...other.ids), [
      ["gap", "live"],
      ["gap", "live"],
      ["gap", "live"],
    ]);
    assert.deepEqual((await resumed(folder.file(), ...one.ids)).at(-1), ["live"]);
  });

  it("are unknown once the newest messages are lost, as a power cut loses them", async () => {
    using folder = new TemporaryFolder();
    const log = await openSqlite(folder.file());
    for (let data = 1; data <= 3; data++) await log.append(draftOf("a", data));
    const { epoch } = log;
    // What the file had before the commits that are not synced.
    copyFileSync(folder.file(), folder.file("cut.db"));
    await log.close();
    await using after = await openSqlite(folder.file("cut.db"));
    for (let data = 1; data <= 5; data++) await after.append(draftOf("a", data));
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((offset) => after.knows({ epoch, offset })),
      [true, false, false, false, false],
    );
  });

  it("say what was dropped after them, and nothing of other channels, whatever run they are of", async () => {
    using folder = new TemporaryFolder();
    const quiet = await run(folder.file(), 1);
    await run(folder.file(), 3);
    {
      await using log = await openSqlite(folder.file(), { retention: { ...FOREVER, messages: 0 } });
      await until("all is dropped", () => log.size().messages === 0);
    }
    await using hub = await openHub(await openSqlite(folder.file()));
    const ask = (channel: string): Promise<unknown> =>
      hub.history({ channels: patternsOf(channel), after: quiet.ids[0], limit: 9 }).then(({ gap }) => gap?.reason);
    assert.deepEqual([await ask("a"), await ask("b")], ["expired", undefined]);
  });

  it("are forgotten one run at a time, the oldest first, if there are too many runs", () => {
    using folder = new TemporaryFolder();
    const { database, lock } = openFile(folder.file());
    database.exec("DELETE FROM runs");
    let runs = Epochs.begin(database, 0, 3);
    const epochs = [runs.epoch];
    for (let head = 10; head <= 40; head += 10) {
      runs = Epochs.begin(database, head, 3);
      epochs.push(runs.epoch);
    }
    assert.equal(new Set(epochs).size, 5);
    assert.deepEqual(
      [0, 5, 20, 25, 30, 31, 40, 41, 99].map((offset) => epochs.indexOf(runs.at(offset))),
      [2, 2, 2, 2, 2, 3, 3, 4, 4],
    );
    assert.equal(database.prepare("SELECT count(*) AS count FROM runs").get()?.count, 3);
    database.close();
    lock.close();
  });
});

describe("a log file of before", { concurrency: true }, () => {
  for (const format of [1, 2] as const) {
    it(`of format ${format} keeps its messages and its cursors, and takes new ones`, async () => {
      using folder = new TemporaryFolder();
      writeOldLog(folder.file(), { offsets: [1, 2, 3], format });
      for (const data of ["x", "y"]) {
        await using log = await openSqlite(folder.file());
        await log.append(draftOf("a", data, { via: "tool" }));
      }
      await using log = await openSqlite(folder.file());
      assert.deepEqual(await dataOf(log), [1, 2, 3, "x", "y"]);
      const { messages } = await log.read({ after: 2, channels: ALL, limit: 9 });
      assert.deepEqual(
        messages.map(({ via }) => via),
        [undefined, "tool", "tool"],
      );
      assert.deepEqual(
        [0, 2, 3, 4].map((offset) => log.knows({ epoch: OLD, offset })),
        [true, true, true, false],
      );
    });
  }

  it("with holes has them unknown, and what is between and after them known", async () => {
    for (const last of [undefined, 60, 61]) {
      using folder = new TemporaryFolder();
      const holes = [
        [4, 20],
        [31, 60],
      ] as const;
      writeOldLog(folder.file(), { offsets: [1, 3, 30, ...(last === 61 ? [61] : [])], holes });
      await using log = await openSqlite(folder.file());
      const end = last ?? 60;
      assert.equal(await log.follow(() => {}), end);
      assert.deepEqual(
        [0, 3, 4, 19, 20, 30, 31, 59, 60, 61, 62].map((offset) => log.knows({ epoch: OLD, offset })),
        [true, true, false, false, true, true, false, false, true, last === 61, false],
      );
      assert.equal((await log.append(draftOf("a", "new"))).message.offset, end + 1);
      assert.equal(log.knows({ epoch: OLD, offset: end + 1 }), false);
    }
  });

  it("that was never written to is opened, too", async () => {
    using folder = new TemporaryFolder();
    writeOldLog(folder.file(), { offsets: [] });
    await using log = await openSqlite(folder.file());
    assert.deepEqual([await log.follow(() => {}), log.knows({ epoch: OLD, offset: 0 })], [0, true]);
  });
});
