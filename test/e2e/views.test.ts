import assert from "node:assert/strict";
import type { FrameLocator, Page } from "playwright-core";
import type { Question } from "../../src/protocol/question.ts";
import { describeInBrowser } from "../support/browser.ts";
import { HUB_TOOLS } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { ViewHost } from "../support/view-host.ts";

const ASKED = {
  question: "Deploy 2.14.0?",
  channel: "ops",
  proposal: { name: "deploy", arguments: { version: "2.14.0" } },
};

type Theme = "light" | "dark";

/** Has the program that shows views call a tool as its model would; `shown` is the view. */
function call(page: Page, tool: string, input: object, theme: Theme = "light") {
  const result = page.evaluate(`host.call(${JSON.stringify(tool)}, ${JSON.stringify(input)}, "${theme}")`);
  // What fails meanwhile is said when the result is awaited.
  result.catch(() => {});
  const shown: FrameLocator = page.frameLocator("iframe").frameLocator("iframe");
  return { result: result as Promise<Readonly<Record<string, unknown>>>, shown };
}

async function openHost(page: Page, host: ViewHost, server: TestServer): Promise<string[]> {
  const complaints: string[] = [];
  page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
  page.on("pageerror", (error) => complaints.push(error.message));
  const own = [host.url, host.url.replace("localhost", "127.0.0.1"), server.url, "null"];
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (!own.includes(origin)) complaints.push(request.url());
  });
  await page.goto(host.url);
  await until("its script runs", () => page.evaluate<boolean>("'host' in globalThis"));
  const names = await page.evaluate<readonly string[]>(`host.connect("${server.url}")`);
  assert.deepEqual(names, HUB_TOOLS);
  return complaints;
}

async function kept(server: TestServer): Promise<readonly Question[]> {
  return ((await server.request("/questions")).json() as { questions: readonly Question[] }).questions;
}

describeInBrowser("views in a program that speaks MCP", { concurrency: 2 }, (it) => {
  it("[MCP-60] a question is answered where it is asked, while its call waits", async (browser) => {
    await using server = await startServer();
    await using host = await ViewHost.open();
    const page = await browser.newPage();
    const complaints = await openHost(page, host, server);
    const { result, shown } = call(page, "ask_person", { ...ASKED, timeoutSeconds: 40 });
    await shown.locator("article", { hasText: "Deploy 2.14.0?" }).waitFor();
    await shown.locator("pre", { hasText: '"version": "2.14.0"' }).waitFor();
    await until("the frame is as high as the view", async () => {
      const height = (await page.locator("iframe").boundingBox())?.height ?? 0;
      return height > 150 && height < 500;
    });
    await shown.getByRole("button", { name: "Yes" }).click();
    const { status, value, via } = await result;
    assert.deepEqual({ status, value, via }, { status: "answered", value: true, via: "app" });
    await shown.locator(".outcome", { hasText: "in an agent's app" }).waitFor();
    const [question] = await kept(server);
    assert.equal(question?.answered?.proposalHash, question?.proposal?.hash);
    // The model knows from the result.
    assert.deepEqual(await page.evaluate("host.said"), []);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it("[MCP-60] an answer tells the model that does not wait, also one that was written in a field", async (browser) => {
    await using server = await startServer();
    await using host = await ViewHost.open();
    const page = await browser.newPage();
    const complaints = await openHost(page, host, server);
    const asked = {
      question: "Which name? See https://example.com/names",
      answer: { kind: "text" },
      context: "It is shown to **everyone**: [the rules](https://example.com/rules)",
      timeoutSeconds: 0,
    };
    const { result, shown } = call(page, "ask_person", asked, "dark");
    assert.equal((await result)["status"], "open");
    await shown.locator(".context strong", { hasText: "everyone" }).waitFor();
    await shown.locator(".context a").click();
    await until("the host opens it", async () => (await page.evaluate<string[]>("host.opened")).length === 1);
    assert.deepEqual(await page.evaluate("host.opened"), ["https://example.com/rules"]);
    const colours = await page
      .frames()
      .at(-1)
      ?.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).colorScheme]");
    assert.deepEqual(colours, ["rgb(16, 20, 24)", "dark"]);
    // The sandbox lets no form be sent: the view does without.
    await shown.locator("textarea").fill("hub");
    await shown.getByRole("button", { name: "Answer" }).click();
    await shown.locator(".outcome", { hasText: "hub" }).waitFor();
    const [question] = await kept(server);
    await until("the model is told", async () => (await page.evaluate<string[]>("host.said")).length === 1);
    assert.deepEqual(await page.evaluate("host.said"), [`I answered the question ${question?.id}: hub`]);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it("an answer that is given elsewhere is shown, and what the server refuses is said", async (browser) => {
    await using server = await startServer();
    await using host = await ViewHost.open();
    const page = await browser.newPage();
    await openHost(page, host, server);
    const { result, shown } = call(page, "ask_person", { ...ASKED, assignees: ["Ana"], timeoutSeconds: 0 });
    await result;
    await shown.getByRole("button", { name: "Yes" }).click();
    await shown.locator(".failure", { hasText: 'Only "Ana" may answer this question' }).waitFor();
    // The page is not the parent of the view: what it posts there itself is not from the host.
    const forged = { jsonrpc: "2.0", method: "ui/notifications/host-context-changed", params: { theme: "dark" } };
    await page.evaluate(`frames[0].frames[0].postMessage(${JSON.stringify(forged)}, "*")`);
    const [question] = await kept(server);
    const body = JSON.stringify({ value: false, by: "Ana", via: "page" });
    await server.request(`/questions/${question?.id}/answer`, { method: "POST", body });
    await shown.locator(".outcome", { hasText: "No Ana" }).waitFor();
    const scheme = await page.frames().at(-1)?.evaluate("document.documentElement.style.colorScheme");
    assert.equal(scheme, "light");
    assert.deepEqual(await page.evaluate("host.said"), []);
    await page.close();
  });

  it("[MCP-60] a channel that was read stays live, and shows texts as texts", async (browser) => {
    await using server = await startServer();
    await using host = await ViewHost.open();
    const page = await browser.newPage();
    const complaints = await openHost(page, host, server);
    await server.publish("builds", "before");
    const { result, shown } = call(page, "read_messages", { channel: "builds" });
    await result;
    await shown.locator("li", { hasText: "before" }).waitFor();
    await server.publish("builds", '<img src="x" onerror="alert(1)"><b>after</b>');
    await shown.locator("li", { hasText: "<b>after</b>" }).waitFor();
    assert.equal(await shown.locator("li b, li img").count(), 0);
    await server.publish("elsewhere", "not here");
    await server.publish("builds", { n: 1 });
    await shown.locator("li", { hasText: '{"n":1}' }).waitFor();
    assert.equal(await shown.locator("li").count(), 3);
    // A conversation may have many views: those that no one sees take no place at the server.
    await page.evaluate("document.body.style.paddingTop = '3000px'");
    await server.publish("builds", "out of sight");
    await shown.locator(".note", { hasText: "Paused" }).waitFor({ state: "attached" });
    await until("nothing waits", async () => (await server.metric('sse_mcp_connections{door="waiting"}')) === 0);
    await server.publish("builds", "missed");
    await page.evaluate("document.body.style.paddingTop = '0'");
    await shown.locator("li", { hasText: "missed" }).waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  });
});
