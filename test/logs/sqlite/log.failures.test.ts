import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { BEGINNING } from "../../../src/protocol/cursor.ts";
import { HubError } from "../../../src/core/errors.ts";
import { draftOf, FOREVER, openHub, patternsOf } from "../../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { TestSink } from "../../support/test-sink.ts";
import { until } from "../../support/until.ts";

const ALL = patternsOf("*");

/** Opening must fail as a `HubError` whose sentence matches; never otherwise. */
async function cannotOpen(path: string, sentence: RegExp): Promise<void> {
  await assert.rejects(openSqlite(path), (error) => {
    assert.ok(error instanceof HubError, String(error));
    assert.equal(error.code, "LOG_UNAVAILABLE");
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /[\r\n]/);
    return true;
  });
}

async function filled(path: string, messages = 300): Promise<void> {
  await using log = await openSqlite(path);
  for (let data = 0; data < messages; data++)
    void log.append(draftOf(`c.${data % 20}`, `${data} ${"x".repeat(150)}`, { key: `k${data}` }));
}

describe("a file that cannot be a log", { concurrency: true }, () => {
  it("because another hub has it open is refused, until that one is closed", async () => {
    using folder = new TemporaryFolder();
    const first = await openSqlite(folder.file());
    const sentence = /^Another sse-mcp-server has the log \S+ open; give this one another DATA$/;
    await cannotOpen(folder.file(), sentence);
    await cannotOpen(folder.file(), sentence);
    await first.append(draftOf("a", 1));
    await first.close();
    await using second = await openSqlite(folder.file());
    assert.deepEqual(await dataOf(second), [1]);
  });

  it("because it is a database of another program is refused and left as it is", async () => {
    using folder = new TemporaryFolder();
    {
      using database = openDatabase(folder.file());
      database.exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    }
    const bytes = readFileSync(folder.file());
    await cannotOpen(folder.file(), /^\S+ is a database of another program; give DATA another file$/);
    assert.deepEqual(readFileSync(folder.file()), bytes);
  });

  it("because a newer version wrote it is refused and left as it is", async () => {
    using folder = new TemporaryFolder();
    await filled(folder.file(), 3);
    {
      using database = openDatabase(folder.file());
      database.exec("PRAGMA user_version = 7");
    }
    await cannotOpen(
      folder.file(),
      /^The log \S+ was written by a newer sse-mcp-server \(format 7\); use that version$/,
    );
  });

  it("because it is a text is refused and left as it is", async () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file(), "not a database, whatever its name says\n".repeat(100));
    await cannotOpen(folder.file(), /damaged or not an SQLite database; restore it from a backup, or move it away$/);
    await cannotOpen(folder.file(), /damaged or not an SQLite database/);
    assert.match(readFileSync(folder.file(), "utf8"), /^not a database/);
  });

  it("because it, or a folder of its path, is the other of the two is refused", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file("folder.db"));
    await cannotOpen(folder.file("folder.db"), /^The log \S+ cannot be opened for writing: /);
    writeFileSync(folder.file("file"), "");
    await cannotOpen(folder.file("file/hub.db"), /^The folder of the log, \S+, cannot be created: /);
  });

  it("because another program holds it locked is refused, until it lets go", async () => {
    using folder = new TemporaryFolder();
    await filled(folder.file(), 3);
    using database = openDatabase(folder.file());
    database.exec("BEGIN EXCLUSIVE");
    await cannotOpen(folder.file(), /^The log \S+ is locked by another program; close that first$/);
    database.exec("ROLLBACK");
    await using log = await openSqlite(folder.file());
    assert.equal((await dataOf(log)).length, 3);
  });

  it("because it was cut off is refused or whole, and never fails in another way", async () => {
    using folder = new TemporaryFolder();
    await filled(folder.file());
    const { size } = statSync(folder.file());
    for (const length of [10, 100, 1000, 4096, 8192, size >> 1, size - 4096]) {
      const path = folder.file(`${length}.db`);
      copyFileSync(folder.file(), path);
      truncateSync(path, length);
      await cannotOpen(path, /damaged or not an SQLite database/);
    }
    // Nothing is written at the very end of a page.
    truncateSync(folder.file(), size - 1);
    await using log = await openSqlite(folder.file());
    assert.equal((await dataOf(log)).length, 300);
  });

  it("because a page of it is rubbish is refused, or fails only where that page is needed", async () => {
    using folder = new TemporaryFolder();
    await filled(folder.file());
    const { size } = statSync(folder.file());
    let [refused, opened] = [0, 0];
    for (let page = 0; page < size / 4096; page++) {
      const path = folder.file(`${page}.db`);
      const bytes = readFileSync(folder.file());
      bytes.fill(0xa5, page * 4096 + (page === 0 ? 100 : 0), (page + 1) * 4096);
      writeFileSync(path, bytes);
      try {
        await using log = await openSqlite(path);
        opened++;
        const work = [
          log.append(draftOf("c.1", 1, { key: "new" })),
          log.append(draftOf("new", 1)),
          log.read({ after: BEGINNING, channels: ALL, limit: 1000 }),
          log.read({ after: BEGINNING, channels: patternsOf("c.*"), limit: 1000 }),
          log.read({ after: BEGINNING, channels: patternsOf("c.1"), limit: 1000 }),
        ];
        for (const result of await Promise.allSettled(work)) {
          if (result.status === "rejected") assert.ok(result.reason instanceof HubError, String(result.reason));
        }
      } catch (error) {
        assert.ok(error instanceof HubError && error.code === "LOG_UNAVAILABLE", `page ${page}: ${String(error)}`);
        await cannotOpen(path, /^The log \S+ (is damaged|cannot be opened)/);
        refused++;
      }
      rmSync(path);
    }
    assert.ok(refused > 1 && opened > 5, `${refused} refused, ${opened} opened`);
  });
});

