import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { configure } from "../../src/config.ts";
import { callerRules, checkCaller, isOriginAllowed, type CallerRules } from "../../src/http/host-and-origin.ts";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { request } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** Every route, one that is not there, and one that cannot be read. */
const ROUTES: readonly (readonly [string, string])[] = [
  ["GET", "/"],
  ["GET", "/assets/start.css"],
  ["GET", "/docs"],
  ["GET", "/openapi.json"],
  ["GET", "/health"],
  ["GET", "/health/ready"],
  ["GET", "/health/live"],
  ["GET", "/metrics"],
  ["GET", "/events"],
  ["HEAD", "/events"],
  ["GET", "/ws"],
  ["GET", "/channels"],
  ["GET", "/channels/a/messages"],
  ["POST", "/channels/a/messages"],
  ["POST", "/mcp/tools/list"],
  ["POST", "/mcp/tools/call"],
  ["OPTIONS", "/mcp/tools/call"],
  ["OPTIONS", "/nowhere"],
  ["GET", "/nowhere"],
  ["DELETE", "/events"],
  ["GET", "/%zz"],
];

async function refusal(server: TestServer, headers: Record<string, string>): Promise<RefusedUpgrade> {
  try {
    using reader = await server.frames("", { headers });
    throw new Error(`let in: ${reader.ws.url}`);
  } catch (error) {
    assert.ok(error instanceof RefusedUpgrade, String(error));
    return error;
  }
}

describe("a server on loopback", () => {
  it("[HTTP-1] refuses another Host on every route but those of probes, naming the setting", async () => {
    await using server = await startServer();
    const preflight = { origin: "http://evil.example", "access-control-request-method": "POST" };
    for (const [method, path] of ROUTES) {
      if (path.startsWith("/health")) continue;
      const more = method === "OPTIONS" ? preflight : {};
      const answer = await server.request(path, { method, headers: { host: "evil.example:80", ...more } });
      assert.equal(answer.status, 403, `${method} ${path}`);
      if (method === "HEAD") continue;
      const { code, detail } = problemOf(answer.text);
      assert.equal(code, "HOST_NOT_ALLOWED", `${method} ${path}`);
      assert.match(detail, /ALLOWED_HOSTS=evil\.example would allow it/);
    }
    const { status, text } = await refusal(server, { host: "evil.example" });
    assert.deepEqual([status, problemOf(text).code], [403, "HOST_NOT_ALLOWED"]);
    assert.equal(server.hub.size, 0);
  });

  it("[HTTP-2] refuses another Origin on every route, naming the setting", async () => {
    await using server = await startServer();
    for (const [method, path] of ROUTES) {
      const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
      const answer = await server.request(path, { method, headers });
      assert.equal(answer.status, 403, `${method} ${path}`);
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
      if (method === "HEAD") continue;
      const { code, detail } = problemOf(answer.text);
      assert.equal(code, "ORIGIN_NOT_ALLOWED", `${method} ${path}`);
      assert.match(detail, /ALLOWED_ORIGINS=https:\/\/evil\.example would allow it/);
    }
    const { status, text } = await refusal(server, { origin: "https://evil.example" });
    assert.deepEqual([status, problemOf(text).code], [403, "ORIGIN_NOT_ALLOWED"]);
    assert.equal(server.hub.stats.published, 0);
  });

  it("is called by pages of any loopback origin, by its own, and by those without one", async () => {
    await using server = await startServer();
    for (const origin of [
      "http://localhost:3000",
      "http://127.0.0.1:5173",
      "https://app.localhost",
      "http://[::1]:1",
      server.url,
    ]) {
      const { status, headers } = await server.request("/health/live", { headers: { origin } });
      assert.deepEqual([status, headers["access-control-allow-origin"]], [200, origin]);
      using reader = await server.frames("", { headers: { origin } });
      assert.equal((await reader.next()).type, "welcome");
    }
    assert.equal((await server.request("/health/live")).status, 200);
  });

  it("is not called by pages that only look local, and not by those without an origin to name", async () => {
    await using server = await startServer();
    const foreign = [
      "null",
      "file://",
      "http://localhost.evil.example",
      "http://evil.example#localhost",
      "http://127.0.0.1.evil.example",
      "http://evil.example, http://localhost",
      "ftp://localhost",
      "",
    ];
    for (const origin of foreign) {
      const { status } = await server.request("/health/live", { headers: { origin } });
      assert.equal(status, 403, origin);
    }
  });

  it("answers to every loopback name, with a port or without", async () => {
    await using server = await startServer();
    for (const host of ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.8.9.1:1", "[::1]:8000", "hub.localhost"]) {
      assert.equal((await server.request("/channels", { headers: { host } })).status, 200, host);
    }
  });

  it("refuses a long Host that ends in localhost only where it would be cut for showing", async () => {
    await using server = await startServer();
    const name = `${"a".repeat(45)}.${"b".repeat(44)}.localhost`;
    assert.equal(name.length, 100);
    const host = `${name}.evil.example`;
    const answer = await server.request("/channels", { headers: { host, origin: `http://${host}` } });
    assert.equal(answer.status, 403);
    assert.ok(problemOf(answer.text).detail.length < 400);
  });

  it("[HTTP-40] answers probes whatever their Host is, and if they have none", async () => {
    await using server = await startServer({ allowedHosts: ["hub.example"] });
    for (const path of ["/health", "/health/ready", "/health/live"]) {
      for (const host of ["10.1.2.3:8000", "load-balancer.example", "[fd00::1]", '"><script>', ""]) {
        assert.equal((await server.request(path, { headers: { host } })).status, 200, `${path} ${host}`);
        const answer = await server.request(path, { headers: { host, origin: "https://evil.example" } });
        assert.equal(answer.status, 403);
        assert.equal((await server.request(path, { method: "HEAD", headers: { host } })).status, 200);
        assert.equal((await server.request(`${path}?a=1`, { headers: { host } })).status, 200);
      }
      using old = await server.wire();
      old.send([`GET ${path} HTTP/1.0`]);
      assert.equal((await old.response()).status, 200);
    }
  });

  it("refuses a request without a Host", async () => {
    await using server = await startServer();
    using old = await server.wire();
    old.send(["GET /channels HTTP/1.0"]);
    assert.equal((await old.response()).status, 403);
    using wire = await server.wire();
    wire.send(["GET /health/live HTTP/1.1"]);
    assert.equal((await wire.response()).status, 400);
  });
});

