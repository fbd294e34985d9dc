import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { delayFrames, describeInBrowser } from "../support/browser.ts";
import { openChat, type ChatPage } from "../support/chat-page.ts";
import { openSdkClient, type SdkClient } from "../support/mcp-clients.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const CHANNEL = "talk";
/** Messages that each of the four who speak sends. */
const LINES = 40;
const TOTAL = 4 * LINES;

interface Said {
  readonly sender: string;
  readonly data: string | { readonly text: string };
}

interface Heard {
  readonly id: string;
  readonly data: string;
  readonly sender: string;
}

describeInBrowser("a conversation", {}, (it) => {
  it("of two agents, a page and a service is the same for all: in one order, none twice, none missing", async (browser) => {
    await using server = await startServer();
    await using modern = await openSdkClient("v2 in auto mode", server.url);
    await using legacy = await openSdkClient("v1", server.url);
    const page = await browser.newPage();
    await page.goto(`${server.url}/`);
    await page.evaluate(JOIN);
    // Everybody is there before the first word, and what follows is missed by nobody.
    const start = server.hub.cursor();
    await page.evaluate("speak()");

    let served = 0;
    let said: Promise<unknown> = Promise.resolve();
    /** The service speaks while an agent is not waiting, one line after the other. */
    const interrupt = (): Promise<unknown> => {
      if (served === LINES) return said;
      const line = `service ${served++}`;
      return (said = said.then(() => server.publish(CHANNEL, line)));
    };
    const [first, second] = await Promise.all([
      agent(modern, "modern", start, interrupt),
      agent(legacy, "legacy", start, interrupt),
    ]);
    await until("the page has heard all", async () => (await heardBy(page)).length >= TOTAL);
    const third = await heardBy(page);

    assert.equal(first.length, TOTAL);
    assert.deepEqual(second, first);
    assert.deepEqual(third, first);
    assert.equal(new Set(first.map(({ id }) => id)).size, TOTAL);
    for (const sender of ["modern", "legacy", "page", "anyone"]) {
      const name = sender === "anyone" ? "service" : sender;
      assert.deepEqual(
        first.filter((line) => line.sender === sender).map(({ data }) => data),
        Array.from({ length: LINES }, (_, index) => `${name} ${index}`),
      );
    }
  });

  it("has threads, edits, deletions and reactions, which all who read see, and which need no pointer", async (browser) => {
    await using server = await startServer();
    await using ana = await openChat(browser, server.url, { name: "Ana" });
    await using kim = await openChat(browser, server.url, { name: "Kim" });
    await ana.say("Deploy on Friday?");
    await ana.say("Lunch?");
    await kim.row("Lunch?").waitFor();
    const first = (chat: ChatPage) => chat.row("Deploy on").first();

    await act(kim, "Deploy on Friday?", "Reply");
    await kim.page.locator(".subject", { hasText: "Replying to Ana: Deploy on Friday?" }).waitFor();
    await kim.page.keyboard.type("On Monday");
    await kim.page.keyboard.press("Enter");
    await kim.page.locator(".thread li", { hasText: "On Monday" }).waitFor();
    // Whoever looks at the end learns of it, and gets there.
    await ana.page.locator(".pointer", { hasText: "Kim replied to Deploy on Friday?" }).getByRole("button").click();
    await ana.page.locator(".thread li", { hasText: "On Monday" }).waitFor();
    assert.equal(await ana.page.locator("#rows > .row").count(), 2);

    await act(kim, "Lunch?", "👍");
    const reaction = ana.row("Lunch?").locator(".reaction");
    await reaction.filter({ hasText: "👍 1" }).hover();
    await reaction.locator(".who-reacted", { hasText: "Kim" }).waitFor();
    await reaction.click();
    await kim.row("Lunch?").locator(".reaction", { hasText: "👍 2: Kim, Ana" }).waitFor();
    await reaction.and(ana.page.locator("[aria-pressed=true]")).click();
    await kim.row("Lunch?").locator(".reaction", { hasText: "👍 1: Kim" }).waitFor();

    await ana.page.focus("#text");
    await ana.page.keyboard.press("ArrowUp");
    await ana.page.locator(".subject", { hasText: "Editing" }).waitFor();
    await ana.page.keyboard.press("Escape");
    await ana.page.locator(".subject").waitFor({ state: "detached" });
    assert.equal(await ana.page.inputValue("#text"), "");
    await act(ana, "Deploy on Friday?", "Edit");
    await ana.page.locator(".subject", { hasText: "Editing" }).waitFor();
    await ana.page.fill("#text", "Deploy on Thursday?");
    await ana.page.press("#text", "Enter");
    await first(kim).filter({ hasText: "Deploy on Thursday?" }).locator(".edited").first().waitFor();
    // No one else changes it, whatever they publish.
    const target = (await kim.rows.first().getAttribute("id"))?.replace("message:", "");
    const forge = (event: string, data: object) =>
      server.request(`/channels/default/messages?event=${event}&sender=Mallory`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ target, ...data }),
      });
    await forge("edit", { text: "Deploy now!" });
    await forge("delete", {});
    await kim.rows.filter({ hasText: "Mallory" }).nth(1).waitFor();
    assert.equal(await first(kim).locator("> div > .said").innerText(), "Deploy on Thursday?");
    await kim.page.locator(`[id="menu:${target}"]`).focus();
    await kim.page.keyboard.press("Enter");
    assert.equal(await kim.page.locator("#message-menu").getByRole("button", { name: "Edit" }).count(), 0);
    await kim.page.keyboard.press("Escape");

    await act(ana, "Lunch?", "Delete");
    await ana.page.keyboard.press("Enter");
    await kim.page.locator("#rows > .row", { hasText: "deleted by Ana" }).waitFor();
    assert.equal(await kim.row("Lunch?").count(), 0);
    await kim.page.reload();
    await kim.page.locator("#rows > .row", { hasText: "deleted by Ana" }).waitFor();
    await kim.page.getByRole("button", { name: /^1 reply/ }).waitFor();
    assert.deepEqual([...ana.complaints, ...kim.complaints], []);
  });

  it("shows at once what a person does, however late the next frame is", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, { before: (page) => delayFrames(page, 500), name: "Ana" });
    const { page } = chat;
    await chat.say("Deploy on Friday?");
    await chat.row("Friday").locator(".kept").waitFor();
    await act(chat, "Friday", "Edit");
    await page.keyboard.press("Control+a");
    await page.keyboard.type("Deploy on Monday?");
    await page.keyboard.press("Enter");
    await page.fill("#name", "ops");
    await page.press("#name", "Enter");
    await page.keyboard.type("Who is there?");
    await page.keyboard.press("Enter");
    await page.fill("#nickname", "Kim");
    await page.press("#nickname", "Tab");
    await chat.say("I am");
    await chat.row("I am").locator(".kept").waitFor();
    const said = async (channel: string): Promise<readonly string[]> => {
      const { messages } = (await server.request(`/channels/${channel}/messages`)).json() as { messages: Said[] };
      return messages.map(({ sender, data }) => `${sender}: ${typeof data === "string" ? data : data.text}`);
    };
    assert.deepEqual(await said("default"), ["Ana: Deploy on Friday?", "Ana: Deploy on Monday?"]);
    assert.deepEqual(await said("ops"), ["Ana: Who is there?", "Kim: I am"]);
    assert.deepEqual(chat.complaints, []);
  });

  it("calls people by name, counts that apart, and shows who is writing", async (browser) => {
    await using server = await startServer();
    await using ana = await openChat(browser, server.url, { at: "#team.ops", name: "Ana María" });
    await using kim = await openChat(browser, server.url, { at: "#team.ops", name: "Kim" });
    await kim.page.locator("#readers", { hasText: "Ana María" }).waitFor();
    await kim.page.locator("#text").pressSequentially("Look, @mar");
    await kim.page.locator("#offered [aria-selected=true]", { hasText: "@Ana María" }).waitFor();
    await kim.page.keyboard.press("Enter");
    assert.equal(await kim.page.inputValue("#text"), "Look, @Ana María ");
    await ana.page.locator("#channels a", { hasText: "default" }).click();
    await ana.page.locator("#channel", { hasText: "default" }).waitFor();
    await kim.page.keyboard.press("Enter");
    await kim.row("Look").locator(".mention", { hasText: "@Ana" }).waitFor();
    await kim.say("and @anastasia");
    const entry = ana.page.locator("#mine li", { hasText: "team.ops" });
    await entry.filter({ hasText: "@1 mention you" }).filter({ hasText: "2 unread" }).waitFor();
    await entry.locator("a").click();
    await ana
      .row("Look")
      .locator(".mention.me", { hasText: /^@Ana María$/ })
      .waitFor();
    await until("it is read", async () => (await entry.locator(".mentions").count()) === 0);

    const doing = ana.page.locator("#doing");
    await kim.page.locator("#text").pressSequentially("He");
    await doing.filter({ hasText: "Kim is typing…" }).waitFor();
    await kim.page.fill("#text", "");
    await doing.filter({ hasNotText: "Kim" }).waitFor();
    const thinking = JSON.stringify({ state: "thinking" });
    const path = "/channels/hub.presence.team.ops/messages?event=typing&ephemeral=true&sender=bot";
    await server.request(path, { method: "POST", headers: { "content-type": "application/json" }, body: thinking });
    await doing.filter({ hasText: "bot is thinking…" }).waitFor();
    await server.call("send_sse_message", { channel: "team.ops", message: "done", sender: "bot" });
    await doing.filter({ hasNotText: "bot" }).waitFor();
    assert.deepEqual([...ana.complaints, ...kim.complaints], []);
  });

  it("has its channels in groups that fold, with favourites first, and hides what is not wanted", async (browser) => {
    await using server = await startServer();
    for (const name of ["team.apac.project-11", "team.apac.project-2", "solo"]) await server.publish(name, "x");
    await using chat = await openChat(browser, server.url, { at: "#team.apac.project-2" });
    const { page } = chat;
    const labels = (list: string) => page.locator(`${list} .label`).allInnerTexts();
    await page.locator("#channels a", { hasText: "project-11" }).click();
    await until("they are a group", async () => (await page.locator("#mine .group").count()) === 1);
    assert.deepEqual(await labels("#mine"), ["default", "team.apac.project-2", "team.apac.project-11"]);
    await page.locator("#channels a", { hasText: "default" }).click();
    await page.locator("#mine .group", { hasText: "team.apac" }).click();
    await until("they are folded", async () => (await labels("#mine")).join() === "default");
    await server.publish("team.apac.project-2", "news");
    await page.locator("#mine .group .count", { hasText: "1" }).waitFor();
    await page.reload();
    await page.locator("#mine .group[aria-expanded=false]").focus();
    await page.keyboard.press("Enter");
    await page.locator("#channels a", { hasText: "project-2" }).click();
    await page.locator("#channel", { hasText: "project-2" }).waitFor();
    await page.locator("#favourite").click();
    await until("it is first", async () => (await labels("#favourites")).join() === "team.apac.project-2");
    await page.locator("#channels a", { hasText: "solo" }).click();
    await page.locator("#channel", { hasText: "solo" }).waitFor();
    await page.locator("#archive").click();
    await page.locator("#channel", { hasText: "team.apac.project-2" }).waitFor();
    await page.reload();
    await page.locator("#favourites a").waitFor();
    assert.equal(await page.locator("#channels a", { hasText: "solo" }).count(), 0);
    await page.fill("#name", "solo");
    await page.locator("#others a", { hasText: "solo" }).waitFor();
    assert.deepEqual(chat.complaints, []);
  });

  it("is searched, in a channel and everywhere, by keyboard, and leads to what was found", async (browser) => {
    await using server = await startServer();
    await server.publish("orders.eu", "The refund for order 17 is **late**");
    for (let n = 1; n <= 60; n++) await server.publish("default", n === 5 ? "a refund here, too" : `line ${n}`);
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    await page.focus("#log");
    await page.keyboard.press("/");
    await page.locator("#words").waitFor();
    await page.keyboard.type("refund");
    await page.keyboard.press("Enter");
    const results = page.locator("#search li");
    await page.locator("#found", { hasText: "1 found" }).waitFor();
    await page.selectOption("#where", "all");
    await page.locator("#found", { hasText: "2 found" }).waitFor();
    assert.deepEqual(await results.locator(".excerpt").allInnerTexts(), [
      "a refund here, too",
      "The refund for order 17 is **late**",
    ]);
    await page.focus("#words");
    for (
      let tabs = 0;
      !(await results
        .first()
        .locator("a")
        .evaluate((link) => link.matches(":focus")));
      tabs++
    ) {
      assert.ok(tabs < 6, "no Tab reaches the first");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.locator(".row.found", { hasText: "a refund here, too" }).waitFor();
    await results.nth(1).locator("a").click();
    await page.locator("#channel", { hasText: "orders.eu" }).waitFor();
    await page.locator(".row.found", { hasText: "late" }).waitFor();
    await page.fill("#words", "nowhere");
    await page.press("#words", "Enter");
    await page.locator("#found", { hasText: "Nothing found" }).waitFor();
    await page.press("#words", "Escape");
    await page.locator("#search").waitFor({ state: "hidden" });
    assert.deepEqual(chat.complaints, []);
  });

  it("has titles in any script for channels, whose addresses stay ASCII", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, { name: "Ana" });
    await using kim = await openChat(browser, server.url, { name: "Kim" });
    const { page } = chat;
    await page.fill("#name", "فريق الدعم");
    await page.press("#name", "Enter");
    await page.locator("#refused", { hasText: "Not a channel" }).waitFor();
    await page.locator("#open-titled").click();
    await page.locator("#channel bdi", { hasText: "فريق الدعم" }).waitFor();
    const { hash } = new URL(page.url());
    assert.match(hash, /^#channel-[0-9a-z]+$/);
    await page.locator("#mine a", { hasText: "فريق الدعم" }).waitFor();
    // Who types the same gets there.
    await kim.page.fill("#name", "فريق الدعم");
    await kim.page.press("#name", "Enter");
    await kim.page.locator("#open-titled").click();
    await kim.page.locator(".pointer", { hasText: "Ana calls this channel فريق الدعم" }).first().waitFor();
    assert.equal(new URL(kim.page.url()).hash, hash);
    await kim.page.locator("#rename").click();
    await kim.page.keyboard.press("Control+a");
    await kim.page.keyboard.type("Support");
    await kim.page.keyboard.press("Enter");
    await page.locator("#channel bdi", { hasText: "Support" }).waitFor();
    await page.locator("#mine a", { hasText: "Support" }).waitFor();
    assert.deepEqual([...chat.complaints, ...kim.complaints], []);
  });

  it("shows pictures and files, which are chosen, and never what a message says is elsewhere", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    await page.setInputFiles("#file", [
      { name: "pixel.png", mimeType: "image/png", buffer: Buffer.from(pixel, "base64") },
      { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("some notes") },
    ]);
    await page.locator("#attachments", { hasText: "10 bytes" }).waitFor();
    await chat.say("what I see");
    const row = chat.row("what I see");
    const picture = row.locator("img");
    await until("it is there", () =>
      picture.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth === 1),
    );
    assert.equal(await picture.getAttribute("alt"), "pixel.png");
    const link = row.getByRole("link", { name: "notes.txt 10 bytes" });
    const href = await link.evaluate((anchor) => (anchor as unknown as { href: string }).href);
    assert.equal(await (await fetch(href)).text(), "some notes");
    assert.equal(await page.locator("#attachments li").count(), 0);
    const elsewhere = {
      id: "x".repeat(32),
      url: `https://evil.example/files/${"x".repeat(32)}`,
      name: "x",
      type: "text/plain",
      size: 1,
    };
    await server.publish("default", { text: "forged", files: [elsewhere] });
    const forged = chat.row("forged").getByRole("link");
    assert.equal(await forged.getAttribute("href"), `files/${elsewhere.id}`);
    await server.publish("default", { text: "another shape", files: [{ ...elsewhere, id: "../channels" }] });
    await server.publish("default", { text: "another address", files: [{ ...elsewhere, url: "/say: obey" }] });
    for (const text of ["another shape", "another address"]) await chat.row(text).locator("pre.data").waitFor();
    assert.deepEqual(chat.complaints, []);
  });

  it("shows what an agent does with tools: a card each, joined with its result, and one line for many", async (browser) => {
    await using server = await startServer();
    const say = (event: string, message: object, sender = "bot") =>
      server.call("send_sse_message", { event, message, sender });
    await say("tool_call", { callId: "1", name: "run_tests", arguments: { suite: "all" }, model: "x-1" });
    await using chat = await openChat(browser, server.url);
    const cards = chat.page.locator(".call");
    await cards.filter({ hasText: "no result yet" }).waitFor();
    await say("tool_result", { callId: "1", result: "forged" }, "mallory");
    await say("tool_result", { callId: "1", result: '{"passed":412}', durationMs: 93_400 });
    await cards.filter({ hasText: "run_tests" }).filter({ hasText: "1 min 33 s" }).locator("summary").click();
    assert.deepEqual(await cards.first().locator("pre").allInnerTexts(), [
      '{\n  "suite": "all"\n}',
      '{\n  "passed": 412\n}',
      '{\n  "model": "x-1"\n}',
    ]);
    assert.equal(await cards.count(), 2);
    for (const callId of ["2", "3", "4"]) await say("tool_call", { callId, name: `step_${callId}`, arguments: {} });
    await say("tool_result", { callId: "3", result: "no", isError: true });
    const run = chat.page.locator(".run > summary", { hasText: "3 tool calls: step_2, step_3, step_4" });
    await run.filter({ hasText: "1 failed · 2 without a result yet" }).click();
    await cards.filter({ hasText: "step_3" }).filter({ hasText: "failed" }).waitFor();
    // What has another shape is a message as any other.
    await say("tool_result", { callId: "5", result: "", durationMs: "text that no one would see" });
    await chat.row("text that no one would see").locator(".tag", { hasText: "tool_result" }).waitFor();
    await say("tool_call", { tool: "no name" });
    await chat.row("no name").locator(".tag", { hasText: "tool_call" }).waitFor();
    assert.deepEqual(chat.complaints, []);
  });
});

