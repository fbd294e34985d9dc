import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkCaller, isOriginAllowed, type CallerRules } from "../../src/http/origin.ts";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** Every route, one that is not there, and one that cannot be read. */
const ROUTES: readonly (readonly [string, string])[] = [
  ["GET", "/"],
  ["GET", "/assets/start.js"],
  ["GET", "/docs/"],
  ["GET", "/openapi.json"],
  ["GET", "/health"],
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
  it("[HTTP-1] refuses another Host on every route, naming the setting", async () => {
    await using server = await startServer();
    const preflight = { origin: "http://evil.example", "access-control-request-method": "POST" };
    for (const [method, path] of ROUTES) {
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
      assert.equal((await server.request("/health/live", { headers: { host } })).status, 200, host);
    }
  });

  it("refuses a long Host that ends in localhost only where it would be cut for showing", async () => {
    await using server = await startServer();
    const name = `${"a".repeat(45)}.${"b".repeat(44)}.localhost`;
    assert.equal(name.length, 100);
    const host = `${name}.evil.example`;
    const answer = await server.request("/health/live", { headers: { host, origin: `http://${host}` } });
    assert.equal(answer.status, 403);
    assert.ok(problemOf(answer.text).detail.length < 400);
  });

  it("refuses a request without a Host", async () => {
    await using server = await startServer();
    using old = await server.wire();
    old.send(["GET /health/live HTTP/1.0"]);
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

describe("who may call", () => {
  const rules: CallerRules = { host: "127.0.0.1", production: false, allowedOrigins: [], allowedHosts: [] };

  it("is anyone by any name while the server is bound to all addresses and no name is configured", () => {
    const open = { ...rules, host: "0.0.0.0" };
    assert.doesNotThrow(() => checkCaller({ host: "hub.example" }, open));
    assert.doesNotThrow(() => checkCaller({ host: "hub.example", origin: "https://hub.example" }, open));
    assert.throws(() => checkCaller({ host: "hub.example", origin: "http://localhost:3000" }, open), /ALLOWED_ORIGINS/);
    assert.throws(
      () => checkCaller({ host: "other.example" }, { ...open, allowedHosts: ["hub.example"] }),
      /ALLOWED_HOSTS/,
    );
  });

  it("is no other loopback origin in production", () => {
    const production = { ...rules, production: true };
    assert.equal(isOriginAllowed("http://localhost:3000", "localhost:8000", production), false);
    assert.equal(isOriginAllowed("http://localhost:8000", "localhost:8000", production), true);
  });

  it("is a loopback name whatever the server is bound to, for health checks inside a container", () => {
    assert.doesNotThrow(() =>
      checkCaller({ host: "localhost:8000" }, { ...rules, host: "0.0.0.0", allowedHosts: ["hub.example"] }),
    );
  });
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
