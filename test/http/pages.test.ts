import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { relative } from "node:path";
import { request } from "../support/request.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

describe("GET /", () => {
  it("is a page with the lines to try, for the address it was asked under", async () => {
    await using server = await startServer();
    const { text, headers, status } = await server.request("/", { headers: { host: "localhost:8000" } });
    assert.deepEqual([status, headers["content-type"]], [200, "text/html; charset=utf-8"]);
    assert.match(text, /curl -N http:\/\/localhost:8000\/events/);
    assert.doesNotMatch(text, /\{\{/);
  });

  it("does not say where on the machine the log lies", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    const { text } = await server.request("/");
    assert.match(text, /file:…\/hub\.db/);
    assert.ok(!text.includes(folder.path));
  });

  it("names the log as the documentation and the start of the server do", async () => {
    using folder = new TemporaryFolder();
    const data = `file:./${relative(".", folder.file())}`;
    await using server = await startServer({ data });
    assert.ok((await server.request("/")).text.includes(`<code>${data}</code>`));
  });

  it("shows https and wss addresses behind a proxy that says it has TLS", async () => {
    await using server = await startServer({ allowedHosts: ["hub.example"] });
    for (const headers of [
      { "x-forwarded-proto": "https" },
      { "x-forwarded-proto": "HTTPS, http" },
      { forwarded: 'for=192.0.2.1;proto="https";host=hub.example' },
    ]) {
      const { text } = await server.request("/", { headers: { host: "hub.example", ...headers } });
      assert.match(text, /curl -N https:\/\/hub\.example\/events/);
      assert.match(text, /wss:\/\/hub\.example\/ws/);
      assert.doesNotMatch(text, /http:|ws:/);
    }
    const { text } = await server.request("/", { headers: { "x-forwarded-proto": '"><script>' } });
    assert.doesNotMatch(text, /"><script>/);
  });

  it("has a line for Claude Desktop that runs on this machine, and tells its paths to no one else", async () => {
    await using server = await startServer({ allowedHosts: ["hub.example"] });
    const line = async (headers: Record<string, string>): Promise<string> => {
      const { text } = await server.request("/", { headers });
      const [, code = ""] = /id="for-claude-desktop">([^<]*)</.exec(text) ?? [];
      return code.replaceAll("&quot;", '"').replace(/&#(\d+);/g, (_, number) => String.fromCharCode(Number(number)));
    };
    const { mcpServers } = JSON.parse(await line({})) as {
      mcpServers: { hub: { command: string; args: readonly string[] } };
    };
    const { command, args } = mcpServers.hub;
    assert.match(await initialized(command, args), /"serverInfo":\{"name":"sse-mcp-server"/);
    for (const [name, value] of [
      ["host", "hub.example"],
      ["x-forwarded-for", "192.0.2.1"],
      ["x-forwarded-proto", "http"],
      ["x-real-ip", "192.0.2.1"],
      ["via", "1.1 proxy"],
    ] as const) {
      const told = await line({ [name]: value });
      assert.ok(!told.includes(process.execPath) && !told.includes(import.meta.dirname.split("/test")[0] ?? ""), told);
      assert.match(told, /\/path\/to\/sse-mcp-server\/dist\/cli\/main\.js/);
    }
    await using open = await startServer({ host: "0.0.0.0", auth: "none" });
    const { text } = await request(`http://127.0.0.1:${open.port}/`);
    assert.ok(!text.includes(process.execPath));
  });

  it("shows a Host that is no name as text", async () => {
    await using server = await startServer({ host: "0.0.0.0", auth: "none" });
    const { text, status } = await server.request("/", { headers: { host: `"><script>alert(1)</script>` } });
    assert.equal(status, 200);
    assert.doesNotMatch(text, /<script>alert/);
  });
});

for (const page of ["/", "/chat", "/dashboard", "/docs"]) {
  describe(`GET ${page}`, () => {
    it("runs no script and no style but its own, by its policy and in its text", async () => {
      await using server = await startServer();
      const { text, headers } = await server.request(page);
      const policy = String(headers["content-security-policy"]);
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /script-src 'self'(?:;|$)/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.doesNotMatch(text, /<script(?! src="assets\/)|<style| style=| on\w+=|="https?:\/\/(?!127\.0\.0\.1)/);
      for (const [, path = ""] of text.matchAll(/(?:src|href)="([^"]+)"/g)) {
        // Relative, so that a proxy can put the server under a path.
        assert.doesNotMatch(path, /^\/|:/);
        assert.equal((await server.request(new URL(path, `http://hub${page}`).pathname)).status, 200, path);
      }
    });
  });
}

describe("a path that is not there", () => {
  it("is a page to a browser, and a problem to everyone else", async () => {
    await using server = await startServer();
    const accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (const [path, base] of [
      ["/nowhere", "./"],
      ["/a/b?c=1", "../"],
      ["/%3Cscript%3E/<b>/{{base}}", "../../"],
    ] as const) {
      const { status, headers, text } = await server.request(path, { headers: { accept } });
      assert.deepEqual([status, headers["content-type"]], [404, "text/html; charset=utf-8"], path);
      assert.ok(text.includes(`<a href="${base}">Start</a>`), path);
      assert.match(String(headers["content-security-policy"]), /default-src 'none'/);
      assert.doesNotMatch(text, /<script|<b>/);
      for (const others of [{}, { accept: "*/*" }, { accept: "application/json, text/html" }]) {
        const other = await server.request(path, { headers: others });
        assert.equal(other.status, 404);
        assert.match(String(other.headers["content-type"]), /^application\/problem\+json/);
      }
    }
    const post = await server.request("/nowhere", { method: "POST", headers: { accept } });
    assert.equal(post.status, 404);
    assert.equal((await server.request("/mcp/tools/list", { headers: { accept } })).status, 405);
  });

  it("is not /favicon.ico", async () => {
    await using server = await startServer();
    const { status, headers } = await server.request("/favicon.ico");
    assert.deepEqual([status, headers["content-type"]], [200, "image/svg+xml"]);
  });
});

describe("what pages load", () => {
  it("comes compressed to those who take that, and is the same to all", async () => {
    await using server = await startServer();
    await Promise.all(Array.from({ length: 20 }, (_, n) => server.publish("a", `${n} ${"x".repeat(100)}`)));
    for (const path of [
      "/",
      "/assets/shared.css",
      "/assets/scripts/chat.js",
      "/client.js",
      "/docs",
      "/assets/api/swagger-ui-bundle.js",
      "/assets/api/swagger-ui.css",
      "/guide/operating",
      "/openapi.json",
      "/channels/a/messages",
    ]) {
      const { text, headers } = await server.request(path);
      assert.equal(headers["content-encoding"], undefined, path);
      for (const encoding of ["gzip", "br"]) {
        // This client reads what it asks for.
        const answer = await fetch(`${server.url}${path}`, { headers: { "accept-encoding": encoding } });
        assert.deepEqual([answer.headers.get("content-encoding"), await answer.text()], [encoding, text], path);
        assert.match(answer.headers.get("vary") ?? "", /accept-encoding/);
      }
    }
    const metrics = await fetch(`${server.url}/metrics`, { headers: { "accept-encoding": "gzip" } });
    assert.equal(metrics.headers.get("content-encoding"), "gzip");
  });

  it("is never compressed where it is read while it is written, or small", async () => {
    await using server = await startServer();
    const headers = { "accept-encoding": "gzip, br" };
    for (const path of ["/events", "/events?format=json"]) {
      using reader = await server.events(path.slice("/events".length), { headers });
      await server.publish("default", "x".repeat(5000));
      assert.match((await reader.next()).data, /x{5000}/);
    }
    for (const path of ["/health", "/health/live", "/channels", "/nowhere"]) {
      assert.equal((await server.request(path, { headers })).headers["content-encoding"], undefined, path);
    }
  });
});

/** Runs a bridge as a client does; resolves with what it answers to `initialize`. */
async function initialized(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  child.stdin.end();
  await once(child, "close");
  return String(line);
}