describe("a database that another program locks for a while", { concurrency: true }, () => {
  it("delays publishers, who do not notice where it is short", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    using database = openDatabase(folder.file());
    database.exec("BEGIN EXCLUSIVE");
    const appended = [log.append(draftOf("a", 1)), log.append(draftOf("a", 2)), log.check()];
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(log.size().messages, 0);
    database.exec("ROLLBACK");
    await Promise.all(appended);
    assert.deepEqual(await dataOf(log), [1, 2]);
  });

  it("is said to be locked where it is long; reading goes on, and publishing when the lock is gone", async () => {
    using folder = new TemporaryFolder();
    await using hub = await openHub(await openSqlite(folder.file()));
    const sink = new TestSink();
    hub.subscribe({ channels: ALL }, sink);
    await hub.publish(draftOf("a", 1));
    using database = openDatabase(folder.file());
    database.exec("BEGIN EXCLUSIVE");
    const results = await Promise.allSettled([
      hub.publish(draftOf("a", 2)),
      hub.publish(draftOf("a", 3, { ephemeral: true })),
      hub.probe(),
    ]);
    for (const result of results) {
      assert.ok(result.status === "rejected" && result.reason instanceof HubError);
      assert.equal(result.reason.code, "LOG_UNAVAILABLE");
      assert.equal(
        result.reason.message,
        "The log cannot keep messages: another program holds its database locked; publish again later",
      );
    }
    assert.equal((await hub.history({ channels: ALL, limit: 9 })).messages.length, 1);
    database.exec("ROLLBACK");
    await hub.publish(draftOf("a", 4));
    await hub.probe();
    await turn();
    assert.deepEqual(sink.data, [1, 4]);
    assert.equal(hub.cursor(), hub.cursor(2), "nothing was left out");
  });

  it("is tried again at one pace, however many publish meanwhile", async () => {
    using folder = new TemporaryFolder();
    let tries = 0;
    await using log = await openSqlite(folder.file(), { now: () => ++tries });
    using database = openDatabase(folder.file());
    database.exec("BEGIN EXCLUSIVE");
    const appended: Promise<unknown>[] = [];
    const start = performance.now();
    for (let turns = 0; turns < 200; turns++) {
      appended.push(log.append(draftOf("a", turns)));
      await turn();
    }
    const milliseconds = performance.now() - start;
    assert.ok(tries < 10 + milliseconds / 2, `${tries} tries in ${milliseconds} ms`);
    database.exec("ROLLBACK");
    await Promise.all(appended);
    assert.equal(log.size().messages, 200);
  });

  it("keeps nobody waiting who waits for it to be closed", async () => {
    using folder = new TemporaryFolder();
    const log = await openSqlite(folder.file());
    using database = openDatabase(folder.file());
    database.exec("BEGIN EXCLUSIVE");
    const appended = log.append(draftOf("a", 1));
    await turn();
    await turn();
    const closing = log.close();
    await assert.rejects(appended, { code: "LOG_UNAVAILABLE" });
    await closing;
    database.exec("ROLLBACK");
    await using again = await openSqlite(folder.file());
    assert.deepEqual(await dataOf(again), []);
  });
});

