import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { Question } from "../../src/protocol/question.ts";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { WebhookReceiver, type Delivery } from "../support/webhook-receiver.ts";

describeInBrowser("a link that answers, in a browser", { concurrency: 1 }, (it) => {
  it("[ASK-12] shows the question, and its button answers once", async (browser) => {
    await using receiver = await WebhookReceiver.open();
    using folder = new TemporaryFolder();
    const notifyFile = folder.file("notify.json");
    const ntfy = { url: `${new URL(receiver.url).origin}/phone` };
    writeFileSync(notifyFile, JSON.stringify({ steps: [{ name: "a", channels: ["ops"], answerAs: "Ana", ntfy }] }));
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    const settings = { notifyFile, publicUrl, port, webhookAllow: ["127.0.0.0/8"], auth: "none" } as const;
    await using server = await startServer(settings);
    const chat = await watchedPage(browser, server.url);
    await chat.page.goto(`${server.url}/chat#ops`);
    const question = {
      channel: "ops",
      text: "Delete <b>rows</b>?",
      asker: "ci",
      answer: { kind: "confirm", yes: "Delete", destructive: true },
      proposal: { name: "delete", arguments: { rows: 3 } },
    };
    const headers = { "content-type": "application/json" };
    const asked = await server.request("/questions", { method: "POST", headers, body: JSON.stringify(question) });
    const { id } = asked.json() as Question;
    await until("people are told", () => receiver.deliveries.length === 1);
    const [sent] = receiver.deliveries as [Delivery];
    const { actions } = sent.body as { actions: readonly { url: string }[] };
    await chat.page.getByText("a (ntfy) was told").waitFor();

    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(actions[0]?.url ?? "");
    assert.equal(await page.locator("h1").textContent(), "Delete <b>rows</b>?");
    assert.match((await page.locator("pre").textContent()) ?? "", /"rows": 3/);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("heading", { name: "Answered" }).waitFor();
    const { answered } = (await server.request(`/questions/${id}`)).json() as Question;
    assert.deepEqual([answered?.value, answered?.by, answered?.via], [true, "Ana", "link"]);
    await page.goto(actions[1]?.url ?? "");
    await page.getByText(/"Ana" answered it with true/).waitFor();
    assert.deepEqual(
      complaints.filter((complaint) => !/409/.test(complaint)),
      [],
    );
  });
});
