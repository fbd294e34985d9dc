import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Cli, runCli, type CliOptions } from "../support/cli.ts";
import { EventReader } from "../support/event-reader.ts";
import { FrameReader } from "../support/frame-reader.ts";
import { request } from "../support/request.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const MEMORY = ["--port", "0", "--data", "memory:"];

async function refusal(words: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runCli(["serve", "--port", "0", ...words], options);
  assert.deepEqual([code, stdout], [1, ""], stderr);
  assert.match(stderr, /^sse-mcp-server: [^\n]+\n$/);
  return stderr;
}

describe("sse-mcp-server serve", { concurrency: 3 }, () => {
  it("keeps its data in ./data by default, says where it listens and what to try, and nothing else", async () => {
    using folder = new TemporaryFolder();
    await using cli = new Cli(["--port", "0"], { cwd: folder.path });
    const url = await cli.url();
    await until("the whole greeting", () => cli.stdout.endsWith("\n\n"));
    const lines = cli.stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^sse-mcp-server \d+\.\d+\.\d+\S* listens on http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(lines[1], "log: file:./data/hub.db (0 messages in 0 channels, durability normal)");
    assert.deepEqual(lines.slice(3), [
      "Try:",
      `  curl -N ${url}/events`,
      `  curl ${url}/channels/default/messages -d "Hello"`,
      `  claude mcp add --transport http hub ${url}/mcp`,
      "",
      "Open in a browser:",
      `  ${url}/            lines to copy`,
      `  ${url}/chat        for people`,
      `  ${url}/dashboard   what the server does`,
      "",
      "Other MCP clients: docs/mcp.md",
    ]);
    assert.equal(cli.stderr, "");
    assert.ok(existsSync(folder.file("data/hub.db")));
    assert.equal((await request(`${url}/health`)).status, 200);
  });

  it("says what it found, and warns if it listens to everyone", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    {
      await using server = await startServer({ data });
      await server.publish("a", 1);
    }
    await using cli = new Cli(["serve", "--port", "0", "--data", data, "--host", "0.0.0.0", "--auth", "none"]);
    await cli.url();
    assert.match(cli.stdout, /\(1 message in 1 channel, durability normal\)/);
    assert.match(cli.stdout, /Warning: listening on 0\.0\.0\.0 without authentication/);
    await until("the whole greeting", () => cli.stdout.endsWith("\n\n"));
    // An address that can be opened.
    assert.match(cli.stdout, /\n {2}http:\/\/127\.0\.0\.1:\d+\/chat /);
    const [, ...rest] = cli.stdout.split("\n");
    assert.doesNotMatch(rest.join("\n"), /\/\/0\.0\.0\.0/);
  });

  it("warns by the address it is bound to, not by its spelling", async () => {
    for (const [host, address, warns] of [
      ["127.1", "127.0.0.1", false],
      ["::ffff:127.0.0.1", "127.0.0.1", false],
      ["0", "0.0.0.0", true],
    ] as const) {
      await using cli = new Cli([...MEMORY, "--auth", "none", "--host", host]);
      assert.match(await cli.url(), new RegExp(`^http://${address}:\\d+$`));
      await until("the whole greeting", () => cli.stdout.endsWith("\n\n"));
      assert.equal(cli.stdout.includes("Warning: "), warns, host);
    }
  });

  it("shows lines with a credential and its public address if it asks for one, and does not warn", async () => {
    using keys = new KeyRing();
    const env = { API_KEYS_FILE: keys.path, PUBLIC_URL: "https://hub.example" };
    await using cli = new Cli(MEMORY, { env });
    await cli.url();
    await until("the whole greeting", () => cli.stdout.endsWith("\n\n"));
    assert.match(cli.stdout, /\n {2}curl -N https:\/\/hub\.example\/events -H "Authorization: Bearer \$HUB_TOKEN"\n/);
    assert.match(cli.stdout, /hub https:\/\/hub\.example\/mcp --header "Authorization: Bearer \$HUB_TOKEN"\n/);
    assert.ok(!cli.stdout.includes("Warning: "));
  });

  it("serves and ends with 0 if neither standard output nor standard error can be written", async (test) => {
    if (!existsSync("/dev/full")) return test.skip("/dev/full is needed");
    using folder = new TemporaryFolder();
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const logFile = folder.file("hub.log");
    const words = `--data memory: --port 0 --log-file ${logFile} > /dev/full 2>&1`;
    const child = spawn("sh", ["-c", `exec "${process.execPath}" "${main}" ${words}`], { stdio: "ignore" });
    const ended = once(child, "exit");
    let url = "";
    await until("it says where it listens", () => {
      if (existsSync(logFile)) url = /http:\/\/[\d.:]+/.exec(readFileSync(logFile, "utf8"))?.[0] ?? "";
      return url !== "" || child.exitCode !== null;
    });
    assert.equal((await request(`${url}/health/live`)).status, 200);
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
  });

  it("goes on when no one reads its output any more, and ends with 0", async () => {
    await using cli = new Cli([...MEMORY, "--max-connections", "1"]);
    const url = await cli.url();
    cli.child.stdout.destroy();
    cli.child.stderr.destroy();
    using reader = await EventReader.open(`${url}/events`);
    await until("a line is dropped", async () => {
      assert.equal((await request(`${url}/events`)).status, 503);
      return /sse_mcp_log_lines_dropped_total [1-9]/.test((await request(`${url}/metrics`)).text);
    });
    cli.kill("SIGTERM");
    await reader.ended;
    assert.equal(await cli.exit(), 0);
  });

  it("logs to its file what it does not say to people", async () => {
    using folder = new TemporaryFolder();
    await using cli = new Cli([...MEMORY, "--log-file", folder.file("logs/hub.log")]);
    await cli.url();
    await until("the log file", () => readFileSync(folder.file("logs/hub.log"), "utf8").includes("listening"));
    assert.doesNotMatch(cli.stdout, /"level"/);
  });

  it("says in one sentence why it cannot start, and ends with 1", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer();
    writeFileSync(folder.file("file"), "");
    mkdirSync(folder.file("folder"));
    writeFileSync(folder.file("damaged.db"), "This is no database. ".repeat(500));
    const [port, isFolder, isFile, damaged, host, logFile] = await Promise.all([
      refusal(["--data", "memory:", "--port", String(server.port)]),
      refusal(["--data", `file:${folder.file("folder")}`]),
      refusal(["--data", `file:${folder.file("file")}/hub.db`]),
      refusal(["--data", `file:${folder.file("damaged.db")}`]),
      refusal(["--data", "memory:", "--host", "192.0.2.1", "--auth", "none"]),
      refusal(["--data", "memory:", "--log-file", `${folder.file("file")}/hub.log`]),
    ]);
    assert.match(
      port,
      new RegExp(`Port ${server.port} on 127\\.0\\.0\\.1 is in use; give another with --port or PORT`),
    );
    assert.match(isFolder, /The log .+folder cannot be opened for writing: /);
    assert.match(isFile, /The folder of the log, .+file, cannot be created: |is not writable: /);
    assert.match(
      damaged,
      /The log .+damaged\.db is damaged or not an SQLite database; restore it from a backup, or move it away/,
    );
    assert.match(host, /HOST is "192\.0\.2\.1", which is not an address of this machine/);
    assert.match(logFile, /LOG_FILE is ".+hub\.log", which cannot be written/);
  });

  it("says that the folder of its log is not writable", async (test) => {
    if (!existsSync("/proc/self")) return test.skip("a folder that not even root may write to is needed: /proc");
    assert.match(
      await refusal(["--data", "file:/proc/self/hub.db"]),
      /The folder of the log, \/proc\/self, is not writable: /,
    );
  });

  it("says that another server has its log open", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    await using server = await startServer({ data });
    assert.match(
      await refusal(["--data", data]),
      /Another sse-mcp-server has the log .+ open; give this one another DATA/,
    );
    await server.publish("a", 1);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`[OPS-3] ends its readers, keeps what was published and ends with 0 on ${signal}`, async () => {
      using folder = new TemporaryFolder();
      const data = `file:${folder.file()}`;
      await using cli = new Cli(["--port", "0", "--data", data, "--drain", "1"]);
      const url = await cli.url();
      using events = await EventReader.open(`${url}/events?channel=a`);
      using frames = await FrameReader.open(`${url.replace("http", "ws")}/ws`);
      await frames.next();
      await request(`${url}/channels/a/messages`, {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body: "kept",
      });
      assert.equal((await events.next()).data, "kept");
      cli.kill(signal);
      await events.ended;
      assert.deepEqual(await frames.closed, { code: 4002, reason: "shutdown" });
      assert.equal(await cli.exit(), 0);
      assert.match(cli.stdout, new RegExp(`${signal}: ending 2 readers, then stopping; again to stop at once\n$`));
      assert.equal(cli.stderr, "");
      await using server = await startServer({ data });
      assert.equal(server.hub.log.size().messages, 1);
    });
  }

  it("says at the next start that it was killed, and nothing of it if it stopped in order", async () => {
    using folder = new TemporaryFolder();
    const words = ["--port", "0", "--data", `file:${folder.file()}`];
    for (const [signal, before] of [
      ["SIGTERM", false],
      ["SIGKILL", false],
      ["SIGTERM", true],
    ] as const) {
      await using cli = new Cli(words);
      const url = await cli.url();
      await request(`${url}/channels/a/messages`, { method: "POST", body: "1" });
      const isSaid = /"the last server with this log was killed or crashed; nothing that it acknowledged is lost,/;
      assert.equal(isSaid.test(cli.stdout), before, cli.stdout);
      cli.kill(signal);
      await cli.exit();
    }
  });

  it("says how to make the first key, as long as its file has none", async () => {
    using ring = new KeyRing();
    const words = [...MEMORY, "--api-keys-file", ring.path];
    const isSaid = /keys\.json has no keys yet, .*\n {2}sse-mcp-server key create --name me --admin\n/;
    await using first = new Cli(words);
    await first.url();
    await until("the whole greeting", () => first.stdout.endsWith("\n\n"));
    assert.match(first.stdout, isSaid);
    ring.add("me", { admin: true });
    await using second = new Cli(words);
    await second.url();
    await until("the whole greeting", () => second.stdout.endsWith("\n\n"));
    assert.doesNotMatch(second.stdout, isSaid);
  });

  it("ends at once and with 1 on a second signal", async () => {
    await using cli = new Cli([...MEMORY, "--drain", "300"]);
    const url = await cli.url();
    using first = await EventReader.open(`${url}/events`);
    using second = await EventReader.open(`${url}/events`);
    cli.kill("SIGTERM");
    await until("it drains", () => cli.stdout.includes("SIGTERM: ending 2 readers"));
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 1);
    await Promise.all([first.ended, second.ended]);
  });

  it("[OPS-21] goes on for DRAIN_WAIT with /health red, then ends its readers, and says both", async () => {
    await using cli = new Cli([...MEMORY, "--drain-wait", "2", "--drain", "0"]);
    const url = await cli.url();
    using reader = await EventReader.open(`${url}/events?channel=a`);
    const start = performance.now();
    cli.kill("SIGTERM");
    await until("it says so", () => cli.stdout.includes("SIGTERM: /health says 503, all else goes on for 2 s;"));
    assert.equal((await request(`${url}/health`)).status, 503);
    using other = await EventReader.open(`${url}/events?channel=a`);
    const headers = { "content-type": "text/plain" };
    const body = "still";
    assert.equal((await request(`${url}/channels/a/messages`, { method: "POST", headers, body })).status, 201);
    for (const one of [reader, other]) assert.equal((await one.next()).data, "still");
    await Promise.all([reader.ended, other.ended]);
    assert.ok(performance.now() - start >= 1990, "it did not wait");
    assert.equal(await cli.exit(), 0);
    assert.match(
      cli.stdout,
      /again to end the wait\nafter 2 s: ending 2 readers, then stopping; again to stop at once\n$/,
    );
  });

  it("ends the wait on a second signal, and at once on a third", async () => {
    await using cli = new Cli([...MEMORY, "--drain-wait", "300", "--drain", "300"]);
    const url = await cli.url();
    const readers = await Promise.all([1, 2].map(() => EventReader.open(`${url}/events`)));
    cli.kill("SIGTERM");
    await until("it drains", () => cli.stdout.includes("again to end the wait"));
    assert.equal((await request(`${url}/health`)).status, 503);
    cli.kill("SIGINT");
    await until("it ends its readers", () => cli.stdout.includes("\nSIGINT: ending 2 readers, then stopping; "));
    assert.equal((await request(`${url}/events`)).status, 503);
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 1);
    await Promise.all(readers.map(({ ended }) => ended));
  });

  it("ends promptly after a call that waited and was answered, and while another waits", async () => {
    await using cli = new Cli([...MEMORY, "--drain", "0"]);
    const url = await cli.url();
    const call = (channel: string): Promise<unknown> => {
      const body = JSON.stringify({
        params: { name: "wait_for_messages", arguments: { channels: [channel], timeoutSeconds: 50 } },
      });
      return request(`${url}/mcp/tools/call`, { method: "POST", body });
    };
    const subscribed = async (count: number): Promise<boolean> =>
      (await request(`${url}/metrics`)).text.includes(`sse_mcp_subscriptions ${count}\n`);
    const answered = call("a");
    const waiting = call("b");
    await until("both wait", () => subscribed(2));
    await request(`${url}/channels/a/messages`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x",
    });
    await answered;
    cli.kill("SIGTERM");
    assert.equal(await cli.exit(), 0);
    await waiting;
  });
});
