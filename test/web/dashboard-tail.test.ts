import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { startServer, type TestServer } from "../support/server.ts";

async function openDashboard(browser: Browser, server: TestServer): Promise<Page> {
  const { page } = await watchedPage(browser, server.url);
  await page.goto(`${server.url}/dashboard`);
  await page.locator("#state[data-state=on]").waitFor();
  return page;
}

/** Waits until an element says what is wanted. */
async function says(page: Page, selector: string, wanted: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: wanted }).waitFor();
}

describeInBrowser("the dashboard's tail", { concurrency: 3 }, (it) => {
  it("follows again when somebody who scrolled away scrolls back to the end", async (browser) => {
    await using server = await startServer();
    const page = await openDashboard(browser, server);
    for (let message = 0; message < 40; message++) await server.publish("a", `m${message}.`);
    await says(page, "#tail", /m39\./);
    await page.hover("#tail");
    await page.mouse.wheel(0, -200);
    await page.locator("#tail-newest").waitFor();
    await page.mouse.wheel(0, 400);
    await page.locator("#tail-newest").waitFor({ state: "hidden" });
    await server.publish("a", "m40.");
    await says(page, "#tail", /m40\./);
  });

  it("counts, while paused, what it filters among what was there before that", async (browser) => {
    await using server = await startServer();
    const page = await openDashboard(browser, server);
    for (const text of ["one", "two", "three"]) await server.publish("a", text);
    await says(page, "#tail-count", /^3 messages$/);
    await page.click("#tail-pause");
    for (const text of ["two again", "four"]) await server.publish("a", text);
    await says(page, "#tail-count", /2 held back$/);
    await page.fill("#tail-text", "two");
    await says(page, "#tail-count", /^1 of the last 3, 2 held back$/);
    await page.click("#tail-pause");
    await says(page, "#tail-count", /^2 of the last 5$/);
  });

  it("has all its parts in sight on the narrowest phone", async (browser) => {
    await using server = await startServer();
    const page = await openDashboard(browser, server);
    await page.setViewportSize({ width: 320, height: 568 });
    const right = `Math.max(...[...document.querySelectorAll("main > *, figure, .panel")]
      .map((part) => part.getBoundingClientRect().right))`;
    assert.ok(Number(await page.evaluate(right)) <= 320 - 16);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320);
  });
});
