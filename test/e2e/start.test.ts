import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { EVERYTHING, STATS_CHANNEL } from "../../src/protocol/channel.ts";
import { teamLines } from "../../src/web/start/team-lines.ts";
import type { ServerInfo } from "../../src/protocol/server-info.ts";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { countScripts, seriousIssues, setHidden } from "../support/page-checks.ts";
import { HubRig } from "../support/hub-rig.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const SCRIPT_BYTES = 60_000;

const run = promisify(execFile);

describeInBrowser("the start page", { concurrency: 3 }, (it) => {
  it("shows messages live, as text, and publishes from its form", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    const items = page.locator("#messages li");
    await server.publish("default", "before the page");
    await page.goto(`${server.url}/`);
    await items.filter({ hasText: "anyone: before the page" }).waitFor();
    await server.publish("default", { n: 1 });
    await items.filter({ hasText: 'anyone: {"n":1}' }).waitFor();

    const payload = `<img src=x onerror="alert(1)"><script>alert(2)</script>\u202e"'&`;
    await server.publish("default", payload);
    await items.filter({ hasText: "<img src=x" }).waitFor();
    assert.ok((await items.last().innerText()).endsWith(payload));
    assert.equal(await page.locator("#messages img, #messages script").count(), 0);
    await server.publish("default", "w".repeat(60_000));
    await items.filter({ hasText: "wwww" }).waitFor();
    assert.ok(((await items.last().boundingBox())?.height ?? Infinity) < 150, "it leaves room for others");
    const wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assert.equal(await page.evaluate(wide), false);

    using reader = await server.events("?format=json");
    await page.fill("#text", "from the form");
    await page.press("#text", "Enter");
    const published = JSON.parse((await reader.next()).data) as { data: string; sender: string };
    assert.deepEqual([published.data, published.sender], ["from the form", "start page"]);
    await items.filter({ hasText: "start page: from the form" }).waitFor();
    await until("the form is empty again", async () => (await page.inputValue("#text")) === "");
    assert.deepEqual(complaints, []);
  });

  it("shows the numbers of get_server_info, and asks for none while nobody sees it", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    for (const channel of ["a", "b", "a"]) await server.publish(channel, 1);
    const shown = (): Promise<string[]> => page.locator(".numbers dd").allInnerTexts();
    await until("both say the same", async () => {
      const info = (await server.call("get_server_info")).structuredContent as unknown as ServerInfo;
      const { connections, messages, channels } = info;
      const told = [connections.total, messages.published, 0, messages.kept, channels].join();
      return told === "1,3,0,3,2" && (await shown()).join() === told;
    });
    const readers = async (channel: string): Promise<number> => (await server.publish(channel, "?")).receivers;
    await setHidden(page, true);
    await until("only the messages are read", () => server.hub.index.readers(STATS_CHANNEL) === 0);
    await until("the messages are", async () => (await readers("default")) === 1);
    await setHidden(page, false);
    await until("its numbers are there again", () => server.hub.index.readers(STATS_CHANNEL) === 1);
    assert.deepEqual(complaints, []);
  });

  it("has every line filled with the server's own address, and copies it", async (browser) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    const lines = await page
      .locator("[role=tabpanel] pre code")
      .evaluateAll((found) => found.map(({ id, textContent }) => ({ id, text: textContent })));
    assert.equal(lines.length, 13);
    const socket = server.url.replace("http", "ws");
    for (const { id, text } of lines) assert.ok(text.includes(id === "websocket" ? socket : server.url), id);
    for (const { id, text } of lines) {
      const panel = page.locator("[role=tabpanel]", { has: page.locator(`#${id}`) });
      await page.click(`#${await panel.getAttribute("aria-labelledby")}`);
      const button = page.locator(`[data-copy="${id}"]`);
      // It says so for a moment only.
      const saysSo = button.filter({ hasText: /^Copied$/ }).waitFor();
      await button.click();
      await saysSo;
      assert.equal(await page.evaluate("navigator.clipboard.readText()"), text);
    }
    const text = (id: string): string => lines.find((line) => line.id === id)?.text ?? "";
    for (const id of ["for-claude-desktop", "for-cursor", "for-vscode"]) JSON.parse(text(id));
    assert.deepEqual(
      (JSON.parse(text("for-claude-desktop")) as { mcpServers: { hub: { args: string[] } } }).mcpServers.hub.args,
      [join(import.meta.dirname, "../../src/cli/main.ts"), "stdio", "--url", `${server.url}/mcp`],
    );
    assert.deepEqual(complaints, []);
  });

  it("shows how to go from a laptop to a team, while everyone may do everything", async (browser) => {
    await using open = await startServer();
    const { page, complaints } = await watchedPage(browser, open.url);
    await page.goto(`${open.url}/`);
    // Not copied: tests that run at once share the clipboard.
    assert.equal(await page.locator("#for-a-team").textContent(), teamLines("npm start --"));
    assert.deepEqual(complaints, []);
    using keys = new KeyRing();
    await using closed = await startServer({ apiKeysFile: keys.path });
    await page.goto(`${closed.url}/`);
    await page.locator("#person, a[href^=login]").first().waitFor();
    assert.equal(await page.locator("#for-a-team").count(), 0);
  });

  it("shows what its own lines publish", async (browser) => {
    await using server = await startServer();
    const { page } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    const text = (id: string): Promise<string> => page.locator(`#${id}`).evaluate(({ textContent }) => textContent);
    const items = page.locator("#messages li");
    await run("sh", ["-c", await text("curl")]);
    await items.filter({ hasText: "anyone: Hello" }).waitFor();
    await run("sh", ["-c", await text("tool")]);
    await items.filter({ hasText: "anyone: Hello from a tool" }).waitFor();
    const received = page.evaluate(`new Promise((resolve) => {
      const log = console.log;
      console.log = (frame) => frame.type === "message" && resolve(frame.data);
      ${await text("websocket")}
    })`);
    assert.equal(await received, "Hello");
  });

  it("is used by keyboard alone: one tab at a time, by the arrows", async (browser) => {
    await using server = await startServer();
    const { page } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/`);
    await page.focus("#claude-code-tab");
    await page.keyboard.press("ArrowRight");
    await page.locator("#claude-desktop-panel").waitFor();
    assert.equal(await page.locator("[role=tabpanel]:visible").count(), 2);
    await page.keyboard.press("End");
    await page.locator("#inspector-panel").waitFor();
    await page.keyboard.press("ArrowRight");
    await page.locator("#claude-code-panel").waitFor();
    assert.equal(await page.evaluate("document.activeElement.id"), "claude-code-tab");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.id"), "claude-code-panel");
  });

  it("says that the server is gone, and gets what it missed when it is back", async (browser) => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    const first = await startServer({ data });
    const { page, complaints } = await watchedPage(browser, first.url);
    await page.goto(`${first.url}/`);
    await page.locator("#state[data-state=on]").waitFor();
    await first.close();
    await page.locator("#state[data-state=off]").waitFor();
    await using second = await startServer({ data, port: first.port });
    await second.publish("default", "while it was away");
    await page.locator("#messages li").filter({ hasText: "while it was away" }).waitFor();
    await page.locator("#state[data-state=on]").waitFor();
    assert.deepEqual(
      complaints.filter((text) => !/ERR_(?:CONNECTION_REFUSED|INCOMPLETE|EMPTY_RESPONSE|CONNECTION_RESET)/.test(text)),
      [],
    );
  });

  it("publishes once, however often it is asked while the server is away, and says so meanwhile", async (browser) => {
    await using rig = await HubRig.open();
    const { page } = await watchedPage(browser, rig.front.url);
    await page.goto(`${rig.front.url}/`);
    await page.locator("#state[data-state=on]").waitFor();
    await rig.control.stop();
    await page.locator("#state[data-state=off]").waitFor();
    await page.fill("#text", "once");
    for (let press = 0; press < 3; press++) await page.press("#text", "Enter");
    await page.locator("#said", { hasText: /^Publishing …$/ }).waitFor();
    await rig.control.start();
    await page.locator("#messages li", { hasText: "start page: once" }).waitFor();
    await until("the form is empty again", async () => (await page.inputValue("#text")) === "");
    assert.equal(await page.locator("#said").textContent(), "");
    const { messages } = await rig.server.hub.history({ channels: [EVERYTHING], limit: 10 });
    assert.equal(messages.length, 1);
  });

  it("says that it was refused for good, and what to do then", async (browser) => {
    await using rig = await HubRig.open();
    await rig.control.answer("GET /events", 403);
    const { page } = await watchedPage(browser, rig.front.url);
    await page.goto(`${rig.front.url}/`);
    await page.locator("#state[data-state=off]", { hasText: /reload the page\.$/ }).waitFor();
  });

  it("has no serious issue for people who use it otherwise, and is small", async (browser, test) => {
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    const scripts = countScripts(page);
    await server.publish("default", "a message");
    await page.goto(`${server.url}/`);
    await page.locator("#messages li").waitFor();
    assert.deepEqual(await seriousIssues(page), []);
    const bytes = await scripts();
    test.diagnostic(`${bytes} bytes of script, compressed`);
    assert.ok(bytes > 5000 && bytes < SCRIPT_BYTES, `${bytes} bytes of script`);
    assert.deepEqual(complaints, []);
  });
});
