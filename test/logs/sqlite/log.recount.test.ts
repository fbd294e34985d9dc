import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { channelPattern } from "../../../src/core/channel.ts";
import type { Log } from "../../../src/core/log.ts";
import { draftOf, FOREVER, patternsOf } from "../../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

/** A log with ten messages on each of two channels, on which someone works by hand while it is closed. */
async function edited(path: string, sql: string): Promise<void> {
  {
    await using log = await openSqlite(path);
    for (let data = 0; data < 10; data++) for (const channel of ["a", "b"]) await log.append(draftOf(channel, data));
  }
  using database = openDatabase(path);
  database.exec(sql);
}

async function droppedOn(log: Log, channel: string): Promise<number> {
  return (await log.read({ after: 0, channels: patternsOf(channel), limit: 1 })).dropped;
}

function keptOn(log: Log): unknown {
  return log.channels({ pattern: channelPattern("*"), limit: 9 }).map(({ channel, kept }) => [channel, kept]);
}

/** Commits of the last while, by which an idle log shows that it is not idle. */
async function isIdle(path: string): Promise<void> {
  using database = openDatabase(path);
  const version = database.prepare("PRAGMA data_version");
  let last = version.get()?.data_version;
  let same = 0;
  await until("nothing is written", () => {
    const now = version.get()?.data_version;
    same = now === last ? same + 1 : 0;
    last = now;
    return same > 500;
  });
}

describe("a log whose rows someone changed by hand", { concurrency: true }, () => {
  it("[LOG-23] counts again when it is opened, tells of it, and keeps what is published then", async () => {
    using folder = new TemporaryFolder();
    await edited(folder.file(), "DELETE FROM messages");
    const lines: string[] = [];
    const retention = { ...FOREVER, messages: 20 };
    await using log = await openSqlite(folder.file(), { retention, report: (line) => void lines.push(line) });
    assert.deepEqual(log.size(), { messages: 0, bytes: 0, channels: 2, channelsCreated: 2 });
    assert.deepEqual(lines, ["2 channels had counters that did not agree with their messages: counted again"]);
    assert.equal((await log.append(draftOf("a", "precious"))).message.offset, 21);
    await log.check();
    assert.deepEqual(
      [await dataOf(log), keptOn(log)],
      [
        ["precious"],
        [
          ["a", 1],
          ["b", 0],
        ],
      ],
    );
    assert.deepEqual([await droppedOn(log, "a"), await droppedOn(log, "b")], [19, 20]);
    await isIdle(folder.file());
  });

  it("[LOG-23] takes those that are gone for dropped, and says so to readers from before them", async () => {
    using folder = new TemporaryFolder();
    await edited(folder.file(), "DELETE FROM messages WHERE offset <= 6");
    await using log = await openSqlite(folder.file());
    assert.deepEqual(
      [log.size().messages, keptOn(log)],
      [
        14,
        [
          ["a", 7],
          ["b", 7],
        ],
      ],
    );
    assert.deepEqual([await droppedOn(log, "a"), await droppedOn(log, "b")], [6, 7]);
    await log.append(draftOf("a", 1));
    assert.equal(log.size().messages, 15);
  });

  it("drops the messages of a channel that is gone, and never gives its offsets out again", async () => {
    using folder = new TemporaryFolder();
    await edited(folder.file(), "DELETE FROM channels WHERE channel = 'b'");
    await using log = await openSqlite(folder.file());
    assert.deepEqual([keptOn(log), (await dataOf(log)).length], [[["a", 10]], 10]);
    assert.deepEqual([await droppedOn(log, "b"), await droppedOn(log, "a")], [20, 0]);
    assert.equal((await log.append(draftOf("b", 1))).message.offset, 21);
  });

  it("counts bytes and places again if the table of channels was changed", async () => {
    using folder = new TemporaryFolder();
    await edited(folder.file(), "UPDATE channels SET kept = 1, bytes = 7, last = 2 WHERE channel = 'b'");
    await using log = await openSqlite(folder.file());
    const cost = "0".length + "message".length + "anyone".length + "a".length;
    assert.deepEqual(log.size(), { messages: 20, bytes: 20 * cost, channels: 2, channelsCreated: 2 });
    assert.equal((await dataOf(log)).length, 20);
    assert.equal((await log.append(draftOf("b", 1))).message.offset, 21);
  });

  it("[LOG-23] counts again while it runs, if they were removed meanwhile, and comes to rest", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file(), { retention: { ...FOREVER, messages: 5 } });
    for (let data = 0; data < 5; data++) await log.append(draftOf("a", data));
    using database = openDatabase(folder.file());
    database.exec("DELETE FROM messages");
    await log.append(draftOf("a", "precious"));
    await log.check();
    assert.deepEqual([await dataOf(log), log.size().messages], [["precious"], 1]);
    await isIdle(folder.file());
    database.exec("DELETE FROM messages; DELETE FROM channels");
    for (let data = 0; data < 5; data++) await log.append(draftOf("a", data));
    await log.check();
    assert.deepEqual(await dataOf(log), [0, 1, 2, 3, 4]);
  });
});
