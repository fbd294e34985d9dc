import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyRing } from "../support/keys.ts";
import { startServer } from "../support/server.ts";

describe("GET /guide", () => {
  it("serves pages under the policy of all pages, with everything they load below where the server is", async () => {
    await using server = await startServer();
    for (const path of ["/guide/", "/guide/operating", "/guide/decisions", "/guide/decisions/0012-pages-on-preact"]) {
      const { status, headers, text } = await server.request(path);
      assert.deepEqual([status, headers["content-type"]], [200, "text/html; charset=utf-8"], path);
      assert.doesNotMatch(String(headers["content-security-policy"]), /unsafe/);
      assert.doesNotMatch(text, /<script(?! src="(?:\.\.\/)+assets\/)|<style| style=| on\w+="/);
      const loaded = [...text.matchAll(/(?:src|data-index)="([^"]+)"|<link[^>]* href="([^"]+)"/g)];
      assert.ok(loaded.length > 4);
      for (const [, first, second] of loaded) {
        const { pathname } = new URL(first ?? second ?? "", `http://hub${path}`);
        assert.equal((await server.request(pathname)).status, 200, `${path} loads ${pathname}`);
      }
      assert.match(text, /assets\/guide\.css\?[0-9a-f]{8}"/);
    }
  });

  it("redirects a path with a missing or an extra slash to where links work", async () => {
    await using server = await startServer();
    for (const [path, to] of [
      ["/guide", "guide/"],
      ["/guide?from=elsewhere", "guide/"],
      ["/guide/operating/", "../operating"],
      ["/guide/decisions/0012-pages-on-preact/", "../0012-pages-on-preact"],
    ] as const) {
      const { status, headers } = await server.request(path);
      assert.deepEqual([status, headers["location"]], [308, to], path);
      // The same if a proxy has put the server under a path.
      assert.equal((await server.request(new URL(to, `http://hub${path}`).pathname)).status, 200, path);
    }
  });

  it("has Markdown, pictures, and overviews for models", async () => {
    await using server = await startServer();
    for (const [path, type, begin] of [
      ["/guide/index.md", "text/markdown; charset=utf-8", /^# sse-mcp-server\n/],
      ["/guide/operating.md", "text/markdown; charset=utf-8", /^# Operating\n/],
      ["/guide/chat.png", "image/png", /^.PNG/s],
      ["/guide/search.json", "application/json", /^\[\{"page":""/],
      ["/llms.txt", "text/plain; charset=utf-8", /^# sse-mcp-server\n\n> /],
      ["/llms-full.txt", "text/plain; charset=utf-8", /^# sse-mcp-server\n/],
    ] as const) {
      const { status, headers, text } = await server.request(path);
      assert.deepEqual([status, headers["content-type"]], [200, type], path);
      assert.match(text, begin, path);
      const again = await server.request(path, { headers: { "if-none-match": String(headers["etag"]) } });
      assert.deepEqual([again.status, again.text], [304, ""], path);
    }
  });

  it("answers 404 for anything that is not in the guide", async () => {
    await using server = await startServer();
    for (const path of [
      "/guide/nowhere",
      "/guide/nowhere/",
      "/guide/decisions/nowhere",
      "/guide/..%2fshared.css",
      "/guide/%2e%2e/shared.css",
      "/guide//etc/passwd",
      "/guide/operating.html.html",
      "/guide/constructor",
    ]) {
      const { status, text } = await server.request(path);
      assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [404, "NOT_FOUND"], path);
    }
    assert.equal((await server.request("/guide/operating", { method: "POST" })).status, 405);
  });

  it("is public, as the other pages are", async () => {
    using keys = new KeyRing();
    await using server = await startServer({ apiKeysFile: keys.path });
    for (const path of ["/guide/", "/guide/security", "/llms.txt", "/llms-full.txt"]) {
      assert.equal((await server.request(path)).status, 200, path);
    }
  });
});
