import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { linkSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { HubError } from "../../../src/core/errors.ts";
import { openLog } from "../../../src/logs/open.ts";
import { draftOf, FOREVER } from "../../support/sample.ts";
import { dataOf, openDatabase, openSqlite } from "../../support/sqlite-file.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";

const HOLDER = fileURLToPath(new URL("../../support/log-holder.ts", import.meta.url));
const TAKEN = /^Another sse-mcp-server has the log \S+ open( as \S+)?; give this one another DATA$/;
const CONTRADICTED = {
  code: "LOG_UNAVAILABLE",
  message:
    "The log cannot keep messages: another program writes into its database; whoever runs the server must stop that program and restart the server",
};

/** The ways by which one folder names the file of another. */
const LINKS: Readonly<Record<string, (target: string, path: string) => void>> = {
  "a symbolic link": (target, path) => symlinkSync(target, path),
  "a relative symbolic link": (target, path) => symlinkSync(relative(dirname(path), target), path),
  "a hard link": (target, path) => linkSync(target, path),
  "a link to its folder": (target, path) => {
    rmSync(dirname(path), { recursive: true });
    symlinkSync(dirname(target), dirname(path));
  },
};

async function isRefused(path: string): Promise<void> {
  await assert.rejects(openSqlite(path), (error) => {
    assert.ok(error instanceof HubError, String(error));
    assert.match(error.message, TAKEN);
    return true;
  });
}

/** A log that another process holds open until it is killed. */
async function held(path: string): Promise<{ kill(): Promise<void> }> {
  const child = spawn(process.execPath, [HOLDER, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    kill: async () => {
      child.kill("SIGKILL");
      await once(child, "close");
    },
  };
}

describe("a log file that has another name", { concurrency: true }, () => {
  for (const [link, make] of Object.entries(LINKS)) {
    it(`[LOG-21] by ${link} is refused while it is open, by either name, and is one log after that`, async () => {
      using folder = new TemporaryFolder();
      const [one, two] = [folder.file("one/hub.db"), folder.file("two/hub.db")];
      for (const path of [one, two]) mkdirSync(dirname(path));
      const first = await openSqlite(one);
      make(one, two);
      await first.append(draftOf("public", 1));
      await isRefused(two);
      await first.append(draftOf("public", 2));
      await first.close();
      const second = await openSqlite(two);
      await second.append(draftOf("salaries", 3));
      await isRefused(one);
      await isRefused(two);
      await second.close();
      await using third = await openSqlite(one);
      assert.deepEqual(await dataOf(third), [1, 2, 3]);
    });

    it(`[LOG-21] by ${link} is refused while another process has it open, until that is killed`, async () => {
      using folder = new TemporaryFolder();
      const [one, two] = [folder.file("one/hub.db"), folder.file("two/hub.db")];
      for (const path of [one, two]) mkdirSync(dirname(path));
      const holder = await held(one);
      make(one, two);
      await isRefused(two);
      await holder.kill();
      if (link === "a hard link") {
        // The newest messages are in a write-ahead log that only the other name leads to.
        await assert.rejects(openSqlite(two), /is the same file as \S+, by which name it was not closed; open it once/);
        await (await openSqlite(one)).close();
      }
      await using log = await openSqlite(two);
      assert.deepEqual(await dataOf(log), ["held"]);
    });
  }

  it("is refused by every name, whichever of them it is open by", async () => {
    using folder = new TemporaryFolder();
    const names = ["one.db", "two.db", "three.db"].map((name) => folder.file(name));
    const [one = ""] = names;
    await (await openSqlite(one)).close();
    for (const name of names.slice(1)) linkSync(one, name);
    for (const [data, name] of names.toReversed().entries()) {
      const log = await openSqlite(name);
      await log.append(draftOf("a", data));
      for (const other of names) await isRefused(other);
      await log.close();
    }
    await using log = await openSqlite(one);
    assert.deepEqual(await dataOf(log), [0, 1, 2]);
  });

  it("that is a link to nothing yet is created where the link leads", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file("two"));
    symlinkSync(folder.file("hub.db"), folder.file("two/hub.db"));
    await using log = await openSqlite(folder.file("two/hub.db"));
    await log.append(draftOf("a", 1));
    await isRefused(folder.file());
  });

  it("[LOG-21] as a URL is the same log as by its path", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    for (const data of [`file:${folder.file()}`, `file://${folder.file()}`, `file:${relative(".", folder.file())}`]) {
      await assert.rejects(openLog({ data, retention: FOREVER, durability: "normal" }), { message: TAKEN });
    }
    await log.append(draftOf("a", 1));
  });
});

describe("a log file that another program writes into", { concurrency: true }, () => {
  it("[LOG-21] takes no more messages once another server has begun a run in it", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    await log.append(draftOf("a", 1));
    using database = openDatabase(folder.file());
    database.exec("INSERT INTO runs VALUES (2, 'another')");
    await assert.rejects(log.check(), CONTRADICTED);
    await assert.rejects(log.append(draftOf("a", 2)), CONTRADICTED);
    await assert.rejects(log.append(draftOf("a", 2, { ephemeral: true })), CONTRADICTED);
    assert.deepEqual(await dataOf(log), [1], "and can be read");
    database.exec("DELETE FROM runs WHERE epoch = 'another'");
    await log.append(draftOf("a", 2));
    assert.deepEqual(await dataOf(log), [1, 2]);
  });

  it("takes no more messages once an offset that it has not given out is taken", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    await log.append(draftOf("a", 1));
    using database = openDatabase(folder.file());
    database.exec(
      "INSERT INTO messages (offset, channel, event, data, sender, time, cost) VALUES (2, 1, 'message', '\"theirs\"', 'x', 0, 1)",
    );
    await assert.rejects(log.append(draftOf("a", 2)), CONTRADICTED);
    await assert.rejects(log.check(), CONTRADICTED);
  });

  it("never puts a message on a channel that has its number there", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    await log.append(draftOf("public", 1));
    using database = openDatabase(folder.file());
    database.exec("INSERT INTO channels VALUES (2, 'salaries', 0, 0, 0, 0, 0)");
    await assert.rejects(log.append(draftOf("chat", 2)), CONTRADICTED);
    database.exec("DELETE FROM channels WHERE id = 2; UPDATE channels SET channel = 'salaries' WHERE id = 1");
    await assert.rejects(log.append(draftOf("public", 2)), CONTRADICTED);
    assert.deepEqual(await dataOf(log), [1]);
  });
});

describe("the lock of a log", { concurrency: true }, () => {
  it("is taken again if it was removed", async () => {
    using folder = new TemporaryFolder();
    await using log = await openSqlite(folder.file());
    rmSync(`${folder.file()}.lock`);
    await log.check();
    await isRefused(folder.file());
  });
});
