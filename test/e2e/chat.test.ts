import assert from "node:assert/strict";
import axe from "axe-core";
import { describeInBrowser } from "../support/browser.ts";
import { openChat, type ChatPage } from "../support/chat-page.ts";
import { Cli } from "../support/cli.ts";
import { startServer, type Receipt, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

describeInBrowser("the chat", { concurrency: 2 }, (it) => {
  it("lets two people, a service and an agent talk, and marks the agent", async (browser) => {
    await using server = await startServer();
    await using ada = await openChat(browser, server.url, { at: "#orders.eu", name: "Ada" });
    await using grace = await openChat(browser, server.url, { at: "?channel=orders.eu", name: "Grace" });
    await ada.say("Hello, who is here?");
    await grace.row("Hello, who is here?").waitFor();
    await grace.say("Me!\nAnd a second line");
    await ada.row("And a second line").waitFor();
    await server.publish("orders.eu", { order: 123, status: "paid" });
    await server.call("send_sse_message", { channel: "orders.eu", message: "I have booked it", sender: "Grace" });
    for (const { page, rows, complaints } of [ada, grace]) {
      await rows.nth(3).waitFor();
      assert.deepEqual(await rows.locator(".name").allInnerTexts(), ["Ada", "Grace", "anyone", "Grace"]);
      assert.deepEqual(await rows.locator(".tag.agent").allInnerTexts(), ["agent"]);
      assert.equal(await rows.nth(3).locator(".tag.agent").count(), 1);
      assert.equal(await rows.nth(1).locator(".said").innerText(), "Me!\nAnd a second line");
      assert.equal(await rows.nth(2).locator("pre").innerText(), '{\n  "order": 123,\n  "status": "paid"\n}');
      assert.equal(new URL(page.url()).hash, "#orders.eu");
      assert.equal(await page.locator("h2.day").innerText(), "Today");
      assert.deepEqual(complaints, []);
    }
    const mark = ada.rows.nth(0).locator(".kept");
    const id = ((await server.request("/channels/orders.eu/messages")).json() as { messages: Receipt[] }).messages[0]
      ?.id;
    const title = (await mark.getAttribute("title")) ?? "";
    assert.ok(title.startsWith(`Kept as ${id} at `) && title.endsWith("offered to 2 readers"), title);
    assert.equal(await grace.rows.nth(0).locator(".kept").count(), 0);
    assert.equal(await ada.outgoing.count(), 0);
  });

  it("tells who reads now, and shows nothing of how it knows", async (browser) => {
    await using server = await startServer();
    await using ada = await openChat(browser, server.url, { name: "Ada" });
    const readers = ada.page.locator("#readers");
    {
      await using grace = await openChat(browser, server.url, { name: "Grace" });
      await grace.page.locator("#readers", { hasText: "Ada, Grace" }).waitFor();
      await readers.filter({ hasText: "2 readers" }).filter({ hasText: "Ada, Grace" }).waitFor();
      await grace.page.fill("#nickname", "Hopper");
      await grace.page.press("#nickname", "Enter");
      await readers.filter({ hasText: "Ada, Hopper" }).waitFor();
      await grace.page.close({ runBeforeUnload: true });
    }
    await readers.filter({ hasNotText: "Hopper" }).waitFor();
    assert.equal(await ada.rows.count(), 0);
    assert.equal(server.hub.log.size().messages, 0);
    await ada.page.reload();
    assert.equal(await ada.page.inputValue("#nickname"), "Ada");
  });

  it("loads earlier messages, stays where it was, and holds no more than some hundreds of them", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 620; n++) await server.publish("default", `number ${n}.`);
    await using chat = await openChat(browser, server.url);
    const { page, rows } = chat;
    await chat.row("number 620.").waitFor();
    assert.equal(await rows.count(), 50);
    const log = page.locator("#log");
    assert.ok(
      await log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 2),
      "it is at the end",
    );
    for (let oldest = 571; oldest > 1; oldest = Math.max(oldest - 50, 1)) {
      await log.evaluate((element) => element.scrollTo(0, 0));
      const first = chat.row(`number ${oldest}.`).locator(".said");
      const place = (await first.boundingBox())?.y ?? NaN;
      // By scrolling there alone.
      await chat.row(`number ${Math.max(oldest - 50, 1)}.`).waitFor();
      assert.ok(Math.abs(((await first.boundingBox())?.y ?? NaN) - place) < 4, `${oldest} stays in sight`);
      assert.ok((await rows.count()) <= 400);
    }
    assert.equal(await page.locator("#note").innerText(), "The beginning of what is kept.");
    assert.equal(await page.locator("#earlier").isVisible(), false);
    const numbers = (await rows.locator(".said").allInnerTexts()).map((text) => Number(/\d+/.exec(text)?.[0]));
    assert.deepEqual(
      numbers,
      Array.from({ length: 400 }, (_, index) => index + 1),
    );

    await server.publish("default", "news");
    const newest = page.locator("#newest");
    await newest.filter({ hasText: "1 new message" }).waitFor();
    assert.equal(await chat.row("news").count(), 0);
    await newest.click();
    await chat.row("news").waitFor();
    assert.deepEqual((await rows.locator(".said").allInnerTexts()).slice(-2), ["number 620.", "news"]);
    assert.equal(await newest.isVisible(), false);
    assert.deepEqual(chat.complaints, []);
  });

  it("keeps up with a flood, and with one that is further up than the end", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url);
    await chat.page.locator("#note", { hasText: "Nothing is kept" }).waitFor();
    await Promise.all(Array.from({ length: 1000 }, (_, n) => server.publish("default", `flood ${n}.`)));
    await server.publish("default", "the end of it");
    await chat.row("the end of it").waitFor();
    assert.ok((await chat.rows.count()) <= 400);
    assert.equal(await chat.page.locator("#earlier").isVisible(), true);
    // Where nothing earlier is loaded.
    await chat.page.locator("#log").evaluate((log) => log.scrollTo(0, 1000));
    await chat.page.locator("#newest", { hasText: "To the newest" }).waitFor();
    const first = await chat.rows.first().innerText();
    await Promise.all(Array.from({ length: 500 }, (_, n) => server.publish("default", `more ${n}.`)));
    await chat.page.locator("#newest", { hasText: "500 new messages" }).waitFor();
    assert.equal(await chat.rows.first().innerText(), first);
    assert.ok((await chat.rows.count()) <= 400);
  });

  it("loses and doubles nothing when the server is killed and comes back", async (browser) => {
    using folder = new TemporaryFolder();
    const serve = (port: string): Cli =>
      new Cli(["serve"], { env: { PORT: port, DATA: `file:${folder.file()}`, LOG_LEVEL: "error" } });
    await using first = serve("0");
    const url = await first.url();
    await using ada = await openChat(browser, url, { name: "Ada" });
    await using grace = await openChat(browser, url, { name: "Grace" });
    await ada.say("one");
    await grace.row("one").waitFor();
    first.kill("SIGKILL");
    await first.exit();
    for (const { page } of [ada, grace]) await page.locator("#banner", { hasText: "cannot be reached" }).waitFor();
    await ada.say("two");
    await ada.say("three");
    await ada.outgoing.nth(1).waitFor();
    assert.match(await ada.outgoing.first().innerText(), /Waits for the server/);
    await using second = serve(new URL(url).port);
    await second.url();
    await post(url, "while you were away");
    for (const chat of [ada, grace]) {
      await chat.page.locator("#banner").waitFor({ state: "hidden" });
      for (const text of ["two", "three", "while you were away"]) await chat.row(text).waitFor();
      await until("all is shown", async () => (await chat.outgoing.count()) === 0);
      const texts = await chat.rows.locator(".said").allInnerTexts();
      assert.deepEqual(texts.toSorted(), ["one", "three", "two", "while you were away"]);
      assert.ok(texts.indexOf("two") < texts.indexOf("three"), "they stay in order");
      assert.deepEqual(chat.realComplaints, []);
    }
    assert.equal(await ada.rows.locator(".kept").count(), 3);
    for (const { page } of [ada, grace]) {
      await page.locator("#readers", { hasText: "2 readers" }).filter({ hasText: "Ada, Grace" }).waitFor();
    }
    const page = (await (await fetch(`${url}/channels/default/messages`)).json()) as { messages: unknown[] };
    assert.equal(page.messages.length, 4);
  });

  it("sends a message once, though its answer is lost and the page is loaded again", async (browser) => {
    await using server = await startServer();
    let lost = 0;
    await using chat = await openChat(browser, server.url, {
      before: (page) =>
        page.route("**/channels/default/messages*", async (route) => {
          if (route.request().method() !== "POST" || route.request().url().includes("presence"))
            return route.continue();
          lost++;
          if (lost === 1) await route.fetch();
          return lost < 3 ? route.abort() : route.continue();
        }),
    });
    await chat.say("only once");
    await chat.row("only once").waitFor();
    await until("it was tried again", () => lost >= 2);
    await chat.page.reload();
    await chat.row("only once").waitFor();
    await until("nothing is left", async () => lost >= 3 && (await chat.outgoing.count()) === 0);
    assert.equal(await chat.rows.count(), 1);
    assert.equal(server.hub.stats.published - server.hub.log.size().messages >= 0, true);
    assert.equal(server.hub.log.size().messages, 1);
  });

  it("says why a message was refused, and lets it be discarded or tried again", async (browser) => {
    await using server = await startServer({ maxMessageBytes: 20 });
    await using chat = await openChat(browser, server.url);
    await chat.say("more than twenty bytes of text");
    await chat.page.locator("#outbox", { hasText: "data has 30 bytes; at most 20 are allowed" }).waitFor();
    await chat.say("short");
    await chat.row("short").waitFor();
    await chat.page.getByRole("button", { name: "Try again" }).click();
    await chat.page.locator("#outbox", { hasText: "at most 20 are allowed" }).waitFor();
    await chat.page.getByRole("button", { name: "Discard" }).click();
    await until("it is gone", async () => (await chat.outgoing.count()) === 0);
    assert.equal(await chat.rows.count(), 1);
  });

  it("draws a line where messages are missing", async (browser) => {
    using folder = new TemporaryFolder();
    const settings = { data: `file:${folder.file()}`, retentionMessages: 5 };
    const first = await startServer(settings);
    await using chat = await openChat(browser, first.url);
    await first.publish("default", "before");
    await chat.row("before").waitFor();
    await first.close();
    {
      await using other = await startServer(settings);
      for (let n = 1; n <= 9; n++) await other.publish("default", `away ${n}`);
    }
    await using second = await startServer({ ...settings, port: first.port });
    await chat.row("away 9").waitFor();
    await second.publish("default", "after");
    await chat.row("after").waitFor();
    assert.match(await chat.page.locator("#rows .gap").innerText(), /Messages are missing here/);
    assert.deepEqual(
      await chat.page
        .locator("#rows li")
        .evaluateAll((lines) =>
          lines.map((line) => (line.className === "gap" ? "gap" : line.querySelector(".said")?.textContent)),
        ),
      ["before", "gap", "away 5", "away 6", "away 7", "away 8", "away 9", "after"],
    );
  });

  it("shows what another log has, behind a line, when the log was thrown away", async (browser) => {
    const first = await startServer();
    await using chat = await openChat(browser, first.url);
    await first.publish("default", "in the old log");
    await chat.row("in the old log").waitFor();
    await first.close();
    await using second = await startServer({ port: first.port });
    await second.publish("default", "in the new log");
    await chat.row("in the new log").waitFor();
    await second.publish("default", "live");
    await chat.row("live").waitFor();
    assert.match(await chat.page.locator("#rows .gap").innerText(), /not the one that was read before/);
    assert.deepEqual(await chat.rows.locator(".said").allInnerTexts(), ["in the old log", "in the new log", "live"]);
  });

  it("takes no harm from hostile texts: they are text, and stay in their place", async (browser) => {
    await using server = await startServer();
    const hostile = [
      `<img src=x onerror="alert(1)"><script>alert(2)</script>`,
      "\u202Egnirts desrever\u202D\u2066\u2067 and on",
      "W".repeat(65_536),
      "<b>bold</b>\n".repeat(500),
      { "<script>": "</script>", "\u202e": ["\u202e", "x".repeat(10_000)] },
      "javascript:alert(1) https://user:pass@example.com https://\u0435xample.com/ https://example.com/(a).",
      "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    ];
    const senders = ["<i>x</i>", "\u202eevil", "W".repeat(128), "", "👩‍👩‍👧‍👦", "‮‮‮", "a b"];
    for (const [index, data] of hostile.entries()) {
      const query = `?sender=${encodeURIComponent(senders[index] ?? "")}&event=${encodeURIComponent(index === 3 ? "E".repeat(64) : "message")}`;
      const { status } = await server.request(`/channels/default/messages${query}`, {
        method: "POST",
        body: JSON.stringify(data),
        headers: { "content-type": "application/json" },
      });
      assert.equal(status, 201);
    }
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 375, height: 812 },
    ]) {
      await using chat = await openChat(browser, server.url, { before: (page) => page.setViewportSize(viewport) });
      const { page, rows } = chat;
      await rows.nth(hostile.length - 1).waitFor();
      assert.equal(await page.locator("#log img, #log script, #log b, #log i").count(), 0);
      assert.equal(await rows.nth(0).locator(".said").innerText(), hostile[0]);
      const links = page.locator("#log a");
      assert.deepEqual(
        await links.evaluateAll((all) => all.map((link) => (link as unknown as { href: string }).href)),
        ["https://example.com/(a)"],
      );
      const more = rows.nth(2).locator(".more");
      assert.equal(await more.innerText(), "Show all 64 K characters");
      await more.click();
      assert.equal((await rows.nth(2).locator(".said").innerText()).length, 65_536);
      const overflow = await page.evaluate(`[...document.querySelectorAll("body, main, #log, #rows > li, .who, .said")]
        .filter((element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline" && element.className !== "name")
        .map((element) => element.id + "." + element.className)`);
      assert.deepEqual(overflow, []);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
      // The time stands behind the name, whatever the name would turn around.
      const [name, time] = [rows.nth(1).locator(".name"), rows.nth(1).locator(".who time")];
      assert.ok(((await name.boundingBox())?.x ?? NaN) < ((await time.boundingBox())?.x ?? NaN));
      assert.deepEqual(chat.complaints, []);
    }
  });

  it("counts what is unread in other channels, over closing the page, until it is read", async (browser) => {
    await using server = await startServer();
    await server.publish("ramp", "old");
    await using chat = await openChat(browser, server.url, { at: "#ramp" });
    const { page } = chat;
    await chat.row("old").waitFor();
    const count = page.locator("#mine li", { hasText: "ramp" }).locator(".count");
    await page.getByRole("link", { name: "default" }).click();
    await page.locator("#channel", { hasText: "default" }).waitFor();
    for (const n of [1, 2]) await server.publish("ramp", `new ${n}`);
    await count.filter({ hasText: /^2 unread$/ }).waitFor();
    assert.equal(await page.title(), "(2) default · Chat");
    await page.goto("about:blank");
    for (let n = 3; n <= 5; n++) await server.publish("ramp", `new ${n}`);
    await page.goto(`${server.url}/chat`);
    await page.locator("#channel", { hasText: "default" }).waitFor();
    await count.filter({ hasText: /^5 unread$/ }).waitFor();
    await page.getByRole("link", { name: /^ramp/ }).click();
    await chat.row("new 5").waitFor();
    const lines = await page.locator("#rows > li").evaluateAll((all) => all.map(({ className }) => className));
    assert.deepEqual(lines.slice(0, 3), ["row head", "new", "row head"]);
    await until("it is read", async () => (await count.count()) === 0 && (await page.title()) === "ramp · Chat");
    // A channel in which there was nothing to be read is one that was read.
    await page.fill("#name", "fresh");
    await page.press("#name", "Enter");
    await page.locator("#note", { hasText: "Nothing is kept in fresh yet." }).waitFor();
    await page.goto("about:blank");
    await server.publish("fresh", "first");
    await page.goto(`${server.url}/chat#ramp`);
    await page
      .locator("#mine li", { hasText: "fresh" })
      .locator(".count", { hasText: /^1 unread$/ })
      .waitFor();
    await Promise.all(Array.from({ length: 120 }, (_, n) => server.publish("default", n)));
    await page.locator("#mine .count", { hasText: "99+" }).waitFor();
    assert.deepEqual(chat.complaints, []);
  });

  it("makes, joins and leaves channels, and says why a name is none", async (browser) => {
    await using server = await startServer();
    await server.publish("orders.us", "there");
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const join = async (name: string): Promise<void> => {
      await page.fill("#name", name);
      await page.press("#name", "Enter");
    };
    for (const [name, sentence] of [
      ["two words", /^Not a channel: "two words"; use words joined by dots/],
      ["orders.*", /^Not a channel: "orders\.\*"/],
      ["hub.logs", /reserved for the server's own messages/],
      ["x".repeat(200), /200 characters; at most 128/],
    ] as const) {
      await join(name);
      await page.locator("#refused", { hasText: sentence }).waitFor();
      assert.equal(await page.locator("#channel").innerText(), "default");
    }
    await join("orders.eu");
    await page.locator("#channel", { hasText: "orders.eu" }).waitFor();
    assert.equal(await page.locator("#refused").innerText(), "");
    await chat.say("first here");
    await chat.row("first here").waitFor();
    await page.locator("#others a", { hasText: "orders.us" }).click();
    await chat.row("there").waitFor();
    assert.deepEqual(await page.locator("#mine .label").allInnerTexts(), ["default", "orders.eu", "orders.us"]);
    await page.goBack();
    await chat.row("first here").waitFor();
    // An address in another spelling is one step back, as any other.
    await page.evaluate("location.hash = '#%6frders.us'");
    await chat.row("there").waitFor();
    await page.goBack();
    await chat.row("first here").waitFor();
    await page.getByRole("button", { name: "Leave orders.eu" }).click();
    await page.locator("#channel", { hasText: "default" }).waitFor();
    await page.reload();
    await page.locator("#others a", { hasText: "orders.eu" }).waitFor();
    assert.deepEqual(await page.locator("#mine .label").allInnerTexts(), ["default", "orders.us"]);
    await page.goto(`${server.url}/chat#no%20channel`);
    await page.locator("#refused", { hasText: /^Not a channel: "no channel"/ }).waitFor();
    assert.equal(await page.locator("#channel").innerText(), "default");
    assert.equal(await chat.row("first here").count(), 0);
  });

  it("lets a key scroll to the top, whatever is rendered and comes on the way", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 40; n++) await server.publish("default", `line ${n}`);
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    await chat.row("line 40").waitFor();
    await page.locator("#log").focus();
    // Each of these has the page rendered.
    await page.evaluate("setInterval(() => dispatchEvent(new Event('focus')), 4)");
    // As on a busy machine, whose frames are far apart.
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: 20 });
    let sent = 0;
    const traffic = setInterval(() => {
      void server.publish("default", "more");
      // A machine that is busy itself would be given more than it can show.
      if (++sent === 100) clearInterval(traffic);
    }, 30);
    await page.keyboard.press("Home");
    await until("it is at the top", async () => (await page.locator("#log").evaluate((log) => log.scrollTop)) === 0);
    clearInterval(traffic);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: 1 });
    // And it stays with what comes after the press on the button.
    await page.locator("#newest").click();
    await server.publish("default", "the last");
    await until("the end is in sight", () =>
      page.locator("#log").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2),
    );
    await chat.row("the last").waitFor();
  });

  it("is used by keyboard alone", async (browser) => {
    await using server = await startServer();
    for (let n = 1; n <= 80; n++) await server.publish("orders.eu", `line ${n}`);
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const { keyboard } = page;
    const reach = async (what: string): Promise<void> => {
      for (let tries = 0; tries < 40; tries++) {
        await keyboard.press("Tab");
        if ((await page.evaluate(`document.activeElement?.matches(${JSON.stringify(what)})`)) === true) return;
      }
      assert.fail(`the keyboard does not reach ${what}`);
    };
    await reach("#name");
    await keyboard.type("orders.eu");
    await keyboard.press("Enter");
    await chat.row("line 80").waitFor();
    await reach("#log");
    await keyboard.press("Home");
    await page.locator("#newest").waitFor();
    // The browser takes its time to scroll for a key.
    await until("it is at the top", async () => (await page.locator("#log").evaluate((log) => log.scrollTop)) === 0);
    await chat.rows.nth(79).waitFor();
    await reach("#newest");
    await keyboard.press("Space");
    await page.locator("#newest").waitFor({ state: "hidden" });
    await reach("#text");
    await keyboard.type("by");
    await keyboard.press("Shift+Enter");
    await keyboard.type("keyboard");
    await keyboard.press("Enter");
    await chat.row("keyboard").waitFor();
    assert.equal(await chat.rows.last().locator(".said").innerText(), "by\nkeyboard");
    assert.equal(await page.evaluate("document.activeElement.id"), "text");
    await page.locator("body").press("Shift+Tab");
    await page.setViewportSize({ width: 375, height: 812 });
    await page.locator("#show-channels").focus();
    await keyboard.press("Enter");
    await page.locator("#channels").waitFor();
    await keyboard.press("Shift+Tab");
    await keyboard.press("Escape");
    await page.locator("#channels").waitFor({ state: "hidden" });
    assert.equal(await page.evaluate("document.activeElement.id"), "show-channels");
  });

  for (const colorScheme of ["light", "dark"] as const) {
    for (const [size, viewport] of Object.entries({
      desktop: { width: 1280, height: 800 },
      phone: { width: 375, height: 812 },
    })) {
      it(`has nothing that stands in anyone's way, ${colorScheme}, on a ${size}`, async (browser) => {
        await using server = await startServer({ maxMessageBytes: 4000 });
        await filled(server);
        await using chat = await openChat(browser, server.url, {
          name: "Ada",
          before: async (page) => {
            await page.setViewportSize(viewport);
            await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          },
        });
        await chat.say("short");
        await chat.say("x".repeat(5000));
        await chat.page.locator("#outbox .failed").waitFor();
        await server.publish("other", "unread");
        await serious(chat);
        if (size === "phone") {
          await chat.page.locator("#show-channels").click();
          await chat.page.fill("#name", "no channel");
          await chat.page.press("#name", "Enter");
          await chat.page.locator("#refused", { hasText: "Not a channel" }).waitFor();
          await serious(chat);
        }
      });
    }
  }
});

/** Something of everything that the page can show. */
async function filled(server: TestServer): Promise<void> {
  for (let n = 1; n <= 60; n++) await server.publish("default", `line ${n}`);
  await server.publish("other", { an: ["object", 1, null] });
  await server.publish("default", { an: ["object", 1, null] });
  await server.publish("default", "see https://example.com/");
  await server.publish("default", "long ".repeat(600));
  await server.call("send_sse_message", { message: "from an agent", sender: "bot", event: "report" });
}

/** What axe finds of serious things: none. */
async function serious({ page, complaints }: ChatPage): Promise<void> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate(
    "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => id + ': ' + nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join('; ')))",
  )) as string[];
  assert.deepEqual(found, []);
  // The refusals that the test asked for are told in the console by the browser itself.
  assert.deepEqual(
    complaints.filter((text) => !/status of 4\d\d/.test(text)),
    [],
  );
}

async function post(url: string, text: string): Promise<void> {
  const headers = { "content-type": "text/plain" };
  const { status } = await fetch(`${url}/channels/default/messages`, { method: "POST", body: text, headers });
  assert.equal(status, 201);
}
