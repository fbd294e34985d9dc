import assert from "node:assert/strict";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { KeyRing } from "../support/keys.ts";
import { seriousIssues } from "../support/page-checks.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** What a link of 400 KB/s carries in a tenth of a second. */
const MOST_BYTES = 40_000;

describeInBrowser("the API documentation", {}, (it) => {
  it("is read, copied and found again by keyboard, without the console", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    const sizes: Promise<{ responseBodySize: number }>[] = [];
    page.on("requestfinished", (request) => sizes.push(request.sizes()));
    await page.goto(`${server.url}/docs`, { waitUntil: "networkidle" });
    const bytes = (await Promise.all(sizes)).reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
    assert.ok(bytes > 5000 && bytes < MOST_BYTES, `${bytes} bytes`);
    const publish = page.locator("#postChannelsChannelMessages");
    const what = publish.getByText("Words joined by dots");
    assert.equal(await what.isVisible(), false);
    // Past the bar, the links of the first paragraph and the two buttons.
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await what.waitFor();
    await page.waitForURL("**/docs#postChannelsChannelMessages");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await publish.getByText("Copied").waitFor();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    assert.equal(
      copied,
      `curl ${server.url}/channels/orders.eu/messages \\\n  -H 'Content-Type: application/json' \\\n  -d '"Hello"'`,
    );
    await page.reload();
    await what.waitFor();
    for (const id of ["getWs", "getHealth", "patchWebhooksId"]) await page.locator(`#${id} summary`).click();
    assert.deepEqual(await seriousIssues(page), []);
    await page.locator("#open-all").click();
    await page.locator("#open-all", { hasText: "Close all" }).waitFor();
    for (const width of [320, 390, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), width);
    }
    assert.equal(await page.evaluate("typeof SwaggerUIBundle"), "undefined");
    assert.deepEqual(complaints, []);
  });

  it("is complete without a script", async (browser) => {
    await using server = await startServer();
    const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await page.goto(`${server.url}/docs`);
    const health = page.locator("#getHealth");
    await health.locator("summary").click();
    await health.getByText(`curl ${server.url}/health`).waitFor();
    for (const link of ["Open the console", "Try it out", "Copy", "Open all"])
      assert.equal(await page.getByText(link, { exact: true }).filter({ visible: true }).count(), 0, link);
    await page.context().close();
  });

  it("opens its console at an operation, tries it there, and goes back, all from its own origin", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/docs#getHealth`);
    const { paths } = (await server.request("/openapi.json")).json() as { paths: Record<string, object> };
    const operations = Object.values(paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
    const link = page.locator("#getHealth .try a");
    await link.focus();
    await page.keyboard.press("Enter");
    const health = page.locator(".opblock.is-open", { has: page.locator('[data-path="/health"]') });
    await health.locator(".try-out__btn").click();
    assert.equal(await page.locator("img:not(.bar img), .topbar").count(), 0, "a logo of someone else");
    assert.equal(await page.locator(".opblock").count(), operations);
    await health.locator(".execute").click();
    const status = health.locator(".live-responses-table .response-col_status");
    await status.filter({ hasText: "200" }).first().waitFor();
    assert.match(await health.locator(".live-responses-table").innerText(), /"status": "healthy"/);
    await page.getByText("Back to the documentation").click();
    await link.waitFor();
    await until("the link has the focus again", () =>
      page.evaluate<boolean>("document.activeElement.matches('#getHealth .try a')"),
    );
    // What may be left out is left out: an example of when to publish would put the message off.
    await page.locator("#postChannelsChannelMessages summary").click();
    await page.locator("#postChannelsChannelMessages .try a").click();
    const publish = page.locator(".opblock", { hasText: "Publish a message" });
    if ((await publish.locator(".try-out__btn").count()) === 0)
      await publish.locator(".opblock-summary-control").click();
    await publish.locator(".try-out__btn").click();
    await publish.locator(".execute").click();
    await publish.locator(".live-responses-table", { hasText: "201" }).waitFor();
    assert.deepEqual(complaints, []);
  });

  it("sends the key that someone authorizes with, and shows the refusal without one", async (browser) => {
    using keys = new KeyRing();
    const key = keys.add("ada", { subscribe: ["orders.*"], publish: ["orders.*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    for (const scheme of ["bearer", "apiKey"]) {
      const page = await (await browser.newContext()).newPage();
      await page.goto(`${server.url}/docs#/`);
      const operation = page.locator(".opblock", { hasText: "List channels" });
      await operation.locator(".opblock-summary-control").click();
      await operation.locator(".try-out__btn").click();
      await operation.locator(".execute").click();
      const status = operation.locator(".live-responses-table .response-col_status").last();
      await status.filter({ hasText: "401" }).waitFor();

      await page.locator(".scheme-container .authorize").click();
      const dialog = page.locator(".auth-container", { hasText: `${scheme} (` }).first();
      await dialog.locator("input").fill(key);
      await dialog.locator(".authorize").click();
      await page.locator(".btn-done").first().click();
      await operation.locator(".execute").click();
      await status.filter({ hasText: "200" }).waitFor();
      assert.match(await operation.locator(".live-responses-table").innerText(), /"channels": \[\]/);
      await page.context().close();
    }
  });
});
