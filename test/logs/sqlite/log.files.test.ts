import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { describe, it } from "node:test";
import type { HubError } from "../../../src/core/errors.ts";
import type { SqliteLog } from "../../../src/logs/sqlite/log.ts";
import { draftOf, patternsOf } from "../../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

/** What can happen to the files of a log that is open, with what is said of it. */
const ENDS: readonly (readonly [what: string, happen: (path: string) => void, said: string])[] = [
  ["its database is removed", (path) => rmSync(path), "its database was removed, moved or replaced"],
  [
    "all its files are removed",
    (path) => ["", "-wal", "-shm", ".lock"].forEach((end) => rmSync(path + end)),
    "its database was removed, moved or replaced",
  ],
  [
    "a copy is moved over its database",
    (path) => {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
    "its database was removed, moved or replaced",
  ],
  ["its database is emptied", (path) => truncateSync(path, 0), "its database was cut short"],
  ["its database is cut off", (path) => truncateSync(path, 4096), "its database was cut short"],
  [
    "a shorter file is copied into its database",
    (path) => writeFileSync(path, readFileSync(path).subarray(0, 8192)),
    "its database was cut short",
  ],
  [
    "an earlier copy is copied into its database",
    (path) => writeFileSync(path, readFileSync(`${path}.earlier`)),
    "another file was copied into its database",
  ],
  [
    "a larger file is copied into its database",
    (path) => writeFileSync(path, Buffer.alloc(1_000_000, "another")),
    "another file was copied into its database",
  ],
  [
    "its write-ahead log is removed",
    (path) => rmSync(`${path}-wal`),
    "the write-ahead log of its database was removed, moved or replaced",
  ],
  [
    "its write-ahead log is replaced",
    (path) => {
      rmSync(`${path}-wal`);
      writeFileSync(`${path}-wal`, "");
    },
    "the write-ahead log of its database was removed, moved or replaced",
  ],
  [
    "the index of its write-ahead log is removed",
    (path) => rmSync(`${path}-shm`),
    "the index of its database's write-ahead log was removed, moved or replaced",
  ],
];

async function refuses(log: SqliteLog, said: string): Promise<void> {
  const message = `The log cannot keep messages: ${said} while the server was running; whoever runs the server must restart it`;
  const attempts = [log.check(), log.append(draftOf("a", "lost")), log.append(draftOf("b", 1, { ephemeral: true }))];
  for (const attempt of attempts) await assert.rejects(attempt, { code: "LOG_UNAVAILABLE", message });
}

describe("the files of a log that is made", () => {
  it("are for their owner only, and one that is there keeps its mode", async (test) => {
    if (process.platform === "win32") return test.skip("it has no modes");
    using folder = new TemporaryFolder();
    const path = folder.file("hub.db");
    const modes = (): string[] => ["", "-wal", "-shm"].map((end) => (statSync(path + end).mode & 0o777).toString(8));
    const log = await openSqlite(path);
    await log.append(draftOf("a", 1));
    assert.deepEqual(modes(), ["600", "600", "600"]);
    await log.close();
    chmodSync(path, 0o640);
    await using again = await openSqlite(path);
    await again.append(draftOf("a", 2));
    assert.deepEqual(modes(), ["640", "640", "640"]);
  });
});

describe("a log", { concurrency: true }, () => {
  for (const [what, happen, said] of ENDS) {
    it(`[LOG-22] acknowledges nothing and is not healthy from the moment ${what}`, async () => {
      using folder = new TemporaryFolder();
      mkdirSync(folder.file("data"));
      const path = folder.file("data/hub.db");
      const lines: string[] = [];
      await (await openSqlite(path)).close();
      copyFileSync(path, `${path}.earlier`);
      const log = await openSqlite(path, { report: (line) => void lines.push(line) });
      for (let data = 0; data < 50; data++) await log.append(draftOf(`c.${data}`, data));
      await log.check();
      happen(path);
      await refuses(log, said);
      await refuses(log, said);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.ok(lines[0]?.includes(said) && lines[0].includes(path), lines[0]);
      assert.equal(log.size().messages, 50);
      await log.close();
    });
  }

  it("[LOG-22] goes on by itself if its folder was moved away and is moved back", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file("data"));
    await using log = await openSqlite(folder.file("data/hub.db"));
    await log.append(draftOf("a", 1));
    renameSync(folder.file("data"), folder.file("moved"));
    await refuses(log, "its database was removed, moved or replaced");
    renameSync(folder.file("moved"), folder.file("data"));
    await log.append(draftOf("a", 2));
    await log.check();
    assert.deepEqual(await dataOf(log), [1, 2]);
  });

  it("leaves a database that took the place of its own as it is", async () => {
    using folder = new TemporaryFolder();
    const log = await openSqlite(folder.file());
    await log.append(draftOf("a", "old"));
    await (await openSqlite(folder.file("other.db"))).close();
    renameSync(folder.file("other.db"), folder.file());
    const bytes = readFileSync(folder.file());
    await assert.rejects(log.check(), (error: HubError) => error.code === "LOG_UNAVAILABLE");
    await log.close();
    assert.deepEqual(readFileSync(folder.file()), bytes);
  });

  it("does not make a database again that was removed when a checkpoint is due", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    for (let data = 0; data < 999; data++) await log.append(draftOf("a", data));
    rmSync(folder.file());
    await assert.rejects(log.check());
    assert.equal(existsSync(folder.file()), false);
  });

  it("is not harmed by a program that has its database rewritten smaller", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file(), {
      retention: { age: Infinity, messages: 1, bytes: Infinity, channels: 1e5 },
    });
    await Promise.all(
      Array.from({ length: 3000 }, (_, data) => log.append(draftOf("a", `${data} ${"x".repeat(500)}`))),
    );
    await until("it kept one", () => log.size().messages === 1);
    using database = openDatabase(folder.file());
    database.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    for (let data = 0; data < 5; data++) await log.append(draftOf("a", data));
    await log.check();
    const page = await log.read({ after: 0, channels: patternsOf("a"), limit: 9 });
    assert.ok(page.messages.length > 0);
  });
});
