import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type * as Client from "../../src/client/index.ts";
import { needsBrowser, openBrowser } from "../support/browser.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const DOCUMENTATION = readFileSync(join(import.meta.dirname, "../../docs/client.md"), "utf8");
const MOST_BYTES = 13_500;

describe("the client library as one file", () => {
  it("[HTTP-43] is served at /client.js with its source map, by an ETag of its content, and is small", async () => {
    await using server = await startServer();
    const origin = "http://localhost:3000";
    const { status, headers, text } = await server.request("/client.js", { headers: { origin } });
    assert.deepEqual([status, headers["content-type"]], [200, "text/javascript; charset=utf-8"]);
    assert.equal(headers["access-control-allow-origin"], origin);
    assert.doesNotMatch(text, /\bfrom ?"|\bimport ?[("]/, "it imports nothing");
    const same = { "if-none-match": String(headers["etag"]) };
    assert.equal((await server.request("/client.js", { headers: same })).status, 304);
    const [, map = ""] = /\/\/# sourceMappingURL=(.+)\n$/.exec(text) ?? [];
    assert.ok((await server.request(`/${map}`)).text.startsWith("{"), map);
    const bytes = gzipSync(text).length;
    assert.ok(bytes < MOST_BYTES, `${bytes} bytes, compressed`);
  });

  it("[HTTP-43] runs from a script tag in a page of another origin, as docs/client.md shows", async (test) => {
    await using browser = await openBrowser();
    if (!needsBrowser(test, browser)) return;
    await using server = await startServer();
    const [, html = ""] = /^```html\n([\s\S]*?)^```$/m.exec(DOCUMENTATION) ?? [];
    await using host = createServer((_, response) =>
      response
        .setHeader("content-type", "text/html")
        .end(`<!doctype html>${html.replaceAll("http://localhost:8000", server.url)}`),
    ).listen(0, "127.0.0.1");
    await once(host, "listening");
    const page = await browser.newPage();
    await page.goto(`http://localhost:${(host.address() as AddressInfo).port}/`);
    await until("it reads", () => server.hub.size === 1);
    await server.publish("orders.eu", { order: 123 });
    await page.locator("body", { hasText: '{"order":123}' }).waitFor();
  });

  it("[HTTP-43] runs in Node, from what the package exports", async () => {
    await using server = await startServer();
    const name = "sse-mcp-server/client.js";
    const { connect } = (await import(name)) as typeof Client;
    await using hub = connect(server.url);
    const orders = hub.subscribe("orders.*");
    await orders.ready;
    await server.publish("orders.eu", 123);
    for await (const { data } of orders) {
      assert.equal(data, 123);
      break;
    }
  });
});
