import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { before, after, describe, it } from "node:test";
import { connect, type ConnectionOptions, type PeerCertificate } from "node:tls";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { createServer } from "../../src/server.ts";
import { Authority } from "../support/certificates.ts";
import { Cli, runCli } from "../support/cli.ts";
import { EventReader } from "../support/event-reader.ts";
import { FrameReader } from "../support/frame-reader.ts";
import { request } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const JSON_TYPE = { "content-type": "application/json" };
const folder = new TemporaryFolder();
let authority: Authority;

before(() => void (authority = new Authority(folder.path)));
after(() => folder[Symbol.dispose]());

/** Opens a TLS connection; resolves with the certificate that the server shows, and the version they speak. */
async function handshake(
  { port }: TestServer,
  options: ConnectionOptions = {},
): Promise<{ certificate: PeerCertificate; version: string | null }> {
  const socket = connect({ port, host: "127.0.0.1", ca: authority.pem, ...options });
  try {
    await once(socket, "secureConnect");
    return { certificate: socket.getPeerCertificate(), version: socket.getProtocol() };
  } finally {
    socket.destroy();
  }
}

async function publish(server: TestServer, data: unknown, tls = {}): Promise<number> {
  const options = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(data) };
  const answer = await request(`${server.url}/channels/default/messages`, {
    ...options,
    tls: { ca: authority.pem, ...tls },
  });
  return answer.status;
}

