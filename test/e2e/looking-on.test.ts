import assert from "node:assert/strict";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { openChat } from "../support/chat-page.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const TIME = /^\d\d:\d\d:\d\d$/;

describeInBrowser("pages that are looked at", { concurrency: 2 }, (it) => {
  it("[NAME-21] tell of presence in the chat, and nobody else sees or counts any of it", async (browser) => {
    await using server = await startServer();
    using bare = await server.events();
    using everything = await server.events("?channel=*");
    for (let visit = 0; visit < 2; visit++) {
      await using ada = await openChat(browser, server.url, { name: "Ada" });
      await using grace = await openChat(browser, server.url, { name: "Grace" });
      await ada.page.locator("#readers", { hasText: "Ada, Grace" }).waitFor();
      await grace.page.locator("#readers", { hasText: "4 readers" }).waitFor();
    }
    assert.equal(await server.metric("sse_mcp_messages_published_total"), 0);
    assert.equal(await server.metric("sse_mcp_messages_delivered_total"), 0);
    assert.deepEqual([server.hub.log.size().channels, server.hub.log.size().messages], [0, 0]);
    await server.publish("default", "the first of all");
    for (const reader of [bare, everything]) {
      const { event, data } = await reader.next();
      assert.deepEqual([event, data], ["message", "the first of all"]);
    }
  });

  it("[SSE-40] make no channel look read on the dashboard, however many of them are open", async (browser) => {
    await using server = await startServer();
    await server.publish("deploys", "before");
    const pages = [];
    for (let opened = 0; opened < 2; opened++) {
      const { page } = await watchedPage(browser, server.url);
      await page.goto(`${server.url}/dashboard`);
      await page.locator("#state[data-state=on]").waitFor();
      pages.push(page);
    }
    assert.equal((await server.publish("deploys", "seen")).receivers, 0);
    for (const page of pages) {
      await page.locator("#tail", { hasText: "seen" }).waitFor();
      const row = page.locator("#channel-rows tr", { hasText: "deploys" });
      await until("it is listed", async () => (await row.locator("td").nth(2).innerText()) === "2");
      assert.equal(await row.locator("td").first().innerText(), "0");
      await page.locator("#reader-total", { hasText: /^0$/ }).waitFor();
    }
  });

  it("say on the dashboard what is no pattern, when a value was so, and what Pause does next", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/dashboard`);
    await page.locator("#state[data-state=on]").waitFor();
    await server.publish("orders.eu", "kept in sight");
    await page.locator("#tail", { hasText: "kept in sight" }).waitFor();
    for (const [pattern, sentence] of [
      ["bench-*", "* stands alone or after a last dot"],
      ["o*", "* stands alone or after a last dot"],
      ["a.*.b", "* stands alone or after a last dot"],
      ["no channel", "use orders.eu, orders.* or *"],
    ] as const) {
      await page.fill("#tail-channel", pattern);
      await page.locator("#tail-count.bad", { hasText: sentence }).waitFor();
      assert.equal(await page.getAttribute("#tail-channel", "aria-invalid"), "true");
    }
    await page.fill("#tail-channel", "orders.*");
    await page.locator("#tail-count", { hasText: /^1 of the last 1$/ }).waitFor();
    assert.equal(await page.getAttribute("#tail-channel", "aria-invalid"), "false");

    for (const list of ["#tail", "#logs"]) {
      await page.click(`${list}-pause`);
      assert.equal(await page.innerText(`${list}-pause`), "Resume");
      await page.click(`${list}-pause`);
      assert.equal(await page.innerText(`${list}-pause`), "Pause");
    }

    const plot = page.locator("[data-plot=memory] .plot");
    const value = page.locator("[data-plot=memory] dd").first();
    const time = plot.locator(".at");
    assert.equal(await time.innerText(), "");
    await value.filter({ hasText: "MiB" }).waitFor();
    const { width = 0 } = (await plot.boundingBox()) ?? {};
    await plot.hover({ position: { x: width - 6, y: 50 } });
    await time.filter({ hasText: TIME }).waitFor();
    assert.match(await value.innerText(), /^\d+ MiB$/);
    const under = page.locator("[data-plot=cpu] .plot .at");
    assert.match(await under.innerText(), TIME, "all plots tell of the same moment");
    await plot.hover({ position: { x: 80, y: 50 } });
    await value.filter({ hasText: /^–$/ }).waitFor();
    assert.match(await time.innerText(), TIME);
    assert.deepEqual(complaints, []);
  });

  it("list the newest last on the start page, in sight, and remember the tabs that were chosen", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 30; n++) await server.publish("default", `line ${n}.`);
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    const items = page.locator("#messages li");
    await items.last().filter({ hasText: "line 30." }).waitFor();
    await server.publish("default", "line 31.");
    await items.last().filter({ hasText: "line 31." }).waitFor();
    const lines = (await items.allInnerTexts()).map((text) => Number(/line (\d+)/.exec(text)?.[1]));
    assert.deepEqual(
      lines,
      Array.from({ length: 20 }, (_, index) => index + 12),
    );
    const fromEnd =
      "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(messages)";
    assert.ok(Number(await page.evaluate(fromEnd)) < 2);
    await page.evaluate("messages.scrollTop = 0");
    await server.publish("default", "line 32.");
    await items.last().filter({ hasText: "line 32." }).waitFor();
    assert.ok(Number(await page.evaluate(fromEnd)) > 100, "who reads further up stays there");

    await page.click("#with-python-tab");
    await page.click("#cursor-tab");
    await page.reload();
    await page.locator("#with-python-panel").waitFor();
    await page.locator("#cursor-panel").waitFor();
    assert.equal(await page.locator("[role=tabpanel]:visible").count(), 2);
    assert.equal(await page.getAttribute("#cursor-tab", "aria-selected"), "true");
    assert.deepEqual(complaints, []);
  });

  it("promise nothing before their scripts are there, and lose nothing that was typed meanwhile", async (browser) => {
    await using server = await startServer();
    const context = await browser.newContext();
    const page = await context.newPage();
    const { promise: there, resolve: bring } = Promise.withResolvers<void>();
    await page.route("**/assets/scripts/**", async (route) => {
      await there;
      await route.continue();
    });
    for (const [path, button] of [
      ["/", "#say button"],
      ["/dashboard", "#send button"],
      ["/chat", "#composer button"],
    ] as const) {
      await page.goto(`${server.url}${path}`, { waitUntil: "commit" });
      await page.locator(button).waitFor();
      assert.equal(await page.isDisabled(button), true, path);
    }
    assert.equal(await page.isDisabled("#join button"), true);
    assert.equal(await page.innerText("#channel"), "Chat");
    assert.equal(await page.evaluate("getComputedStyle(channel, '::before').content"), "none");
    await page.fill("#text", "typed early");
    bring();
    await page.locator("#channel", { hasText: "default" }).waitFor();
    assert.equal(await page.inputValue("#text"), "typed early");
    await page.press("#text", "Enter");
    await page.locator("#rows .row", { hasText: "typed early" }).waitFor();
    await context.close();
  });

  it("say in the chat which name would do, and sort names as people do", async (browser) => {
    await using server = await startServer();
    for (const channel of ["project-11", "project-2", "UPPER", "zoo"]) await server.publish(channel, 1);
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const others = page.locator("#others .label");
    await until("all are listed", async () => (await others.count()) === 4);
    assert.deepEqual(await others.allInnerTexts(), ["project-2", "project-11", "UPPER", "zoo"]);
    assert.equal(await page.locator("#others .size").first().innerText(), "1 kept");
    for (const [name, better] of [
      ["#general", "general"],
      ["support team", "support-team"],
      ["général", "general"],
      ["دعم", "support-team"],
    ] as const) {
      await page.fill("#name", name);
      await page.press("#name", "Enter");
      await page.locator("#refused", { hasText: `letters A–Z, digits, - and _, such as ${better}` }).waitFor();
    }
    assert.deepEqual(chat.complaints, []);
  });
});
