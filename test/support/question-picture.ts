import { join } from "node:path";
import type { Browser } from "playwright-core";
import { startServer } from "./server.ts";

const QUESTION = {
  channel: "ops",
  asker: "deploy-agent",
  text: "Deploy 2.14.0 to production?",
  context: "All **412 tests** pass.\n\n- three migrations, none of which locks a table\n- rollback takes two minutes",
  proposal: { name: "deploy", arguments: { version: "2.14.0", environment: "production" } },
  answer: { kind: "confirm", yes: "Deploy", no: "Not now" },
  deadlineSeconds: 1800,
};

/** Takes the picture of a question that waits for an answer. */
export async function takeQuestion(browser: Browser, docs: string): Promise<void> {
  await using server = await startServer();
  const context = await browser.newContext({ viewport: { width: 1000, height: 720 }, locale: "en-GB" });
  const page = await context.newPage();
  await page.goto(`${server.url}/chat#ops`);
  await page.fill("#nickname", "Ana");
  await page.press("#nickname", "Tab");
  await server.request("/channels/ops/messages?sender=ci", { method: "POST", body: "Build 2.14.0 is **green**" });
  await page.locator("#rows .row").first().waitFor();
  await server.request("/questions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(QUESTION),
  });
  await page.locator("#rows .question .answers button:enabled").first().waitFor();
  await page.locator("#rows .question .marked").waitFor();
  await page.screenshot({ path: join(docs, "question.png") });
  await context.close();
}
