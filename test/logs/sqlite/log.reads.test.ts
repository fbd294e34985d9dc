import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "../../support/properties.ts";
import { channelName } from "../../../src/core/channel.ts";
import type { ChannelPattern } from "../../../src/protocol/channel.ts";
import { BEGINNING } from "../../../src/protocol/cursor.ts";
import { HubError } from "../../../src/core/errors.ts";
import type { LogQuery } from "../../../src/core/log.ts";
import type { Message } from "../../../src/core/message.ts";
import { ChannelIndex, type ChannelEntry } from "../../../src/logs/channel-index.ts";
import { SqliteReader } from "../../../src/logs/sqlite/reader.ts";
import { openFile } from "../../../src/logs/sqlite/open-file.ts";
import { draftOf, patternsOf } from "../../support/sample.ts";
import { openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { isCovered, readAll, readBack } from "../log.suite.ts";

describe("a SQLite log of many channels", () => {
  it("gives each pattern exactly what a filter would, by whichever way it reads", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    const kept: Message[] = [];
    await log.follow((messages) => void kept.push(...messages));
    const channel = (number: number): string => {
      if (number % 5 === 0) return `many.${((number / 5) * 7919) % 5000}.x`;
      if (number % 5 === 1) return `two.${number % 2}`;
      return number % 5 === 2 ? `some.${(number >> 1) % 100}` : "lone";
    };
    for (let data = 0; data < 30_000; data++) {
      const appended = log.append(draftOf(channel(data), data));
      if (data % 1000 === 999) await appended;
    }
    assert.ok(log.size().channels > 5000);
    const read = async (channels: readonly ChannelPattern[], after: number, limit: number): Promise<void> => {
      const found = await readAll(log, channels, after, limit);
      const expected = kept.filter((message) => message.offset > after && isCovered(channels, message));
      assert.deepEqual(
        found.map(({ offset, channel: name, data }) => `${offset} ${name} ${data}`),
        expected.map(line),
      );
    };
    const back = async (channels: readonly ChannelPattern[], before: number, limit: number): Promise<void> => {
      const found = await readBack(log, channels, before, limit);
      const expected = kept.filter((message) => message.offset < before && isCovered(channels, message));
      assert.deepEqual(found.map(line), expected.map(line));
    };
    for (const pattern of ["two.*", "some.*", "many.*"]) {
      await read(patternsOf(pattern), BEGINNING, 256);
      await back(patternsOf(pattern), Infinity, 256);
    }
    const pattern = fc.constantFrom(...patternsOf("two.*", "some.*", "many.*", "many.7.*", "lone", "some.1", "none"));
    const patterns = fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(patterns, fc.integer({ min: 0, max: 30_001 }), fc.integer({ min: 200, max: 1000 }), read),
      { numRuns: 20 },
    );
    await fc.assert(
      fc.asyncProperty(patterns, fc.integer({ min: 0, max: 30_002 }), fc.integer({ min: 200, max: 2000 }), back),
      { numRuns: 20 },
    );
  });

  it("fills its pages also where one channel of many has most of the messages", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    for (let data = 0; data < 5000; data++) void log.append(draftOf(data % 10 ? "c.busy" : `c.${data}`, data));
    await log.check();
    let pages = 0;
    const counting = { read: (query: LogQuery) => (pages++, log.read(query)) };
    assert.equal((await readAll(counting, patternsOf("c.*"), BEGINNING, 250)).length, 5000);
    assert.ok(pages < 50, `${pages} pages`);
  });

  it("finds 100 messages of a rare channel among 1,000,000 in one page", async () => {
    using folder = new TemporaryFolder();
    const before = await openSqlite(folder.file());
    for (const name of ["rare.one", "rare.two", "busy"]) await before.append(draftOf(name, 0));
    await before.close();
    {
      using database = openDatabase(folder.file());
      database.exec(`
        PRAGMA synchronous = OFF;
        WITH RECURSIVE n (i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
        INSERT INTO messages (offset, channel, event, data, sender, time, cost)
          SELECT i, iif(i % 10000 = 7, iif(i % 20000 = 7, 1, 2), 3), 'message', i, 'anyone', 0, 20 FROM n;
        UPDATE channels SET (kept, last) = (SELECT count(*), max(offset) FROM messages WHERE channel = channels.id);
      `);
    }
    await using log = await openSqlite(folder.file());
    assert.equal(log.size().messages, 1_000_000);
    for (const [channels, count] of [
      ["rare.one", 51],
      ["rare.two", 51],
      ["rare.*", 102],
      ["rare.one rare.two", 102],
    ] as const) {
      const page = await log.read({ after: 0, channels: patternsOf(...channels.split(" ")), limit: 200 });
      assert.deepEqual([page.messages.length, page.end], [count, 1_000_000], channels);
      const newest = { before: Infinity, channels: patternsOf(...channels.split(" ")) };
      const recent = await log.recent({ ...newest, limit: count });
      assert.deepEqual([recent.messages, recent.more], [page.messages, false], channels);
      const last = await log.recent({ ...newest, limit: 10 });
      assert.deepEqual([last.messages, last.more], [page.messages.slice(-10), true], channels);
    }
    const busy = await log.read({ after: 999_990, channels: patternsOf("busy"), limit: 100 });
    assert.equal(busy.messages.length, 10);
  });

  it("looks up every message by an index, its own where a channel is given, whatever is asked", async () => {
    using folder = new TemporaryFolder();
    const { database, lock } = openFile(folder.file());
    const statements: string[] = [];
    const prepare = database.prepare.bind(database);
    database.prepare = (sql, ...rest) => {
      statements.push(sql);
      return prepare(sql, ...rest);
    };
    const reads = new SqliteReader(database, new ChannelIndex());
    assert.deepEqual((await reads.page({ after: 0, channels: patternsOf("*"), limit: 1 }, 0)).messages, []);
    assert.ok(statements.length >= 9);
    for (const sql of statements) {
      const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail));
      assert.equal(plan.length, 1, `${sql}: ${plan.join("; ")}`);
      assert.match(plan[0] ?? "", /^SEARCH messages USING (INTEGER PRIMARY KEY|(COVERING )?INDEX \w+) \(/, sql);
      if (sql.includes("channel = ?")) assert.match(plan[0] ?? "", /\(channel=\? AND (rowid[<>]|key=)\?\)$/, sql);
    }
    database.close();
    lock.close();
  });

  it("does not fetch what does not fit into a page", async () => {
    using folder = new TemporaryFolder();
    const { database, lock } = openFile(folder.file());
    const directory = new ChannelIndex();
    const large = JSON.stringify("x".repeat(60_000));
    database.exec("BEGIN");
    const insert = database.prepare(
      "INSERT INTO messages (offset, channel, event, data, sender, time, cost) VALUES (?, ?, 'message', ?, 'anyone', 0, 0)",
    );
    for (let offset = 1; offset <= 1000; offset++) insert.run(offset, (offset % 2) + 1, large);
    database.exec("COMMIT");
    for (const id of [1, 2])
      directory.put({
        id,
        channel: channelName(`c.${id}`),
        kept: 500,
        bytes: 0,
        last: 1001 - id,
        time: 0,
        dropped: 0,
      } satisfies ChannelEntry);
    const work = counted(database);
    const reads = new SqliteReader(database, directory);
    for (const channels of [patternsOf("*"), patternsOf("c.1"), patternsOf("c.*")]) {
      work.payloads = 0;
      assert.equal((await reads.page({ after: 0, channels, limit: 1000 }, 1000)).messages.length, 4);
      assert.ok(work.payloads <= 64, `${work.payloads} messages for a page of 4`);
      work.payloads = 0;
      const { messages, more } = await reads.recent({ before: Infinity, channels, limit: 1000 }, 1000);
      assert.deepEqual([messages.length, messages.at(-1)?.offset, more], [4, 1000, true]);
      assert.ok(work.payloads <= 64, `${work.payloads} messages for the last page of 4`);
    }
    database.close();
    lock.close();
  });

  it("looks at few rows for the last messages of many channels, and never at all there are", async () => {
    using folder = new TemporaryFolder();
    using rare = openRare(folder.file());
    for (const [before, limit, count, most] of [
      [Infinity, 100, 100, 500],
      [rare.head - 3000, 100, 100, 2500],
      [rare.head - 5000, 2500, 2500, 7000],
      [100_001, 100, 1, 18_000],
    ] as const) {
      rare.work.rows = 0;
      const page = await rare.reads.recent({ before, channels: patternsOf("rare.*"), limit }, rare.head);
      assert.deepEqual([page.messages.length, page.more], [count, count === limit], `before ${before}`);
      assert.ok(rare.work.rows <= most, `${rare.work.rows} rows before ${before}`);
    }
  });

  it("lets others go on while it looks far back for many channels, and leaves out what they drop", async () => {
    using folder = new TemporaryFolder();
    using rare = openRare(folder.file());
    const looking = rare.reads.recent({ before: 100_001, channels: patternsOf("rare.*"), limit: 9 }, rare.head);
    let turns = 0;
    const others = (): void => {
      turns++;
      next = setImmediate(others);
    };
    let next = setImmediate(others);
    assert.equal((await looking).messages.length, 1);
    clearImmediate(next);
    assert.ok(turns >= 6, `${turns} turns`);
    const all = patternsOf("rare.*", "busy");
    const again = rare.reads.recent({ before: 100_001, channels: all, limit: 5000 }, rare.head);
    rare.database.exec("DELETE FROM messages");
    assert.deepEqual(await again, { messages: [], more: false });
  });

  it("is looked through whole, or says that it is closed, whenever that happens", async () => {
    using folder = new TemporaryFolder();
    const filling = await openSqlite(folder.file());
    for (let data = 0; data < 9000; data++) void filling.append(draftOf(`c.${data % 4500}`, data));
    await filling.check();
    await filling.close();
    for (let turns = 0; turns < 8; turns++) {
      const log = await openSqlite(folder.file());
      const looking = log.recent({ before: 4501, channels: patternsOf("c.*"), limit: 5000 });
      const looked = looking.then(
        ({ messages }) => messages.length,
        (error: unknown) => (error instanceof HubError ? error.code : error),
      );
      for (let count = 0; count < turns; count++) await turn();
      await log.close();
      assert.ok([4500, "SHUTTING_DOWN"].includes((await looked) as number | string), String(await looked));
    }
  });
});

