import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Question } from "../../src/protocol/question.ts";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { openChat } from "../support/chat-page.ts";
import { KeyRing } from "../support/keys.ts";
import { seriousIssues } from "../support/page-checks.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);

async function questions(server: TestServer): Promise<readonly Question[]> {
  return ((await server.request("/questions")).json() as { questions: readonly Question[] }).questions;
}

describeInBrowser("a first visit", { concurrency: 2 }, (it) => {
  it("finds an invitation on an empty channel, whose line can be copied and ends it", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, { at: "#builds" });
    const { page } = chat;
    await page.locator(".invitation h2", { hasText: "Begin on builds" }).waitFor();
    await page.click("#say-name");
    assert.equal(await page.evaluate("document.activeElement.id"), "nickname");
    await page.keyboard.type("Kim");
    await page.keyboard.press("Tab");
    await until("it is said", async () => (await page.locator("#say-name").count()) === 0);
    assert.deepEqual(await page.locator(".invitation pre code").allInnerTexts(), [
      `claude mcp add --transport http hub ${server.url}/mcp`,
      `curl ${server.url}/channels/builds/messages -d "Hello"`,
    ]);
    await page.click("[data-copy=first-curl]");
    await page.locator("[data-copy=first-curl]", { hasText: "Copied" }).waitFor();
    const line = await page.evaluate<string>("navigator.clipboard.readText()");
    await run("sh", ["-c", line]);
    await chat.row("Hello").waitFor();
    assert.equal(await page.locator(".invitation").count(), 0);
    await page.reload();
    await chat.row("Hello").waitFor();
    assert.equal(await page.locator(".invitation").count(), 0);
    await page.goto(`${server.url}/`);
    await page.locator(".invitation a", { hasText: "other clients" }).click();
    await page.locator("#connect").waitFor();
    assert.deepEqual(chat.complaints, []);
  });

  it("asks a real question on request, whose card and answer are kept", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, { at: "#ops", name: "Kim" });
    const { page } = chat;
    await page.click("#ask-yourself");
    await page.locator("#rows .question", { hasText: "Did this question reach you?" }).waitFor();
    assert.equal(await page.locator(".invitation").count(), 0);
    await page.locator("#rows .question .answers button:enabled", { hasText: "Yes" }).click();
    await page.locator("#rows .question .outcome", { hasText: "Yes Kim" }).waitFor();
    const [question] = await questions(server);
    assert.deepEqual(
      [question?.channel, question?.asker, question?.answered?.value, question?.answered?.by],
      ["ops", "Kim", true, "Kim"],
    );

    // On the start page, too: it leads to where the card is.
    await page.goto(`${server.url}/`);
    await page.click("#ask-yourself");
    await page.waitForURL(`${server.url}/chat#default`);
    await page.locator("#rows .question").waitFor();
    await page.goto(`${server.url}/`);
    await page.locator("#messages li", { hasText: "Did this question reach you?" }).waitFor();
    assert.equal(await page.locator(".invitation").count(), 0);
    assert.deepEqual(chat.complaints, []);
  });

  it("shows a demo by keyboard, marked as one, that sends nothing and leaves nothing", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    const sent: string[] = [];
    await page.clock.install();
    await page.goto(`${server.url}/`);
    await page.locator("#state[data-state=on]").waitFor();
    page.on("request", (request) => {
      if (request.resourceType() !== "script") sent.push(`${request.method()} ${request.url()}`);
    });
    const demo = page.locator(".demo");
    await page.focus("#show-me");
    await page.keyboard.press("Enter");
    await demo.locator(".demo-note", { hasText: "nothing is sent, and nothing is kept" }).waitFor();
    assert.equal(await page.evaluate("document.activeElement.className"), "demo");
    assert.equal(await demo.locator("li").count(), 1);
    for (let step = 0; step < 3; step++) await page.clock.runFor(3000);
    await demo.locator(".answers button", { hasText: "Deploy" }).waitFor();
    assert.deepEqual(await seriousIssues(page, ".invitation"), []);
    await demo.locator(".answers button", { hasText: "Not now" }).focus();
    await page.keyboard.press("Enter");
    await page.clock.runFor(1200);
    await demo.locator("li", { hasText: "I do not deploy it" }).waitFor();

    // Whoever only looks on sees it answered.
    await page.getByRole("button", { name: "Show it again" }).press("Enter");
    for (let step = 0; step < 3; step++) await page.clock.runFor(3000);
    await demo.locator(".question").waitFor();
    await page.clock.runFor(7000);
    await demo.locator(".outcome", { hasText: "Ana, of the demo" }).waitFor();
    await page.clock.runFor(1200);
    await demo.locator("li", { hasText: "2.14.0 is in production" }).waitFor();
    await page.locator(".demo-close").press("Enter");
    assert.equal(await demo.count(), 0);
    assert.equal(await page.evaluate("document.activeElement.id"), "show-me");
    assert.deepEqual([sent, server.hub.log.size().messages, (await questions(server)).length], [[], 0, 0]);
    assert.deepEqual(complaints, []);
  });

  it("moves nothing in the demo for whoever wants that, on a phone, where it begins at its beginning", async (browser) => {
    await using server = await startServer();
    const context = await browser.newContext({
      viewport: { width: 390, height: 844 },
      colorScheme: "dark",
      reducedMotion: "reduce",
      hasTouch: true,
      isMobile: true,
    });
    const page = await context.newPage();
    await page.goto(`${server.url}/chat#builds`);
    const heading = page.locator(".invitation h2");
    await heading.waitFor();
    await until("it is in sight", async () => {
      const top = (await heading.boundingBox())?.y ?? -1;
      const below = (await page.locator("main header").boundingBox())?.y ?? Infinity;
      return top > below;
    });
    await page.locator("#show-me").tap();
    await page.locator(".demo .answers button", { hasText: "Deploy" }).waitFor();
    assert.equal(await page.evaluate("document.getAnimations().length"), 0);
    await page.locator(".demo .answers button", { hasText: "Deploy" }).tap();
    await page.locator(".demo li", { hasText: "2.14.0 is in production" }).waitFor();
    const wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assert.equal(await page.evaluate(wide), false);
    await context.close();
  });

  it("invites someone who may only read to what they may do", async (browser) => {
    using keys = new KeyRing();
    const ann = keys.add("Ann", { subscribe: ["team.*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    const { page } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/login?next=${encodeURIComponent("/chat#team.a")}`);
    await page.fill("#token", ann);
    await page.locator("#login button:enabled").click();
    await page.locator(".invitation h2", { hasText: "Begin on team.a" }).waitFor();
    assert.deepEqual([await page.locator("#ask-yourself").count(), await page.locator("#first-curl").count()], [0, 0]);
    await page.locator("#show-me").waitFor();
  });
});
