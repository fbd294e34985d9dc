import assert from "node:assert/strict";
import { describeInBrowser } from "../../support/browser.ts";
import { openChat } from "../../support/chat-page.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const REFUSALS = [
  [401, {}, "The server answered 401 Unauthorized"],
  [403, { code: "ORIGIN_NOT_ALLOWED", detail: "Pages of x may not use this hub" }, "Pages of x may not use this hub"],
] as const;

const isEvents = ({ pathname }: URL): boolean => pathname === "/events";
const isHub = ({ pathname }: URL): boolean => /^\/(?:events|channels)\b/.test(pathname);

describeInBrowser("the chat without its hub", { concurrency: 2 }, (it) => {
  for (const [status, body, why] of REFUSALS) {
    it(`says that it is refused with ${status}, keeps what is written, and sends it after a reload`, async (browser) => {
      await using server = await startServer();
      await server.publish("default", "was there before");
      let isRefused = true;
      await using chat = await openChat(browser, server.url, {
        before: (page) =>
          page.route(isEvents, (route) =>
            isRefused
              ? route.fulfill({ status, json: body, contentType: "application/problem+json" })
              : route.continue(),
          ),
      });
      const { page } = chat;
      const banner = page.locator("#banner");
      await banner.filter({ hasText: why }).waitFor();
      assert.doesNotMatch(await banner.innerText(), /until it is back/);
      await chat.row("was there before").waitFor();
      await chat.say("kept for later");
      await page.locator("#outbox", { hasText: "kept for later" }).filter({ hasText: "loaded again" }).waitFor();
      assert.equal(await page.getByRole("button", { name: "Try again" }).count(), 0);
      // Other channels can be read all the same.
      await page.fill("#name", "other");
      await page.press("#name", "Enter");
      await page.locator("#channel", { hasText: "other" }).waitFor();
      await page.locator("#note", { hasText: "Nothing is kept in other yet." }).waitFor();
      assert.equal(await page.locator("#refused").innerText(), "");
      await page.getByRole("link", { name: "default" }).click();
      await page.locator("#outbox", { hasText: "kept for later" }).waitFor();
      assert.deepEqual(
        chat.complaints.filter((text) => !text.includes(`status of ${status}`)),
        [],
      );
      isRefused = false;
      await page.getByRole("button", { name: "Reload" }).click();
      await chat.row("kept for later").waitFor();
      assert.equal(await page.locator("#banner").isVisible(), false);
      assert.equal(server.hub.log.size().messages, 2);
    });
  }

  it("says why nothing is shown where even what is kept is refused, without a sentence of the server's", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, {
      before: (page) => page.route(isHub, (route) => route.fulfill({ status: 401, body: "<h1>No</h1>" })),
    });
    await chat.page.locator("#note", { hasText: "The server answered 401" }).waitFor();
    await chat.page.getByRole("button", { name: "Reload" }).waitFor();
  });

  it("says at once that the network is gone, and takes it back when it is there again", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const banner = page.locator("#banner");
    await page.locator("#readers", { hasText: "1 reader" }).waitFor();
    await page.context().setOffline(true);
    await banner.filter({ hasText: "offline" }).waitFor();
    await chat.say("written in a tunnel");
    await page.locator("#outbox", { hasText: "Waits for the server" }).waitFor();
    await page.context().setOffline(false);
    await banner.waitFor({ state: "hidden" });
    await chat.row("written in a tunnel").waitFor();
    await until("nothing is on its way", async () => (await chat.outgoing.count()) === 0);
    assert.equal(server.hub.log.size().messages, 1);
  });

  it("does not call a server away that answers without a network, as one on the same machine does", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const asked = page.waitForResponse(/\/health/);
    await page.evaluate(`
      Object.defineProperty(navigator, "onLine", { configurable: true, value: false });
      dispatchEvent(new Event("offline"));`);
    await asked;
    await chat.say("all is well");
    await chat.row("all is well").waitFor();
    assert.equal(await page.locator("#banner").isVisible(), false);
  });

  it("tells one who reads alone of no second reader, whichever channel is opened", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, {
      before: (page) =>
        page.addInitScript(`
          globalThis.told = [];
          new MutationObserver(() => told.push(document.getElementById("readers")?.textContent ?? ""))
            .observe(document, { childList: true, subtree: true, characterData: true });`),
    });
    const { page } = chat;
    const readers = page.locator("#readers", { hasText: "1 reader" });
    await readers.waitFor();
    for (const name of ["a", "b", "c", "d"]) {
      await page.fill("#name", name);
      await page.press("#name", "Enter");
      await page.locator("#channel", { hasText: name }).waitFor();
      await readers.waitFor();
    }
    const told = (await page.evaluate("[...new Set(told)].sort()")) as string[];
    assert.deepEqual(told, ["", "1 reader"]);
  });

  it("forgets why a name was none when a channel is opened, and takes any address for a name", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, { at: "#a%" });
    const { page } = chat;
    const refused = page.locator("#refused");
    await refused.filter({ hasText: /^Not a channel: "a%"/ }).waitFor();
    await page.fill("#name", "fine");
    await page.press("#name", "Enter");
    await page.locator("#channel", { hasText: "fine" }).waitFor();
    await page.fill("#name", "Ünï");
    await page.press("#name", "Enter");
    await refused.filter({ hasText: /^Not a channel: "Ünï"/ }).waitFor();
    await page.getByRole("link", { name: "default" }).click();
    await page.locator("#channel", { hasText: "default" }).waitFor();
    assert.equal(await refused.innerText(), "");
    assert.equal(await page.getAttribute("#name", "aria-invalid"), "false");
  });
});
