import assert from "node:assert/strict";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { setHidden } from "../support/page-checks.ts";
import { startServer } from "../support/server.ts";

const WAYS = [
  ["the start page", "/"],
  ["the dashboard", "/dashboard"],
] as const;
const isEvents = ({ pathname }: URL): boolean => pathname === "/events";
const isKept = ({ pathname, search }: URL): boolean => pathname.startsWith("/channels") && search !== "";
const DETAIL = "Pages of x may not use this hub";

describeInBrowser("a page without its hub", { concurrency: 2 }, (it) => {
  for (const [name, path] of WAYS) {
    it(`${name} says at once that the network is gone, and takes it back when it is there again`, async (browser) => {
      await using server = await startServer();
      const { page } = await watchedPage(browser, server.url);
      await page.goto(`${server.url}${path}`);
      const state = page.locator("#state");
      await page.locator("#state[data-state=on]").waitFor();
      await page.context().setOffline(true);
      await state.filter({ hasText: /^You are offline/ }).waitFor();
      assert.equal(await state.getAttribute("data-state"), "off");
      await server.publish("default", "while it was offline");
      await page.context().setOffline(false);
      await page.locator("#state[data-state=on]").waitFor();
      await page.locator("#messages, #tail").filter({ hasText: "while it was offline" }).waitFor();
    });

    it(`${name} goes on where the browser takes the network for gone and the server answers`, async (browser) => {
      await using server = await startServer();
      const { page } = await watchedPage(browser, server.url);
      await page.goto(`${server.url}${path}`);
      await page.locator("#state[data-state=on]").waitFor();
      const asked = page.waitForResponse(`${server.url}/health`);
      await page.evaluate(`
        Object.defineProperty(navigator, "onLine", { configurable: true, value: false });
        dispatchEvent(new Event("offline"));`);
      await asked;
      await server.publish("default", "still here");
      await page.locator("#messages, #tail").filter({ hasText: "still here" }).waitFor();
      assert.equal(await page.locator("#state").getAttribute("data-state"), "on");
    });
  }

  it("the start page says that the network is gone where its first question was still answered", async (browser) => {
    await using server = await startServer();
    const { page } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    await page.locator("#state[data-state=on]").waitFor();
    let asked = 0;
    await page.route(`${server.url}/health`, (route) => (asked++ === 0 ? route.continue() : route.abort()));
    await page.evaluate(`
      Object.defineProperty(navigator, "onLine", { configurable: true, value: false });
      dispatchEvent(new Event("offline"));`);
    await page
      .locator("#state")
      .filter({ hasText: /^You are offline/ })
      .waitFor();
  });

  it("the start page that was refused for good says why, and stands still when it is looked at again", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.route(isEvents, (route) =>
      route.fulfill({
        status: 403,
        json: { code: "ORIGIN_NOT_ALLOWED", detail: DETAIL },
        contentType: "application/problem+json",
      }),
    );
    // What is kept comes later than the refusal.
    const { promise: refused, resolve } = Promise.withResolvers<void>();
    await page.route(isKept, async (route) => {
      await refused;
      await route.continue();
    });
    await server.publish("default", "was there before");
    await page.goto(`${server.url}/`);
    await page.locator("#state[data-state=off]", { hasText: `${DETAIL}; reload the page.` }).waitFor();
    resolve();
    await page.locator("#messages", { hasText: "was there before" }).waitFor();
    await setHidden(page, true);
    await setHidden(page, false);
    await page.fill("#text", "too late");
    await page.press("#text", "Enter");
    await page.locator("#said", { hasText: "Not published" }).waitFor();
    assert.deepEqual(
      complaints.filter((text) => !text.includes("status of 403")),
      [],
    );
  });

  it("the start page shows the beginning of a text that is too long for it", async (browser) => {
    await using server = await startServer();
    const { page } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    await server.publish("default", "w".repeat(60_000));
    const item = page.locator("#messages li span", { hasText: /^anyone: www/ });
    await item.waitFor();
    const text = (await item.textContent()) ?? "";
    assert.ok(text.length < 3000 && text.endsWith("w…"), `${text.length} characters`);
  });
});
