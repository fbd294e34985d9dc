import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describeInBrowser } from "../support/browser.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

describeInBrowser(
  "in a browser",
  { concurrency: true, switches: ["--host-resolver-rules=MAP foreign.example 127.0.0.1"] },
  (it) => {
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
