import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import { describeInBrowser } from "../../support/browser.ts";
import { openChat } from "../../support/chat-page.ts";
import { differingPixels } from "../../support/chat-pixels.ts";
import { startServer, type TestServer } from "../../support/server.ts";

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const MARKS = "\u030d".repeat(200);

describeInBrowser("how the chat looks", { concurrency: 2 }, (it) => {
  for (const viewport of [DESKTOP, PHONE]) {
    it(`has the mark of what is kept beside the message, below its day, at ${viewport.width} pixels`, async (browser) => {
      await using server = await startServer();
      await using chat = await openChat(browser, server.url, { before: (page) => page.setViewportSize(viewport) });
      await chat.say("the first one");
      const row = chat.row("the first one");
      await row.locator(".kept").waitFor();
      const mark = await box(row.locator(".kept"));
      const [day, who] = [await box(row.locator(".day")), await box(row.locator(".who"))];
      assert.ok(mark.top >= day.bottom, "the mark is below the day");
      assert.ok(mark.top < who.bottom && mark.bottom > who.top, "the mark is beside the name");
      await chat.say("the second one");
      const second = chat.row("the second one");
      const [kept, said] = [await box(second.locator(".kept")), await box(second.locator(".said"))];
      assert.ok(kept.top < said.bottom && kept.bottom > said.top, "the mark is beside the text");
    });
  }

  it("lets no message paint over others, and cuts off nothing that people write", async (browser) => {
    await using server = await startServer();
    for (const n of [1, 2, 3]) await say(server, `above ${n}`, `line ${n}`);
    await say(server, `Z${MARKS.slice(0, 100)}algo`, `Text o ${MARKS}`);
    for (const n of [1, 2, 3]) await say(server, `below ${n}`, `line ${n}`);
    const written = ["ÅÉÎÕÜ Ặ Ỗ qpgjy,;", "الْعَرَبِيَّةُ", "g̈ x̣̌ ẛ̣", "{}[]|()", "\u{1f469}\u200d\u{1f4bb} 你好"];
    for (const text of written) await say(server, text, text);
    await using chat = await openChat(browser, server.url, { before: (page) => page.setViewportSize(DESKTOP) });
    const { page, rows } = chat;
    await rows.nth(11).waitFor();
    await page.locator("#log").evaluate((log) => log.scrollTo(0, 0));
    const loud = chat.row("algo");
    const others = [1, 2, 4, 5].map((index) => rows.nth(index));
    const withMarks = await pictures(others);
    await loud.evaluate((row) => (row.style.visibility = "hidden"));
    for (const [index, picture] of (await pictures(others)).entries()) {
      assert.equal(await differingPixels(browser, picture, withMarks[index] as Buffer), 0, `neighbour ${index}`);
    }
    const last = written.map((_, index) => rows.nth(7 + index).locator(".said"));
    const log = page.locator("#log");
    await log.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await page.locator("#newest").waitFor({ state: "hidden" });
    const clipped = await log.screenshot();
    for (const said of last) await said.evaluate((element) => (element.style.overflow = "visible"));
    const whole = await log.screenshot();
    assert.equal(await differingPixels(browser, clipped, whole), 0, "nothing that people write is cut off");
  });

  it("offers to notify of mentions below the field for a message, and takes no width from it", async (browser) => {
    await using server = await startServer();
    // Chromium without a head has denied notifications, and is asked about none.
    const before = async (page: Page): Promise<void> => {
      await page.setViewportSize(DESKTOP);
      await page.addInitScript(`Object.defineProperty(Notification, "permission", { value: "default" })`);
    };
    await using chat = await openChat(browser, server.url, { before });
    const { page } = chat;
    await page.fill("#nickname", "Ana");
    await page.focus("#text");
    const width = async (): Promise<number> => (await page.locator("#text").boundingBox())?.width ?? 0;
    const wide = await width();
    await say(server, "Bob", "are you there, @ana?");
    const offer = page.locator("#composer .notify");
    await offer.waitFor();
    assert.equal(await width(), wide);
    const [field, below] = [await box(page.locator("#text")), await box(offer)];
    assert.ok(below.top >= field.bottom, "the offer is below the field");
  });

  it("has lines on a phone as close as elsewhere, and names what has only a sign there", async (browser) => {
    await using server = await startServer();
    await say(server, "Ana", "the first");
    await say(server, "Bob", "the newest");
    const context = await browser.newContext({ hasTouch: true, isMobile: true, viewport: PHONE });
    const page = await context.newPage();
    await page.goto(`${server.url}/chat`);
    const [first, newest] = ["the first", "the newest"].map((text) => page.locator("#rows .row", { hasText: text }));
    await (newest as Locator).locator(".acts").waitFor();
    const gaps: number[] = [];
    for (const row of [first as Locator, newest as Locator]) {
      const [who, said] = [await box(row.locator(".who")), await box(row.locator(".said"))];
      gaps.push(Math.round(said.top - who.bottom));
    }
    assert.equal(gaps[1], gaps[0], "the button of the newest message moves no line");
    await page.getByRole("button", { name: "Search", exact: true }).waitFor();
    await context.close();
  });

  it("has an empty field for a message one line high, whatever the channel is called", async (browser) => {
    await using server = await startServer();
    await using short = await openChat(browser, server.url, { before: (page) => page.setViewportSize(PHONE) });
    const long = `#${"long-words.".repeat(11)}end`;
    await using chat = await openChat(browser, server.url, { at: long, before: (page) => page.setViewportSize(PHONE) });
    const heights = await Promise.all([short, chat].map(async ({ page }) => box(page.locator("#text"))));
    const [one, other] = heights.map(({ top, bottom }) => bottom - top);
    assert.equal(other, one);
    await chat.page.fill("#text", "two\nlines");
    const field = await box(chat.page.locator("#text"));
    assert.ok(field.bottom - field.top > (one ?? NaN) + 10, "it grows with its text");
  });

  it("has a word for a text in which there is nothing to be seen", async (browser) => {
    await using server = await startServer();
    const blank = ["", " ", "\n\n\n\n\n", "\u200b\u202e\u00ad"];
    for (const text of blank) await server.publish("default", text);
    await server.publish("default", "words");
    await using chat = await openChat(browser, server.url);
    await chat.row("words").waitFor();
    assert.deepEqual(await chat.rows.locator(".said").allInnerTexts(), [...blank.map(() => "(empty)"), "words"]);
    const { top, bottom } = await box(chat.rows.nth(2).locator(".said"));
    assert.ok(bottom - top < 30, "it is one line high");
  });

  it("turns no name around, and shows what would", async (browser) => {
    await using server = await startServer();
    await say(server, "\u202elive", "hello");
    await say(server, "دانا", "salaam");
    await using chat = await openChat(browser, server.url, { name: "\u202eevil\u2066" });
    const { page } = chat;
    await chat.say("mine");
    await chat.row("mine").waitFor();
    assert.deepEqual(await chat.rows.locator(".name").allInnerTexts(), ["\ufffdlive", "دانا", "evil"]);
    assert.equal(await page.inputValue("#nickname"), "evil");
    assert.equal(await page.getAttribute("#nickname", "dir"), "auto");
    await page.locator("#readers", { hasText: "evil" }).waitFor();
  });
});

async function say(server: TestServer, sender: string, text: string): Promise<void> {
  const { status } = await server.request(`/channels/default/messages?sender=${encodeURIComponent(sender)}`, {
    method: "POST",
    body: JSON.stringify(text),
    headers: { "content-type": "application/json" },
  });
  assert.equal(status, 201);
}

async function box(locator: Locator): Promise<{ readonly top: number; readonly bottom: number }> {
  const { y = NaN, height = NaN } = (await locator.boundingBox()) ?? {};
  return { top: y, bottom: y + height };
}

async function pictures(rows: readonly Locator[]): Promise<Buffer[]> {
  const taken: Buffer[] = [];
  for (const row of rows) taken.push(await row.screenshot());
  return taken;
}
