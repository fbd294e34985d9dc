import assert from "node:assert/strict";
import { it } from "node:test";
import type { Page } from "playwright-core";
import type { Message } from "../src/protocol/message.ts";
import type { Question } from "../src/protocol/question.ts";
import { needsBrowser, openBrowser } from "./support/browser.ts";
import { Cli } from "./support/cli.ts";
import { EventReader } from "./support/event-reader.ts";
import { FrameReader, type Frame } from "./support/frame-reader.ts";
import { freePort } from "./support/free-port.ts";
import { githubHeaders, githubHook, HooksFile } from "./support/hooks.ts";
import { openSdkClient } from "./support/mcp-clients.ts";
import { request } from "./support/request.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";
import { until } from "./support/until.ts";

const CHANNEL = "builds";
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
/** Published when all is over: who has read it has read everything before. */
const END = "the end";

/** What a reader got, in its order; presence is not kept, and has no place in the record. */
type Seen = Pick<Message, "id" | "event" | "data">;

it("a webhook wakes an agent, which asks, outlives a restart of the hub, is answered on a phone, and goes on", async (t) => {
  await using browser = await openBrowser();
  if (!needsBrowser(t, browser)) return;
  using folder = new TemporaryFolder();
  using hooks = new HooksFile(
    githubHook({
      events: ["push"],
      text: "{/after} on {/ref} by {/sender/login}",
      wakes: [{ pointer: "/sender/login", in: ["ana"] }],
    }),
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { PORT: String(port), DATA: `file:${folder.file()}`, HOOKS_FILE: hooks.path, DRAIN: "0" };
  const start = async (): Promise<Cli> => {
    const started = new Cli([], { cwd: folder.path, env });
    assert.equal(await started.url(), url);
    return started;
  };
  const isWaiting = async (): Promise<boolean> =>
    (await request(`${url}/metrics`)).text.includes('sse_mcp_connections{door="waiting"} 1\n');
  const push = async (login: string, after: string, secret?: string): Promise<number> => {
    const body = JSON.stringify({ ref: "main", after, sender: { login } });
    const headers = githubHeaders(body, { event: "push", ...(secret === undefined ? {} : { secret }) });
    return (await request(`${url}/hooks/github`, { method: "POST", body, headers })).status;
  };

  await using first = await start();
  await using agent = await openSdkClient("v2 in auto mode", url);
  const phone = await browser.newContext(PHONE);
  const page = await phone.newPage();
  await page.goto(`${url}/chat#${CHANNEL}`);
  await page.locator("#note", { hasText: "Nothing is kept" }).waitFor();
  await page.fill("#nickname", "Ana");
  await page.press("#nickname", "Tab");
  const sse = await EventReader.open(`${url}/events?channel=${CHANNEL}&format=json`);
  const socket = await FrameReader.open(`${url.replace("http", "ws")}/ws?channel=${CHANNEL}`);
  await socket.nextOf("welcome");

  // The agent waits, and is woken by whom the hook names: not by a forger, and not by a stranger.
  const waiting = agent.call("wait_for_messages", { channels: [CHANNEL], timeoutSeconds: 40 });
  await until("the agent waits", isWaiting);
  assert.equal(await push("ana", "forged", "another secret"), 401);
  assert.equal(await push("stranger", "0badc0de"), 200);
  assert.equal(await isWaiting(), true);
  assert.equal(await push("ana", "5eed1e55"), 200);
  const woken = (await waiting).structuredContent as unknown as { messages: readonly Message[]; gap: null };
  assert.deepEqual(
    woken.messages.map(({ data, sender, via, verified }) => ({ data, sender, via, verified })),
    [
      { data: "0badc0de on main by stranger", sender: "hook:github", via: "webhook", verified: true },
      { data: "5eed1e55 on main by ana", sender: "hook:github", via: "webhook", verified: true },
    ],
  );

  // It asks, and still waits when the hub stops.
  const asking = agent.call("ask_person", {
    question: "Deploy 5eed1e55 to production?",
    channel: CHANNEL,
    proposal: { name: "deploy", arguments: { commit: "5eed1e55" } },
    timeoutSeconds: 40,
  });
  await page.locator("#rows .question", { hasText: "5eed1e55" }).waitFor();
  await until("the agent waits", isWaiting);
  first.kill("SIGTERM");
  const open = (await asking).structuredContent;
  assert.equal(open["status"], "open");
  const id = open["questionId"] as string;
  assert.equal(await first.exit(), 0);
  await sse.ended;
  await socket.closed;

  // The hub is back with the same file, and readers come back with where they were.
  await using second = await start();
  const seenBefore = { sse: eventsOf(sse), socket: framesOf(socket.waiting) };
  using sseAgain = await EventReader.open(`${url}/events?channel=${CHANNEL}&format=json`, {
    lastEventId: sse.ids.at(-1) ?? "",
  });
  const place = seenBefore.socket.at(-1)?.id;
  using socketAgain = await FrameReader.open(
    `${url.replace("http", "ws")}/ws?channel=${CHANNEL}&last_event_id=${place}`,
  );
  const resumed = agent.call("await_answer", { questionId: id, timeoutSeconds: 40 });
  await until("the agent waits again", isWaiting);
  await page.locator("#rows .question .answers button:enabled", { hasText: "Yes" }).tap();
  const answer = await resumed;
  const { status, value, by, via } = answer.structuredContent;
  assert.deepEqual({ status, value, by, via }, { status: "answered", value: true, by: "Ana", via: "page" });

  await agent.call("send_sse_message", { channel: CHANNEL, message: "deployed", sender: "deployer" });
  await request(`${url}/channels/${CHANNEL}/messages`, { method: "POST", body: END });

  // Everyone has everything once, in the order of the record.
  const record = await history(url);
  assert.deepEqual(
    record.map(({ event, data }) => (typeof data === "string" ? data : event)),
    [
      "0badc0de on main by stranger",
      "5eed1e55 on main by ana",
      "question.opened",
      "question.answered",
      "deployed",
      END,
    ],
  );
  await until("the stream has come to the end", () => eventsOf(sseAgain).at(-1)?.data === END);
  await until("the socket has come to the end", () => framesOf(socketAgain.waiting).at(-1)?.data === END);
  assert.deepEqual([...seenBefore.sse, ...eventsOf(sseAgain)], record);
  assert.deepEqual([...seenBefore.socket, ...framesOf(socketAgain.waiting)], record);
  await page.locator("#rows .row", { hasText: END }).waitFor();
  assert.deepEqual(await told(page), { deployed: 1, cards: 1, outcome: ["✓ Yes Ana"] });

  const kept = (await request(`${url}/questions/${id}`)).json() as Question;
  const { outcome, answered, asker, proposal, askedAt } = kept;
  assert.deepEqual(
    [outcome, answered?.value, answered?.by, answered?.via, asker, proposal?.arguments, answered?.proposalHash],
    ["answered", true, "Ana", "page", "test", { commit: "5eed1e55" }, proposal?.hash],
  );
  assert.ok(Date.parse(askedAt) < Date.parse(answered?.at ?? ""), "asked before it was answered");
  await phone.close();
  second.kill("SIGTERM");
  assert.equal(await second.exit(), 0);
});

async function history(url: string): Promise<readonly Seen[]> {
  const answer = await request(`${url}/channels/${CHANNEL}/messages?limit=100`);
  return (answer.json() as { readonly messages: readonly Message[] }).messages.map(seen);
}

function seen({ id, event, data }: Message): Seen {
  return { id, event, data };
}

/** The kept messages that came on a stream. */
function eventsOf({ waiting }: EventReader): readonly Seen[] {
  const messages = waiting.map(({ data }) => JSON.parse(data) as Message | { readonly id: string });
  return messages.filter((one): one is Message => "channel" in one && one.id !== null).map(seen);
}

/** The kept messages that came on a socket. */
function framesOf(frames: readonly Frame[]): readonly Seen[] {
  return (frames as readonly unknown[] as readonly (Message & Frame)[])
    .filter(({ type, id }) => type === "message" && id !== null)
    .map(seen);
}

/** What the page shows of it. */
function told(page: Page): Promise<object> {
  return page.evaluate(`({
    deployed: [...document.querySelectorAll("#rows .said")].filter(({ textContent }) => textContent === "deployed").length,
    cards: document.querySelectorAll("#rows article.question").length,
    outcome: [...document.querySelectorAll("#rows article.question .outcome")].map(({ textContent }) => textContent.split(",")[0]),
  })`);
}
