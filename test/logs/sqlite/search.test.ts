import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { channelName } from "../../../src/core/channel.ts";
import { searchQuery } from "../../../src/core/search-query.ts";
import { searchLog, type Found } from "../../../src/core/search.ts";
import type { Log, Retention } from "../../../src/core/log.ts";
import { SqliteLog } from "../../../src/logs/sqlite/log.ts";
import { openSearchFile } from "../../../src/logs/sqlite/search-file.ts";
import { SearchIndex } from "../../../src/logs/sqlite/search-index.ts";
import { disposable, draftOf, FOREVER, patternsOf } from "../../support/sample.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const ALL = patternsOf("*");

async function openLog(
  path: string,
  retention: Partial<Retention> = {},
  report: (sentence: string) => void = () => {},
): Promise<SqliteLog & AsyncDisposable> {
  return disposable(
    await SqliteLog.open({ path, retention: { ...FOREVER, ...retention }, durability: "normal", report }),
  );
}

/** A search of the whole log from its end, as a hub makes it. */
async function search(log: Log, query: string, limit = 100): Promise<Found> {
  const { messages } = await log.recent({ before: Infinity, channels: ALL, limit: 1 });
  return searchLog(log, messages[0]?.offset ?? 0, { query, field: "q", channels: ALL, limit });
}

async function dataOf(found: Promise<Found>): Promise<readonly unknown[]> {
  return (await found).messages.map(({ data }) => JSON.parse(data) as unknown);
}

/** An index that is extended by hand, with parts of so many offsets. */
function openIndex(path: string, size: number): SearchIndex & Disposable {
  const index = new SearchIndex(new DatabaseSync(path, { readOnly: true }), openSearchFile(`${path}.search`), size);
  return Object.assign(index, { [Symbol.dispose]: () => index.close() });
}

function offsetsOf(index: SearchIndex, query: string, channels = ALL): readonly number[] {
  const found: number[] = [];
  let before = Infinity;
  while (before > 0) {
    const page = index.search({ before, channels, limit: 7, phrases: searchQuery(query, "q") }, 1000);
    found.push(...page.offsets);
    before = page.end;
  }
  return found;
}

