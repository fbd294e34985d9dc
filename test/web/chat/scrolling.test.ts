import assert from "node:assert/strict";
import { describeInBrowser } from "../../support/browser.ts";
import { openChat, type ChatPage } from "../../support/chat-page.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

describeInBrowser("the messages of the chat", { concurrency: 2 }, (it) => {
  it("are gone through in both directions, a bounded number at a time, back to those that come", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 700; n++) await server.publish("default", `number ${n}.`);
    await using chat = await openChat(browser, server.url);
    const { page, rows } = chat;
    await chat.row("number 700.").waitFor();
    const [earlier, later] = [page.locator("#earlier"), page.locator("#later")];
    const newest = page.locator("#newest");
    assert.equal(await later.isVisible(), false);
    await toBeginning(chat);
    assert.equal(await rows.last().locator(".said").innerText(), "number 400.");
    assert.equal(await newest.innerText(), "To the newest");
    await server.publish("default", "number 701.");
    await newest.filter({ hasText: "1 new message" }).waitFor();
    for (let last = 400; last < 701; last = Math.min(last + 50, 701)) {
      // Scrolled to, it is loaded with what comes after; the last message in the page stays where it is.
      const held = chat.row(`number ${last}.`).locator(".said");
      await toEnd(chat);
      const place = (await held.boundingBox())?.y ?? NaN;
      await chat.row(`number ${Math.min(last + 50, 701)}.`).waitFor();
      const moved = Math.abs(((await held.boundingBox())?.y ?? NaN) - place);
      // The last message alone is less high than the button that it takes the place of.
      assert.ok(moved < 4 || last === 700, `${last} stays in sight`);
      assert.ok((await rows.count()) <= 400);
    }
    await later.waitFor({ state: "hidden" });
    assert.equal(await earlier.isVisible(), true);
    await toEnd(chat);
    await newest.waitFor({ state: "hidden" });
    await server.publish("default", "number 702.");
    await chat.row("number 702.").waitFor();
    const numbers = await numbersIn(chat);
    const first = numbers[0] ?? NaN;
    assert.deepEqual(
      numbers,
      Array.from({ length: 703 - first }, (_, index) => first + index),
    );
    assert.deepEqual(chat.complaints, []);
  });

  it("lose and double nothing that comes while the last ones are loaded, and count it once", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 430; n++) await server.publish("default", `number ${n}.`);
    const answered = Promise.withResolvers<void>();
    const mayGo = Promise.withResolvers<void>();
    await using chat = await openChat(browser, server.url, {
      before: (page) =>
        page.route("**/channels/default/messages?after=*", async (route) => {
          const response = await route.fetch();
          answered.resolve();
          await mayGo.promise;
          await route.fulfill({ response });
        }),
    });
    const { page } = chat;
    await toBeginning(chat);
    await toEnd(chat);
    await answered.promise;
    for (let n = 431; n <= 433; n++) await server.publish("default", `number ${n}.`);
    await page.locator("#newest", { hasText: "3 new messages" }).waitFor();
    mayGo.resolve();
    await chat.row("number 433.").waitFor();
    await server.publish("default", "number 434.");
    await page.locator("#newest", { hasText: "4 new messages" }).waitFor();
    const numbers = await numbersIn(chat);
    const first = numbers[0] ?? NaN;
    assert.deepEqual(
      numbers,
      Array.from({ length: 435 - first }, (_, index) => first + index),
    );
    assert.deepEqual(chat.complaints, []);
  });

  it("say why what is later cannot be loaded, and let it be tried again", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 430; n++) await server.publish("default", `number ${n}.`);
    let isAway = true;
    await using chat = await openChat(browser, server.url, {
      before: (page) =>
        page.route("**/channels/default/messages?after=*", (route) => (isAway ? route.abort() : route.continue())),
    });
    const { page } = chat;
    await toBeginning(chat);
    await toEnd(chat);
    await page.locator("#later-note", { hasText: "cannot be reached" }).waitFor();
    isAway = false;
    await page.locator("#later").click();
    await chat.row("number 430.").waitFor();
    await until("nothing is said any more", async () => (await page.locator("#later-note").textContent()) === "");
  });

  it("are opened by a link among those around them, marked, and gone through from there", async (browser) => {
    await using server = await startServer();
    const ids: string[] = [];
    for (let n = 1; n <= 300; n++) ids.push((await server.publish("default", `number ${n}.`)).id);
    await using chat = await openChat(browser, server.url, { at: `#default/${ids[149]}` });
    const { page } = chat;
    const found = page.locator(".row.found");
    await found.filter({ hasText: "number 150." }).waitFor();
    assert.equal(await chat.row("number 125.").count(), 1);
    assert.equal(await chat.row("number 176.").count(), 0);
    await server.publish("default", "number 301.");
    await page.locator("#newest", { hasText: "1 new message" }).waitFor();
    await toEnd(chat);
    await chat.row("number 225.").waitFor();
    // Another one, by its own button, and back by the address.
    await page.locator(`[id="menu:${ids[160]}"]`).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Copy link" }).click();
    const link = await page.evaluate<string>("navigator.clipboard.readText()");
    assert.equal(link, `${server.url}/chat#default/${ids[160]}`);
    await page.evaluate(`location.href = ${JSON.stringify(link)}`);
    await found.filter({ hasText: "number 161." }).waitFor();
    await page.locator("#newest").click();
    await chat.row("number 301.").waitFor();
    assert.equal(new URL(page.url()).hash, "#default");
    await page.goto(`${server.url}/chat#default/x-1`);
    await page.reload();
    await page.locator("#later-note", { hasText: "not kept here any more" }).waitFor();
    await chat.row("number 301.").waitFor();
    assert.deepEqual(
      chat.complaints.filter((text) => !/status of 4\d\d/.test(text)),
      [],
    );
  });

  it("stay within reach of the keyboard wherever it loads more of them", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 430; n++) await server.publish("default", `number ${n}.`);
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const focused = (): Promise<unknown> => page.evaluate("document.activeElement?.id");
    await page.locator("#earlier").focus();
    await until("all is loaded", async () => {
      if ((await focused()) === "earlier") await page.keyboard.press("Enter");
      return (await chat.row("number 1.").count()) === 1;
    });
    await until("the messages have the focus", async () => (await focused()) === "log");
    await page.locator("#later").focus();
    await page.keyboard.press("Enter");
    await chat.row("number 430.").waitFor();
    await until("the messages have the focus", async () => (await focused()) === "log");
  });
});

/** Scrolls up until there is no more. */
async function toBeginning(chat: ChatPage): Promise<void> {
  await until("the beginning is there", async () => {
    await chat.page.locator("#log").evaluate((log) => log.scrollTo(0, 0));
    return (await chat.row("number 1.").count()) === 1;
  });
}

async function toEnd({ page }: ChatPage): Promise<void> {
  await page.locator("#log").evaluate((log) => log.scrollTo(0, log.scrollHeight));
}

async function numbersIn({ rows }: ChatPage): Promise<number[]> {
  return (await rows.locator(".said").allInnerTexts()).map((text) => Number(/\d+/.exec(text)?.[0]));
}
