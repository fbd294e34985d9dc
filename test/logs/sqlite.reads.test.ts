import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { channelName, type ChannelPattern } from "../../src/core/channel.ts";
import { BEGINNING } from "../../src/core/cursor.ts";
import type { LogQuery } from "../../src/core/log.ts";
import type { Message } from "../../src/core/message.ts";
import { ChannelDirectory, type ChannelEntry } from "../../src/logs/directory.ts";
import { SqliteReads } from "../../src/logs/sqlite-reads.ts";
import { openFile } from "../../src/logs/sqlite-schema.ts";
import { draftOf, patternsOf } from "../support/sample.ts";
import { openDatabase, openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { isCovered, readAll } from "./log.suite.ts";

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
    for (const pattern of ["two.*", "some.*", "many.*"]) await read(patternsOf(pattern), BEGINNING, 256);
    const pattern = fc.constantFrom(...patternsOf("two.*", "some.*", "many.*", "many.7.*", "lone", "some.1", "none"));
    const patterns = fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(patterns, fc.integer({ min: 0, max: 30_001 }), fc.integer({ min: 200, max: 1000 }), read),
      { numRuns: 20 },
    );
  });

  it("fills its pages also where one channel of many has most of the messages", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    for (let data = 0; data < 5000; data++) void log.append(draftOf(data % 10 ? "c.busy" : `c.${data}`, data));
    await log.check();
    let pages = 0;
    const counted = { read: (query: LogQuery) => (pages++, log.read(query)) };
    assert.equal((await readAll(counted, patternsOf("c.*"), BEGINNING, 250)).length, 5000);
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
        INSERT INTO messages
          SELECT i, iif(i % 10000 = 7, iif(i % 20000 = 7, 1, 2), 3), 'message', i, 'anyone', 0, 20, NULL FROM n;
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
    }
    const busy = await log.read({ after: 999_990, channels: patternsOf("busy"), limit: 100 });
    assert.equal(busy.messages.length, 10);
  });

  it("looks up every message by an index, whatever is asked", () => {
    using folder = new TemporaryFolder();
    const { database, lock } = openFile(folder.file());
    const statements: string[] = [];
    const prepare = database.prepare.bind(database);
    database.prepare = (sql, ...rest) => {
      statements.push(sql);
      return prepare(sql, ...rest);
    };
    const reads = new SqliteReads(database, new ChannelDirectory());
    assert.deepEqual(reads.page({ after: 0, channels: patternsOf("*"), limit: 1 }, 0).messages, []);
    assert.ok(statements.length >= 5);
    for (const sql of statements) {
      const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail));
      assert.equal(plan.length, 1, `${sql}: ${plan.join("; ")}`);
      assert.match(plan[0] ?? "", /^SEARCH messages USING (INTEGER PRIMARY KEY|(COVERING )?INDEX \w+) \(/, sql);
    }
    database.close();
    lock.close();
  });

  it("does not fetch what does not fit into a page", () => {
    using folder = new TemporaryFolder();
    const { database, lock } = openFile(folder.file());
    const directory = new ChannelDirectory();
    const large = JSON.stringify("x".repeat(60_000));
    database.exec("BEGIN");
    const insert = database.prepare("INSERT INTO messages VALUES (?, ?, 'message', ?, 'anyone', 0, 0, NULL)");
    for (let offset = 1; offset <= 1000; offset++) insert.run(offset, (offset % 2) + 1, large);
    database.exec("COMMIT");
    for (const id of [1, 2])
      directory.put({
        id,
        channel: channelName(`c.${id}`),
        kept: 500,
        bytes: 0,
        last: 1000,
        time: 0,
        dropped: 0,
      } satisfies ChannelEntry);
    let fetched = 0;
    const prepare = database.prepare.bind(database);
    database.prepare = (sql, ...rest) => {
      const statement = prepare(sql, ...rest);
      const [all, get] = [statement.all.bind(statement), statement.get.bind(statement)];
      const payload = sql.includes("data");
      statement.all = (...values: never[]) => {
        const rows = all(...values);
        fetched += payload ? rows.length : 0;
        return rows;
      };
      statement.get = (...values: never[]) => {
        fetched += payload ? 1 : 0;
        return get(...values);
      };
      return statement;
    };
    const reads = new SqliteReads(database, directory);
    for (const channels of [patternsOf("*"), patternsOf("c.1"), patternsOf("c.*")]) {
      fetched = 0;
      assert.equal(reads.page({ after: 0, channels, limit: 1000 }, 1000).messages.length, 4);
      assert.ok(fetched <= 64, `${fetched} messages for a page of 4`);
    }
    database.close();
    lock.close();
  });
});

function line({ offset, channel, data }: Message): string {
  return `${offset} ${channel} ${data}`;
}
