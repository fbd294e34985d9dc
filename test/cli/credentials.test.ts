import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { Cli, runCli } from "../support/cli.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { StdioBridge } from "../support/stdio-bridge.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

/** A server that takes keys, and what makes them. */
class Locked implements AsyncDisposable {
  readonly folder: TemporaryFolder;
  readonly file: string;
  readonly server: TestServer;

  private constructor(folder: TemporaryFolder, file: string, server: TestServer) {
    this.folder = folder;
    this.file = file;
    this.server = server;
  }

  static async start(): Promise<Locked> {
    const folder = new TemporaryFolder();
    const file = folder.file("keys.json");
    await newKey(file, "--admin");
    return new Locked(folder, file, await startServer({ apiKeysFile: file }));
  }

  /** A key that counts. */
  async key(...rights: readonly string[]): Promise<string> {
    const key = await newKey(this.file, ...rights);
    await until("the key counts", async () => {
      const answer = await this.server.request("/channels", { headers: { authorization: `Bearer ${key}` } });
      return answer.status !== 401;
    });
    return key;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

async function newKey(file: string, ...rights: readonly string[]): Promise<string> {
  const cli = await runCli(["key", "create", "--name", "robot", "--file", file, ...rights]);
  assert.equal(cli.code, 0, cli.stderr);
  return cli.stdout.trimEnd();
}

describe("the credential of a command", { concurrency: true }, () => {
  it("is given to publish by --token, HUB_TOKEN, a file or a header, and never shown", async () => {
    await using locked = await Locked.start();
    const { server, folder } = locked;
    const key = await locked.key("--publish", "orders.*");
    const file = folder.file("token");
    writeFileSync(file, `${key}\n`);
    const ways: readonly (readonly [readonly string[], Record<string, string>])[] = [
      [["--token", key], {}],
      [["--token-file", file], {}],
      [["--header", `X-API-Key: ${key}`], {}],
      [["--header", `Authorization: Bearer ${key}`, "--header", "X-Trace: 1"], {}],
      [[], { HUB_TOKEN: key }],
      [[], { HUB_TOKEN_FILE: file }],
      [["--token", key], { HUB_TOKEN: "another-one" }],
    ];
    for (const [words, env] of ways) {
      const cli = await runCli(["publish", "orders.eu", "x", "--url", server.url, ...words], { env });
      assert.deepEqual([cli.code, cli.stderr], [0, ""], words[0]);
    }
    const denied = await runCli(["publish", "news", "x", "--url", server.url], { env: { HUB_TOKEN: key } });
    const sentence =
      'sse-mcp-server: FORBIDDEN: This credential may not publish on "news"; use one with the right to, or ask for that right\n';
    assert.deepEqual([denied.code, denied.stderr], [1, sentence]);
    const none = await runCli(["publish", "orders.eu", "x", "--url", server.url]);
    assert.match(none.stderr, /^sse-mcp-server: UNAUTHENTICATED: .+; give a valid one with HUB_TOKEN or --token\n$/);
    const wrong = await runCli(["publish", "orders.eu", "x", "--url", server.url, "--token", `${key.slice(0, -1)}~`]);
    assert.match(
      wrong.stderr,
      /^sse-mcp-server: UNAUTHENTICATED: [^\n]+ not valid [^\n]+; give a valid one with HUB_TOKEN or --token\n$/,
    );
    assert.ok(!wrong.stderr.includes(key.slice(13, -1)));
  });

  it("opens the readers and publishers of bench, over both doors, and is not in its report", async () => {
    await using locked = await Locked.start();
    const key = await locked.key("--publish", "load", "--subscribe", "load");
    for (const door of ["sse", "ws"]) {
      const words = ["bench", "--url", locked.server.url, "--door", door, "--channel", "load", "--readers", "3"];
      const env = { HUB_TOKEN: key };
      const cli = await runCli([...words, "--seconds", "1", "--rate", "20", "--json"], { env });
      assert.equal(cli.code, 0, `${cli.stderr}${cli.stdout}`);
      assert.ok(!`${cli.stdout}${cli.stderr}`.includes(key.slice(13)));
    }
    const cli = await runCli(["bench", "--url", locked.server.url, "--readers", "1", "--seconds", "1"]);
    assert.equal(cli.code, 1);
    assert.match(cli.stderr, /No reader could connect: UNAUTHENTICATED: .+ with HUB_TOKEN or --token$/m);
  });

  it("lets tail read, and a key that is revoked ends it with a sentence", async () => {
    await using locked = await Locked.start();
    const { server, file } = locked;
    const key = await locked.key("--subscribe", "news");
    await using cli = new Cli(["tail", "news", "--url", server.url], { env: { HUB_TOKEN: key } });
    await until("it reads", () => server.hub.size === 1 || cli.code !== undefined);
    assert.equal(cli.code, undefined, cli.stderr);
    const revoked = await runCli(["key", "revoke", key.slice(4, 12), "--file", file]);
    assert.equal(revoked.code, 0, revoked.stderr);
    assert.equal(await cli.exit(), 1);
    assert.match(cli.stderr, /UNAUTHENTICATED: .+; give a valid one with HUB_TOKEN or --token\n$/);
  });

  it("is read again from its file when tail comes back", async () => {
    await using locked = await Locked.start();
    const { server, file, folder } = locked;
    const [old, next] = [await locked.key("--subscribe", "news"), await locked.key("--subscribe", "news")];
    const token = folder.file("token");
    writeFileSync(token, old);
    await using cli = new Cli(["tail", "news", "--url", server.url, "--token-file", token]);
    await until("it reads", () => server.hub.size === 1 || cli.code !== undefined);
    writeFileSync(token, next);
    await runCli(["key", "revoke", old.slice(4, 12), "--file", file]);
    const admin = await locked.key("--admin");
    await until("it is back with the other key", async () => {
      const body = "hello";
      const headers = { authorization: `Bearer ${admin}`, "content-type": "text/plain" };
      await server.request("/channels/news/messages", { method: "POST", headers, body });
      return cli.stdout.includes("hello") && cli.stderr.includes("reconnecting");
    });
    assert.equal(cli.code, undefined);
  });

  it("is renewed by stdio when the hub refuses it, once, and otherwise told of to the client", async () => {
    await using locked = await Locked.start();
    const { server, file, folder } = locked;
    const rights = ["--publish", "*", "--subscribe", "*"];
    const [old, next] = [await locked.key(...rights), await locked.key(...rights)];
    const token = folder.file("token");
    writeFileSync(token, old);
    await using bridge = await StdioBridge.open(["--url", `${server.url}/mcp`, "--token-file", token]);
    const publish = (id: number): void =>
      bridge.modern(id, "tools/call", { name: "send_sse_message", arguments: { message: "x" } });
    publish(1);
    assert.ok((await bridge.answer(1)).result);
    await runCli(["key", "revoke", old.slice(4, 12), "--file", file]);
    writeFileSync(token, next);
    publish(2);
    assert.ok((await bridge.answer(2)).result);
    await runCli(["key", "revoke", next.slice(4, 12), "--file", file]);
    await until("the key is revoked", async () => {
      const answer = await server.request("/channels", { headers: { "x-api-key": next } });
      return answer.status === 401;
    });
    publish(3);
    const { error } = await bridge.answer(3);
    assert.match(
      error?.message ?? "",
      /^The credential is not valid here: .+; give a valid one with HUB_TOKEN or --token$/,
    );
    for (const secret of [old, next]) assert.ok(!`${bridge.cli.stderr}${bridge.cli.stdout}`.includes(secret.slice(13)));
  });

  it("is renewed by stdio between one request and its repetition", async () => {
    using folder = new TemporaryFolder();
    const token = folder.file("token");
    writeFileSync(token, "first");
    const seen: (string | undefined)[] = [];
    const hub = createServer((request: IncomingMessage, response) => {
      seen.push(request.headers.authorization);
      request.resume();
      const isGood = request.headers.authorization === "Bearer second";
      // The other token is in the file by the time the refusal is read.
      writeFileSync(token, "second");
      response.writeHead(isGood ? 200 : 401, { "content-type": "application/json" });
      response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
    }).listen(0, "127.0.0.1");
    await once(hub, "listening");
    const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}/mcp`;
    await using bridge = await StdioBridge.open(["--url", url], { env: { HUB_TOKEN_FILE: token } });
    bridge.modern(1, "ping");
    const { result } = await bridge.answer(1);
    hub.close();
    assert.deepEqual([result, seen], [{}, ["Bearer first", "Bearer second"]]);
  });

  it("is out of the list of processes once a command runs", async (test) => {
    if (!existsSync("/proc/self/cmdline")) return test.skip("/proc is needed");
    const words = ["tail", "--token", "a-secret-of-mine", "--header", "X-Other: also-secret"];
    const hub = createServer((_, response) =>
      response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n"),
    );
    hub.listen(0, "127.0.0.1");
    await once(hub, "listening");
    await using cli = new Cli([...words, "--url", `http://127.0.0.1:${(hub.address() as AddressInfo).port}`]);
    await once(hub, "request");
    const line = readFileSync(`/proc/${cli.child.pid}/cmdline`, "utf8");
    hub.closeAllConnections();
    hub.close();
    assert.doesNotMatch(line, /secret/);
    assert.match(line, /^sse-mcp-server/);
  });

  it("is refused with a sentence that does not repeat it if it is none, or there are two", async () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("empty"), "\n");
    const wrong: readonly (readonly [readonly string[], Record<string, string>, number, RegExp])[] = [
      [["--token", "my secret"], {}, 2, /--token holds no token; give an API key as key create prints it/],
      [[], { HUB_TOKEN: "my secret" }, 2, /HUB_TOKEN holds no token/],
      [
        [],
        { HUB_TOKEN: "a", HUB_TOKEN_FILE: "b" },
        2,
        /HUB_TOKEN and HUB_TOKEN_FILE are both set; leave one of them out/,
      ],
      [["--token-file", folder.file("empty")], {}, 2, /--token-file .+ holds no token/],
      [["--token-file", folder.file("none")], {}, 1, /--token-file is ".+", which cannot be read \(ENOENT\)/],
      [
        ["--token", "secret", "--header", "authorization: secret"],
        {},
        2,
        /give one of --token, --token-file and a --header/,
      ],
      [["--header", "secret"], {}, 2, /--header number 1 is not of the form "Name: value" in ASCII/],
      [["--header", "Host: secret"], {}, 2, /--header may not set Host, which the command does/],
    ];
    for (const [words, env, code, sentence] of wrong) {
      const cli = await runCli(["publish", "a", "x", ...words], { env });
      assert.deepEqual([cli.code, cli.stdout], [code, ""], words.join(" "));
      assert.match(cli.stderr, sentence);
      assert.match(cli.stderr, /^sse-mcp-server: [^\n]+\n$/);
      assert.doesNotMatch(cli.stderr, /secret/);
    }
  });
});