describe("a disk that is full", () => {
  it("refuses what cannot be kept, keeps nothing of it by half, and takes more when there is room", async (context) => {
    using folder = new TemporaryFolder();
    using disk = smallDisk(context, folder.path, "8m");
    if (disk === undefined) return;
    await using hub = await openHub(await openSqlite(folder.file("hub.db")));
    const sink = new TestSink();
    hub.subscribe({ channels: ALL }, sink);
    await hub.publish(draftOf("a", 0));
    writeFileSync(folder.file("filler"), "");
    fill(folder.file("filler"));
    const large = "x".repeat(50_000);
    let published = 1;
    for (; ; published++) {
      const error: unknown = await hub.publish(draftOf(`c.${published}`, large)).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) continue;
      assert.ok(error instanceof HubError);
      assert.equal(error.code, "LOG_UNAVAILABLE");
      assert.equal(error.message, "The log cannot keep messages: the disk is full; publish again later");
      break;
    }
    const results = await Promise.allSettled([1, 2, 3].map((data) => hub.publish(draftOf("a", data + large))));
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
    await turn();
    assert.deepEqual([sink.data.length, hub.log.size().messages], [published, published]);
    rmSync(folder.file("filler"));
    assert.equal((await hub.publish(draftOf("a", "room"))).id, hub.cursor(published + 1));
    await hub.probe();
    using database = openDatabase(folder.file());
    const { rows } = database.prepare("SELECT count(*) AS rows FROM messages").get() as { rows: number };
    assert.deepEqual([rows, hub.log.size().messages], [published + 1, published + 1]);
    assert.equal(database.prepare("SELECT sum(kept) AS kept FROM channels").get()?.kept, rows);
  });

  it("[LOG-25] is freed by itself of a write-ahead log that filled it, and takes messages again", async (context) => {
    using folder = new TemporaryFolder();
    using disk = smallDisk(context, folder.path, "64m");
    if (disk === undefined) return;
    await using log = await openSqlite(folder.file(), { retention: { ...FOREVER, messages: 100 } });
    for (let data = 0; data < 300; data++) await log.append(draftOf("a", "x".repeat(60_000)));
    using database = openDatabase(folder.file());
    database.exec("PRAGMA wal_checkpoint(TRUNCATE); BEGIN; SELECT count(*) FROM messages");
    // As long as another program reads an old state, the write-ahead log cannot start over.
    await assert.rejects(async () => {
      for (;;) await log.append(draftOf("a", "x".repeat(60_000)));
    }, /the disk is full/);
    writeFileSync(folder.file("filler"), "");
    fill(folder.file("filler"));
    database.exec("COMMIT");
    await until("it takes messages", () =>
      log.append(draftOf("a", "x".repeat(60_000))).then(
        () => true,
        () => false,
      ),
    );
    await until("it keeps 100", () => log.size().messages === 100);
    await log.check();
  });

  it("when the log is opened is said, and opens when there is room", async (context) => {
    using folder = new TemporaryFolder();
    using disk = smallDisk(context, folder.path, "1m");
    if (disk === undefined) return;
    writeFileSync(folder.file("filler"), "");
    fill(folder.file("filler"));
    await cannotOpen(
      folder.file(),
      /^The log \S+ cannot be opened for writing: |^The folder of the log, \S+, is not writable: /,
    );
    rmSync(folder.file("filler"));
    await using log = await openSqlite(folder.file());
    await log.append(draftOf("a", 1));
  });
});

/** A disk of its own under a folder; skips the test where nobody may mount one. */
function smallDisk(context: TestContext, path: string, size: string): Disposable | undefined {
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
  if (mounted.status !== 0) {
    context.skip("a small disk cannot be mounted here; run as root where mount is allowed");
    return undefined;
  }
  return { [Symbol.dispose]: () => void spawnSync("umount", ["-l", path]) };
}

/** Writes until nothing fits any more. */
function fill(path: string): void {
  for (const bytes of [256 * 1024, 4096]) {
    for (;;) {
      try {
        writeFileSync(path, Buffer.alloc(bytes), { flag: "a" });
      } catch {
        break;
      }
    }
  }
}
