import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { EVERYTHING, LOGS_CHANNEL } from "../../src/protocol/channel.ts";
import type { ServerInfo } from "../../src/protocol/server-info.ts";
import type { RecentActivity } from "../../src/protocol/server-info.ts";
import { describeInBrowser, watchedPage, type WatchedPage } from "../support/browser.ts";
import { countScripts, seriousIssues, setHidden } from "../support/page-checks.ts";
import { HubRig } from "../support/hub-rig.ts";
import { draftOf } from "../support/sample.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { deliver, githubHook, HooksFile } from "../support/hooks.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const SCRIPT_BYTES = 66_000;
/** Milliseconds. */
const LONGEST_TASK = 200;

/** Opens the dashboard; resolves when it is live. */
async function openDashboard(browser: Browser, server: TestServer): Promise<WatchedPage> {
  const watched = await watchedPage(browser, server.url);
  await watched.page.goto(`${server.url}/dashboard`);
  await watched.page.locator("#state[data-state=on]").waitFor();
  return watched;
}

/** The texts of the rows in view. */
function rows(page: Page, box: "tail" | "logs"): Promise<string[]> {
  return page.locator(`#${box} .row:visible`).allInnerTexts();
}

/** What an element says, once it says what is wanted. */
async function says(page: Page, selector: string, wanted: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: wanted }).waitFor();
}

/** Publishes a line as the server does when it logs one. */
async function log(server: TestServer, level: string, msg: string): Promise<void> {
  const data = { level, msg, time: new Date().toISOString() };
  await server.hub.publish({ ...draftOf("logs", data), channel: LOGS_CHANNEL, event: "log", ephemeral: true });
}