describe("ALLOWED_ORIGINS and ALLOWED_HOSTS", () => {
  it("let the named ones in, and still nobody else", async () => {
    await using server = await startServer({ allowedOrigins: ["https://app.example"], allowedHosts: ["Hub.Example"] });
    const headers = { host: "hub.example:8000", origin: "https://app.example" };
    const answer = await server.request("/channels", { headers });
    assert.deepEqual([answer.status, answer.headers["access-control-allow-origin"]], [200, "https://app.example"]);
    using reader = await server.frames("", { headers });
    assert.equal((await reader.next()).type, "welcome");
    const other = await server.request("/channels", { headers: { ...headers, origin: "https://app.example.evil" } });
    assert.equal(other.status, 403);
    const elsewhere = await server.request("/channels", { headers: { ...headers, host: "hub.example.evil" } });
    assert.equal(elsewhere.status, 403);
  });

  it("let every origin in with *", async () => {
    await using server = await startServer({ allowedOrigins: ["*"] });
    const answer = await server.request("/channels", { headers: { origin: "https://anyone.example" } });
    assert.deepEqual([answer.status, answer.headers["access-control-allow-origin"]], [200, "https://anyone.example"]);
    // Services and agents have none.
    for (const headers of [{}, { origin: "" }]) {
      const { status, headers: told } = await server.request("/channels", { headers });
      assert.deepEqual([status, told["access-control-allow-origin"]], [200, undefined]);
    }
  });
});

describe("the address that was bound", { concurrency: true }, () => {
  const headers = { host: "rebound.example" };

  for (const host of ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "::1", "::ffff:127.0.0.1"]) {
    it(`[HTTP-41] makes HOST=${host} loopback: another Host is refused, and loopback origins are not`, async () => {
      await using server = await startServer({ host, auth: "none" });
      assert.equal(server.loopback, true);
      assert.equal((await server.request("/channels", { headers })).status, 403);
      const origin = "http://localhost:5173";
      assert.equal((await server.request("/channels", { headers: { origin } })).status, 200);
    });
  }

  for (const host of ["0.0.0.0", "0", "0x0", "::", "::ffff:0.0.0.0", "::0"]) {
    it(`makes HOST=${host} all addresses: loopback origins are not trusted`, async () => {
      await using server = await startServer({ host, auth: "none" });
      assert.equal(server.loopback, false);
      const local = `http://127.0.0.1:${server.port}`;
      assert.equal((await request(`${local}/channels`, { headers })).status, 200);
      const page = { origin: "http://localhost:5173" };
      assert.equal((await request(`${local}/channels`, { headers: page })).status, 403);
    });
  }
});

