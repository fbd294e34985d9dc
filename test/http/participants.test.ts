import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it } from "node:test";
import type { ParticipantList } from "../../src/protocol/participant.ts";
import { ACCEPT, LegacyClient, rpc } from "../support/legacy-client.ts";
import { KeyRing } from "../support/keys.ts";
import { listen, mcp, mcpRequest, McpStream, resultOf } from "../support/mcp.ts";
import { isGone, listOf, participant } from "../support/participants.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const BROWSER = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0" };
const CLIENT_INFO = "io.modelcontextprotocol/clientInfo";

/** A call of `wait_for_messages` by a client of revision 2026-07-28 that calls itself so, and how to end it. */
function waiting(server: TestServer, name: string, channels: readonly string[], timeoutSeconds = 40): AbortController {
  const gone = new AbortController();
  const params = { name: "wait_for_messages", arguments: { channels, timeoutSeconds } };
  const { headers, body } = mcpRequest("tools/call", params, { meta: { [CLIENT_INFO]: { name, version: "1" } } });
  const asked = { method: "POST", headers: headers as Record<string, string>, body, signal: gone.signal };
  void fetch(`${server.url}/mcp`, asked)
    .then((answer) => answer.text())
    .catch(() => {});
  return gone;
}

describe("who is here", { concurrency: true }, () => {
  it("[HERE-1] is told of each kind of reader by kind, state and channels, without addresses or secrets", async () => {
    await using server = await startServer();
    using _service = await server.events("?channel=orders.*,news");
    using person = await server.frames("?channel=orders.eu", { headers: BROWSER });
    await person.nextOf("welcome");
    await until("both read", async () => (await listOf(server)).total === 2);
    const { node } = (await server.call("get_server_info")).structuredContent;
    const { participants, total, more } = await listOf(server);
    assert.deepEqual([total, more], [2, false]);
    assert.deepEqual(
      participants.map((one) => ({ ...one, since: undefined })),
      [
        {
          name: null,
          kind: "person",
          verified: false,
          state: "connected",
          since: undefined,
          waiting: null,
          channels: ["orders.eu"],
          moreChannels: 0,
          nodes: [node],
        },
        {
          name: null,
          kind: "service",
          verified: false,
          state: "connected",
          since: undefined,
          waiting: null,
          channels: ["news", "orders.*"],
          moreChannels: 0,
          nodes: [node],
        },
      ],
    );
    for (const { since } of participants) assert.ok(Math.abs(Date.parse(since) - Date.now()) < 60_000);
    person.send({ type: "subscribe", channels: ["chat"] });
    await until(
      "it reads two",
      async () => (await listOf(server, "?channel=chat")).participants[0]?.channels.length === 2,
    );
    person.ws.close();
    await until("it is gone", async () => (await listOf(server)).total === 1);
  });

  it("[HERE-2] names people without a credential as they announce themselves, and by their last name only", async () => {
    await using server = await startServer();
    using kim = await server.frames("?channel=chat", { headers: BROWSER });
    await kim.nextOf("welcome");
    const announce = { type: "publish", channel: "hub.presence.chat", event: "presence", ephemeral: true };
    await kim.ask({ ...announce, data: { state: "here" }, sender: "Kim" });
    assert.equal((await participant(server, "Kim")).verified, false);
    await kim.ask({ ...announce, data: { state: "gone" }, sender: "Kim" });
    await kim.ask({ ...announce, data: { state: "here" }, sender: "Kimberly" });
    await participant(server, "Kimberly", ({ kind }) => kind === "person");
    assert.equal((await listOf(server)).total, 1);
    await kim.ask({ type: "publish", channel: "chat", data: "x", sender: "Someone else" });
    await participant(server, "Kimberly");
  });

  it("[HERE-2] names the streams of a reader by its id as it announces itself, also those that it opens later", async () => {
    await using server = await startServer();
    const id = "k3x9-w2_A";
    using first = await server.events(`?channel=chat&reader=${id}`, { headers: BROWSER });
    using _other = await server.events("?channel=chat&reader=another", { headers: BROWSER });
    const announce = async (sender: string, state: string, reader: unknown = id): Promise<void> => {
      const path = `/channels/hub.presence.chat/messages?event=presence&ephemeral=true&sender=${sender}`;
      const headers = { "content-type": "application/json" };
      const answer = await server.request(path, { method: "POST", headers, body: JSON.stringify({ state, reader }) });
      assert.equal(answer.status, 201);
    };
    await announce("Kim", "here");
    await participant(server, "Kim", ({ kind, verified }) => kind === "person" && !verified);
    assert.equal((await listOf(server)).total, 2);
    await announce("Kim", "gone");
    await announce("Kimberly", "here");
    await participant(server, "Kimberly");
    for (const wrong of [7, "a b", "x".repeat(65), null]) await announce("Nobody", "here", wrong);
    first.close();
    await isGone(server, "Kimberly");
    using _second = await server.events(`?channel=news&reader=${id}`, { headers: BROWSER });
    assert.deepEqual((await participant(server, "Kimberly")).channels, ["news"]);
    await announce("Kimberly", "gone");
    await isGone(server, "Kimberly");
    assert.equal(
      (await listOf(server)).participants.every(({ name }) => name === null),
      true,
    );
    const refused = await server.request("/events?reader=a%20b");
    assert.equal(refused.status, 400);
    assert.match(refused.text, /reader is \\"a b\\"; use 1 to 64 letters, digits, _ and -/);
  });

  it("[HERE-3] lists one participant once, however many connections it has", async () => {
    using keys = new KeyRing();
    const key = keys.add("billing", { subscribe: ["orders.*"] });
    const admin = keys.add("root", { admin: true });
    await using server = await startServer({ apiKeysFile: keys.path });
    const headers = { "x-api-key": key };
    using _one = await server.events("?channel=orders.eu", { headers });
    using _two = await server.events("?channel=orders.us", { headers });
    using _three = await server.frames("?channel=orders.us", { headers });
    const listed = async (): Promise<ParticipantList> => listOf(server, "", { "x-api-key": admin });
    await until("all are there", async () => (await listed()).participants[0]?.channels.length === 2);
    const { participants } = await listed();
    assert.deepEqual(
      participants.map(({ name, kind, verified, channels }) => [name, kind, verified, channels]),
      [["billing", "service", true, ["orders.eu", "orders.us"]]],
    );
    assert.doesNotMatch(JSON.stringify(participants), new RegExp(`127\\.0\\.0\\.1|${key}`));
  });

  it("[HERE-4] shows nobody a participant of channels that they may not read, nor those channels of others", async () => {
    using keys = new KeyRing();
    const admin = { "x-api-key": keys.add("root", { admin: true }) };
    const spy = { "x-api-key": keys.add("spy", { subscribe: ["secret.*"], publish: ["secret.*"] }) };
    const mixed = { "x-api-key": keys.add("mixed", { subscribe: ["*"] }) };
    const orders = { "x-api-key": keys.add("orders", { subscribe: ["orders.*"] }) };
    await using server = await startServer({ apiKeysFile: keys.path });
    using _spy = await server.events("?channel=secret.plans", { headers: spy });
    using _mixed = await server.events("?channel=secret.plans,orders.eu", { headers: mixed });
    using _all = await server.events("?channel=*", { headers: admin });
    const asked = { question: "Launch?", channel: "secret.plans", timeoutSeconds: 40 };
    const body = JSON.stringify({ params: { name: "ask_person", arguments: asked } });
    const call = server.request("/mcp/tools/call", { method: "POST", headers: spy, body });
    await until("all are there", async () => {
      const { participants } = await listOf(server, "", admin);
      return participants.some(({ state }) => state === "waiting") && participants.length === 4;
    });
    const { participants, total } = await listOf(server, "", orders);
    assert.deepEqual(
      participants.map(({ name, channels, waiting: wait }) => [name, channels, wait]),
      [
        ["mixed", ["orders.eu"], null],
        ["root", ["orders.*"], null],
      ],
    );
    assert.equal(total, 2);
    assert.equal((await server.request("/participants?channel=secret.plans", { headers: orders })).status, 403);
    const tool = await mcp(server, "tools/call", { name: "list_participants", arguments: {} }, { headers: orders });
    assert.doesNotMatch(tool.text, /secret|spy|Launch/);
    const told = resultOf(tool)["structuredContent"] as ParticipantList;
    const whole = told.participants.map((one) => ({ ...one, moreChannels: 0, nodes: participants[0]?.nodes }));
    assert.deepEqual([whole, told.more], [participants, false]);
    const [question] = (
      (await server.request("/questions", { headers: admin })).json() as { questions: { id: string }[] }
    ).questions;
    await server.request(`/questions/${question?.id}/cancel`, { method: "POST", headers: admin, body: "{}" });
    await call;
  });

  it("[HERE-5] leaves out those who look on, and pages that read only what the server does", async () => {
    await using server = await startServer();
    using _watch = await server.events("?channel=orders.eu&watch=true");
    using frames = await server.frames("?channel=orders.eu&watch=true");
    using _stats = await server.events("?channel=hub.stats,hub.presence");
    await frames.nextOf("welcome");
    await until("all read", () => server.hub.size === 3);
    assert.deepEqual(await listOf(server), { participants: [], total: 0, more: false });
    assert.equal((await server.publish("orders.eu", 1)).receivers, 0);
  });

  it("[HERE-6] says what an agent waits for and since when, over calls that follow each other, and then that it is idle", async () => {
    await using server = await startServer();
    waiting(server, "claude-code", ["orders.eu", "news.*"]);
    const first = await participant(server, "claude-code", ({ state }) => state === "waiting");
    assert.deepEqual([first.kind, first.waiting], ["agent", { for: "messages", channels: ["orders.eu", "news.*"] }]);
    await server.publish("news.today", 1);
    const idle = await participant(server, "claude-code", ({ state }) => state === "idle");
    assert.deepEqual([idle.waiting, idle.channels], [null, ["news.*", "orders.eu"]]);
    assert.ok(idle.since >= first.since);
    using _gone = { [Symbol.dispose]: () => again.abort() };
    const again = waiting(server, "claude-code", ["orders.eu", "news.*"]);
    const second = await participant(server, "claude-code", ({ state }) => state === "waiting");
    assert.equal(second.since, first.since);
    const { content } = await server.call("list_participants", { channel: "news.today" });
    assert.match(
      content[0]?.text ?? "",
      /^claude-code \(agent\): waiting for messages of orders\.eu, news\.\* since \d{4}-.*, reads news\.\*, orders\.eu$/m,
    );
    assert.equal((await listOf(server, "?channel=other")).total, 0);
  });

  it("[HERE-6] says that an agent waits for an answer, first of all, until it has it", async () => {
    await using server = await startServer();
    using _reader = await server.events("?channel=a");
    const agent = await LegacyClient.open(server);
    const asked = agent.ask("tools/call", {
      name: "ask_person",
      arguments: { question: "Deploy?", channel: "ops", timeoutSeconds: 40 },
    });
    const found = await participant(server, "test", ({ state }) => state === "waiting");
    assert.ok(found.waiting?.for === "answer" && found.waiting.channel === "ops");
    const { question } = found.waiting;
    assert.equal((await listOf(server)).participants[0]?.name, "test");
    assert.equal((await listOf(server, "?channel=ops")).total, 1);
    await server.request(`/questions/${question}/answer`, { method: "POST", body: JSON.stringify({ value: true }) });
    await asked;
    await participant(server, "test", ({ state }) => state === "idle");
  });

  it("[HERE-7] forgets an agent that dies with its connection, in both eras and while it waits", async () => {
    await using server = await startServer();
    const { headers, body } = mcpRequest(
      "tools/call",
      { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } },
      { meta: { [CLIENT_INFO]: { name: "mortal", version: "1" } } },
    );
    const source = `fetch(${JSON.stringify(`${server.url}/mcp`)}, ${JSON.stringify({ method: "POST", headers, body })})`;
    const child = spawn(process.execPath, ["-e", source], { stdio: "ignore" });
    await participant(server, "mortal", ({ state }) => state === "waiting");
    child.kill("SIGKILL");
    await isGone(server, "mortal");
    const old = await LegacyClient.open(server);
    const call = rpc({
      id: 7,
      method: "tools/call",
      params: { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } },
    });
    const gone = new AbortController();
    const post = { method: "POST", headers: { ...old.headers, accept: ACCEPT }, body: call, signal: gone.signal };
    void fetch(`${server.url}/mcp`, post)
      .then((answer) => answer.text())
      .catch(() => {});
    await participant(server, "test", ({ state }) => state === "waiting");
    gone.abort();
    await isGone(server, "test");
  });

  it("[HERE-8] lists agents with what they subscribed to, in both eras, while their streams are open", async () => {
    await using server = await startServer();
    using modern = await listen(
      server,
      { resourceSubscriptions: ["hub://channels/orders.eu"], resourcesListChanged: true },
      { meta: { [CLIENT_INFO]: { name: "modern", version: "1" } } },
    );
    const old = await LegacyClient.open(server);
    using stream = await old.listen();
    await old.ask("resources/subscribe", { uri: "hub://channels/orders.us" });
    assert.deepEqual((await participant(server, "modern", ({ state }) => state === "connected")).channels, [
      "orders.eu",
    ]);
    const legacy = await participant(server, "test", ({ state }) => state === "connected");
    assert.deepEqual([legacy.kind, legacy.channels], ["agent", ["orders.us"]]);
    modern.stream.close();
    stream.close();
    await isGone(server, "modern");
    await isGone(server, "test");
    const asked = { name: "message.published", arguments: { channels: ["x"] } };
    using events = await McpStream.open(server, "events/stream", asked);
    assert.equal((await events.next()).method, "notifications/events/active");
    assert.deepEqual((await participant(server, "test", ({ state }) => state === "connected")).channels, ["x"]);
    events.close();
    await isGone(server, "test");
  });

  it("[HERE-9] is bounded: a thousand participants are counted, and no more are listed than were asked for", async () => {
    await using server = await startServer();
    const readers = await Promise.all(Array.from({ length: 40 }, () => server.events("?channel=crowd")));
    using one = await server.frames("?channel=");
    await one.nextOf("welcome");
    for (let caller = 0; caller < 1100; caller += 50) {
      const names = Array.from({ length: 50 }, (_, index) => `agent-${String(caller + index).padStart(4, "0")}`);
      await Promise.all(
        names.map((name) => mcp(server, "server/discover", {}, { meta: { [CLIENT_INFO]: { name, version: "1" } } })),
      );
    }
    // Readers that say the same of themselves are one entry, and the oldest callers make room for others.
    const all = await listOf(server, "?limit=500");
    assert.deepEqual([all.participants.length, all.total, all.more], [500, 1002, true]);
    assert.deepEqual(all.participants[0]?.name, "agent-0100");
    const few = await listOf(server, "?limit=3");
    assert.deepEqual([few.participants.length, few.total, few.more], [3, 1002, true]);
    assert.equal((await server.request("/participants?limit=501")).status, 400);
    const { structuredContent } = await server.call("list_participants");
    assert.equal((structuredContent["participants"] as unknown[]).length, 100);
    for (const reader of readers) reader.close();
  });
});
