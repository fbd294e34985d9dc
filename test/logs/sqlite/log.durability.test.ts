import assert from "node:assert/strict";
import { fdatasyncSync, readlinkSync } from "node:fs";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { draftOf, openHub, patternsOf } from "../../support/sample.ts";
import { commitsIn, dataOf, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { TestSink } from "../../support/test-sink.ts";
import { until } from "../../support/until.ts";

/** A disk that confirms when the test says so. */
class Disk {
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  readonly files = new Set<number>();

  get waiting(): number {
    return this.#waiting.length;
  }

  readonly sync = (file: number): Promise<void> => {
    this.files.add(file);
    const confirmed = Promise.withResolvers<void>();
    this.#waiting.push(confirmed);
    return confirmed.promise;
  };

  confirm(): void {
    const [file] = this.files;
    fdatasyncSync(Number(file));
    this.#waiting.shift()?.resolve();
  }

  fail(): void {
    this.#waiting.shift()?.reject(new Error("EIO: i/o error"));
  }
}

describe("a SQLite log that is to survive the end of the machine", { concurrency: true }, () => {
  it("announces and acknowledges a message only when the disk has confirmed its commit", async () => {
    using folder = new TemporaryFolder();
    const disk = new Disk();
    const log = await openSqlite(folder.file(), { durability: "full", sync: disk.sync });
    const followed: unknown[] = [];
    await log.follow((messages) => void followed.push(...messages.map(({ data }) => data)));
    let acknowledged = 0;
    const appended = [1, 2].map((data) => log.append(draftOf("a", data)).then(() => acknowledged++));
    await until("the disk is asked", () => disk.waiting === 1);
    for (let turns = 0; turns < 10; turns++) await turn();
    assert.deepEqual([followed, acknowledged, log.size().messages], [[], 0, 2]);
    const [file] = disk.files;
    if (process.platform === "linux") {
      assert.equal(readlinkSync(`/proc/self/fd/${file}`), `${folder.file()}-wal`, "where the commit is");
    }
    disk.confirm();
    await Promise.all(appended);
    assert.deepEqual([followed, acknowledged], [["1", "2"], 2]);
    await log.close();
  });

  it("commits together what comes while it waits for the disk", async () => {
    using folder = new TemporaryFolder();
    const disk = new Disk();
    const log = await openSqlite(folder.file(), { durability: "full", sync: disk.sync });
    const appended = [log.append(draftOf("a", 0))];
    await until("the disk is asked", () => disk.waiting === 1);
    const commits = commitsIn(folder.file());
    for (let data = 1; data <= 5; data++) {
      appended.push(log.append(draftOf("a", data)));
      await turn();
    }
    assert.deepEqual([disk.waiting, commitsIn(folder.file())], [1, commits]);
    disk.confirm();
    await until("the disk is asked again", () => disk.waiting === 1);
    assert.equal(commitsIn(folder.file()), commits + 1);
    disk.confirm();
    assert.deepEqual(
      (await Promise.all(appended)).map(({ message }) => message.offset),
      [1, 2, 3, 4, 5, 6],
    );
    await log.close();
  });

  it("says so when the disk does not confirm, delivers what it kept all the same, and goes on", async () => {
    using folder = new TemporaryFolder();
    const disk = new Disk();
    await using hub = await openHub(await openSqlite(folder.file(), { durability: "full", sync: disk.sync }));
    const sink = new TestSink();
    hub.subscribe({ channels: patternsOf("*") }, sink);
    const refused = hub.publish(draftOf("a", 1, { key: "k" }));
    await until("the disk is asked", () => disk.waiting === 1);
    disk.fail();
    await assert.rejects(refused, {
      code: "LOG_UNAVAILABLE",
      message: "The message was kept, but the disk did not confirm it: it may be lost if the machine stops now",
    });
    const again = hub.publish(draftOf("a", 2, { key: "k" }));
    await until("the disk is asked again", () => disk.waiting === 1);
    disk.confirm();
    assert.deepEqual([(await again).repeated, (await again).message.data], [true, "1"]);
    await turn();
    assert.deepEqual(sink.data, [1]);
  });

  it("closes when the disk has answered, and leaves nobody waiting, whatever it answered", async () => {
    for (const answer of ["confirm", "fail"] as const) {
      using folder = new TemporaryFolder();
      const disk = new Disk();
      const log = await openSqlite(folder.file(), { durability: "full", sync: disk.sync });
      const first = log.append(draftOf("a", 1));
      await until("the disk is asked", () => disk.waiting === 1);
      const second = log.append(draftOf("a", 2));
      const settled = Promise.allSettled([first, second]);
      let closed = false;
      const closing = log.close().then(() => (closed = true));
      await assert.rejects(log.append(draftOf("a", 3)), { code: "SHUTTING_DOWN" });
      for (let turns = 0; turns < 10; turns++) await turn();
      assert.equal(closed, false);
      disk[answer]();
      await until("the second is committed", () => disk.waiting === 1);
      disk[answer]();
      await closing;
      const status = answer === "confirm" ? "fulfilled" : "rejected";
      assert.deepEqual(
        (await settled).map((result) => result.status),
        [status, status],
      );
      await using again = await openSqlite(folder.file());
      assert.deepEqual(await dataOf(again), [1, 2]);
      assert.equal(await again.follow(() => {}), 2, "the end was clean");
    }
  });

  it("never has a reader see a message twice that it read before it was announced", async () => {
    using folder = new TemporaryFolder();
    const disk = new Disk();
    await using hub = await openHub(await openSqlite(folder.file(), { durability: "full", sync: disk.sync }));
    const publishing = hub.publish(draftOf("a", 1));
    await until("the disk is asked", () => disk.waiting === 1);
    const page = await hub.history({ channels: patternsOf("a"), limit: 9 });
    const [early, late] = [new TestSink(), new TestSink()];
    hub.subscribe({ channels: patternsOf("a"), after: page.next }, early);
    hub.subscribe({ channels: patternsOf("a"), after: "earliest" }, late);
    for (let turns = 0; turns < 10; turns++) await turn();
    disk.confirm();
    await publishing;
    await until("both are live", () => early.of("live").length + late.of("live").length === 2);
    await turn();
    assert.deepEqual([[...page.messages.map(({ data }) => Number(data)), ...early.data], late.data], [[1], [1]]);
  });
});
