import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { describe, it } from "node:test";
import { Checkpoints } from "../../src/logs/checkpoint.ts";
import { draftOf } from "../support/sample.ts";
import { openDatabase, openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

describe("checkpoints", { concurrency: true }, () => {
  it("move what was committed into the database while the log is open", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    const before = statSync(folder.file()).size;
    for (let data = 0; data < 1100; data++) await log.append(draftOf("a", "x".repeat(1000)));
    await until("the database has grown", () => statSync(folder.file()).size > before + 200_000);
    await log.append(draftOf("a", "more"));
  });

  it("come also where few commits carry much", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    const large = "x".repeat(64 * 1024);
    for (let turn = 0; turn < 40; turn++) {
      await Promise.all(Array.from({ length: 16 }, () => log.append(draftOf("a", large))));
    }
    await until("the database has grown", () => statSync(folder.file()).size > 8 * 1024 * 1024);
  });

  it("that fail cost nothing: the next one starts afresh", async () => {
    using folder = new TemporaryFolder();
    const checkpoints = new Checkpoints(folder.file("none/hub.db"));
    for (let commits = 0; commits < 2000; commits++) checkpoints.committed(1);
    await checkpoints.close();
    const again = new Checkpoints(folder.file());
    using database = openDatabase(folder.file());
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x); PRAGMA wal_autocheckpoint = 0");
    for (let commits = 0; commits < 1000; commits++) again.committed(1);
    await again.close();
    await again.close();
  });

  it("do not let a process end before its log is closed", () => {
    using folder = new TemporaryFolder();
    const support = (name: string): string => JSON.stringify(new URL(`../support/${name}`, import.meta.url).href);
    const script = `
      const { openSqlite } = await import(${support("sqlite-file.ts")});
      const { draftOf } = await import(${support("sample.ts")});
      const log = await openSqlite(${JSON.stringify(folder.file())});
      for (let data = 0; data < 1100; data++) await log.append(draftOf("a", data));
      await log.close();
      console.log("closed");`;
    const child = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    assert.deepEqual([child.status, child.stdout], [0, "closed\n"], child.stderr);
    using database = openDatabase(folder.file());
    assert.equal(database.prepare("SELECT value FROM hub WHERE name = 'running'").get()?.value, "no");
  });
});