describe("what the sentence of a refusal promises", { concurrency: true }, () => {
  const origins = [
    "https://app.example",
    "https://APP.example:8443",
    "http://localhost:3000/",
    "tauri://localhost",
    "chrome-extension://abcdefghijklmnop",
    "moz-extension://2f1a-11",
    "app://obsidian.md",
    "vscode-webview://1a2b",
    "vscode-file://vscode-app",
    "capacitor://localhost",
    "ionic://localhost:8100",
    "null",
    "file://",
    "http://[fd00::1]:3000",
    "https://xn--bcher-kva.example",
    `https://${"long.".repeat(45)}example`,
  ];
  for (const origin of origins) {
    it(`works for the origin ${origin.slice(0, 50)} as it stands`, async () => {
      const refused = await startServer({ env: "production" });
      const { text, status } = await refused.request("/channels", { headers: { origin } });
      await refused.close();
      assert.equal(status, 403);
      const [, value = ""] = /ALLOWED_ORIGINS=(\S+) would allow it/.exec(problemOf(text).detail) ?? [];
      assert.equal(value, origin);
      const { allowedOrigins } = configure([], { ALLOWED_ORIGINS: value }).config;
      await using server = await startServer({ env: "production", allowedOrigins });
      const answer = await server.request("/channels", { headers: { origin } });
      assert.deepEqual([answer.status, answer.headers["access-control-allow-origin"]], [200, origin]);
      using reader = await server.frames("", { headers: { origin } });
      assert.equal((await reader.next()).type, "welcome");
      const other = await server.request("/channels", { headers: { origin: "https://other.example" } });
      assert.equal(other.status, 403);
    });
  }

  const hosts = [
    "host.docker.internal:8185",
    "Host.Docker.Internal",
    "my_service:8000",
    "hub.example.:8000",
    "192.168.1.7:8000",
    "[fd00::1]:8000",
    "[FD00:0:0::1]",
  ];
  for (const host of hosts) {
    it(`works for the host ${host} as it stands`, async () => {
      const refused = await startServer();
      const { text } = await refused.request("/channels", { headers: { host } });
      await refused.close();
      const [, value = ""] = /ALLOWED_HOSTS=(\S+) would allow it/.exec(problemOf(text).detail) ?? [];
      const { allowedHosts } = configure([], { ALLOWED_HOSTS: value }).config;
      await using server = await startServer({ allowedHosts });
      assert.equal((await server.request("/channels", { headers: { host } })).status, 200, value);
      assert.equal((await server.request("/channels", { headers: { host: "other.example" } })).status, 403);
    });
  }

  it("is nothing for what is not an origin or a host", async () => {
    await using server = await startServer();
    for (const origin of ["", "https://a.example/path", "app.example", "https://", "https://a b", "x".repeat(4000)]) {
      const { text } = await server.request("/channels", { headers: { origin } });
      assert.match(problemOf(text).detail, /is not allowed; it is not an origin$/, origin);
    }
    for (const host of ['"><script>', "a b", "*", "*.example", "a.example:*"]) {
      const { text } = await server.request("/channels", { headers: { host } });
      assert.match(problemOf(text).detail, /is not this server's; it is not a host name$/, host);
    }
  });
});

describe("who may call", () => {
  const rules = callerRules({ env: "test", allowedOrigins: [], allowedHosts: [] });
  const allowing = (values: { allowedOrigins?: string[]; allowedHosts?: string[] }): CallerRules => ({
    ...callerRules({ env: "test", allowedOrigins: [], allowedHosts: [], ...values }),
    loopback: false,
  });

  it("is anyone by any name while the server is bound to all addresses and no name is configured", () => {
    const open = allowing({});
    assert.doesNotThrow(() => checkCaller({ host: "hub.example" }, open));
    assert.doesNotThrow(() => checkCaller({ host: "hub.example", origin: "https://hub.example" }, open));
    assert.throws(() => checkCaller({ host: "hub.example", origin: "http://localhost:3000" }, open), /ALLOWED_ORIGINS/);
    assert.throws(
      () => checkCaller({ host: "other.example" }, allowing({ allowedHosts: ["hub.example"] })),
      /ALLOWED_HOSTS/,
    );
  });

  it("is its own page whether or not the usual port is written out, and none from another port", () => {
    const own = (origin: string, host: string): boolean => isOriginAllowed(origin, host, allowing({}));
    assert.ok(own("https://hub.example", "hub.example:443"));
    assert.ok(own("http://hub.example:80", "hub.example"));
    assert.ok(own("https://hub.example", "HUB.example."));
    assert.ok(own("http://[::1]:8000", "[0:0::1]:8000"));
    assert.ok(!own("http://hub.example:8190", "hub.example"));
    assert.ok(!own("https://hub.example", "hub.example:80"));
    assert.ok(!own("tauri://hub.example", "hub.example"));
  });

  it("is no other loopback origin in production", () => {
    const production = callerRules({ env: "production", allowedOrigins: [], allowedHosts: [] });
    assert.equal(isOriginAllowed("http://localhost:3000", "localhost:8000", production), false);
    assert.equal(isOriginAllowed("http://localhost:8000", "localhost:8000", production), true);
  });

  it("is a loopback name whatever the server is bound to, for health checks inside a container", () => {
    for (const host of ["localhost:8000", "LOCALHOST.", "127.1", "0x7f000001:8000", "[::ffff:127.0.0.1]"]) {
      assert.doesNotThrow(() => checkCaller({ host }, allowing({ allowedHosts: ["hub.example"] })), host);
    }
    assert.throws(() => checkCaller({ host: "128.1" }, rules));
  });

  /** What is configured, what it allows, and what it does not. */
  const HOSTS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["*", ["hub.example", "other:1", "[fd00::1]"], []],
    ["hub.example", ["hub.example", "hub.example:8000", "HUB.EXAMPLE."], ["a.hub.example", "hub.example.evil"]],
    ["hub.example:8000", ["hub.example:8000"], ["hub.example:8001", "hub.example"]],
    ["hub.example:443", ["hub.example:443", "hub.example"], ["hub.example:8000"]],
    ["hub.example:*", ["hub.example", "hub.example:1"], ["other.example"]],
    ["Hub.Example.", ["hub.example"], []],
    ["*.hub.example", ["a.hub.example:1", "b.a.hub.example"], ["hub.example", "ahub.example"]],
    ["fd00::1", ["[fd00::1]:8000", "[FD00:0::1]"], ["[fd00::2]"]],
    ["[fd00::1]:8000", ["[fd00::1]:8000"], ["[fd00::1]:1"]],
    ["bücher.example", ["xn--bcher-kva.example"], []],
    ["hub.example:08000", ["hub.example:8000"], ["hub.example:80"]],
  ];
  for (const [written, yes, no] of HOSTS) {
    it(`is told by ALLOWED_HOSTS=${written} as it is written`, () => {
      const some = allowing({ allowedHosts: [...configure([], { ALLOWED_HOSTS: written }).config.allowedHosts] });
      for (const host of yes) assert.doesNotThrow(() => checkCaller({ host }, some), host);
      for (const host of no) assert.throws(() => checkCaller({ host }, some), /HOST_NOT_ALLOWED|ALLOWED_HOSTS/, host);
    });
  }

  const ORIGINS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["*", ["null", "https://any.example", "tauri://x"], []],
    ["HTTPS://App.Example:443/", ["https://app.example"], ["http://app.example", "https://app.example:8443"]],
    ["http://localhost:*", ["http://localhost:3000", "http://localhost"], ["https://localhost:1"]],
    ["https://*.app.example", ["https://a.app.example"], ["https://app.example", "https://aapp.example"]],
    ["Tauri://LocalHost/", ["tauri://localhost"], ["tauri://other"]],
    ["NULL", ["null"], ["", "file://"]],
    ["file:///", ["file://"], ["null"]],
    ["https://bücher.example", ["https://xn--bcher-kva.example"], []],
    ["http://localhost:0080", ["http://localhost"], ["http://localhost:8080"]],
    ["vscode-webview://*", ["vscode-webview://1a2b"], ["vscode-file://vscode-app", "https://a.example"]],
    ["moz-extension://*/", ["moz-extension://2f1a-11"], ["chrome-extension://2f1a-11"]],
    ["tauri://*.localhost", ["tauri://a.localhost"], ["tauri://localhost"]],
  ];
  for (const [written, yes, no] of ORIGINS) {
    it(`is told by ALLOWED_ORIGINS=${written} as it is written`, () => {
      const some = allowing({ allowedOrigins: [...configure([], { ALLOWED_ORIGINS: written }).config.allowedOrigins] });
      for (const origin of yes) assert.ok(isOriginAllowed(origin, "h", some), origin);
      for (const origin of no) assert.ok(!isOriginAllowed(origin, "h", some), origin);
    });
  }
});

describe("a setting that could never match", () => {
  for (const origin of [
    "ws://localhost:3000",
    "wss://app.example",
    "app://name:*",
    "app://a*b",
    "http://*",
    "https://*",
  ]) {
    it(`is refused at the start: ALLOWED_ORIGINS=${origin}`, () => {
      assert.throws(() => configure([], { ALLOWED_ORIGINS: origin }), /ALLOWED_ORIGINS is .*; use origins such as/);
    });
  }
  for (const host of ["hub.example:99999", "hub.example:http"]) {
    it(`is refused at the start: ALLOWED_HOSTS=${host}`, () => {
      assert.throws(() => configure([], { ALLOWED_HOSTS: host }), /ALLOWED_HOSTS is .*; use host names such as/);
    });
  }
});

/** What was refused, said as a problem or as a JSON-RPC error. */
function problemOf(text: string): { code: string; detail: string } {
  const { error, ...problem } = JSON.parse(text) as {
    error?: { message: string; data: { code: string } };
    code: string;
    detail: string;
  };
  return error === undefined ? problem : { code: error.data.code, detail: error.message };
}