describe("TLS", { concurrency: true }, () => {
  it("carries every door: publishing, /events, /ws and /mcp", async () => {
    await using server = await startServer(authority.server("doors"));
    const tls = { ca: authority.pem };
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    using events = await EventReader.open(`${server.url}/events`, { tls });
    using frames = await FrameReader.open(`${server.url.replace("https", "wss")}/ws`, { tls });
    await frames.nextOf("welcome");
    assert.equal(await publish(server, "over TLS"), 201);
    assert.equal((await events.next()).data, "over TLS");
    assert.equal((await frames.nextOf("message"))["data"], "over TLS");
    frames.send({ type: "publish", channel: "default", data: "x".repeat(60_000) });
    await frames.nextOf("published");
    assert.equal((await events.next()).data.length, 60_000);
    const listed = await request(`${server.url}/mcp/tools/list`, { method: "POST", body: "{}", tls });
    assert.equal(listed.status, 200);
  });

  it("a stream resumes over it, and ends when the server stops", async () => {
    await using server = await startServer(authority.server("resume"));
    const tls = { ca: authority.pem };
    using first = await EventReader.open(`${server.url}/events`, { tls });
    await publish(server, 1);
    const { id = "" } = await first.next();
    first.close();
    await publish(server, 2);
    using second = await EventReader.open(`${server.url}/events`, { tls, lastEventId: id });
    assert.equal((await second.next()).data, "2");
    assert.equal((await second.next()).event, "live");
    await server.close();
    await second.ended;
    assert.ok(second.text.length > 0);
  });

  it("cuts a reader that takes nothing, as without it", async () => {
    await using server = await startServer({ ...authority.server("slow"), maxPendingBytes: 65_536 });
    using reader = await EventReader.open(`${server.url}/events`, { tls: { ca: authority.pem } });
    reader.freeze();
    for (let count = 0; server.hub.stats.slow === 0; count++) {
      assert.ok(count < 1000, "it is never cut");
      await server.hub.publish({
        channel: "default" as never,
        event: "message",
        data: "x".repeat(60_000),
        sender: "a",
      });
    }
  });

  it("speaks TLS 1.2 and 1.3, and nothing older", async () => {
    await using server = await startServer(authority.server("versions"));
    assert.equal((await handshake(server)).version, "TLSv1.3");
    assert.equal((await handshake(server, { maxVersion: "TLSv1.2" })).version, "TLSv1.2");
    const old = handshake(server, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" });
    await assert.rejects(old, { code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" });
  });

  it("sends Strict-Transport-Security, but not for loopback names, and never without TLS", async () => {
    await using server = await startServer({ ...authority.server("strict"), allowedHosts: ["hub.example"] });
    const tls = { ca: authority.pem };
    const header = async (host: string): Promise<unknown> =>
      (await request(`${server.url}/health`, { tls, headers: { host } })).headers["strict-transport-security"];
    assert.equal(await header("hub.example"), "max-age=31536000");
    assert.equal(await header("localhost:8000"), undefined);
    await using plain = await startServer({ allowedHosts: ["hub.example"] });
    const { headers } = await plain.request("/health", { headers: { host: "hub.example" } });
    assert.equal(headers["strict-transport-security"], undefined);
  });

  it("closes a connection with plain HTTP at once", async () => {
    await using server = await startServer(authority.server("plain"));
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.on("error", () => {}).resume();
    socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "close", { signal: AbortSignal.timeout(5000) });
    assert.equal((await handshake(server)).version, "TLSv1.3");
  });

  it("a connection that never begins TLS is closed, and does not keep the server from stopping", async () => {
    await using server = await startServer({ ...authority.server("silent"), requestTimeout: 60 });
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    // Its connection is accepted before this one.
    await handshake(server);
    const start = performance.now();
    await server.close();
    assert.ok(performance.now() - start < 15_000);
  });

  it("shows a certificate as its files change, without cutting what is open, and keeps the old one while they do not fit", async () => {
    const logStream = new PassThrough();
    let lines = "";
    logStream.setEncoding("utf8").on("data", (text: string) => (lines += text));
    await using server = await startServer({ ...authority.server("changing"), logLevel: "info", logStream });
    authority.server("next");
    using reader = await EventReader.open(`${server.url}/events`, { tls: { ca: authority.pem } });
    const shown = async (): Promise<string> => String((await handshake(server)).certificate.subject.CN);
    assert.equal(await shown(), "changing");
    writeFileSync(authority.path("changing.pem"), "not a certificate");
    await until("the bad file is noticed", () => lines.includes("TLS_CERT is"));
    assert.match(
      lines,
      /the TLS certificate in use is kept: TLS_CERT is \\"[^"]*\\", which is not a certificate in PEM/,
    );
    assert.equal(await shown(), "changing");
    authority.replace("changing", "next");
    await until("the new certificate is shown", async () => (await shown()) === "next");
    await publish(server, "still here");
    assert.equal((await reader.next()).data, "still here");
    assert.ok(!lines.includes("PRIVATE KEY"));
  });

  it("bad files stop the start with a sentence that names the setting", async () => {
    const { tlsCert, tlsKey } = authority.server("start");
    const other = authority.server("other");
    const start = (settings: object): Promise<unknown> =>
      createServer({ port: 0, data: "memory:", logLevel: "silent", ...settings });
    const rejects = (settings: object, message: RegExp): Promise<void> => assert.rejects(start(settings), { message });
    await rejects({ tlsCert }, /^TLS_CERT is set and TLS_KEY is not/);
    await rejects({ tlsKey }, /^TLS_KEY is set and TLS_CERT is not/);
    await rejects({ tlsClientCa: authority.file }, /^TLS_CLIENT_CA is set without TLS/);
    await rejects({ tlsCert: "/nowhere.pem", tlsKey }, /^TLS_CERT is "\/nowhere.pem", which cannot be read \(ENOENT\)/);
    await rejects({ tlsCert: tlsKey, tlsKey }, /^TLS_CERT is ".*", which is not a certificate in PEM$/);
    await rejects({ tlsCert, tlsKey: tlsCert }, /^TLS_KEY is ".*", which is not a key in PEM without a passphrase$/);
    await rejects({ tlsCert, tlsKey: other.tlsKey }, /^TLS_KEY is ".*", which is not the key of the certificate/);
    await rejects(
      { tlsCert, tlsKey, tlsClientCa: tlsKey },
      /^TLS_CLIENT_CA is ".*", which is not certificates in PEM$/,
    );
    const cli = await runCli(["--tls-cert", tlsCert, "--tls-key", "/nowhere.key", "--data", "memory:", "--port", "0"]);
    assert.equal(cli.code, 1);
    assert.match(cli.stderr, /^sse-mcp-server: TLS_KEY is "\/nowhere.key", which cannot be read/);
  });
});

describe("the commands over TLS", () => {
  it("publish, tail, bench and stdio work with NODE_EXTRA_CA_CERTS, and publish says why it does not without", async () => {
    await using server = await startServer(authority.server("cli"));
    const options = { env: { NODE_EXTRA_CA_CERTS: authority.file } };
    const url = ["--url", server.url];
    await using tail = new Cli(["tail", "news", ...url], options);
    await until("tail reads", () => server.hub.size === 1);
    const published = await runCli(["publish", "news", "hello", ...url], options);
    assert.deepEqual([published.code, published.stderr], [0, ""]);
    assert.match(published.stdout, /offered to 1 reader\n$/);
    await until("tail prints", () => tail.stdout.includes("hello"));
    const bench = ["bench", "--readers", "5", "--seconds", "1", "--rate", "50", "--json", ...url];
    assert.equal((await runCli(bench, options)).code, 0);
    assert.equal((await runCli([...bench, "--door", "ws"], options)).code, 0);
    await using stdio = new Cli(["stdio", ...url], { ...options, open: true });
    stdio.child.stdin.write(
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n',
    );
    await until("stdio answers", () => stdio.stdout.includes('"protocolVersion":"2025-11-25"'));
    const stranger = await runCli(["publish", "news", "hello", ...url]);
    assert.equal(stranger.code, 1);
    assert.match(stranger.stderr, /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN/);
  });

  it("curl reads a stream over it", async () => {
    await using server = await startServer(authority.server("curl"));
    const words = ["-sN", "--max-time", "2", "--cacert", authority.file, `${server.url}/events`];
    const { stdout } = await promisify(execFile)("curl", words).catch((error: unknown) => error as { stdout: string });
    assert.match(stdout, /^retry: \d+\n/);
  });
});
