import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { ServerOptions } from "../../src/server.ts";
import type { Question } from "../../src/protocol/question.ts";
import { KeyRing } from "../support/keys.ts";
import type { Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { WebhookReceiver, type Delivery } from "../support/webhook-receiver.ts";

const JSON_TYPE = { "content-type": "application/json" };
const HUB = "https://hub.example/base";

/** A server that takes these steps, in which `RECEIVER` stands for an address on loopback. */
async function serverWith(
  steps: readonly object[],
  receiver: WebhookReceiver,
  more: ServerOptions = {},
): Promise<TestServer> {
  using folder = new TemporaryFolder();
  const notifyFile = folder.file("notify.json");
  const { origin } = new URL(receiver.url);
  writeFileSync(notifyFile, JSON.stringify({ steps }).replaceAll("RECEIVER", origin));
  return await startServer({
    notifyFile,
    publicUrl: "https://hub.example",
    basePath: "/base",
    webhookAllow: ["127.0.0.0/8"],
    auth: "none",
    environment: { NTFY_TOKEN: "tk_secret", SLACK: "xoxb-secret" },
    ...more,
  });
}

async function ask(server: TestServer, question: object): Promise<Question> {
  const body = JSON.stringify({ channel: "ops", ...question });
  const answer = await server.request("/questions", { method: "POST", headers: JSON_TYPE, body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as Question;
}

async function look(server: TestServer, { id }: Question): Promise<Question> {
  return (await server.request(`/questions/${id}`)).json() as Question;
}

/** The delivery that comes as that one, from 1. */
async function delivery({ deliveries }: WebhookReceiver, count = 1): Promise<Delivery> {
  await until(`people are told ${count} times`, () => deliveries.length >= count);
  return deliveries[count - 1] as Delivery;
}

/** The path at the server itself of a link in a notification. */
function pathOf(link: string): string {
  assert.ok(link.startsWith(`${HUB}/`), link);
  return link.slice(HUB.length);
}

const BROWSER = { accept: "text/html,application/xhtml+xml" };
const press = (server: TestServer, link: string, headers: Record<string, string> = {}): Promise<Answer> =>
  server.request(pathOf(link), { method: "POST", headers });

interface Action {
  readonly action: string;
  readonly label: string;
  readonly url: string;
  readonly method?: string;
  readonly clear?: boolean;
}

const NTFY = {
  name: "on-call",
  channels: ["ops"],
  answerAs: "ana",
  ntfy: { url: "RECEIVER/phone", token: "${env:NTFY_TOKEN}" },
};

/** What ntfy takes as JSON, by its page "Publish as JSON". */
function checkNtfy({ path, headers, text, body }: Delivery): readonly Action[] {
  assert.deepEqual(
    [path, headers.authorization, headers["content-type"]],
    ["/", "Bearer tk_secret", "application/json"],
  );
  const { topic, title, message, priority, tags, click, actions } = body as {
    topic: string;
    title: string;
    message: string;
    priority: number;
    tags: readonly string[];
    click: string;
    actions: readonly Action[];
  };
  assert.deepEqual([topic, typeof title, tags], ["phone", "string", ["question"]]);
  assert.ok(Buffer.byteLength(message) <= 4096 && Buffer.byteLength(text) <= 8192);
  assert.ok(Number.isInteger(priority) && priority >= 1 && priority <= 5);
  assert.equal(click, `${HUB}/chat#ops`);
  assert.ok(actions.length >= 1 && actions.length <= 3);
  for (const { action, label, url, method = "POST" } of actions) {
    assert.ok(["view", "http"].includes(action) && label !== "" && method === "POST");
    assert.ok(URL.canParse(url));
  }
  return actions;
}

describe("people are told of questions", { concurrency: 4, timeout: 60_000 }, () => {
  it("[ASK-12] by ntfy, whose buttons answer once, and it is told on the channel by which way", async () => {
    await using receiver = await WebhookReceiver.open();
    await using server = await serverWith([NTFY], receiver);
    using reader = await server.events("?channel=ops&format=json");
    const proposal = { name: "deploy", arguments: { version: "2.14" } };
    const question = await ask(server, { text: "Deploy?", urgency: "high", asker: "ci", proposal });
    const sent = await delivery(receiver);
    const [yes, no] = checkNtfy(sent);
    assert.deepEqual([sent.body["title"], sent.body["priority"]], ["ci asks in ops", 4]);
    assert.equal(sent.body["message"], 'What will be done: deploy {"version":"2.14"}\n\nDeploy?');
    assert.deepEqual([yes?.action, yes?.label, no?.action, no?.label], ["http", "Yes", "http", "No"]);
    await reader.next();
    const told = JSON.parse((await reader.next()).data) as { event: string; via: string; data: object };
    const { at, ...data } = told.data as { at: string };
    assert.ok(Date.parse(at) > 0);
    assert.deepEqual([told.event, told.via], ["question.notified", "question"]);
    assert.deepEqual(data, { id: question.id, text: "Deploy?", name: "on-call", way: "ntfy", count: 1 });
    assert.deepEqual((await look(server, question)).notices, [{ name: "on-call", way: "ntfy", at, count: 1 }]);

    const waiting = await server.call("await_answer", { questionId: question.id, timeoutSeconds: 0 });
    assert.match(waiting.content[0]?.text ?? "", /1 reader was told of it on ops, and so was on-call \(ntfy\)/);
    assert.equal(await server.metric("sse_mcp_notices_sent_total"), 1);

    const { url = "" } = yes ?? {};
    // Whoever only looks, such as a scanner, decides nothing.
    for (const method of ["GET", "HEAD"]) {
      const looked = await server.request(pathOf(url), { method, headers: BROWSER });
      assert.deepEqual([looked.status, looked.headers["cache-control"]], [200, "no-store"]);
    }
    assert.equal((await look(server, question)).state, "open");
    // The web page of ntfy presses it from its own origin.
    const pressed = await press(server, url, { origin: "https://ntfy.example" });
    const answered = pressed.json() as { value: unknown; by: string; at: string };
    assert.deepEqual([pressed.status, answered.value, answered.by], [200, true, "ana"], pressed.text);
    assert.equal(pressed.headers["access-control-allow-origin"], "https://ntfy.example");
    const closed = await look(server, question);
    assert.deepEqual(closed.answered, { value: true, by: "ana", at: answered.at, via: "link" });
    for (const link of [url, no?.url ?? ""]) {
      const again = await press(server, link);
      const { code, detail, ...rest } = again.json() as { code: string; detail: string; question?: unknown };
      assert.deepEqual([again.status, code, rest.question], [409, "QUESTION_CLOSED", undefined]);
      assert.match(detail, /"ana" answered it with true/);
      const page = await server.request(pathOf(link), { headers: BROWSER });
      assert.deepEqual([page.status, /ana/.test(page.text)], [409, true]);
    }
  });

  it("[ASK-13] with no button for what cannot be undone or is not shown whole, what only some may answer, or what has to be filled in", async () => {
    await using receiver = await WebhookReceiver.open();
    await using server = await serverWith(
      [NTFY, { ...NTFY, name: "no-links", answerAs: undefined, urgency: "high" }],
      receiver,
    );
    const options = ["eu", "us", "ap"].map((value) => ({
      value,
      label: value.toUpperCase(),
      destructive: value === "us",
    }));
    const view = { action: "view", label: "Answer", url: `${HUB}/chat#ops` };
    for (const [answer, actions] of [
      [{ kind: "choice", options }, ["http EU", "view US", "http AP"]],
      [{ kind: "confirm", yes: "Delete", destructive: true }, ["view Delete", "http No"]],
      [{ kind: "choice", options: [...options, { value: "sa" }] }, [view]],
      [{ kind: "choice", options, multiple: true }, [view]],
      [{ kind: "text" }, [view]],
    ] as const) {
      const count = receiver.deliveries.length + 1;
      await ask(server, { text: "Where?", answer });
      const shown = checkNtfy(await delivery(receiver, count));
      const found = typeof actions[0] === "string" ? shown.map(({ action, label }) => `${action} ${label}`) : shown;
      assert.deepEqual(found, actions);
    }
    await ask(server, { text: "Only Kim?", assignees: ["kim"] });
    assert.deepEqual(checkNtfy(await delivery(receiver, 6)), [view]);
    await ask(server, { text: "Not by who asks?", asker: "ana", notAsker: true });
    assert.deepEqual(checkNtfy(await delivery(receiver, 7)), [view]);
    const proposal = { name: "delete", arguments: { table: "orders" } };
    for (const [hidden, actions] of [
      [{ text: "Fine? ".repeat(200), proposal }, ["view Yes", "view No"]],
      [
        { text: "Fine?", proposal: { ...proposal, arguments: { padding: " ".repeat(900), all: true } } },
        ["view Yes", "view No"],
      ],
      [{ text: "Fine?", answer: { kind: "confirm", yes: `Look${" ".repeat(50)}and delete all` } }, ["view", "http No"]],
      [{ text: "Fine?", proposal }, ["http Yes", "http No"]],
    ] as const) {
      const count = receiver.deliveries.length + 1;
      await ask(server, hidden);
      const shown = checkNtfy(await delivery(receiver, count));
      for (const [at, action] of actions.entries())
        assert.ok(`${shown[at]?.action} ${shown[at]?.label}`.startsWith(action), action);
    }
    await ask(server, { text: "Elsewhere", channel: "dev" });
    await ask(server, { text: "Urgent", urgency: "high" });
    const both = [checkNtfy(await delivery(receiver, 12)), checkNtfy(await delivery(receiver, 13))];
    assert.deepEqual(
      both.map(({ length }) => length).toSorted((a, b) => a - b),
      [1, 2],
    );
  });

  it("by Slack, in text that has no markup, with links to a page", async () => {
    await using receiver = await WebhookReceiver.open();
    receiver.body = ({ path }) => (path === "/api/chat.postMessage" ? { ok: true, ts: "1.2" } : undefined);
    receiver.answer = () => 200;
    const slack = { name: "team", channels: ["*"], answerAs: "ana", slack: { url: "RECEIVER/services/T0/B0/x" } };
    const bot = { ...slack, name: "bot", slack: { token: "${env:SLACK}", channel: "C01", api: "RECEIVER/api/" } };
    await using server = await serverWith([slack, bot], receiver);
    const answer = { kind: "confirm", yes: "Delete 3 rows", destructive: true };
    const question = await ask(server, { text: "<!channel> *Delete*?", asker: "<@U1>", answer });
    await delivery(receiver, 2);
    const byPath = (path: string): Delivery => receiver.deliveries.find((one) => one.path === path) as Delivery;
    const hook = byPath("/services/T0/B0/x");
    const { text, blocks } = hook.body as { text: string; blocks: readonly Record<string, unknown>[] };
    assert.equal(text, "&lt;@U1&gt; asks in ops: &lt;!channel&gt; *Delete*?");
    // By the reference of Block Kit.
    const [head, section, actions] = blocks as readonly [
      { type: string; elements: readonly { type: string }[] },
      { type: string; text: { type: string; text: string } },
      { type: string; elements: readonly { type: string; url: string; style?: string; text: { text: string } }[] },
    ];
    assert.deepEqual([head.type, head.elements[0]?.type], ["context", "plain_text"]);
    assert.deepEqual([section.type, section.text.type], ["section", "plain_text"]);
    assert.deepEqual(
      actions.elements.map(({ type, style, text: { text: label } }) => [type, style, label]),
      [
        ["button", "danger", "Delete 3 rows"],
        ["button", undefined, "No"],
        ["button", undefined, "Open the question"],
      ],
    );
    const post = byPath("/api/chat.postMessage");
    assert.deepEqual([post.body["channel"], post.headers.authorization], ["C01", "Bearer xoxb-secret"]);
    await until("both are noted", async () => (await look(server, question)).notices?.length === 2);

    const page = await server.request(pathOf(actions.elements[0]?.url ?? ""), { headers: BROWSER });
    assert.match(page.text, /&#60;!channel&#62; \*Delete\*\?/);
    assert.match(page.text, /<button type="submit">Delete 3 rows<\/button>/);
    const pressed = await press(server, actions.elements[0]?.url ?? "", BROWSER);
    assert.deepEqual([pressed.status, /Answered/.test(pressed.text)], [200, true]);
  });

  it("in words in which nothing is hidden or turned around, whoever asked", async () => {
    await using receiver = await WebhookReceiver.open();
    receiver.answer = () => 200;
    const slack = { name: "team", channels: ["*"], answerAs: "ana", slack: { url: "RECEIVER/services/T0/B0/x" } };
    await using server = await serverWith([NTFY, slack], receiver);
    const turned = "\u202eexe.\u2066";
    const answer = { kind: "choice", options: [{ value: "a", label: `A${turned}` }, { value: "b" }] };
    const context = `Why${turned}\nand so on`;
    await ask(server, { text: `Run${turned}?`, asker: `ci${turned}`, context, answer });
    await delivery(receiver, 2);
    for (const { path, body } of receiver.deliveries) {
      const sent = JSON.stringify(body);
      assert.doesNotMatch(sent, /[\u202e\u2066]/, path);
      for (const word of ["A", "Why", "Run", "ci"])
        assert.ok(sent.includes(`${word}\\\\u202eexe.\\\\u2066`), `${path} ${word}`);
    }
    const pushed = receiver.deliveries.find(({ body }) => "actions" in body) as Delivery;
    const [{ url }] = pushed.body["actions"] as [{ url: string }];
    const page = await server.request(pathOf(url), { headers: BROWSER });
    assert.doesNotMatch(page.text, /[\u202e\u2066]/);
    assert.match(page.text, /Run\\u202eexe\.\\u2066\?/);
  });

  it("with what will be done first, which no text can push out of sight", async () => {
    await using receiver = await WebhookReceiver.open();
    await using server = await serverWith([NTFY], receiver);
    const proposal = { name: "rm_rf", arguments: { path: "/" } };
    await ask(server, { text: `Approve?\n\nWhat will be done: read_file {}${"\n \n".repeat(60)}now`, proposal });
    const { body } = await delivery(receiver);
    assert.equal(
      body["message"],
      'What will be done: rm_rf {"path":"/"}\n\nApprove?\n\nWhat will be done: read_file {}\n\nnow',
    );
  });

  it("and a way that refuses is noted with the reason, without secrets", async () => {
    await using receiver = await WebhookReceiver.open();
    receiver.answer = ({ path }) => (path === "/" ? 403 : 200);
    receiver.body = () => ({ ok: false, error: "channel_not_found" });
    const bot = {
      name: "bot",
      channels: ["*"],
      slack: { token: "${env:SLACK}", channel: "C01", api: "RECEIVER/api/" },
    };
    await using server = await serverWith([NTFY, bot], receiver);
    const question = await ask(server, { text: "A?" });
    await until("both are noted", async () => (await look(server, question)).notices?.length === 2);
    const { notices = [] } = await look(server, question);
    const told = notices.map(({ name, count, error }) => `${name} ${count} ${error}`);
    assert.equal(await server.metric("sse_mcp_notices_failed_total"), 2);
    assert.deepEqual(told.toSorted(), ["bot 0 Slack refused it: channel_not_found", "on-call 0 it answered 403"]);
  });

  it("[ASK-14] with links that outlive a restart, that need no credential, and that only the hub can make", async () => {
    using folder = new TemporaryFolder();
    using keys = new KeyRing();
    keys.add("ci");
    await using receiver = await WebhookReceiver.open();
    const data = `file:${folder.file("hub.db")}`;
    const first = await serverWith([NTFY], receiver, { data });
    const question = await ask(first, { text: "Deploy?" });
    const [yes] = checkNtfy(await delivery(receiver));
    await until("it is noted", async () => (await look(first, question)).notices?.length === 1);
    await first.close();
    await using server = await serverWith([NTFY], receiver, { data, apiKeysFile: keys.path, auth: "" });
    const { url = "" } = yes ?? {};
    for (const wrong of [
      `${url}x`,
      url.replace(/.\.(?=[^.]*$)/, "A."),
      `${HUB}/answer/x`,
      `${HUB}/answer/${"x".repeat(5000)}`,
    ]) {
      const refused = await press(server, wrong);
      assert.equal(refused.status, 404, refused.text);
    }
    assert.equal((await press(server, url)).status, 200);
    assert.equal(receiver.deliveries.length, 1, "the step was taken before");
  });
});
