import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { openChat } from "../support/chat-page.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const CHANNELS = 60;

async function fill(server: TestServer): Promise<void> {
  for (let n = 1; n <= CHANNELS; n++) await server.publish(`project-${n}`, n);
}

/** What has the focus, as a selector would name it. */
function focused(page: Page): Promise<string> {
  return page.evaluate(`(() => {
    const { id, tagName } = document.activeElement;
    return id === "" ? tagName.toLowerCase() : "#" + id;
  })()`);
}

/** What has the focus after each Tab, from where it is now to the element that is named. */
async function tabsTo(page: Page, end: string, most: number): Promise<string[]> {
  const stops: string[] = [];
  while (stops.at(-1) !== end) {
    assert.ok(stops.length < most, `${end} is not reached within ${most} Tabs: ${stops.join(" ")}`);
    await page.keyboard.press("Tab");
    stops.push(await focused(page));
  }
  return stops;
}

describeInBrowser("the pages by keyboard", { concurrency: 2 }, (it) => {
  it("begin, in the chat, where a message is written, unless there is no keyboard at hand", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url);
    await until("it has the focus", async () => (await focused(chat.page)) === "#text");
    await chat.page.keyboard.type("at once");
    await chat.page.keyboard.press("Enter");
    await chat.row("at once").waitFor();
    const phone = await browser.newContext({ hasTouch: true, isMobile: true, viewport: { width: 375, height: 700 } });
    const page = await phone.newPage();
    await page.goto(`${server.url}/chat`);
    await page.locator("#rows", { hasText: "at once" }).waitFor();
    assert.equal(await focused(page), "body");
    // The first stop leads past all others.
    assert.deepEqual(await tabsTo(page, "#skip", 1), ["#skip"]);
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "#text");
    assert.equal(new URL(page.url()).hash, "#default");
    await phone.close();
  });

  it("have one stop for all channels of the chat, in which arrows move", async (browser) => {
    await using server = await startServer();
    await fill(server);
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const { keyboard } = page;
    await page
      .locator("#others li")
      .nth(CHANNELS - 1)
      .waitFor();
    await until("it has the focus", async () => (await focused(page)) === "#text");
    // Once around, past the edge of the document.
    const stops = await tabsTo(page, "#text", 30);
    assert.deepEqual(
      stops.filter((stop) => stop.startsWith("#to:")),
      ["#to:default"],
      stops.join(" "),
    );
    assert.ok(stops.includes("#skip"), stops.join(" "));
    await page.focus("#name");
    await keyboard.press("Tab");
    await keyboard.press("Tab");
    assert.equal(await focused(page), "#to:default");
    for (const [key, channel] of [
      ["ArrowDown", "project-1"],
      ["ArrowDown", "project-2"],
      ["End", `project-${CHANNELS}`],
      ["ArrowDown", `project-${CHANNELS}`],
      ["Home", "default"],
      ["ArrowDown", "project-1"],
    ] as const) {
      await keyboard.press(key);
      assert.equal(await focused(page), `#to:${channel}`);
      assert.equal(await page.locator("#channels li > a[tabindex='0']").count(), 1);
    }
    await keyboard.press("Enter");
    await page.locator("#channel", { hasText: "project-1" }).waitFor();
    await until("a message can be written", async () => (await focused(page)) === "#text");
    assert.deepEqual(chat.complaints, []);
  });

  it("have keys to write, to find a channel, and to go from one to the next", async (browser) => {
    await using server = await startServer();
    await fill(server);
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const { keyboard } = page;
    const isOpen = (name: string) => page.locator("#channel", { hasText: new RegExp(`^${name}$`) }).waitFor();
    for (const name of ["project-2", "project-11"]) {
      await keyboard.press("Control+k");
      assert.equal(await focused(page), "#name");
      await keyboard.type(name);
      await keyboard.press("Enter");
      await isOpen(name);
      assert.equal(await focused(page), "#text");
    }
    assert.deepEqual(await page.locator("#mine .label").allInnerTexts(), ["default", "project-2", "project-11"]);
    for (const [key, name] of [
      ["Alt+ArrowUp", "project-2"],
      ["Alt+ArrowUp", "default"],
      ["Alt+ArrowUp", "project-11"],
      ["Alt+ArrowDown", "default"],
    ] as const) {
      await keyboard.press(key);
      await isOpen(name);
    }
    await page.focus("#log");
    await keyboard.press("/");
    await until("words can be written", async () => (await focused(page)) === "#words");
    await keyboard.type("a/b");
    assert.equal(await page.inputValue("#words"), "a/b");
    await keyboard.press("Escape");
    assert.equal(await focused(page), "#text");
    await page.focus("#log");
    await keyboard.press("Escape");
    assert.equal(await focused(page), "#text");
    await keyboard.press("Meta+k");
    await keyboard.type("project-1");
    const shown = [...(await page.locator("#channels .label").allInnerTexts())];
    assert.deepEqual([shown[0], shown.includes("default"), shown.includes("project-2")], ["project-11", false, false]);
    await keyboard.press("Escape");
    assert.equal(await focused(page), "#text");
    assert.equal(await page.inputValue("#name"), "");
    assert.equal(await page.locator("#mine li").count(), 3);
    await page.setViewportSize({ width: 375, height: 700 });
    await keyboard.press("Control+k");
    assert.equal(await focused(page), "#name");
    assert.deepEqual(chat.complaints, []);
  });

  it("have few stops on the dashboard before its log, and a way past the first of them", async (browser) => {
    await using server = await startServer();
    await fill(server);
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/dashboard`);
    await page.locator("#channel-rows tr").nth(49).waitFor();
    const stops = await tabsTo(page, "#logs", 25);
    assert.equal(stops[0], "a");
    assert.ok(stops.includes("#tail"));
    const first = page.locator("#channel-rows a").first();
    assert.equal(await page.locator("#channel-rows a[tabindex='0']").count(), 1);
    await first.focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    const third = await page.locator("#channel-rows a").nth(2).innerText();
    await page.keyboard.press("Enter");
    await page.locator("h1:focus", { hasText: third }).waitFor();
    await page.goBack();
    await page.locator("#channel-rows tr").first().waitFor();
    await page.reload();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until("the messages have it", async () => (await focused(page)) === "#tail");
    assert.deepEqual(complaints, []);
  });
});
