import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** What a link of 400 KB/s carries in a second and a bit; with what the processor needs, the API is there in two. */
const MOST_BYTES = 480_000;

describeInBrowser(
  "in a browser",
  { concurrency: true, switches: ["--host-resolver-rules=MAP foreign.example 127.0.0.1"] },
  (it) => {
    it("the API documentation shows every route and tries one, without a request to anywhere else", async (browser) => {
      await using server = await startServer();
      const { page, complaints } = await watchedPage(browser, server.url);
      let bytes = 0;
      page.on("requestfinished", async (request) => (bytes += (await request.sizes()).responseBodySize));
      await page.goto(`${server.url}/docs`);
      const { text } = await server.request("/docs");
      const { paths } = (await server.request("/openapi.json")).json() as { paths: Record<string, object> };
      const operations = Object.values(paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
      assert.ok(operations > 20);
      // To read before the script is there, and without it.
      assert.equal(text.match(/<li><b>/g)?.length, operations);
      await page.locator(".opblock").first().waitFor();
      assert.ok(bytes > 300_000 && bytes < MOST_BYTES, `${bytes} bytes`);
      assert.equal(await page.locator("img:not(.bar img), .topbar").count(), 0, "a logo of someone else");
      assert.equal(await page.locator(".opblock").count(), operations);
      const health = page.locator(".opblock", { has: page.locator('[data-path="/health"]') });
      await health.locator(".opblock-summary").click();
      await health.locator(".try-out__btn").click();
      await health.locator(".execute").click();
      const status = health.locator(".live-responses-table .response-col_status");
      await status.filter({ hasText: "200" }).first().waitFor();
      assert.match(await health.locator(".live-responses-table").innerText(), /"status": "healthy"/);
      assert.deepEqual(complaints, []);
    });

    it("a page of another local origin reads events and calls tools, and a foreign one may not", async (browser) => {
      await using server = await startServer();
      await using host = createServer((_, response) =>
        response.setHeader("content-type", "text/html").end("<p>"),
      ).listen(0, "127.0.0.1");
      await once(host, "listening");
      const { port } = host.address() as AddressInfo;
      const page = await browser.newPage();
      await page.goto(`http://localhost:${port}/`);
      const received = page.evaluate(
        `new Promise((resolve) => { new EventSource("${server.url}/events").onmessage = ({ data }) => resolve(data); })`,
      );
      await until("it reads", () => server.hub.size === 1);
      assert.deepEqual(
        [await page.evaluate(call(server.url, "across", "application/json")), await received],
        [200, "across"],
      );

      await page.goto(`http://foreign.example:${port}/`);
      for (const type of ["application/json", "text/plain"]) {
        assert.equal(await page.evaluate(call(server.url, "forged", type)), "refused");
      }
      assert.equal(server.hub.stats.published, 1);
    });
  },
);

/** A script that calls a tool and tells the status, or that the browser refused. */
function call(url: string, message: string, type: string): string {
  const body = JSON.stringify(JSON.stringify({ params: { name: "send_sse_message", arguments: { message } } }));
  return `fetch("${url}/mcp/tools/call", { method: "POST", headers: { "Content-Type": "${type}" }, body: ${body} })
    .then(({ status }) => status, () => "refused")`;
}