describe("the index of a log in SQLite", () => {
  it("[SRCH-3] finds the same however much of the log it has taken in, and what retention has left", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    await using log = await openLog(path, { messages: 60 });
    using index = openIndex(path, 16);
    const words = ["red", "green", "blue"];
    let count = 0;
    for (let round = 0; round < 30; round++) {
      const drafts = Array.from({ length: (round * 7) % 20 }, () => {
        const channel = count % 2 === 0 ? "a.x" : "b";
        return draftOf(channel, `${words[count++ % 3]} ${words[count % 2]} n${count}`);
      });
      await log.appendAll(drafts);
      const { messages } = await log.read({ after: -1, channels: ALL, limit: 1000 });
      for (const [query, channels] of [
        ["red", ALL],
        ["re* green", ALL],
        ['"blue red"', patternsOf("a.*")],
        ["green", patternsOf("b")],
        ["n1*", patternsOf("a.x", "b")],
        ["green", patternsOf("none")],
      ] as const) {
        const phrases = searchQuery(query, "q");
        const expected = messages.filter(
          ({ channel, data }) =>
            channels.some((one) => one === "*" || one === channel || (one === "a.*" && channel === "a.x")) &&
            phrases.every(({ words: [first = "", second], isPrefix }) =>
              isPrefix
                ? data.includes(` ${first}`) || data.startsWith(`"${first}`)
                : data.includes(second === undefined ? first : `${first} ${second}`),
            ),
        );
        assert.deepEqual(
          offsetsOf(index, query, channels),
          expected.map(({ offset }) => offset).toReversed(),
          `${query} in round ${round}`,
        );
      }
      // A slice that is over at once takes in one message.
      for (let slices = 0; slices < round % 12; slices++) index.extend(round % 3 === 0 ? 1000 : -1);
    }
    while (index.extend(1000));
    assert.ok(count > 250);
  });

  it("takes in a log that was there before it, and answers meanwhile without holding the event loop", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    const rows = 100_000;
    {
      await using log = await openLog(path);
      await log.append(draftOf("a", "first"));
    }
    const database = new DatabaseSync(path);
    database.exec(`WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${rows})
      INSERT INTO messages (offset, channel, event, data, sender, time, cost)
      SELECT n, 1, 'message', '{"text":"payment ' || n || ' failed for customer c' || (n % 1000) || '"}', 'shop', 1, 50
      FROM numbers`);
    database.close();
    await using log = await openLog(path);
    const before = process.threadCpuUsage();
    assert.equal((await search(log, "payment failed", 5)).messages.length, 5);
    // Nothing has these words, so all that the time allows is searched.
    for (let searches = 0; searches < 4; searches++)
      assert.deepEqual(await dataOf(search(log, '"failed payment"')), []);
    const { user, system } = process.threadCpuUsage(before);
    // Reading a quarter of the log here would take longer.
    assert.ok((user + system) / 1000 < 200, `${(user + system) / 1000} ms`);
    await until(
      "the oldest is found at once",
      async () => {
        const { messages, earlier } = await search(log, "first");
        return messages.length === 1 && earlier === undefined;
      },
      120_000,
    );
  });

  it("is not believed where another log was put in the place of its own", async () => {
    using folder = new TemporaryFolder();
    const [path, copy] = [folder.file("hub.db"), folder.file("copy.db")];
    {
      await using log = await openLog(path);
      for (let n = 1; n <= 10; n++) await log.append(draftOf("a", `both ${n}`));
    }
    copyFileSync(path, copy);
    {
      await using log = await openLog(path);
      for (let n = 11; n <= 20; n++) await log.append(draftOf("a", `one ${n}`));
    }
    {
      using index = openIndex(path, 8);
      while (index.extend(1000));
      assert.equal(offsetsOf(index, "one").length, 10);
    }
    {
      await using log = await openLog(copy);
      for (let n = 11; n <= 20; n++) await log.append(draftOf("a", `other ${n}`));
    }
    copyFileSync(`${path}.search`, `${copy}.search`);
    using index = openIndex(copy, 8);
    assert.deepEqual([offsetsOf(index, "one"), offsetsOf(index, "other").length], [[], 10]);
    assert.equal(offsetsOf(index, "both").length, 10);
    while (index.extend(1000));
    assert.deepEqual([offsetsOf(index, "other").length, offsetsOf(index, "both").length], [10, 10]);
  });

  it("is made again if it is damaged, and is for no other user of the machine", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    writeFileSync(`${path}.search`, "this is no database ".repeat(1000));
    const reports: string[] = [];
    await using log = await openLog(path, {}, (sentence) => reports.push(sentence));
    await log.append(draftOf("a", "word"));
    assert.deepEqual(await dataOf(search(log, "word")), ["word"]);
    assert.deepEqual(reports, []);
    assert.equal(statSync(`${path}.search`).mode & 0o777, 0o600);
  });

  it("is left alone if another program made it: searches read the log, and the operator is told", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    const other = new DatabaseSync(`${path}.search`);
    other.exec("CREATE TABLE mine (a)");
    other.close();
    const reports: string[] = [];
    await using log = await openLog(path, {}, (sentence) => reports.push(sentence));
    for (const word of ["one", "two"]) {
      await log.append(draftOf("a", word));
      assert.deepEqual(await dataOf(search(log, word)), [word]);
    }
    assert.deepEqual(reports, [
      "searches read the log itself for 10 minutes: the index beside it cannot be used: it is a database of another program",
    ]);
    const left = new DatabaseSync(`${path}.search`);
    assert.deepEqual(left.prepare("SELECT name FROM sqlite_schema").all().length, 1);
    left.close();
  });

  it("has no words of messages that were purged", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    await using log = await openLog(path);
    await log.append(draftOf("a", "secretword"));
    await log.append(draftOf("b", "another"));
    await search(log, "secretword");
    const has = (word: string): boolean =>
      ["", "-wal"].some((suffix) => readFileSync(`${path}.search${suffix}`).includes(word));
    await until("it is in the index", () => has("secretword"));
    await log.purge(channelName("a"), 2);
    assert.equal(has("secretword"), false);
    assert.deepEqual(
      [await dataOf(search(log, "secretword")), await dataOf(search(log, "another"))],
      [[], ["another"]],
    );
    await until("the rest is in the index again", () => has("another"));
  });

  it("is not there until someone searches", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    await using log = await openLog(path);
    await log.append(draftOf("a", "word"));
    await log.check();
    assert.equal(existsSync(`${path}.search`), false);
    await search(log, "word");
    assert.equal(existsSync(`${path}.search`), true);
  });

  it("leaves the log as a server that was closed leaves it, also if it closes during a search", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file();
    {
      await using log = await openLog(path);
      await log.append(draftOf("a", "word"));
      const searching = search(log, "word").then(
        ({ messages }) => messages.length,
        ({ code }: { code: string }) => code,
      );
      await log.close();
      const outcome = await searching;
      assert.ok(outcome === 1 || outcome === "SHUTTING_DOWN", String(outcome));
    }
    const reports: string[] = [];
    await using _ = await openLog(path, {}, (sentence) => reports.push(sentence));
    assert.deepEqual([reports, existsSync(`${path}.search-wal`)], [[], false]);
  });
});
