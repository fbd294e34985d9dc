import assert from "node:assert/strict";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { countScripts, seriousIssues } from "../support/page-checks.ts";
import { startServer } from "../support/server.ts";

/** Bytes of compressed script; the whole guide needs no more. */
const MOST_SCRIPT = 25_000;

describeInBrowser("the guide", { concurrency: 2 }, (it) => {
  it("is searched, and leads to the part of the page that was found, without a request to anywhere else", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    const scripts = countScripts(page);
    await page.goto(`${server.url}/guide/`);
    await page.locator("search input").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("retention_age");
    const hit = page.locator(".hits a", { hasText: "Operating › Settings" });
    await hit.waitFor();
    assert.match(await hit.locator("span").innerText(), /RETENTION_AGE/);
    assert.ok((await scripts()) < MOST_SCRIPT, `${await scripts()} bytes`);
    page.removeAllListeners("response");
    await hit.click();
    await page.waitForURL(`${server.url}/guide/operating#settings`);
    await page.locator("search input").fill("no such word xyzzy");
    await page.locator(".hits", { hasText: "Nothing found" }).waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".hits").count(), 0);
    assert.deepEqual(complaints, []);
  });

  it("is searched by keyboard alone, from a page in a folder", async (browser) => {
    await using server = await startServer();
    const page = await browser.newPage();
    await page.goto(`${server.url}/guide/decisions/0012-pages-on-preact`);
    await page.locator("search input").focus();
    await page.keyboard.type("INVALID_CHANN");
    await page.locator(".hits a", { hasText: "INVALID_CHANNEL" }).first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${server.url}/guide/errors#invalid_channel`);
    await page.close();
  });

  it("copies the commands of a terminal without what they print", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/guide/`);
    const block = page.locator("pre", { hasText: "curl -N http://localhost:8000/events" }).first();
    await block.locator("button").click();
    await block.locator("button", { hasText: "Copied" }).waitFor();
    assert.equal(await page.evaluate("navigator.clipboard.readText()"), "curl -N http://localhost:8000/events");
    assert.deepEqual(complaints, []);
  });

  it("has its pages behind a button on a phone, and is never wider than the screen", async (browser) => {
    await using server = await startServer();
    const context = await browser.newContext({ hasTouch: true, isMobile: true, viewport: { width: 360, height: 740 } });
    const page = await context.newPage();
    for (const path of ["/guide/", "/guide/operating"]) {
      for (const width of [320, 390]) {
        await page.setViewportSize({ width, height: 740 });
        await page.goto(`${server.url}${path}`);
        assert.equal(await page.evaluate("document.documentElement.scrollWidth"), width, `${path} at ${width}`);
      }
    }
    const link = page.locator("#pages a", { hasText: "Concepts" });
    assert.equal(await link.isVisible(), false);
    await page.locator("button", { hasText: "Pages" }).tap();
    await link.tap();
    await page.waitForURL(`${server.url}/guide/concepts`);
    await context.close();
  });

  it("can be read without scripts", async (browser) => {
    await using server = await startServer();
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${server.url}/guide/`);
    await page.locator("#pages a", { hasText: "Errors" }).click();
    await page.locator("h1", { hasText: "Errors" }).waitFor();
    await context.close();
  });

  it("has no serious issue of accessibility, light or dark", async (browser) => {
    await using server = await startServer();
    const page = await browser.newPage();
    await page.goto(`${server.url}/guide/mcp`);
    await page.locator("search input").waitFor();
    assert.deepEqual(await seriousIssues(page), []);
    await page.close();
  });
});
