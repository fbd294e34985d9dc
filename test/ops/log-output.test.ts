import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { LogOutput } from "../../src/ops/log-output.ts";
import { fill, smallDisk } from "../support/small-disk.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

/** Has the server log a line within a second: it refuses a reader. */
async function logSomething(server: TestServer): Promise<void> {
  assert.equal((await server.request("/events")).status, 503);
}

const dropped = (server: TestServer): Promise<number> => server.metric("sse_mcp_log_lines_dropped_total");

describe("a log that cannot be written", { concurrency: true }, () => {
  it("[OPS-20] holds up nothing while its disk is full; what it dropped is counted, and said once there is room", async (test) => {
    using folder = new TemporaryFolder();
    using disk = smallDisk(test, folder.path, "64k");
    if (disk === undefined) return;
    const logFile = folder.file("hub.log");
    await using server = await startServer({ logLevel: "info", logFile, maxConnections: 1 });
    await until("it has logged its start", () => readFileSync(logFile, "utf8").endsWith("\n"));
    fill(folder.file("rest"));
    // A few bytes fit: the next line is torn.
    const { size } = { size: readFileSync(logFile).length };
    writeFileSync(logFile, `${"x".repeat(4096 - (size % 4096) - 20)}\n`, { flag: "a" });
    using reader = await server.events("?channel=hub.logs");
    await logSomething(server);
    await until("a line is dropped", async () => (await dropped(server)) > 0);
    const told = JSON.parse((await reader.next()).data) as { msg: string };
    assert.match(told.msg, /refused|log lines are dropped \(ENOSPC\)/);
    assert.equal((await server.request("/health")).status, 200);
    rmSync(folder.file("rest"));
    await logSomething(server);
    await until("it says so", () => /were dropped|was dropped/.test(readFileSync(logFile, "utf8")));
    const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
    const said = lines.flatMap((line) => /"lost":(\d+)/.exec(line)?.[1] ?? []).map(Number);
    assert.deepEqual(said, [await dropped(server)]);
    // The torn line does not spoil the next one.
    for (const line of lines.slice(lines.findIndex((text) => text.startsWith("xxx")) + 2)) JSON.parse(line);
  });

  it("does not keep the server from starting and stopping where every write fails", async (test) => {
    if (!existsSync("/dev/full")) return test.skip("/dev/full is needed");
    await using server = await startServer({ logLevel: "info", logFile: "/dev/full", maxConnections: 1 });
    using reader = await server.events();
    await logSomething(server);
    await until("its lines are dropped", async () => (await dropped(server)) >= 2);
    assert.equal((await server.request("/health")).status, 200);
    await server.close();
    await reader.ended;
  });

  it("is bounded while what takes it has stopped, and goes on when that does", async () => {
    const pipe = new PassThrough({ highWaterMark: 1 });
    const output = LogOutput.toStream(pipe);
    const [troubles, recoveries]: [string[], number[]] = [[], []];
    output.onTrouble = (reason) => troubles.push(reason);
    output.onRecovered = (lost) => recoveries.push(lost);
    const count = 3000;
    for (let n = 0; n < count; n++) output.write(`${n} ${"x".repeat(1000)}\n`);
    assert.ok(output.lost > 1000, String(output.lost));
    assert.deepEqual(troubles, ["their reader has stopped"]);
    let text = "";
    pipe.setEncoding("utf8").on("data", (chunk) => (text += String(chunk)));
    await until("all that was not dropped is there", () => text.split("\n").length - 1 === count - output.lost);
    await until("it is told", () => recoveries.length > 0);
    assert.deepEqual(recoveries, [output.lost]);
    output.write("next\n");
    await until("the next line", () => text.endsWith("\nnext\n"));
  });

  it("drops its lines once the pipe is broken", async () => {
    const pipe = new PassThrough();
    pipe.on("error", () => {});
    const output = LogOutput.toStream(pipe);
    pipe.destroy();
    for (const line of ["a\n", "b\n"]) output.write(line);
    await until("both are dropped", () => output.lost === 2);
    await output.close(1000);
  });

  it("does not wait longer than it is told for the last lines", async () => {
    const output = LogOutput.toStream(new PassThrough({ highWaterMark: 1 }));
    for (let n = 0; n < 10; n++) output.write("x\n");
    await output.close(1);
  });
});

describe("a log file", { concurrency: true }, () => {
  it("may have a number for its name", async () => {
    using folder = new TemporaryFolder();
    for (const name of ["2026", "1", "0"]) {
      const before = process.cwd();
      process.chdir(folder.path);
      const server = await startServer({ logLevel: "info", logFile: name });
      await until("it is written", () => readFileSync(name, "utf8").includes("listening"));
      await server.close();
      process.chdir(before);
    }
  });

  it("that was moved or deleted is made again, and one that was cut short is gone on with", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file("hub.log");
    const output = LogOutput.toFile(path);
    const written = async (line: string): Promise<void> => {
      await until(line, () => {
        output.write(`${line}\n`);
        return existsSync(path) && readFileSync(path, "utf8").includes(line);
      });
    };
    await written("first");
    renameSync(path, folder.file("hub.log.1"));
    await written("second");
    rmSync(path);
    await written("third");
    truncateSync(path);
    await written("fourth");
    // A line that was on its way may still come first; nothing stands before it, as a hole would.
    assert.match(readFileSync(path, "utf8"), /^(?:third\n)*fourth\n/);
    assert.equal(output.lost, 0);
    await output.close(1000);
  });

  it("whose folder is gone loses lines until it is back", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file("logs"));
    const output = LogOutput.toFile(folder.file("logs/hub.log"));
    rmSync(folder.file("logs"), { recursive: true });
    output.write("a\n");
    await until("it is dropped", () => output.lost === 1);
    mkdirSync(folder.file("logs"));
    let recovered = 0;
    output.onRecovered = (lost) => (recovered = lost);
    output.write("b\n");
    await until("it goes on", () => recovered === 1);
    await output.close(1000);
    assert.equal(readFileSync(folder.file("logs/hub.log"), "utf8"), "b\n");
  });

  it("is refused at the start where it is a folder, or a pipe without a reader", async () => {
    using folder = new TemporaryFolder();
    execFileSync("mkfifo", [folder.file("pipe")]);
    for (const [logFile, reason] of [
      [folder.path, "EISDIR"],
      [folder.file("pipe"), "ENXIO"],
    ] as const) {
      await assert.rejects(
        startServer({ logFile }),
        new RegExp(`LOG_FILE is ".+", which cannot be written: ${reason}`),
      );
    }
  });
});