describeInBrowser("the dashboard", { concurrency: 3 }, (it) => {
  it("lists the nodes if there are several, and says which one it shows", async (browser, test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using server = await startServer({ data: engine.url });
    const other = await startServer({ data: engine.url });
    await using _ = other;
    using reader = await other.events("?channel=a");
    await until("they know each other", async () => (await server.metric("sse_mcp_hub_nodes")) === 2);
    const { page, complaints } = await openDashboard(browser, server);
    const listed = page.locator("#node-rows tr");
    await listed
      .filter({ hasText: `:${server.port}` })
      .filter({ hasText: "this one" })
      .waitFor();
    await until("the other's reader is shown", async () => {
      const text = await listed.filter({ hasText: `:${other.port}` }).innerText();
      return /\t1\t/.test(text);
    });
    assert.deepEqual(await seriousIssues(page, "[aria-labelledby=nodes-title]"), []);
    reader.close();
    await other.close();
    await until("one node is no list", async () => (await listed.count()) === 0);
    assert.deepEqual(complaints, []);
  });

  it("shows the last webhooks with what became of them, and those of one hook", async (browser) => {
    using file = new HooksFile(githubHook(), githubHook({ name: "other" }));
    await using server = await startServer({ hooksFile: file.path });
    await deliver(server, 1, { event: "push" });
    const { page, complaints } = await openDashboard(browser, server);
    const listed = page.locator("#hook-rows tr");
    await listed.filter({ hasText: "accepted (200)" }).filter({ hasText: "push" }).waitFor();
    await deliver(server, 1, { hook: "other", secret: "wrong" });
    await listed
      .filter({ hasText: "refused (401)" })
      .filter({ hasText: "its signature does not match the secret" })
      .waitFor();
    assert.equal(await listed.count(), 2);
    await deliver(server, 2, { event: "pull_request_review_thread" });
    await listed.filter({ hasText: "pull_request_review_thread" }).waitFor();
    for (const width of [1200, 1280, 375]) {
      await page.setViewportSize({ width, height: 800 });
      const cut = `[...document.querySelectorAll("#hook-rows td:not(.why)")].filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)`;
      assert.deepEqual(await page.evaluate(cut), [], `${width}`);
    }
    await page.locator("#hooks-name").selectOption("github");
    assert.equal(await listed.count(), 2);
    assert.deepEqual(await seriousIssues(page, "[aria-labelledby=hooks-title]"), []);
    assert.deepEqual(complaints, []);
  });

  it("lists what is scheduled, and cancels it", async (browser) => {
    await using server = await startServer();
    const later = (channel: string, days: number): Promise<unknown> =>
      server.request(`/channels/${channel}/messages?delaySeconds=${days * 86_400}`, { method: "POST", body: "x" });
    await later("orders.late", 2);
    await later("orders.soon", 1);
    const { page, complaints } = await openDashboard(browser, server);
    const listed = page.locator("#scheduled-rows tr");
    await until("both are shown", async () => (await listed.count()) === 2);
    assert.match(await listed.first().innerText(), /^orders\.soon\t/);
    assert.deepEqual(await seriousIssues(page, "[aria-labelledby=scheduled-title]"), []);
    await listed.first().getByRole("button").click();
    await until("it is gone", async () => (await listed.count()) === 1);
    assert.match(await listed.innerText(), /^orders\.late\t/);
    const answer = await server.request("/scheduled");
    assert.equal((answer.json() as { scheduled: unknown[] }).scheduled.length, 1);
    assert.deepEqual(complaints, []);
  });

  it("shows how each bridge does, with what comes in and its last error", async (browser, test) => {
    if (!needsEngine(test)) return;
    await using bus = await startEngine();
    const connection = bus.url;
    await bus.cli("XADD", "orders", "*", "data", "1");
    await using server = await startServer({
      bridges: [
        { name: "shop", kind: "redis", connection, in: [{ stream: "orders", channel: "orders", from: "earliest" }] },
        { name: "away", kind: "redis", connection: "redis://127.0.0.1:1", out: [{ channels: ["b"], stream: "b" }] },
      ],
    });
    const { page, complaints } = await openDashboard(browser, server);
    const row = (name: string) => page.locator("#bridge-rows tr").filter({ hasText: name });
    await row("shop").filter({ hasText: "Running" }).waitFor();
    await row("away").filter({ hasText: "Connecting" }).waitFor();
    await until("its error is shown", async () => /\d:\d\d.*connect/i.test(await row("away").innerText()));
    await until("a rate is shown", async () => {
      await bus.cli("XADD", "orders", "*", "data", "1");
      return Number((await row("shop").innerText()).split("\t")[2]) > 0;
    });
    await says(page, "#bridges-count", /^2; 1 of them not running$/);
    assert.deepEqual(await seriousIssues(page, "[aria-labelledby=bridges-title]"), []);
    assert.deepEqual(complaints, []);
  });

  it("shows the numbers of get_server_info, live", async (browser) => {
    await using server = await startServer();
    using reader = await server.events("?channel=*");
    using frames = await server.frames();
    await frames.next();
    const { page, complaints } = await openDashboard(browser, server);
    for (let message = 0; message < 12; message++) await server.publish(`orders.${message % 3}`, message);
    await reader.data(12);
    const shown = async (): Promise<unknown> => {
      const texts = (id: string): Promise<string> => page.locator(`#${id}`).innerText();
      const ids = ["version", "published", "delivered", "kept", "channel-total", "reader-total", "most-readers"];
      return Promise.all([...ids, "sse", "websocket", "mcp", "waiting"].map(texts));
    };
    const told = async (): Promise<unknown> => {
      const info = (await server.call("get_server_info")).structuredContent as unknown as ServerInfo;
      const { version, messages, connections, channels, limits } = info;
      const { sse, websocket, mcp, waiting, total } = connections;
      const { published, delivered, kept } = messages;
      const numbers = [published, delivered, kept, channels, total, limits.connections, sse, websocket, mcp, waiting];
      return [version, ...numbers.map((number) => number.toLocaleString("en-US"))];
    };
    await until("both say the same", async () => {
      const [page1, info] = [await shown(), await told()];
      return JSON.stringify(page1) === JSON.stringify(info) && (info as string[])[1] === "12";
    });
    assert.equal(await page.locator("#sse").innerText(), "1", "the page itself is not counted");
    await until("every plot is drawn", async () => {
      const drawn = `[...document.querySelectorAll(".plot canvas")].filter((canvas) => canvas
        .getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)).length`;
      return (await page.evaluate(drawn)) === 6;
    });
    assert.match((await page.locator("[data-plot=memory] .plot").getAttribute("aria-label")) ?? "", /process \d+ MiB/);
    assert.deepEqual(complaints, []);
  });

  it("lists channels with readers and rates, and opens one of them when it is pressed", async (browser) => {
    await using server = await startServer();
    using reader = await server.events("?channel=orders.eu");
    await server.publish("orders.eu", "before the page");
    const { page, complaints } = await openDashboard(browser, server);
    const row = page.locator("#channel-rows tr", { hasText: "orders.eu" });
    // The dashboard reads it, too, and is not counted.
    const cells = (): Promise<string[]> => row.locator("th, td").allInnerTexts();
    await until("it is listed", async () => (await cells()).join() === "orders.eu,1,0,1");
    await server.publish("orders.eu", "one");
    await server.publish("orders.us", "two");
    await until("its rate is there", async () => Number((await row.locator("td").nth(1).innerText()).trim()) > 0);
    await says(page, "#tail", /two/);
    await row.locator("a").press("Enter");
    assert.equal(new URL(page.url()).hash, "#channel/orders.eu");
    await until("only its messages are shown", async () => (await rows(page, "tail")).length === 2);
    assert.match((await rows(page, "tail"))[0] ?? "", /anyone\s+before the page$/);
    assert.match((await rows(page, "tail"))[1] ?? "", /anyone\s+one$/);
    assert.equal(reader.status, 200);
    assert.deepEqual(complaints, []);
  });

  it("has a page for a channel: its readers, rate and messages, and a purge that Enter does not confirm", async (browser) => {
    await using server = await startServer();
    using reader = await server.events("?channel=orders.*", { headers: { "user-agent": "order-service/2.1" } });
    for (let number = 1; number <= 3; number++) await server.publish("orders.eu", `kept ${number}`);
    await server.publish("orders.us", "another");
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/dashboard#channel/orders.eu`);
    await says(page, "#channel-readers", /^1$/);
    await says(page, "#channel-kept", /^3$/);
    await says(page, "#connection-rows tr", /order-service\/2\.1\s*SSE\s*127\.0\.0\.1\s*orders\.\*/);
    await until("its messages are shown", async () => (await rows(page, "tail")).length === 3);
    await until("they are in the plot", async () => {
      const drawn = `document.querySelector("[data-plot=channel] canvas")?.getContext("2d")
        .getImageData(0, 0, 2000, 200).data.some((value) => value > 0)`;
      return (await page.evaluate(drawn)) === true;
    });
    await page.fill("#send-data", "from the page");
    await page.press("#send-data", "Control+Enter");
    await says(page, "#sent.good", /offered to 1 reader/);
    await says(page, "#tail", /from the page/);
    assert.deepEqual(await seriousIssues(page), []);
    await page.getByRole("button", { name: "Purge …" }).click();
    const confirm = page.getByRole("button", { name: "Purge", exact: true });
    assert.equal(await confirm.isDisabled(), true);
    const field = page.getByLabel("Type orders.eu");
    await field.fill("orders.eu");
    await field.press("Enter");
    assert.equal((await server.request("/channels/orders.eu/messages")).text.includes("kept 1"), true);
    await confirm.click();
    await says(page, "#purged", /^Removed 4 messages\.$/);
    await says(page, "#channel-kept", /^0$/);
    await until("none is left in sight", async () => (await rows(page, "tail")).length === 0);
    await server.publish("orders.eu", "after that");
    await says(page, "#tail", /after that/);
    await page.getByRole("link", { name: "Dashboard" }).last().click();
    await page.locator("#channel-rows tr", { hasText: "orders.us" }).waitFor();
    assert.equal(reader.status, 200);
    assert.deepEqual(complaints, []);
  });

  it("lists connections in any order and by words, and ends one", async (browser) => {
    await using server = await startServer();
    const readers: { readonly [Symbol.dispose]: () => void; readonly ended: Promise<void> }[] = [];
    for (const name of ["alpha/1", "beta/2", "gamma/3"]) {
      const headers = { "user-agent": name };
      readers.push(await server.events(`?channel=${name.slice(0, -2)}`, { headers }));
    }
    const { page, complaints } = await openDashboard(browser, server);
    const names = (): Promise<string[]> => page.locator("#connection-rows th").allInnerTexts();
    await until("all are listed, and the page is not", async () => (await names()).length === 3);
    await says(page, "#connections-count", /^3; 1 not listed: it only watches$/);
    const head = page.getByRole("columnheader", { name: "Who" });
    await head.getByRole("button").press("Enter");
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    assert.deepEqual(await names(), ["alpha/1", "beta/2", "gamma/3"]);
    await head.getByRole("button").press("Enter");
    assert.equal(await head.getAttribute("aria-sort"), "descending");
    assert.deepEqual(await names(), ["gamma/3", "beta/2", "alpha/1"]);
    await page.fill("#connections-text", "BETA");
    await until("one is left", async () => (await names()).join() === "beta/2");
    await page.locator("#connection-rows a").press("Enter");
    await page.locator("h1:focus", { hasText: "beta/2" }).waitFor();
    await says(page, "#connection-taken", /^\d+ B$/);
    assert.deepEqual(await seriousIssues(page), []);
    await page.getByRole("button", { name: "Disconnect …" }).click();
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Cancel");
    await page.getByRole("button", { name: "Disconnect", exact: true }).click();
    await says(page, "#place-state", /^It was ended\./);
    await readers[1]?.ended;
    await page.goto(`${server.url}/dashboard#connection/other-1`);
    await says(page, "#place-state", /^It is not open any more/);
    assert.deepEqual(
      complaints.filter((text) => !text.includes("404")),
      [],
    );
    for (const reader of readers) reader[Symbol.dispose]();
  });

  it("lists the questions that wait for an answer, with a way to it", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await openDashboard(browser, server);
    const body = JSON.stringify({ text: "Deploy <b>now</b>?\u202e" });
    const headers = { "content-type": "application/json" };
    const asked = await server.request("/questions?channel=ops", { method: "POST", headers, body });
    assert.equal(asked.status, 201, asked.text);
    await page.reload();
    const row = page.locator("#question-rows tr");
    await row.filter({ hasText: "Deploy <b>now</b>?\\u202e" }).filter({ hasText: "ops" }).waitFor();
    assert.match((await row.getByRole("link", { name: /^Answer/ }).getAttribute("href")) ?? "", /^chat#ops$/);
    assert.deepEqual(await seriousIssues(page, "[aria-labelledby=questions-title]"), []);
    assert.deepEqual(complaints, []);
  });

  it("shows the server's log by level and words, holds it back, and goes on", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await openDashboard(browser, server);
    await log(server, "debug", "two readers came");
    await log(server, "warn", "one reader was cut");
    await log(server, "error", "<b>the disk</b> is full");
    await says(page, "#logs", /<b>the disk<\/b> is full/);
    assert.equal((await rows(page, "logs")).length, 3);
    await page.selectOption("#logs-level", "warn");
    await until("two are left", async () => (await rows(page, "logs")).length === 2);
    await page.fill("#logs-text", "DISK");
    await until("one is left", async () => (await rows(page, "logs")).length === 1);
    await page.fill("#logs-text", "");
    await page.selectOption("#logs-level", "trace");
    await page.click("#logs-pause");
    assert.equal(await page.innerText("#logs-pause"), "Resume");
    await log(server, "info", "while it was paused");
    await says(page, "#logs-count", /3 of 4 lines, paused/);
    assert.equal((await rows(page, "logs")).length, 3);
    await page.click("#logs-pause");
    await says(page, "#logs", /while it was paused/);
    assert.equal((await rows(page, "logs")).length, 4);
    assert.deepEqual(complaints, []);
  });

  it("shows messages of all channels as text, filters them, and shows all of one that is chosen by key", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await openDashboard(browser, server);
    const hostile = `<img src=x onerror="alert(1)"><script>alert(2)</script>\u202e"'&`;
    await server.publish("a", hostile);
    await server.publish("b.c", { order: 17, state: "paid" });
    await server.publish("b.d", "w".repeat(60_000));
    await says(page, "#tail", /wwwww/);
    assert.equal(await page.locator("#tail img, #tail script").count(), 0);
    assert.ok((await rows(page, "tail")).some((text) => text.endsWith(hostile)));
    await page.fill("#tail-channel", "b.*");
    await until("two are left", async () => (await rows(page, "tail")).length === 2);
    await page.fill("#tail-text", "PAID");
    await until("one is left", async () => (await rows(page, "tail")).length === 1);
    await page.focus("#tail");
    await page.keyboard.press("ArrowUp");
    await says(page, "#tail-detail", /"order": 17,\n\s+"state": "paid"/);
    const active = await page.getAttribute("#tail", "aria-activedescendant");
    assert.equal(await page.locator(`#${active}`).getAttribute("aria-selected"), "true");
    await page.keyboard.press("Escape");
    await page.locator("#tail-detail").waitFor({ state: "hidden" });
    await page.fill("#tail-channel", "");
    await page.fill("#tail-text", "wwww");
    await until("the long one is left", async () => (await rows(page, "tail")).length === 1);
    const wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assert.equal(await page.evaluate(wide), false);
    assert.deepEqual(complaints, []);
  });

  it("stays where somebody scrolled, and goes back to the newest when asked", async (browser) => {
    await using server = await startServer();
    const { page } = await openDashboard(browser, server);
    for (let message = 0; message < 60; message++) await server.publish("a", `message ${message}.`);
    await says(page, "#tail", /message 59\./);
    await page.evaluate(`document.getElementById("tail").scrollTop = 0`);
    await says(page, "#tail", /message 0\./);
    await server.publish("a", "message 60.");
    await says(page, "#tail-count", /^61 messages/);
    assert.ok((await rows(page, "tail")).some((text) => text.endsWith("message 0.")));
    await page.click("#tail-newest");
    await says(page, "#tail", /message 60\./);
    await page.locator("#tail-newest").waitFor({ state: "hidden" });
    assert.ok((await page.locator("#tail .row").count()) < 40);
  });

  it("stays where somebody scrolled while what came first goes, and with the row that was chosen", async (browser) => {
    await using server = await startServer();
    const { page } = await openDashboard(browser, server);
    let sent = 0;
    const flood = async (count: number): Promise<void> => {
      const first = sent;
      sent += count;
      for (let n = first; n < sent; n += 50) {
        await Promise.all(Array.from({ length: 50 }, (_, more) => server.hub.publish(draftOf("a", `m${n + more}.`))));
      }
      await says(page, "#tail-count", new RegExp(`^${sent.toLocaleString("en-US")} messages`));
    };
    await flood(5600);
    await says(page, "#tail", /m5599\./);
    await page.hover("#tail");
    await page.mouse.wheel(0, -300);
    await page.locator("#tail-newest").waitFor();
    const [seen = ""] = /m\d+/.exec((await rows(page, "tail")).at(-1) ?? "") ?? [];
    await flood(600);
    assert.ok(
      (await rows(page, "tail")).some((text) => text.includes(`${seen}.`)),
      seen,
    );
    await page.click("#tail-newest");
    await says(page, "#tail", new RegExp(`m${sent - 1}\\.`));
    await page.locator("#tail .row:visible").last().click();
    const chosen = (await page.locator("#tail-detail").innerText()).split("\n").at(-1) ?? "";
    await flood(1300);
    assert.ok(
      (await rows(page, "tail")).some((text) => text.endsWith(chosen)),
      chosen,
    );
  });

  it("says that it sends for as long as that takes, and sends once however often it is asked", async (browser) => {
    await using rig = await HubRig.open();
    const { page } = await watchedPage(browser, rig.front.url);
    await page.goto(`${rig.front.url}/dashboard`);
    await page.locator("#state[data-state=on]").waitFor();
    await rig.control.stop();
    await page.locator("#state[data-state=off]").waitFor();
    for (let press = 0; press < 3; press++) await page.press("#send-data", "Control+Enter");
    await says(page, "#sent", /^Sending …$/);
    assert.equal(await page.getAttribute("#send button", "aria-disabled"), "true");
    await rig.control.start();
    await says(page, "#sent.good", /^Kept as/);
    assert.equal(await page.getAttribute("#send button", "aria-disabled"), null);
    const { messages } = await rig.server.hub.history({ channels: [EVERYTHING], limit: 10 });
    assert.equal(messages.length, 1);
  });

  it("sends a test message, and says why one was refused", async (browser) => {
    await using server = await startServer();
    const { page } = await openDashboard(browser, server);
    using reader = await server.events("?channel=orders.eu&format=json");
    await page.fill("#send-channel", "orders.eu");
    await page.fill("#send-event", "order");
    await page.fill("#send-data", '{"n":1}');
    await page.check("#send-json");
    await page.press("#send-data", "Control+Enter");
    const { data, event, sender } = JSON.parse((await reader.next()).data) as Record<string, unknown>;
    assert.deepEqual([data, event, sender], [{ n: 1 }, "order", "dashboard"]);
    await says(page, "#sent.good", /^Kept as \w+-1, offered to 1 reader\.$/);
    await page.fill("#send-data", "{");
    await page.press("#send-data", "Control+Enter");
    await says(page, "#sent.bad", /^This is not JSON/);
    await page.uncheck("#send-json");
    await page.fill("#send-channel", "no channel!");
    await page.press("#send-data", "Control+Enter");
    await says(page, "#sent.bad", /^Not sent: Not a channel: "no channel!"/);
  });

  it("reads nothing while nobody sees it, and comes back with what is so then", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.clock.install();
    await page.goto(`${server.url}/dashboard`);
    await page.locator("#state[data-state=on]").waitFor();
    assert.equal(server.hub.size, 1);
    await setHidden(page, true);
    await until("it is gone", () => server.hub.size === 0);
    let asked = 0;
    page.on("request", () => asked++);
    await server.publish("a", "unseen");
    await page.clock.runFor(60_000);
    assert.deepEqual([asked, server.hub.size], [0, 0]);
    await setHidden(page, false);
    await says(page, "#published", /^1$/);
    await says(page, "#tail", /unseen/);
    await server.publish("a", "then");
    await says(page, "#tail", /then/);
    assert.deepEqual(
      (await rows(page, "tail")).map((row) => /unseen|then/.exec(row)?.[0]),
      ["unseen", "then"],
    );
    assert.equal(server.hub.size, 1);
    assert.deepEqual(complaints, []);
  });

  it("begins with what the server remembers: figures, log lines and messages, each once", async (browser) => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ logLevel: "debug", logFile: folder.file("hub.log") });
    using reader = await server.events();
    const recent = async (): Promise<RecentActivity> => (await server.request("/recent")).json() as RecentActivity;
    await server.publish("a", "kept before");
    await until("it is logged that a reader came", async () => (await recent()).logs.length > 0);
    await until("there are figures", async () => (await recent()).stats.length >= 2);
    const { page, complaints } = await openDashboard(browser, server);
    for (let visit = 0; visit < 2; visit++) {
      await says(page, "#tail", /kept before/);
      await says(page, "#logs", /reader came/);
      await page.reload();
    }
    // What was asked for before no one looked is answered after the page has asked again.
    const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const left = [...answers];
    const given: Promise<void>[] = [];
    await page.route(
      "**/recent",
      async (route) => {
        const response = await route.fetch();
        await left.shift()?.promise;
        given.push(route.fulfill({ response }));
      },
      { times: 2 },
    );
    await page.reload();
    await page.locator("#state[data-state=on]").waitFor();
    await setHidden(page, true);
    await until("only the other reader is there", () => server.hub.size === 1);
    await server.publish("a", "kept meanwhile");
    const logged = (await recent()).logs.length;
    using another = await server.events();
    await until("it is logged that another reader came", async () => (await recent()).logs.length > logged);
    await setHidden(page, false);
    await until("it has asked again", () => left.length === 0);
    await log(server, "warn", "logged since");
    for (const { resolve } of answers) {
      resolve();
      await until("it is answered", () => given.length > 0);
      await given.pop();
    }
    await says(page, "#tail", /kept meanwhile/);
    assert.equal((await rows(page, "tail")).length, 2);
    await until("it has each line once", async () => {
      const shown = await page.innerText("#logs");
      const { logs } = await recent();
      return logs.every(({ msg }) => shown.split(msg).length === 1 + logs.filter((other) => other.msg === msg).length);
    });
    assert.deepEqual([reader.status, another.status], [200, 200]);
    assert.deepEqual(complaints, []);
  });

  it("says that the server is gone, and goes on without loss when it is back", async (browser) => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    const first = await startServer({ data });
    const { page, complaints } = await openDashboard(browser, first);
    await first.publish("a", "before");
    await says(page, "#tail", /before/);
    await first.close();
    await page.locator("#state[data-state=off]").waitFor();
    await using second = await startServer({ data, port: first.port });
    await second.publish("a", "meanwhile");
    await says(page, "#tail", /meanwhile/);
    await page.locator("#state[data-state=on]").waitFor();
    await says(page, "#published", /^1$/);
    assert.deepEqual(
      complaints.filter((text) => !/ERR_(?:CONNECTION_REFUSED|INCOMPLETE|EMPTY_RESPONSE|CONNECTION_RESET)/.test(text)),
      [],
    );
  });

  it("stays responsive with a thousand messages a second in the tail", async (browser, test) => {
    await using server = await startServer();
    const { page, complaints } = await openDashboard(browser, server);
    await page.evaluate(`
      window.longest = 0;
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
      }).observe({ entryTypes: ["longtask"] });`);
    const draft = draftOf("flood", { order: 4711, state: "paid", note: "x".repeat(200) });
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    const busy = async (): Promise<number> => {
      const { metrics } = await cdp.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")?.value ?? NaN;
    };
    let longest = Infinity;
    // On a machine that is busy with other things any task may stand still, so the best of a few times counts.
    for (let burst = 1; burst <= 4 && longest >= LONGEST_TASK; burst++) {
      const usedBefore = await busy();
      await page.evaluate("window.longest = 0");
      const start = performance.now();
      for (let sent = 0; sent < 3000;) {
        const due = Math.min(Math.floor(performance.now() - start), 3000);
        const batch = Array.from({ length: due - sent }, () => server.hub.publish(draft));
        sent = due;
        await Promise.all(batch);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await server.publish("flood", `the last one of ${burst}`);
      await says(page, "#tail", new RegExp(`the last one of ${burst}`));
      await says(page, "#tail-count", new RegExp(`^${(3001 * burst).toLocaleString("en-US")} messages`));
      longest = (await page.evaluate("window.longest")) as number;
      const used = (await busy()) - usedBefore;
      test.diagnostic(`the longest task took ${longest} ms; all of them ${used.toFixed(2)} s of the processor`);
      // Of three seconds.
      assert.ok(used < 2, `the page was busy for ${used} s`);
    }
    assert.ok(longest < LONGEST_TASK, `a task took ${longest} ms`);
    assert.ok((await page.locator("#tail .row").count()) < 40);
    assert.deepEqual(complaints, []);
  });

  it("follows when light turns dark, plots too", async (browser) => {
    await using server = await startServer();
    const { page } = await openDashboard(browser, server);
    await page.emulateMedia({ colorScheme: "light" });
    await says(page, "[data-plot=memory] dd >> nth=0", /MiB/);
    // The colour of the grid is the line's own, at a place where nothing else is drawn.
    const colours = (): Promise<string[]> =>
      page.evaluate(`(() => {
      const canvas = document.querySelector("[data-plot=memory] canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const found = new Set();
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) found.add(data.slice(at, at + 3).join());
      return [...found];
    })()`);
    const [lightGrid, darkGrid] = ["216,222,228", "48,54,61"] as const;
    await until("it is drawn for light", async () => (await colours()).includes(lightGrid));
    await page.emulateMedia({ colorScheme: "dark" });
    await until("it is drawn for dark", async () => {
      const found = await colours();
      return found.includes(darkGrid) && !found.includes(lightGrid);
    });
  });

  it("has no serious issue for people who use it otherwise, and is small", async (browser, test) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    const scripts = countScripts(page);
    await page.goto(`${server.url}/dashboard`);
    await page.locator("#state[data-state=on]").waitFor();
    await server.publish("orders.eu", "a message");
    await log(server, "warn", "a line");
    await says(page, "#tail", /a message/);
    await page.focus("#tail");
    await page.keyboard.press("ArrowUp");
    assert.deepEqual(await seriousIssues(page), []);
    const bytes = await scripts();
    test.diagnostic(`${bytes} bytes of script, compressed`);
    assert.ok(bytes > 10_000 && bytes < SCRIPT_BYTES, `${bytes} bytes of script`);
    assert.deepEqual(complaints, []);
  });
});
