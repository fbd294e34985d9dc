import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import type { Question } from "../../../src/protocol/question.ts";
import { describeInBrowser } from "../../support/browser.ts";
import { openChat } from "../../support/chat-page.ts";
import { seriousIssues } from "../../support/page-checks.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const PROPOSAL = { name: "deploy", arguments: { version: "2.14.0", rows: [1, 2] } };

async function ask(server: TestServer, question: object): Promise<Question> {
  const answer = await server.request("/questions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channel: "default", answer: { kind: "confirm" }, ...question }),
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as Question;
}

async function answered(server: TestServer, { id }: Question): Promise<Question> {
  return (await server.request(`/questions/${id}?wait=20`)).json() as Question;
}

/** The card of a question in the log. */
const card = (page: Page, { id }: Question): Locator => page.locator(`#rows [data-question="${id}"]`);

describeInBrowser("a question in the chat", { concurrency: 2 }, (it) => {
  it("is answered with one click, and whoever waits for it goes on; the card stays as a record", async (browser) => {
    await using server = await startServer();
    await using chat = await openChat(browser, server.url, { name: "Kim" });
    const { page } = chat;
    const waiting = server.request("/questions?channel=default&wait=60", { method: "POST", body: "Deploy 2.14?" });
    const [open] = [page.locator("#rows .question.open")];
    await open.getByRole("heading", { name: "Deploy 2.14?" }).waitFor();
    await page.locator("#inbox > summary", { hasText: "1 question waits" }).waitFor();
    assert.match(await page.title(), /^1 question · /);
    assert.match((await page.locator("link[rel=icon]").getAttribute("href")) ?? "", /icon-asked/);
    await open.getByRole("button", { name: "Yes" }).click();
    const { outcome, answered: given } = (await waiting).json() as Question;
    assert.deepEqual([outcome, given?.value, given?.by, given?.via], ["answered", true, "Kim", "page"]);
    const record = page.locator("#rows .question.closed");
    assert.match(await record.locator(".outcome").innerText(), /✓\s*Yes Kim, .+, in the chat/);
    assert.equal(await record.getByRole("button").count(), 0);
    await page.locator("#inbox").waitFor({ state: "hidden" });
    await page.locator(".question-end", { hasText: "Deploy 2.14?" }).waitFor();
    await page.reload();
    await page.locator("#rows .question.closed .outcome", { hasText: "Kim" }).waitFor();
    assert.deepEqual(chat.complaints, []);
  });

  it("shows exactly what is to be done, and sends the hash of what it showed", async (browser) => {
    await using server = await startServer();
    const asked = await ask(server, {
      text: "Deploy?",
      context: "All **412** tests pass\n\n<img src=x onerror=alert(1)>",
      proposal: PROPOSAL,
      answer: { kind: "confirm", yes: "Deploy", no: "Not now" },
    });
    await using chat = await openChat(browser, server.url);
    const there = card(chat.page, asked);
    await there.waitFor();
    assert.deepEqual(JSON.parse(await there.locator(".proposal pre").innerText()), PROPOSAL.arguments);
    assert.equal(await there.locator(".context strong").innerText(), "412");
    assert.equal(await there.locator("img").count(), 0);
    await there.getByRole("button", { name: "Not now" }).click();
    const { answered: given } = await answered(server, asked);
    assert.deepEqual([given?.value, given?.proposalHash], [false, asked.proposal?.hash]);
    assert.deepEqual(chat.complaints, []);
  });

  it("takes choices, several choices, texts and forms, on a phone, and bars no one", async (browser) => {
    await using server = await startServer();
    const options = [{ value: "eu", label: "Europe" }, { value: "us" }];
    const one = await ask(server, { text: "Where?", answer: { kind: "choice", options, other: true } });
    const several = await ask(server, { text: "Which?", answer: { kind: "choice", options, multiple: true } });
    const text = await ask(server, { text: "Why?", answer: { kind: "text", maxLength: 20 } });
    const schema = {
      type: "object",
      required: ["name"],
      properties: {
        name: { type: "string" },
        age: { type: "integer" },
        news: { type: "boolean" },
        size: { type: "string", enum: ["S", "M"] },
      },
    };
    const form = await ask(server, { text: "Who?", answer: { kind: "form", schema } });
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    await card(page, form).locator("button:enabled").first().waitFor();
    await page.locator("#inbox > summary").click();
    assert.deepEqual(await seriousIssues(page), []);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 375);
    await page.locator("#inbox > summary").click();
    await card(page, one).getByLabel("Another answer").fill("asia");
    await card(page, one).getByRole("button", { name: "Answer" }).click();
    await card(page, several).getByLabel("Europe").check();
    await card(page, several).getByLabel("us").check();
    await card(page, several).getByRole("button", { name: "Answer" }).click();
    await card(page, text).getByLabel("Your answer").fill("because");
    await card(page, text).getByRole("button", { name: "Answer" }).click();
    await card(page, form).getByLabel("name").fill("Ada");
    await card(page, form).getByLabel("age").fill("36");
    await card(page, form).getByLabel("news").check();
    await card(page, form).getByRole("button", { name: "Answer" }).click();
    const values = await Promise.all([one, several, text, form].map((each) => answered(server, each)));
    assert.deepEqual(
      values.map((each) => each.answered?.value),
      ["asia", ["eu", "us"], "because", { name: "Ada", age: 36, news: true }],
    );
    assert.deepEqual(chat.complaints, []);
  });

  it("shows what would hide or turn around letters in what is answered", async (browser) => {
    await using server = await startServer();
    const turned = "\u202eexe.\u200b";
    const options = [{ value: "a", label: `A${turned}`, description: `D${turned}` }, { value: "b" }];
    const schema = { type: "object", properties: { f: { type: "string", title: `F${turned}` } } };
    const ids = [
      await ask(server, { text: `Q${turned}`, context: `C${turned}`, answer: { kind: "choice", options } }),
      await ask(server, { text: "Several", answer: { kind: "choice", options, multiple: true } }),
      await ask(server, { text: "Form", answer: { kind: "form", schema } }),
    ];
    await using chat = await openChat(browser, server.url);
    const cards = ids.map((id) => card(chat.page, id));
    for (const each of cards) await each.locator("button:enabled").first().waitFor();
    const texts = (await Promise.all(cards.map((each) => each.innerText()))).join("\n");
    assert.doesNotMatch(texts, /[\u202e\u200b]/);
    for (const letter of "QCADF") assert.ok(texts.includes(`${letter}\\u202eexe.\\u200b`), letter);
    assert.deepEqual(chat.complaints, []);
  });

  it("is answered by keyboard, and what cannot be undone neither by a digit nor by Enter", async (browser) => {
    await using server = await startServer();
    const drop = await ask(server, { text: "Drop it?", answer: { kind: "confirm", yes: "Drop", destructive: true } });
    const pick = await ask(server, {
      text: "Which?",
      answer: { kind: "choice", options: [{ value: "a" }, { value: "b" }] },
    });
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    const buttons = card(page, drop).locator(".answers button");
    await card(page, drop).locator(".answers button:enabled").first().waitFor();
    await card(page, pick).locator(".answers button:enabled").first().waitFor();
    assert.deepEqual(await buttons.allInnerTexts(), ["No", "Drop"]);
    await buttons.last().focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("2");
    await card(page, pick).locator(".answers button").first().focus();
    await page.keyboard.press("2");
    assert.equal((await answered(server, pick)).answered?.value, "b");
    assert.equal(((await (await server.request(`/questions/${drop.id}`)).json()) as Question).state, "open");
    await buttons.last().focus();
    await page.keyboard.press("Space");
    assert.equal((await answered(server, drop)).answered?.value, true);
    assert.deepEqual(chat.complaints, []);
  });

  it("says who was faster, who may answer instead, and that the server is away", async (browser) => {
    await using server = await startServer();
    const mine = await ask(server, { text: "For Ana", assignees: ["Ana"] });
    const raced = await ask(server, { text: "Raced" });
    await using chat = await openChat(browser, server.url, { name: "Kim" });
    const { page } = chat;
    await card(page, mine).getByText("Only Ana may answer").waitFor();
    assert.equal(await card(page, mine).getByRole("button", { name: "Yes" }).isDisabled(), true);
    await page.route(/\/answer$/, async (route) => {
      await server.request(`/questions/${raced.id}/answer`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ value: false, by: "Ana" }),
      });
      await route.continue();
    });
    await card(page, raced).getByRole("button", { name: "Yes" }).click();
    await card(page, raced)
      .locator(".outcome", { hasText: /No Ana/ })
      .waitFor();
    await page.context().setOffline(true);
    await server.close();
    await card(page, mine).getByText("The server cannot be reached now").waitFor();
  });

  it("is one of the inbox, whatever its channel, and is forged by no message", async (browser) => {
    await using server = await startServer();
    const elsewhere = await ask(server, { text: "Elsewhere?", channel: "orders.eu" });
    const forged = { ...elsewhere, id: "f".repeat(24), text: "Give me your password" };
    await server.request("/channels/default/messages?event=question.opened", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(forged),
    });
    await using chat = await openChat(browser, server.url);
    const { page } = chat;
    await page.locator("#inbox > summary").click();
    const inbox = page.locator("#inbox .question");
    await inbox.getByText("Elsewhere?").waitFor();
    assert.equal(await inbox.count(), 1);
    assert.equal(await page.locator("#rows .question").count(), 0);
    await chat.row("Give me your password").locator("pre.data").waitFor();
    await inbox.getByRole("link", { name: "orders.eu" }).click();
    await page.locator("#channel", { hasText: "orders.eu" }).waitFor();
    await inbox.getByRole("button", { name: "Reply instead" }).click();
    await until("it is quoted", async () => (await page.inputValue("#text")) === "> Elsewhere?\n\n");
    await server.request(`/questions/${elsewhere.id}/cancel`, { method: "POST" });
    await card(page, elsewhere).locator(".outcome", { hasText: "Withdrawn" }).waitFor();
    // The browser says that there is no question with the forged id.
    assert.deepEqual(
      chat.complaints.filter((text) => !text.includes("404")),
      [],
    );
  });
});
