import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { describe, it } from "node:test";
import { HubError } from "../../../src/core/errors.ts";
import { Checkpoints } from "../../../src/logs/sqlite/wal.ts";
import { draftOf, FOREVER } from "../../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

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
    const support = (name: string): string => JSON.stringify(new URL(`../../support/${name}`, import.meta.url).href);
    const script = `
      const { openSqlite } = await import(${support("sqlite-file.ts")});
      const { draftOf } = await import(${support("sample.ts")});
      const log = await openSqlite(${JSON.stringify(folder.file())});
      for (let data = 0; data < 1100; data++) await log.append(draftOf("a", data));
      await log.close();
      console.log("closed");`;
    const child = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    assert.deepEqual([child.status, child.stdout], [0, "closed\n"], child.stderr);
    assert.equal(existsSync(`${folder.file()}-wal`), false);
  });
});

/** The bytes of a write-ahead log, the most that it had while something went on. */
async function mostWal(path: string, going: () => Promise<unknown>): Promise<number> {
  let most = 0;
  const looks = setInterval(() => (most = Math.max(most, statSync(`${path}-wal`).size)), 1);
  await going().finally(() => clearInterval(looks));
  return most;
}

const MIB = 1024 * 1024;

describe("the write-ahead log of a log", { concurrency: true }, () => {
  it("[LOG-25] stays small while retention drops a backlog, and is cut afterwards", async () => {
    using folder = new TemporaryFolder();
    {
      await using log = await openSqlite(folder.file());
      for (let part = 0; part < 6; part++) {
        const drafts = Array.from({ length: 10_000 }, (_, data) => draftOf(`c.${data % 500}`, "x".repeat(300)));
        await Promise.all(drafts.map((draft) => log.append(draft)));
      }
    }
    await using log = await openSqlite(folder.file(), { retention: { ...FOREVER, messages: 100 } });
    const size = await mostWal(folder.file(), () => until("the backlog is gone", () => log.size().messages <= 100));
    assert.ok(size < 48 * MIB, `it had ${size} bytes`);
    assert.ok((await dataOf(log)).length <= 100);
  });

  it("[LOG-25] stays small under a flood", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file(), { retention: { ...FOREVER, messages: 20_000 } });
    const size = await mostWal(folder.file(), async () => {
      for (let part = 0; part < 40; part++) {
        const drafts = Array.from({ length: 2000 }, (_, data) => draftOf(`c.${data % 1500}`, "x".repeat(300)));
        await Promise.all(drafts.map((draft) => log.append(draft)));
      }
    });
    assert.ok(size < 80 * MIB, `it had ${size} bytes`);
  });

  it("[LOG-25] has a bound while another program reads an old state, which is said, and goes on by itself after that", async () => {
    using folder = new TemporaryFolder();
    const lines: string[] = [];
    const options = { mostWal: MIB, report: (line: string) => void lines.push(line) };
    await using log = await openSqlite(folder.file(), options);
    using database = openDatabase(folder.file());
    database.exec("BEGIN; SELECT count(*) FROM messages");
    const large = "x".repeat(60_000);
    let published = 0;
    const refused = async (): Promise<unknown> => {
      for (;;) {
        try {
          await log.append(draftOf("a", large));
          published++;
        } catch (error) {
          return error;
        }
      }
    };
    const error = await refused();
    assert.ok(error instanceof HubError && error.code === "LOG_UNAVAILABLE");
    assert.equal(
      error.message,
      "The log cannot keep messages: another program has been reading its database for too long; publish again when that has ended",
    );
    assert.ok(statSync(`${folder.file()}-wal`).size < 2 * MIB);
    assert.equal(lines.length, 1);
    await assert.rejects(log.check());
    assert.equal(log.size().messages, published);
    assert.ok((await dataOf(log)).length > 0, "reading goes on");
    database.exec("COMMIT");
    await until("its room is given back", () => statSync(`${folder.file()}-wal`).size === 0);
    await log.append(draftOf("a", 1));
    await log.check();
  });
});