/** Does something with a message, by keyboard. */
async function act(chat: ChatPage, text: string, what: string): Promise<void> {
  const { page } = chat;
  const id = (await chat.row(text).first().getAttribute("id"))?.replace("message:", "");
  await page.locator(`[id="menu:${id}"]`).focus();
  await page.keyboard.press("Enter");
  const button = page.locator("#message-menu").getByRole("button", { name: what, exact: true });
  for (let moves = 0; !(await button.evaluate((element) => element.matches(":focus"))); moves++) {
    assert.ok(moves < 20, `no key reaches ${what}`);
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("Enter");
}

/** Waits and answers, again and again, until it has heard everything. */
async function agent(
  client: SdkClient,
  name: string,
  start: string,
  interrupt: () => Promise<unknown>,
): Promise<readonly Heard[]> {
  const heard: Heard[] = [];
  let next = start;
  let said = 0;
  while (heard.length < TOTAL) {
    if (said < LINES) {
      await client.call("send_sse_message", { channel: CHANNEL, message: `${name} ${said++}`, sender: name });
    }
    await interrupt();
    const input = { channels: [CHANNEL], after: next, timeoutSeconds: 10 };
    const { structuredContent } = await client.call("wait_for_messages", input);
    const page = structuredContent as unknown as { messages: readonly Heard[]; next: string; gap: unknown };
    assert.equal(page.gap, null);
    assert.notEqual(page.messages.length, 0, `${name} has heard ${heard.length} of ${TOTAL}`);
    heard.push(...page.messages.map(({ id, data, sender }) => ({ id, data, sender })));
    ({ next } = page);
  }
  return heard;
}

function heardBy(page: Page): Promise<readonly Heard[]> {
  return page.evaluate<readonly Heard[]>("heard");
}

/** A page that listens, and says its next line whenever it has heard one. */
const JOIN = `
  var heard = [];
  var said = 0;
  function speak() {
    if (said === ${LINES}) return;
    const body = JSON.stringify("page " + said++);
    return fetch("/channels/${CHANNEL}/messages?sender=page", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
  }
  new Promise((resolve) => {
    const source = new EventSource("/events?channel=${CHANNEL}&format=json");
    source.onopen = resolve;
    source.onmessage = ({ data, lastEventId }) => {
      const { data: text, sender } = JSON.parse(data);
      heard.push({ id: lastEventId, data: text, sender });
      if (sender === "page") speak();
    };
  });
`;
