import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { flag, settingNames } from "../../src/config.ts";
import { runCli } from "../support/cli.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

describe("sse-mcp-server", { concurrency: true }, () => {
  it("says what it can do with --help, and what a command can with its own", async () => {
    const [all, serve, publish, tail] = await Promise.all(
      [["--help"], ["serve", "--help"], ["publish", "-h"], ["tail", "--help"]].map((words) => runCli(words)),
    );
    assert.ok(all && serve && publish && tail);
    assert.match(all.stdout, /^sse-mcp-server: .+\n\nUsage: sse-mcp-server \[COMMAND\] \[OPTIONS\]/);
    for (const command of ["serve", "publish", "tail"]) assert.match(all.stdout, new RegExp(`^ {2}${command} `, "m"));
    for (const name of settingNames) assert.ok(serve.stdout.includes(`  ${flag(name)} `), name);
    const columns = [...serve.stdout.matchAll(/^ {2}--[a-z-]+ +/gm)].map(([flagged]) => flagged.length);
    assert.deepEqual([...new Set(columns)], [33], "what each setting means begins in one column");
    assert.match(publish.stdout, /^Usage: sse-mcp-server publish CHANNEL TEXT/);
    assert.match(tail.stdout, /^Usage: sse-mcp-server tail/);
    for (const { code, stderr } of [all, serve, publish, tail]) assert.deepEqual([code, stderr], [0, ""]);
  });

  it("says its version with --version", async () => {
    const { code, stdout } = await runCli(["--version"]);
    assert.deepEqual([code, stdout], [0, `${version}\n`]);
  });

  it("says that it does not know a command, and ends with 2", async () => {
    const { code, stdout, stderr } = await runCli(["sevre"]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(
      stderr,
      /^sse-mcp-server: Unknown command "sevre"; use serve, health, publish, ask, tail.+, or see --help\n$/,
    );
  });

  it("prints every setting with where it came from, and masks passwords", async () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("hub.json"), '{"HEARTBEAT": 20}');
    const env = {
      MAX_CONNECTIONS: "1000",
      NODE_ENV: "production",
      CONFIG: folder.file("hub.json"),
      DATA: "file:redis://user:secret@host/0",
    };
    const { code, stdout, stderr } = await runCli(["--print-config", "--port", "8100"], { env });
    assert.deepEqual([code, stderr], [0, ""]);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((row) => row.split(/ {2,}/));
    assert.equal(rows.length, settingNames.length);
    const find = (name: string): string[] => rows.find(([first]) => first?.startsWith(name)) ?? [];
    assert.deepEqual(find("PORT"), ["PORT", "8100", "flag"]);
    assert.deepEqual(find("MAX_CONNECTIONS"), ["MAX_CONNECTIONS", "1000", "environment"]);
    assert.deepEqual(find("ENV"), ["ENV", "production", "environment"]);
    assert.deepEqual(find("HEARTBEAT"), ["HEARTBEAT", "20", "file"]);
    assert.deepEqual(find("HOST"), ["HOST", "127.0.0.1", "default"]);
    assert.doesNotMatch(stdout, /secret/);
    assert.match(stdout, /redis:\/\/user:\*\*\*@host/);
  });

  it("says in one sentence what is wrong with a setting, and ends with 1", async () => {
    const wrong = await Promise.all([
      runCli(["--port", "http"]),
      runCli(["--print-config", "--nonsense"]),
      runCli(["serve"], { env: { MAX_CONNECTIONS: "many" } }),
    ]);
    const sentences = [
      '--port is "http"; use a whole number from 0 to 65535',
      "Unknown option '--nonsense'; see --help",
      'MAX_CONNECTIONS is "many"; use a whole number from 1 to 1000000',
    ];
    assert.deepEqual(
      wrong.map(({ code, stdout, stderr }) => [code, stdout, stderr]),
      sentences.map((sentence) => [1, "", `sse-mcp-server: ${sentence}\n`]),
    );
  });
});
