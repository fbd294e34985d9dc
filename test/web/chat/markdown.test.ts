import assert from "node:assert/strict";
import { describeInBrowser } from "../../support/browser.ts";
import { openChat } from "../../support/chat-page.ts";
import { startServer } from "../../support/server.ts";

const REPORT = `# Release **2.14**

1. built
2. ~~tested~~ *deployed*, see [the runbook](https://runbook.example/a?b=1)
   - nested

> quoted, with \`code\`

| table | rows |
| ----- | ---: |
| log   |    3 |

\`\`\`sql
select  *
  from log;
\`\`\`
`;

const HOSTILE = [
  "<script>alert(1)</script> **b**",
  "<img src=x onerror=alert(1)> **b**",
  "![pixel](https://tracker.example/pixel.png)",
  "[click](javascript:alert(1)) **b**",
  "[click](data:text/html,hi) **b**",
  "[bank.example](https://user@evil.example/) **b**",
  "[\u202eelpmaxe](https://evil.example/)",
  "[https://bank.example](https://evil.example/)",
  "[![pixel](https://tracker.example/)](https://evil.example/)",
  `${"> ".repeat(3000)}deep`,
  "***a_".repeat(4000),
];

const PLAIN = "  two  spaces, 2 * 3 * 4, snake_case_name\n\n\n    indented\n---\n#channel";

describeInBrowser("the chat shows Markdown", { concurrency: 2 }, (it) => {
  it("as headings, lists, quotes, tables and code that can be copied, and other texts as they are", async (browser) => {
    await using server = await startServer();
    await server.publish("default", PLAIN);
    await server.publish("default", REPORT);
    await using chat = await openChat(browser, server.url);
    const { page, rows } = chat;
    const report = rows.nth(1).locator(".marked");
    await report.waitFor();
    assert.equal(await rows.nth(0).locator(".said").innerText(), PLAIN);
    assert.equal(await rows.nth(0).locator(".marked").count(), 0);
    const texts = (selector: string): Promise<string[]> => report.locator(selector).allInnerTexts();
    assert.deepEqual(await texts(".heading"), ["Release 2.14"]);
    assert.deepEqual(await texts("ol > li ul > li"), ["nested"]);
    assert.deepEqual(await texts("strong, s, em, blockquote code"), ["2.14", "tested", "deployed", "code"]);
    assert.deepEqual(await texts("th, td"), ["table", "rows", "log", "3"]);
    assert.deepEqual(await texts(".host"), ["(runbook.example)"]);
    assert.equal(await report.locator("a").getAttribute("href"), "https://runbook.example/a?b=1");
    assert.deepEqual(await report.locator("pre code").allTextContents(), ["select  *\n  from log;"]);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await report.getByRole("button", { name: "Copy code" }).click();
    await report.getByRole("button", { name: "Copied code" }).waitFor();
    assert.equal(await page.evaluate("navigator.clipboard.readText()"), "select  *\n  from log;");
    assert.deepEqual(chat.complaints, []);
  });

  it("without running, fetching or hiding anything that a message brings", async (browser) => {
    await using server = await startServer();
    for (const text of HOSTILE) await server.publish("default", text);
    const asked: string[] = [];
    await using chat = await openChat(browser, server.url, {
      before: async (page) => {
        page.on("request", (request) => asked.push(request.url()));
        page.on("dialog", (dialog) => asked.push(dialog.message()));
      },
    });
    const { page, rows } = chat;
    await rows.nth(0).locator(".marked").waitFor();
    assert.equal(await page.locator("#log :is(img, script, iframe, style)").count(), 0);
    const links = await page.locator("#log a").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    const evil = "https://evil.example/";
    assert.deepEqual(links, ["https://tracker.example/pixel.png", evil, evil, evil]);
    const hosts = await page.locator("#log .host").allInnerTexts();
    assert.deepEqual(hosts, ["(tracker.example)", ...links.slice(1).map(() => "(evil.example)")]);
    assert.equal(await rows.nth(5).locator(".said").innerText(), "bank.example (https://user@evil.example/) b");
    assert.deepEqual(
      asked.filter((url) => !url.startsWith(server.url)),
      [],
    );
    assert.deepEqual(chat.complaints, []);
  });
});