/**
 * A log of 9000 rare channels and a busy one: one message of the first rare channel, 99,999 of the busy one, then one of
 * each rare channel.
 */
function openRare(path: string): Disposable & {
  readonly database: DatabaseSync;
  readonly reads: SqliteReader;
  readonly work: { rows: number };
  readonly head: number;
} {
  const { database, lock } = openFile(path);
  const directory = new ChannelIndex();
  const insert = database.prepare(
    "INSERT INTO messages (offset, channel, event, data, sender, time, cost) VALUES (?, ?, 'message', '0', 'anyone', 0, 0)",
  );
  const put = (id: number, name: string, kept: number, last: number): void =>
    directory.put({ id, channel: channelName(name), kept, bytes: 0, last, time: 0, dropped: 0 });
  database.exec("BEGIN");
  for (let offset = 1; offset <= 100_000; offset++) insert.run(offset, offset === 1 ? 1 : 9001);
  for (let id = 1; id <= 9000; id++) {
    insert.run(100_000 + id, id);
    put(id, `rare.${id}`, id === 1 ? 2 : 1, 100_000 + id);
  }
  database.exec("COMMIT");
  put(9001, "busy", 99_999, 100_000);
  const work = counted(database);
  const close = (): void => {
    database.close();
    lock.close();
  };
  return { database, reads: new SqliteReader(database, directory), work, head: 109_000, [Symbol.dispose]: close };
}

/** Counts the rows that statements prepared from now on look up, and those of them that carry a payload. */
function counted(database: DatabaseSync): { rows: number; payloads: number } {
  const work = { rows: 0, payloads: 0 };
  const prepare = database.prepare.bind(database);
  database.prepare = (sql, ...rest) => {
    const statement = prepare(sql, ...rest);
    const [all, get] = [statement.all.bind(statement), statement.get.bind(statement)];
    const count = (rows: number): void => {
      work.rows += rows;
      if (sql.includes("data")) work.payloads += rows;
    };
    statement.all = (...values: never[]) => {
      const rows = all(...values);
      count(rows.length);
      return rows;
    };
    statement.get = (...values: never[]) => {
      count(1);
      return get(...values);
    };
    return statement;
  };
  return work;
}

function line({ offset, channel, data }: Message): string {
  return `${offset} ${channel} ${data}`;
}
