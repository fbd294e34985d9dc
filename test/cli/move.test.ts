import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { Cli, runCli } from "../support/cli.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import { draftOf } from "../support/sample.ts";
import { startServer } from "../support/server.ts";
import { dataOf, openSqlite } from "../support/sqlite-file.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");

/** A folder with a log of some messages, on two channels. */
async function folderWithLog(count: number, length = 1): Promise<TemporaryFolder> {
  const folder = new TemporaryFolder();
  await using log = await openSqlite(folder.file());
  const text = "x".repeat(length);
  await Promise.all(
    Array.from({ length: count }, (_, index) => log.append(draftOf(index % 2 === 0 ? "a" : "b", `${index} ${text}`))),
  );
  return folder;
}

describe("sse-mcp-server copy, export and import", { concurrency: 3 }, () => {
  it("move a log, and readers go on at their place, without the server's knowing of the move", async () => {
    using folder = new TemporaryFolder();
    const data = (name: string): string => `file:${folder.file(name)}`;
    const ids: string[] = [];
    {
      await using server = await startServer({ data: data("hub.db") });
      for (const text of ["one", "two", "three"]) ids.push((await server.publish("a", text)).id);
    }
    const copied = await runCli(["copy", "file:./hub.db", "file:./new/hub.db"], { cwd: folder.path });
    assert.deepEqual(
      [copied.code, copied.stdout, copied.stderr],
      [0, "copied 3 messages in 1 channel from file:./hub.db to file:./new/hub.db\n", ""],
    );
    const exported = await runCli(["export", data("hub.db")]);
    assert.deepEqual([exported.code, exported.stderr], [0, ""]);
    const imported = await runCli(["import", data("other.db")], { input: exported.stdout });
    assert.deepEqual(
      [imported.code, imported.stdout, imported.stderr],
      [0, `imported 3 messages in 1 channel into ${data("other.db")}\n`, ""],
    );
    for (const name of ["new/hub.db", "other.db"]) {
      await using server = await startServer({ data: data(name) });
      using reader = await server.events("?channel=a", { headers: { "last-event-id": ids[0] ?? "" } });
      assert.equal((await reader.next()).data, "two");
      const { data: last, id } = await reader.next();
      assert.deepEqual([last, id], ["three", ids[2]]);
      assert.equal((await reader.next()).event, "live");
    }
  });

  it("move a log to Redis and back, and a reader goes on at its place each time", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    using folder = new TemporaryFolder();
    const places = [`file:${folder.file()}`, engine.url, `file:${folder.file("back.db")}`];
    let id = "";
    for (const [index, data] of places.entries()) {
      if (index > 0) {
        const { code, stderr } = await runCli(["copy", places[index - 1] ?? "", data]);
        assert.deepEqual([code, stderr], [0, ""]);
      }
      await using server = await startServer({ data });
      const receipt = await server.publish("a", index);
      using reader = await server.events(`?channel=a&last_event_id=${id === "" ? "earliest" : id}`);
      assert.equal((await reader.next()).data, String(index));
      assert.equal((await reader.next()).event, "live");
      id = receipt.id;
    }
  });

  it("say what is wrong, and what would be right", async () => {
    using folder = await folderWithLog(1);
    const data = `file:${folder.file()}`;
    await using _ = await openSqlite(folder.file("busy.db"));
    const { stdout: whole } = await runCli(["export", data]);
    const wrong: [readonly string[], number, RegExp, string?][] = [
      [["copy", data], 2, /copy takes FROM and TO, such as file:/],
      [["export"], 2, /export takes DATA, such as file:/],
      [["export", "--fast"], 2, /Unknown option '--fast'; see --help/],
      [["copy", data, data], 1, /hub\.db exists already; give the path of a new file, or move this one away/],
      [["export", `file:${folder.file("busy.db")}`], 1, /A running sse-mcp-server has the log .+ open; stop it, or/],
      [
        ["import", `file:${folder.file("new.db")}`],
        1,
        /it was cut short after line 2/,
        whole.slice(0, whole.indexOf('{"channel')),
      ],
    ];
    for (const [words, code, sentence, input = ""] of wrong) {
      const run = await runCli(words, { input });
      assert.deepEqual([run.code, run.stdout], [code, ""], words.join(" "));
      assert.match(run.stderr, sentence);
      assert.match(run.stderr, /^sse-mcp-server: [^\n]+\n$/);
    }
    assert.ok(!existsSync(folder.file("new.db")));
  });

  it("write no faster than their output is read, with the memory of a few messages", async () => {
    using folder = await folderWithLog(400, 100_000);
    await using cli = new Cli(["export", `file:${folder.file()}`]);
    cli.child.stdout.pause();
    const { pid } = cli.child;
    const count = (file: string, name: string): number =>
      Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1]);
    let read = 0;
    let looks = 0;
    await until("it reads no more of the log", () => {
      const now = count("io", "rchar");
      looks = now === read && cli.child.stdout.readableLength > 0 ? looks + 1 : 0;
      read = now;
      return looks > 200;
    });
    assert.ok(read < 20_000_000, `${read} bytes were read ahead`);
    const most = count("status", "VmHWM");
    assert.equal(cli.code, undefined);
    cli.child.stdout.resume();
    assert.equal(await cli.exit(), 0);
    assert.match(cli.stdout, /\{"end":\{"channels":2,"messages":400\}\}\n$/);
    assert.ok(most < 200_000, `${most} KiB`);
  });

  it("end when their output is not read any more", async () => {
    using folder = await folderWithLog(2000, 1000);
    const script = `"${process.execPath}" "${MAIN}" export "file:${folder.file()}" | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script]);
    assert.match(stdout, /^\{"archive":"sse-mcp-server","format":1,.+\}\n0\n$/);
    assert.equal(stderr, "");
  });

  it("leave nothing if they are interrupted", async () => {
    using folder = await folderWithLog(1);
    const { stdout: whole } = await runCli(["export", `file:${folder.file()}`]);
    await using cli = new Cli(["import", `file:${folder.file("new.db")}`], { open: true });
    cli.child.stdin.write(whole.slice(0, -10));
    await until("it writes", () => existsSync(folder.file("new.db.part")));
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 1);
    assert.equal(cli.stderr, "sse-mcp-server: SIGTERM: stopped before the end\n");
    assert.deepEqual([existsSync(folder.file("new.db")), existsSync(folder.file("new.db.part"))], [false, false]);
    // One that was killed leaves its part, and is not in the way of the next.
    writeFileSync(folder.file("new.db.part"), "left behind");
    assert.equal((await runCli(["import", `file:${folder.file("new.db")}`], { input: whole })).code, 0);
    await using log = await openSqlite(folder.file("new.db"));
    assert.deepEqual(await dataOf(log), ["0 x"]);
  });
});
