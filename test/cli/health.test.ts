import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { Authority } from "../support/certificates.ts";
import { Cli, runCli } from "../support/cli.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const HEALTHY = /^healthy: (\S+), version \d+\.\d+\.\d+\S*, up \d+ s\n$/;

/** Something on a port that is not a hub. */
async function stranger(answer: RequestListener): Promise<AsyncDisposable & { readonly port: string }> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: String((server.address() as AddressInfo).port),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

describe("sse-mcp-server health", () => {
  it("finds the hub by the settings that it was started with, and ends with 0", async () => {
    using folder = new TemporaryFolder();
    const env = { HOST: "0.0.0.0", PORT: "0", DATA: "memory:", AUTH: "none", ALLOWED_HOSTS: "hub.example" };
    await using server = new Cli(["serve"], { env });
    const { port } = new URL(await server.url());
    writeFileSync(folder.file("hub.json"), JSON.stringify({ PORT: Number(port) }));
    const found = await Promise.all([
      runCli(["health"], { env: { ...env, PORT: port } }),
      runCli(["health"], { env: { CONFIG: folder.file("hub.json") } }),
      runCli(["health", "--config", folder.file("hub.json"), "--host", "0"]),
    ]);
    for (const { code, stdout, stderr } of found) {
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(HEALTHY.exec(stdout)?.[1], `http://127.0.0.1:${port}/health`);
    }
  });

  it("asks over TLS, where its own hub has a certificate for another name, and checks that of another hub", async () => {
    using folder = new TemporaryFolder();
    const authority = new Authority(folder.path);
    authority.sign("hub", "/CN=hub", "DNS:hub.example");
    const tls = { tlsCert: authority.path("hub.pem"), tlsKey: authority.path("hub.key") };
    await using server = await startServer(tls);
    const env = { PORT: String(server.port), TLS_CERT: tls.tlsCert, TLS_KEY: tls.tlsKey };
    const [own, other] = await Promise.all([
      runCli(["health"], { env }),
      runCli(["health", "--url", server.url], { env: { NODE_EXTRA_CA_CERTS: authority.file } }),
    ]);
    assert.deepEqual([own.code, own.stderr], [0, ""]);
    assert.equal(HEALTHY.exec(own.stdout)?.[1], `https://127.0.0.1:${server.port}/health`);
    assert.deepEqual([other.code, other.stdout], [1, ""]);
    assert.match(other.stderr, /no answer from https:\S+ \(ERR_TLS_CERT_ALTNAME_INVALID\)\n$/);
  });

  it("says which check failed and ends with 1, while the hub cannot keep messages and while it drains", async () => {
    using folder = new TemporaryFolder();
    await using locked = await startServer({ data: `file:${folder.file()}` });
    using other = new DatabaseSync(folder.file());
    other.exec("BEGIN IMMEDIATE");
    await using draining = await startServer({ drainWait: 60 });
    const skip = new AbortController();
    const drained = draining.drain(skip.signal);
    const [first, second] = await Promise.all([
      runCli(["health", "--url", locked.url, "--timeout", "10"]),
      runCli(["health"], { env: { PORT: String(draining.port) } }),
    ]);
    other.exec("ROLLBACK");
    skip.abort();
    await drained;
    assert.deepEqual([first.code, first.stdout], [1, ""]);
    assert.match(first.stderr, /^sse-mcp-server: unhealthy: delivery: .+\n$/);
    assert.deepEqual(
      [second.code, second.stdout, second.stderr],
      [1, "", "sse-mcp-server: unhealthy: accepting: draining\n"],
    );
  });

  it("ends with 1 within its time if nothing, or something else, answers", async () => {
    await using silent = await stranger(() => {});
    await using page = await stranger((_, response) => response.end('{"status":"ok"}\n'));
    await using trickle = await stranger((_, response) => {
      const timer = setInterval(() => response.write(" "), 50);
      response.on("close", () => clearInterval(timer));
    });
    const ask = (port: string): Promise<Cli> => runCli(["health", "--timeout", "1"], { env: { PORT: port } });
    const asked = await Promise.all([silent.port, trickle.port, page.port, "1"].map(ask));
    const why = [
      / \(not within 1 s\)$/,
      / \(not within 1 s\)$/,
      /answers 200, but not as a hub does$/,
      /\(ECONNREFUSED\)$/,
    ];
    for (const [index, { code, stdout, stderr }] of asked.entries()) {
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr.trimEnd(), why[index] as RegExp);
      assert.equal(stderr.split("\n").length, 2, "a line");
    }
  });

  it("says in one line which option or setting is wrong, and ends with 1, as container engines expect", async () => {
    const wrong = [
      [["health", "--nonsense"], {}, /^Unknown option '--nonsense'; see --help$/],
      [["health", "--timeout", "0"], {}, /^--timeout is "0"; use a whole number of seconds from 1 to 300$/],
      [["health", "--url", "http://a", "--port", "1"], {}, /^give either --url or --port$/],
      [["health"], { PORT: "0" }, /^PORT is 0, so the hub took a port that is not known here; give --url$/],
    ] as const;
    const ended = await Promise.all(wrong.map(async ([words, env]) => runCli(words, { env })));
    for (const [index, { code, stdout, stderr }] of ended.entries()) {
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr.replace("sse-mcp-server: ", "").trimEnd(), wrong[index]?.[2] as RegExp);
    }
  });
});
