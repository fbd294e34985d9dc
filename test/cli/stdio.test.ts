import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { runCli } from "../support/cli.ts";
import { request } from "../support/request.ts";
import { startServer } from "../support/server.ts";
import { StdioBridge } from "../support/stdio-bridge.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const EMBEDDED = ["--port", "0", "--data", "memory:"];
const NOWHERE = "http://127.0.0.1:1/mcp";

function urlOf({ cli }: StdioBridge): string {
  const url = /listens on (\S+) /.exec(cli.stderr)?.[1];
  assert.ok(url !== undefined, cli.stderr);
  return url;
}

describe("sse-mcp-server stdio", { concurrency: 2 }, () => {
  it("says what it can do with --help", async () => {
    const { code, stdout, stderr } = await runCli(["stdio", "--help"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^Usage: sse-mcp-server stdio/);
    assert.match((await runCli(["--help"])).stdout, /^ {2}stdio {5}\S/m);
  });

  it("says what is wrong with its words, ends with 2, and never repeats what a header says", async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [["--nonsense"], /Unknown option '--nonsense'/],
      [["--url", "ftp://x"], /--url is "ftp:\/\/x"/],
      [["serve"], /stdio takes options only, not "serve"/],
      [["--url", NOWHERE, "--port", "8100"], /Unknown option '--port'/],
      [["--header", "Authorization: secret"], /--header is for the hub at --url; give that, too/],
      [["--url", NOWHERE, "--header", "Authorization=secret"], /--header number 1 is not of the form "Name: value"/],
      [["--url", NOWHERE, "--header", "X-A: 1", "--header", "X-B: sécret"], /--header number 2 is not of the form/],
      [["--url", NOWHERE, "--header", "Authorization:", "Bearer", "secret"], /put a --header in quotes/],
      [["--url", NOWHERE, "--header", "Mcp-Session-Id: secret"], /--header may not set Mcp-Session-Id/],
    ];
    for (const [words, sentence] of wrong) {
      const { code, stdout, stderr } = await runCli(["stdio", ...words]);
      assert.deepEqual([code, stdout], [2, ""], words.join(" "));
      assert.match(stderr, /^sse-mcp-server: [^\n]+\n$/);
      assert.match(stderr, sentence);
      assert.doesNotMatch(stderr, /s.cret/);
    }
  });

  it("says that a hub is there already where its port or its log is taken, and how to join it", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    await using server = await startServer({ data });
    const join = new RegExp(`join it with --url http://127\\.0\\.0\\.1:${server.port}/mcp`);
    const port = ["--port", String(server.port)];
    for (const host of ["127.0.0.1", "0.0.0.0"]) {
      const { code, stdout, stderr } = await runCli([
        "stdio",
        ...port,
        "--data",
        "memory:",
        "--auth",
        "none",
        "--host",
        host,
      ]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, new RegExp(`Something listens on port ${server.port} of ${host} already`));
      assert.match(stderr, join);
    }
    const { code, stderr } = await runCli(["stdio", ...port, "--data", data]);
    assert.equal(code, 1);
    assert.match(stderr, /Another sse-mcp-server has the log .+ open/);
    assert.match(stderr, new RegExp(`join it with --url and its address, such as http://127.0.0.1:${server.port}/mcp`));
    const wrong = await runCli(["stdio", "--port", "http"]);
    assert.deepEqual([wrong.code, wrong.stdout], [1, ""]);
    assert.match(wrong.stderr, /--port is "http"; use a whole number/);
  });

  it("runs a hub of its own that others join at its port, with the settings of any hub", async () => {
    using folder = new TemporaryFolder();
    await using bridge = await StdioBridge.open(["--port", "0"], {
      cwd: folder.path,
      env: { MAX_MESSAGE_BYTES: "10" },
    });
    const url = urlOf(bridge);
    bridge.modern(1, "tools/call", { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } });
    const waits = async (): Promise<boolean> =>
      (await request(`${url}/metrics`)).text.includes('sse_mcp_connections{door="waiting"} 1\n');
    await until("it waits", waits);
    const publish = (body: string): ReturnType<typeof request> =>
      request(`${url}/channels/a/messages`, { method: "POST", headers: { "content-type": "text/plain" }, body });
    assert.equal((await publish("longer than ten bytes")).status, 413);
    assert.equal((await publish("Hello")).status, 201);
    assert.match(JSON.stringify((await bridge.answer(1)).result), /Hello/);
    assert.equal(await bridge.end(), 0);
    assert.ok(existsSync(folder.file("data/hub.db")));
  });

  it("[STDIO-1] keeps standard output for messages, whatever the hub logs", async () => {
    await using bridge = await StdioBridge.open([...EMBEDDED, "--log-level", "trace"]);
    const url = urlOf(bridge);
    await request(`${url}/health`);
    bridge.modern(1, "server/discover");
    assert.equal((await bridge.next()).id, 1);
    await bridge.initialize();
    bridge.send({ id: 2, method: "tools/call", params: { name: "no_such_tool" } });
    assert.equal((await bridge.answer(2)).error?.code, -32602);
    bridge.cli.kill("SIGTERM");
    assert.equal(await bridge.cli.exit(), 0);
    assert.match(bridge.cli.stderr, /"level":\d+/);
    const lines = bridge.cli.stdout.trimEnd().split("\n");
    assert.ok(lines.length >= 3);
    for (const line of lines) assert.equal((JSON.parse(line) as { jsonrpc: string }).jsonrpc, "2.0", line);
  });

  for (const mode of ["a hub of its own", "a hub at --url"]) {
    it(`ends promptly with 0 when standard input ends, or on a signal, while a call waits on ${mode}`, async () => {
      await using server = await startServer();
      const words = mode === "a hub of its own" ? EMBEDDED : ["--url", server.url];
      const ends = [
        (bridge: StdioBridge) => bridge.cli.child.stdin.end(),
        (bridge: StdioBridge) => bridge.cli.kill("SIGTERM"),
        (bridge: StdioBridge) => bridge.cli.kill("SIGINT"),
      ];
      for (const end of ends) {
        await using bridge = await StdioBridge.open(words);
        await bridge.initialize();
        const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } };
        bridge.send({ id: 1, method: "tools/call", params: wait });
        bridge.modern(2, "tools/call", wait);
        bridge.modern(3, "subscriptions/listen", { notifications: { resourcesListChanged: true } });
        bridge.modern(4, "server/discover");
        await bridge.answer(4);
        end(bridge);
        assert.equal(await bridge.cli.exit(), 0);
      }
      await until("its session is over", async () => (await server.metric('sse_mcp_connections{door="mcp"}')) === 0);
      assert.equal(await server.metric('sse_mcp_connections{door="waiting"}'), 0);
    });
  }

  it("answers what was asked before standard input ended", async () => {
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const input = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "server/discover", params: { _meta } });
    const { code, stdout } = await runCli(["stdio", ...EMBEDDED], { input });
    assert.equal(code, 0);
    assert.deepEqual((JSON.parse(stdout) as { id: number }).id, 1);
  });

  it("goes on when nobody reads what it says on standard error", async () => {
    await using bridge = await StdioBridge.open([...EMBEDDED, "--log-level", "trace"]);
    bridge.cli.child.stderr.destroy();
    for (let id = 0; id < 3; id++) {
      bridge.send({ id: "a", method: "notifications" }, { method: "nonsense" });
      bridge.modern(id, "server/discover");
      await bridge.answer(id);
    }
    assert.equal(await bridge.end(), 0);
  });

  it("ends when nobody reads its answers any more", async () => {
    await using bridge = await StdioBridge.open(EMBEDDED);
    bridge.cli.child.stdout.destroy();
    bridge.modern(1, "server/discover");
    assert.equal(await bridge.cli.exit(), 0);
  });

  it("answers with what to do where no hub is, or something else is, and says on standard error what it drops", async () => {
    await using bridge = await StdioBridge.open(["--url", NOWHERE]);
    bridge.modern("probe", "server/discover");
    const { error } = await bridge.answer("probe");
    assert.equal(error?.code, 503);
    assert.match(error.message, /^No hub answers at http:\/\/127\.0\.0\.1:1\/mcp \(ECONNREFUSED\); start one with/);
    bridge.send({ id: 1, method: "initialize", params: {} }, { method: "notifications/initialized" });
    assert.equal((await bridge.answer(1)).error?.code, 503);
    await until("the line", () => /notifications\/initialized could not be passed on: .+\n/.test(bridge.cli.stderr));

    await using never = await StdioBridge.open(["--url", "http://%zz@127.0.0.1/mcp"]);
    never.modern(1, "server/discover");
    const { error: unsent } = await never.answer(1);
    assert.deepEqual(unsent, { code: 400, message: "This cannot be sent to the hub: URI malformed" });

    await using server = await startServer();
    await using other = await StdioBridge.open(["--url", `${server.url}/nowhere`]);
    other.modern(1, "server/discover");
    const { error: lost } = await other.answer(1);
    assert.equal(lost?.code, 404);
    assert.match(lost.message, /^The hub answered 404 Not Found: There is no POST \/nowhere.+; check --url/);
  });
});
