import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { Cli, runCli } from "../support/cli.ts";
import { startServer, type TestServer } from "../support/server.ts";

function publish(server: TestServer, words: readonly string[], input?: string | Uint8Array): Promise<Cli> {
  return runCli(["publish", ...words, "--url", server.url], input === undefined ? {} : { input });
}

describe("sse-mcp-server publish", { concurrency: true }, () => {
  it("publishes a text, and prints its id and how many readers it was offered to", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a&format=json");
    const { code, stdout, stderr } = await publish(server, ["a", "Hello you", "--event", "greeting", "--sender", "me"]);
    const { id, data, event, sender } = JSON.parse((await reader.next()).data) as Record<string, string>;
    assert.deepEqual([code, stdout, stderr], [0, `${id} offered to 1 reader\n`, ""]);
    assert.deepEqual([data, event, sender], ["Hello you", "greeting", "me"]);
  });

  it("publishes standard input if there is no text or it is -, less one line break, and JSON with --json", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a&format=json");
    for (const [words, input, data] of [
      [["a", "-"], "line one\nline two\n", "line one\nline two"],
      [["a"], "hi\n", "hi"],
      [["a"], "hi\r\n", "hi"],
      [["a"], "hi\n\n", "hi\n"],
      [["a"], "  hi", "  hi"],
      [["a", "-"], "", ""],
    ] as const) {
      const { code, stderr } = await publish(server, words, input);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal((JSON.parse((await reader.next()).data) as { data: string }).data, data);
    }
    const { stdout } = await publish(server, ["a", "--json"], '{"n":[0]}\n');
    assert.match(stdout, / offered to 1 reader\n$/);
    assert.deepEqual((JSON.parse((await reader.next()).data) as { data: unknown }).data, { n: [0] });
    await publish(server, ["a", '{"n":[1]}', "--json"]);
    assert.deepEqual((JSON.parse((await reader.next()).data) as { data: unknown }).data, { n: [1] });
  });

  it("refuses standard input that is not UTF-8 text", async () => {
    await using server = await startServer();
    await using cli = new Cli(["publish", "a", "--url", server.url], { open: true });
    cli.child.stdin.end(Buffer.from([0x63, 0x61, 0x66, 0xe9]));
    assert.equal(await cli.exit(), 2);
    assert.match(cli.stderr, /standard input is not UTF-8 text/);
    assert.equal(server.hub.stats.published, 0);
  });

  it("publishes what is not kept with --ephemeral", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a");
    const { code, stdout } = await publish(server, ["a", "x", "--ephemeral"]);
    assert.deepEqual([code, stdout], [0, "not kept, offered to 1 reader\n"]);
    assert.equal((await reader.next()).data, "x");
    assert.equal(server.hub.log.size().messages, 0);
  });

  it("keeps the path of --url, with a slash at its end or without, and none of its query", async () => {
    const asked: string[] = [];
    const hub = createServer((request, response) => {
      asked.push(request.url ?? "");
      request.resume();
      response
        .writeHead(201, { "content-type": "application/json" })
        .end('{"id":"e-1\\n\\u001b[2Jforged","receivers":0}');
    }).listen(0, "127.0.0.1");
    await once(hub, "listening");
    const { port } = hub.address() as AddressInfo;
    for (const path of ["", "/", "/hub", "/hub/", "/hub/?a=1#b"]) {
      const { stdout } = await runCli(["publish", "a.b", "x", "--url", `http://127.0.0.1:${port}${path}`]);
      assert.match(stdout, /^"[ -~]+" offered to 0 readers\n$/);
    }
    hub.close();
    const [bare, under] = ["/channels/a.b/messages", "/hub/channels/a.b/messages"];
    assert.deepEqual(asked, [bare, bare, under, under, under]);
  });

  it("says what a hub refuses on one line that drives no terminal", async () => {
    const hub = createServer((request, response) => {
      request.resume();
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ code: "X", detail: "a\n\u001b[2J\u009b1m\u202efake" }));
    }).listen(0, "127.0.0.1");
    await once(hub, "listening");
    const { port } = hub.address() as AddressInfo;
    const { code, stderr } = await runCli(["publish", "a", "x", "--url", `http://127.0.0.1:${port}`]);
    hub.close();
    assert.equal(code, 1);
    assert.match(stderr, /^[ -~]+\n$/);
  });

  it("says so if what answers is not a hub, or sends it elsewhere", async () => {
    const hub = createServer((request, response) => {
      request.resume();
      if (request.url?.includes("moved")) response.writeHead(302, { location: "/" }).end();
      else response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome</h1>");
    }).listen(0, "127.0.0.1");
    await once(hub, "listening");
    const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
    const page = await runCli(["publish", "a", "x", "--url", url]);
    const moved = await runCli(["publish", "moved", "x", "--url", url]);
    hub.close();
    assert.equal(
      page.stderr,
      `sse-mcp-server: ${url} answered without a receipt; give the address of a hub with --url\n`,
    );
    assert.equal(moved.stderr, "sse-mcp-server: The server answered 302 Found\n");
    assert.deepEqual([page.code, moved.code], [1, 1]);
  });

  it("ends with 1 and a sentence if its receipt cannot be printed", async (test) => {
    if (!existsSync("/dev/full")) return test.skip("/dev/full is needed");
    await using server = await startServer();
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const line = `exec "${process.execPath}" "${main}" publish a x --url ${server.url} > /dev/full`;
    const { code, stderr } = await promisify(execFile)("sh", ["-c", line]).then(
      () => ({ code: 0, stderr: "" }),
      (error: { code: number; stderr: string }) => error,
    );
    assert.equal(code, 1);
    assert.match(stderr, /^sse-mcp-server: standard output cannot be written: ENOSPC[^\n]*\n$/);
  });

  it("publishes every digit of JSON, and refuses input that is not UTF-8", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a");
    await publish(server, ["a", "[12345678901234567890]", "--json"]);
    assert.equal((await reader.next()).data, "[12345678901234567890]");
    const { code, stderr } = await publish(server, ["a", "-"], Buffer.from("Gr\xfc\xdfe", "latin1"));
    assert.equal(code, 2);
    assert.match(stderr, /standard input is not UTF-8 text/);
    assert.equal(server.hub.stats.published, 1);
  });

  it("publishes later with --at and --in, and prints what to cancel it by", async () => {
    await using server = await startServer();
    const at = new Date(Date.now() + 86_400_000).toISOString();
    for (const words of [
      ["--at", at],
      ["--in", "1d"],
    ]) {
      const before = Date.now();
      const { code, stdout, stderr } = await publish(server, ["a", "x", ...words]);
      const [, id, said = ""] = /^([\da-f]{24}) is published at (\S+)\n$/.exec(stdout) ?? [];
      assert.equal(code, 0, stderr);
      if (words[0] === "--at") assert.equal(said, at);
      else assert.ok(Date.parse(said) - before >= 86_400_000, said);
      assert.equal((await server.request(`/scheduled/${id}`, { method: "DELETE" })).status, 204);
    }
    const { code, stderr } = await publish(server, ["a", "x", "--at", "tomorrow"]);
    assert.equal(code, 1);
    assert.match(stderr, /INVALID_INPUT: at is "tomorrow"; use a time with its offset from UTC/);
    const empty = await publish(server, ["a", "x", "--at", ""]);
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /INVALID_INPUT: at is ""; use a time with its offset from UTC/);
    assert.match((await publish(server, ["a", "x", "--in", ""])).stderr, /--in is ""; use how long from now/);
    const unknown = await publish(server, ["a", "x", "--in", "soon"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /--in is "soon"; use how long from now, such as 90s, 10m, 2h or 1d/);
    assert.equal(server.hub.stats.published, 0);
  });

  it("publishes once for one --key", async () => {
    await using server = await startServer();
    const first = await publish(server, ["a", "x", "--key", "order-1"]);
    const second = await publish(server, ["a", "x", "--key", "order-1"]);
    assert.equal(first.stdout.split(" ")[0], second.stdout.split(" ")[0]);
    assert.equal(server.hub.log.size().messages, 1);
  });

  it("says what is wrong: 2 for its words, 1 for what the hub refuses or if there is none", async () => {
    await using server = await startServer();
    const wrong: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["publish", "a"], 2, /publish takes CHANNEL and TEXT/],
      [["publish", "a", "b", "c"], 2, /put a TEXT of several words in quotes/],
      [["publish", "a", "b", "--nonsense"], 2, /Unknown option '--nonsense'/],
      [
        ["publish", "a", "b", "--url", "localhost:8000"],
        2,
        /--url is "localhost:8000"; use an address such as http:\/\/127\.0\.0\.1:8000/,
      ],
      [["publish", "../x", "b", "--url", server.url], 1, /INVALID_CHANNEL: Not a channel: "\.\.\/x"/],
      [["publish", "a", "{", "--json", "--url", server.url], 1, /INVALID_JSON: /],
      [
        ["publish", "a", '{"price":1e400}', "--json", "--url", server.url],
        1,
        /INVALID_MESSAGE: data holds 1e400 at price/,
      ],
      [["publish", "a", "b", "--url", "http://127.0.0.1:1"], 1, /No hub answers at http:\/\/127\.0\.0\.1:1/],
    ];
    for (const [words, code, sentence] of wrong) {
      const cli = await runCli(words);
      assert.deepEqual([cli.code, cli.stdout], [code, ""], words.join(" "));
      assert.match(cli.stderr, sentence);
      assert.match(cli.stderr, /^sse-mcp-server: [^\n]+\n$/);
    }
  });
});
