import assert from "node:assert/strict";
import { describeInBrowser, watchedPage } from "../support/browser.ts";
import { openChat } from "../support/chat-page.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { seriousIssues } from "../support/page-checks.ts";
import { participant } from "../support/participants.ts";
import { startServer } from "../support/server.ts";

describeInBrowser("the pages", { concurrency: 1 }, (it) => {
  it("say who is here, and that an agent waits for an answer, in the chat and on the dashboard", async (browser) => {
    await using server = await startServer();
    await using ada = await openChat(browser, server.url, { at: "#ops", name: "Ada" });
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/dashboard`);
    const agent = await LegacyClient.open(server);
    const asked = agent.ask("tools/call", {
      name: "ask_person",
      arguments: { question: "Deploy?", channel: "ops", timeoutSeconds: 45 },
    });
    await ada.page.locator("#readers .waits", { hasText: /^test waiting for an answer for \d+ s$/ }).waitFor();
    await ada.page.locator("#readers .names", { hasText: "Ada, test" }).waitFor();
    const rows = page.locator("#participant-rows tr");
    await rows.filter({ hasText: /^test\s*agent\s*waiting for an answer for \d+ s\s*/ }).waitFor();
    await rows.filter({ hasText: /^Ada\s*person\s*connected for \d+ s\s*default, ops/ }).waitFor();
    await page.locator("#participants-count", { hasText: /^2; 1 waits for an answer$/ }).waitFor();
    assert.deepEqual(await seriousIssues(page, "[aria-labelledby=participants-title]"), []);
    await ada.page.getByRole("button", { name: "Yes" }).first().click();
    await asked;
    await ada.page.locator("#readers .waits").waitFor({ state: "detached" });
    await rows.filter({ hasText: /^test\s*agent\s*idle for \d+ s/ }).waitFor();
    // The dashboard itself is no participant.
    assert.equal((await participant(server, "Ada")).channels.join(), "default,ops");
    assert.equal(await rows.count(), 2);
    assert.deepEqual([complaints, ada.complaints], [[], []]);
  });
});
