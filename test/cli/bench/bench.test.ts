import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { runCli, type Cli } from "../../support/cli.ts";
import { startServer } from "../../support/server.ts";
import { ForgedServer } from "./forged-server.ts";

describe("sse-mcp-server bench", { concurrency: 4 }, () => {
  for (const door of ["sse", "ws"]) {
    it(`passes this server, read by ${door}`, async () => {
      await using server = await startServer();
      const { code, stdout } = await run(server.url, "--readers 20 --publishers 4 --door", door);
      assert.match(stdout, /^connected {3}20 of 20 readers/m);
      assert.match(stdout, /; 0 lost, 0 duplicated, 0 out of order$/m);
      assert.match(stdout, /^server CPU {2}\d+ % of a core$/m);
      assert.match(stdout, /^Passed: 20 readers got all of [\d,]+ messages, each once and in order\.$/m);
      assert.equal(code, 0);
    });
  }

  it("keeps a rate, and prints JSON and no progress when asked", async () => {
    await using server = await ForgedServer.start();
    const { code, stdout, stderr } = await run(server.url, "--readers 5 --publishers 3 --rate 40 --json");
    const { verdict, publishes, deliveries } = JSON.parse(stdout);
    assert.ok(publishes.answered > 0);
    assert.equal(publishes.answered + publishes.behind, 40);
    assert.equal(deliveries.expected, publishes.answered * 5);
    assert.equal(deliveries.delivered, deliveries.expected);
    assert.match(verdict, /^Passed/);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });

  it("names the one reader that lost messages, and which", async () => {
    await using server = await ForgedServer.start({ pass: (reader, message) => !(reader === 3 && message === 1) });
    const { code, stdout } = await run(server.url, "--readers 8 --rate 50");
    assert.match(stdout, /^ +reader 3: 1 lost, 0 duplicated, 0 out of order; missing 1–1 of publisher 0$/m);
    assert.match(stdout, /^Failed: 1 delivery lost\.$/m);
    assert.equal(code, 1);
  });

  it("fails a server that sends a message twice", async () => {
    await using server = await ForgedServer.start({
      copies: (reader, message) => (reader === 2 && message === 1 ? 2 : 1),
    });
    const { code, stdout } = await run(server.url, "--readers 4 --rate 50");
    assert.match(stdout, /reader 2: 0 lost, 1 duplicated, 0 out of order$/m);
    assert.equal(code, 1);
  });

  it("loses nothing of a server that sends everything twice, and fails it for that", async () => {
    await using server = await ForgedServer.start({ copies: () => 2 });
    const { code, stdout } = await run(server.url, "--readers 4 --rate 50 --json");
    const { publishes, deliveries } = JSON.parse(stdout);
    assert.deepEqual([deliveries.lost, deliveries.duplicated], [0, 4 * publishes.answered]);
    assert.equal(code, 1);
  });

  it("fails a server that sends a copy of a message that is not the message", async () => {
    await using server = await ForgedServer.start({
      damage: (reader, message) => reader === 1 && message === 1,
    });
    const { code, stdout } = await run(server.url, "--readers 4 --rate 50");
    assert.match(stdout, /^Failed: 1 delivery damaged\.$/m);
    assert.equal(code, 1);
  });

  it("fails a server that cuts a reader off, and says so", async () => {
    await using server = await ForgedServer.start({ cut: (reader, message) => reader === 1 && message === 1 });
    const { code, stdout } = await run(server.url, "--readers 4 --rate 50");
    assert.match(stdout, /reader 1: \d+ lost, .*the server closed the connection$/m);
    assert.equal(code, 1);
  });

  it("fails a server that takes some readers only, with the server's words", async () => {
    await using server = await ForgedServer.start({ accept: (reader) => reader < 3 });
    const { code, stdout } = await run(server.url, "--readers 5 --rate 50");
    assert.match(stdout, /^connected {3}3 of 5 readers/m);
    assert.match(stdout, /not connected: TOO_MANY_CONNECTIONS: come back later$/m);
    assert.match(stdout, /^Failed: 2 readers not connected\.$/m);
    assert.equal(code, 1);
  });

  it("fails a server that refuses publishes, and expects only what was taken", async () => {
    await using server = await ForgedServer.start({ take: (message) => message % 10 !== 0 });
    const { code, stdout } = await run(server.url, "--readers 2 --rate 50 --publishers 10 --json");
    const { publishes, deliveries } = JSON.parse(stdout);
    assert.ok(publishes.failed > 0);
    assert.match(publishes.trouble, /^The server answered 429 Too Many Requests$/);
    assert.equal(deliveries.expected, publishes.answered * 2);
    assert.equal(deliveries.lost, 0);
    assert.equal(code, 1);
  });

  for (const door of ["sse", "ws"]) {
    it(`counts the readers that a full server refuses as not connected, read by ${door}`, async () => {
      await using server = await startServer({ maxConnections: 3 });
      const { code, stdout } = await run(server.url, "--readers 5 --rate 20 --door", door);
      assert.match(stdout, /^connected {3}3 of 5 readers/m);
      assert.match(stdout, /not connected: TOO_MANY_CONNECTIONS: 3 readers are connected, the limit /);
      assert.match(stdout, /; 0 lost, 0 duplicated, 0 out of order$/m);
      assert.match(stdout, /^Failed: 2 readers not connected\.$/m);
      assert.equal(code, 1);
    });

    it(`says in a sentence that no hub answers, read by ${door}`, async () => {
      const server = await ForgedServer.start();
      await server[Symbol.asyncDispose]();
      const { code, stdout, stderr } = await run(server.url, "--readers 1 --door", door);
      assert.match(stderr, /^sse-mcp-server: No reader could connect: .*ECONNREFUSED[^\n]*\n$/);
      assert.deepEqual([code, stdout], [1, ""]);
    });
  }

  it("does not judge the server if its own process may not open so many connections", async () => {
    await using server = await ForgedServer.start();
    const main = new URL("../../../src/cli/main.ts", import.meta.url).pathname;
    const line = `ulimit -n 60; exec "${process.execPath}" "${main}" bench --url ${server.url} --readers 100 --seconds 1`;
    const { code, stderr } = await promisify(execFile)("sh", ["-c", line]).then(
      () => ({ code: 0, stderr: "" }),
      (error: { code: number; stderr: string }) => error,
    );
    assert.match(stderr, /^sse-mcp-server: Not judged: this machine cannot open that many connections \(.*EMFILE/);
    assert.equal(code, 1);
  });

  it("exits with 2 when an option is wrong, and with 0 after its help", async () => {
    const wrong = await run("http://127.0.0.1:1", "--readers many");
    assert.equal(wrong.stderr, 'sse-mcp-server: --readers is "many"; use a whole number from 1 to 20000\n');
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
    const { code, stdout } = await run("http://127.0.0.1:1", "--help");
    assert.match(stdout, /^Usage: sse-mcp-server bench/);
    assert.equal(code, 0);
  });
});

function run(url: string, options: string, ...more: readonly string[]): Promise<Cli> {
  return runCli(["bench", "--url", url, "--seconds", "1", ...options.split(" "), ...more]);
}
