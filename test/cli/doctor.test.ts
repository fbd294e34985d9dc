import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { after, before, describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { runChecks, type DoctorOptions as Options } from "../../src/cli/doctor.ts";
import { Report, type CheckResult } from "../../src/cli/doctor/report.ts";
import { runCli } from "../support/cli.ts";
import { KeyRing } from "../support/keys.ts";
import { needs } from "../support/needs.ts";
import { NGINX_HEADERS, Proxy } from "../support/proxy.ts";
import { startServer, type TestServer } from "../support/server.ts";

const PASS = (hub: number): string => `proxy_pass http://127.0.0.1:${hub};`;
const OPTIONS: Options = { origin: undefined, quiet: 0, channel: "doctor" };

/** What the checks of a hub at this address find, by their names. */
async function found(
  url: string,
  options: Partial<Options> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, CheckResult>>> {
  const report = new Report(url);
  await runChecks({ url: new URL(url), headers }, { ...OPTIONS, ...options }, report);
  return Object.fromEntries(report.checks.map((result) => [result.name, result]));
}

/** The checks that did not find that all is well. */
function troubles(findings: Readonly<Record<string, CheckResult>>): string[] {
  const bad = Object.values(findings).filter(({ status }) => status === "warn" || status === "fail");
  return bad.map(({ name, status }) => `${status} ${name}`).sort();
}

function needsProxy(test: TestContext, program: "nginx" | "haproxy"): boolean {
  return needs(test, program, Proxy.has(program), `apt-get install ${program}`);
}

describe("sse-mcp-server doctor", { concurrency: 2 }, () => {
  let hub: TestServer;
  before(async () => {
    hub = await startServer({ env: "production", basePath: "/hub" });
  });
  after(() => hub.close());

  it("finds nothing wrong with nginx as documented, and leaves nothing behind", async (test) => {
    if (!needsProxy(test, "nginx")) return;
    await using proxy = await Proxy.nginx(`location / { ${PASS(hub.port)} ${NGINX_HEADERS} }`);
    const findings = await found(`${proxy.url}/hub`, { quiet: 1 });
    assert.deepEqual(troubles(findings), []);
    const well = Object.values(findings).filter(({ status }) => status === "ok");
    const checks = [
      "compression",
      "host",
      "hub",
      "mcp",
      "mcp sessions",
      "quiet",
      "resume",
      "stream",
      "waking",
      "websocket",
    ];
    assert.deepEqual(well.map(({ name }) => name).sort(), checks);
    assert.equal(hub.hub.log.size().messages, 0);
  });

  const broken: readonly (readonly [string, string, string, readonly string[], RegExp])[] = [
    [
      "a stream that nginx holds back",
      // Over HTTP/1.1, nginx passes a chunk on even then.
      "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_set_header Host $http_host;",
      "stream",
      ["fail stream"],
      /^proxy_http_version 1\.1; proxy_buffering off; and no proxy_ignore_headers X-Accel-Buffering$/,
    ],
    [
      "an upgrade that nginx drops",
      "proxy_http_version 1.1; proxy_set_header Host $http_host;",
      "websocket",
      ["fail websocket"],
      /proxy_set_header Upgrade \$http_upgrade;/,
    ],
    [
      "a Host that nginx replaces",
      NGINX_HEADERS.replace("$http_host", "$proxy_host"),
      "host",
      ["fail host"],
      /^proxy_set_header Host \$http_host;$/,
    ],
    [
      "streams that nginx compresses",
      `gzip on; gzip_types text/event-stream; gzip_min_length 0; ${NGINX_HEADERS}`,
      "compression",
      ["warn compression"],
      /gzip_types/,
    ],
    [
      "a Last-Event-ID that nginx removes",
      `proxy_set_header Last-Event-ID ""; ${NGINX_HEADERS}`,
      "resume",
      ["fail resume"],
      /Last-Event-ID/,
    ],
    [
      "quiet streams that nginx cuts",
      `proxy_read_timeout 2s; ${NGINX_HEADERS}`,
      "quiet",
      ["fail quiet"],
      /^proxy_read_timeout 75s;/,
    ],
  ];
  for (const [what, lines, check, expected, fix] of broken) {
    it(`finds ${what}, and names the line`, async (test) => {
      if (!needsProxy(test, "nginx")) return;
      await using proxy = await Proxy.nginx(`location / { ${PASS(hub.port)} ${lines} }`);
      const findings = await found(`${proxy.url}/hub`, { quiet: check === "quiet" ? 10 : 0 });
      const seen = troubles(findings);
      for (const trouble of expected)
        assert.ok(seen.includes(trouble), `${seen.join(", ")}: ${JSON.stringify(findings)}`);
      assert.deepEqual(Object.keys(findings[check]?.fix ?? {}), ["nginx"]);
      assert.match(findings[check]?.fix["nginx"] ?? "", fix);
    });
  }

  it("finds quiet streams that HAProxy cuts, and lists the lines of every proxy, since HAProxy does not name itself", async (test) => {
    if (!needsProxy(test, "haproxy")) return;
    const timeouts = "  timeout connect 2s\n  timeout client 2s\n  timeout server 2s\n  timeout tunnel 2s";
    await using proxy = await Proxy.haproxy(hub.port, timeouts);
    const { quiet, stream } = await found(`${proxy.url}/hub`, { quiet: 10 });
    assert.equal(stream?.status, "ok");
    assert.equal(quiet?.status, "fail");
    assert.match(quiet.message, /^A stream was cut after [1-9]\.\d s, [1-9]\.\d s after its last byte/);
    assert.deepEqual(Object.keys(quiet.fix), ["nginx", "HAProxy", "Caddy", "Traefik", "Envoy"]);
    assert.match(quiet.fix["HAProxy"] ?? "", /timeout server 75s/);
  });

  it("finds that pages of an origin may not call, and that a proxy changes what the hub says of it", async (test) => {
    if (!needsProxy(test, "nginx")) return;
    const refused = await found(`${hub.url}/hub`, { origin: "https://app.example" });
    assert.deepEqual(refused["cors"]?.fix, { hub: "ALLOWED_ORIGINS=https://app.example" });
    await using open = await startServer({ allowedOrigins: ["https://app.example"] });
    const well = await found(open.url, { origin: "https://app.example" });
    assert.equal(well["cors"]?.status, "ok");
    const twice = "add_header Access-Control-Allow-Origin * always;";
    await using proxy = await Proxy.nginx(`location / { ${PASS(open.port)} ${NGINX_HEADERS} ${twice} }`);
    const { cors } = await found(proxy.url, { origin: "https://app.example" });
    assert.equal(cors?.status, "fail");
    assert.match(cors.fix["nginx"] ?? "", /add_header Access-Control/);
  });

  it("finds nodes that share nothing, and a path that the hub does not know of", async (test) => {
    if (!needsProxy(test, "nginx")) return;
    await using other = await startServer();
    await using node = await startServer();
    const upstream = `upstream nodes { server 127.0.0.1:${other.port}; server 127.0.0.1:${node.port}; }`;
    await using proxy = await Proxy.nginx(`location /hub/ { proxy_pass http://nodes/; ${NGINX_HEADERS} }`, upstream);
    const findings = await found(`${proxy.url}/hub`);
    assert.equal(findings["mcp sessions"]?.status, "fail", JSON.stringify(findings));
    assert.match(findings["mcp sessions"].fix["nginx"] ?? "", /^sticky learn/);
    assert.deepEqual(findings["host"]?.fix, { hub: "BASE_PATH=/hub" });
  });

  it("prints a line for each check and ends with 1 if one failed; with --json, all of it for machines", async (test) => {
    if (!needsProxy(test, "nginx")) return;
    await using proxy = await Proxy.nginx(`location / { ${PASS(hub.port)} proxy_set_header Host $http_host; }`);
    const words = ["doctor", "--url", `${proxy.url}/hub`, "--quiet", "0"];
    const text = await runCli(words);
    assert.deepEqual([text.code, text.stderr], [1, ""]);
    assert.match(text.stdout, /^ok {6}hub {10}sse-mcp-server \S+ answers and is healthy$/m);
    assert.match(
      text.stdout,
      /^fail {4}websocket {4}A WebSocket is answered 426: .+\n {21}nginx: .*proxy_http_version 1\.1;/m,
    );
    assert.match(text.stdout, /\nThrough nginx\/\S+: 1 of \d+ checks failed\.\n$/);
    const json = await runCli([...words, "--json"]);
    const { passed, proxy: seen, checks } = JSON.parse(json.stdout) as Record<string, unknown>;
    assert.deepEqual([json.code, passed], [1, false]);
    assert.match(String(seen), /^nginx\//);
    assert.deepEqual(
      (checks as CheckResult[]).filter(({ status }) => status === "fail").map(({ name }) => name),
      ["websocket"],
    );
    for (const check of checks as object[]) assert.deepEqual(Object.keys(check), ["name", "status", "message", "fix"]);
  });

  it("tests what a credential allows that may only read, and asks for one if there is none", async () => {
    using keys = new KeyRing();
    const key = keys.add("eve", { subscribe: ["doctor"] });
    await using locked = await startServer({ apiKeysFile: keys.path });
    const reads = await found(locked.url, {}, { authorization: `Bearer ${key}` });
    assert.deepEqual(troubles(reads), []);
    assert.deepEqual([reads["stream"]?.status, reads["resume"]?.status], ["ok", "ok"]);
    assert.match(reads["message"]?.message ?? "", /^Without the right to publish on doctor/);
    const { stream } = await found(locked.url);
    assert.deepEqual(stream?.message, "GET /events is answered 401");
    assert.match(stream.fix["hub"] ?? "", /HUB_TOKEN/);
  });

  it("is ended by no one who answers, whatever that is", async () => {
    const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024, "data:\n\n"));
    const streams: Readonly<Record<string, (response: ServerResponse) => void>> = {
      "a line without an end": (response) => void response.writeHead(200).write("x".repeat(16 * 1024 * 1024)),
      "more events than fit": (response) => {
        response.writeHead(200, { "content-encoding": "gzip" }).write(bomb);
      },
      "a coding that JavaScript knows": (response) => {
        response.writeHead(200, { "content-encoding": "constructor" }).write(": welcome\n\n");
      },
    };
    for (const [what, stream] of Object.entries(streams)) {
      const server = createServer(({ url = "" }, response) => {
        if (url.startsWith("/events")) stream(response);
        else response.writeHead(url.startsWith("/channels") ? 201 : 200).end('{"status":"healthy"}');
      });
      // A refusal that never ends.
      server.on("upgrade", (_, socket: Socket) => {
        socket.on("error", () => {}).write("HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n");
        const drip = setInterval(() => socket.write("1\r\nx\r\n"), 500);
        socket.on("close", () => clearInterval(drip));
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const findings = await found(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      assert.equal(findings["stream"]?.status, "fail", what);
      assert.match(findings["websocket"]?.message ?? "", /^A WebSocket is answered 403/, what);
      server.close().closeAllConnections();
    }
  });

  it("says that nothing answers, or which option is wrong", async () => {
    const none = await found("http://127.0.0.1:1");
    assert.deepEqual(troubles(none), ["fail hub"]);
    assert.match(none["hub"]?.message ?? "", /^Nothing answers at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\)/);
    const wrong = await runCli(["doctor", "--origin", "app.example"]);
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
    assert.match(wrong.stderr, /--origin is "app\.example"; use one such as https:\/\/app\.example/);
  });
});
