import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
    assert.match(text, /file:hub\.db/);
    assert.ok(!text.includes(folder.path));
  });

  it("shows a Host that is no name as text", async () => {
    await using server = await startServer({ host: "0.0.0.0" });
    const { text, status } = await server.request("/", { headers: { host: `"><script>alert(1)</script>` } });
    assert.equal(status, 200);
    assert.doesNotMatch(text, /<script>alert/);
  });
});

for (const page of ["/", "/chat", "/dashboard"]) {
  describe(`GET ${page}`, () => {
    it("runs no script and no style but its own, by its policy and in its text", async () => {
      await using server = await startServer();
      const { text, headers } = await server.request(page);
      const policy = String(headers["content-security-policy"]);
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /script-src 'self'(?:;|$)/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.doesNotMatch(text, /<script(?! src="\/assets\/)|<style| style=| on\w+=|https?:\/\/(?!127\.0\.0\.1)/);
      for (const [, path = ""] of text.matchAll(/(?:src|href)="([^"]+)"/g)) {
        assert.equal((await server.request(path)).status, 200, path);
      }
    });
  });
}

describe("what pages load", () => {
  it("comes compressed to those who take that, and is the same to all", async () => {
    await using server = await startServer();
    for (const path of ["/assets/look.css", "/assets/scripts/web/chat.js", "/assets/uplot/uPlot.iife.min.js"]) {
      const { text, headers } = await server.request(path);
      assert.equal(headers["content-encoding"], undefined, path);
      for (const encoding of ["gzip", "br"]) {
        // This client reads what it asks for.
        const answer = await fetch(`${server.url}${path}`, { headers: { "accept-encoding": encoding } });
        assert.deepEqual([answer.headers.get("content-encoding"), await answer.text()], [encoding, text], path);
        assert.match(answer.headers.get("vary") ?? "", /accept-encoding/);
      }
    }
  });
});

describe("an address that is not there", () => {
  it("is a page for a browser that goes there, and a problem for everyone else", async () => {
    await using server = await startServer();
    const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    const page = await server.request("/chatt", { headers: { accept } });
    assert.deepEqual([page.status, page.headers["content-type"]], [404, "text/html; charset=utf-8"]);
    assert.match(page.text, /There is no such page/);
    assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
    for (const headers of [{}, { accept: "*/*" }, { accept: "application/json, text/html" }]) {
      const problem = await server.request("/chatt", { headers });
      assert.deepEqual(
        [problem.status, String(problem.headers["content-type"]).split(";")[0]],
        [404, "application/problem+json"],
      );
    }
    const posted = await server.request("/chatt", { method: "POST", headers: { accept }, body: "" });
    assert.match(String(posted.headers["content-type"]), /^application\/problem\+json/);
  });

  it("is none where browsers look for an icon", async () => {
    await using server = await startServer();
    const { status, headers } = await server.request("/favicon.ico");
    assert.deepEqual([status, headers["content-type"]], [200, "image/svg+xml"]);
  });
});
