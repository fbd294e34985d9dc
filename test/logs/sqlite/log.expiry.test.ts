import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draftOf, FOREVER } from "../../support/sample.ts";
import { dataOf, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const DAY = 86_400_000;
const NOON = 20_000 * DAY;

describe("what a SQLite log drops for its age", { concurrency: true }, () => {
  it("is what is old, though thousands of messages before it have times in the future", async () => {
    using folder = new TemporaryFolder();
    let now = NOON + 365 * DAY;
    const options = { retention: { ...FOREVER, age: DAY }, now: () => now, elapsed: () => now };
    await using log = await openSqlite(folder.file(), options);
    await Promise.all(Array.from({ length: 5000 }, (_, data) => log.append(draftOf("a", data))));
    now = NOON;
    await log.append(draftOf("b", "right"));
    now += DAY / 2;
    await log.append(draftOf("b", "later"));
    await log.check();
    assert.equal(log.size().messages, 5002);
    now += DAY / 2 + 1;
    await until("what is old is dropped", () => log.size().messages === 1);
    assert.deepEqual(await dataOf(log), ["later"]);
  });

  it("is not what others published before a clock that was behind", async () => {
    using folder = new TemporaryFolder();
    let now = NOON;
    const options = { retention: { ...FOREVER, age: DAY }, now: () => now, elapsed: () => now };
    {
      await using log = await openSqlite(folder.file(), options);
      await log.append(draftOf("a", "fresh"));
    }
    now = 0;
    await using log = await openSqlite(folder.file(), options);
    await log.append(draftOf("a", "of 1970"));
    now = NOON + 1000;
    await log.append(draftOf("a", "right"));
    await log.check();
    assert.deepEqual(await dataOf(log), ["fresh", "of 1970", "right"]);
    now = NOON + DAY + 1;
    await until("what is old is dropped", () => log.size().messages === 1);
  });

  it("[LOG-24] is nothing at once if the clock is far ahead when it is opened, and all of it if that stays so", async () => {
    using folder = new TemporaryFolder();
    let [now, elapsed] = [NOON, 0];
    const lines: string[] = [];
    const options = {
      retention: { ...FOREVER, age: DAY },
      now: () => now,
      elapsed: () => elapsed,
      report: (line: string) => void lines.push(line),
    };
    {
      await using log = await openSqlite(folder.file(), options);
      await log.append(draftOf("a", 1));
    }
    now += 30 * DAY;
    for (const data of [2, 3]) {
      await using log = await openSqlite(folder.file(), options);
      await log.check();
      await log.append(draftOf("a", data));
      await log.check();
      assert.deepEqual([(await dataOf(log)).length, lines.length], [data, data - 1]);
    }
    await using log = await openSqlite(folder.file(), options);
    await log.check();
    now += 3_600_000;
    elapsed += 3_600_000;
    await until("the first is dropped", () => log.size().messages === 2);
    assert.deepEqual(await dataOf(log), [2, 3]);
  });
});
