import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixtures } from "../conformance/fixtures.ts";
import { ScriptedHub, type Asked } from "../support/scripted-hub.ts";
import { startServer } from "../support/server.ts";
import { StdioBridge } from "../support/stdio-bridge.ts";
import { until } from "../support/until.ts";

const RESULT = { protocolVersion: "2025-06-18", capabilities: { tools: { listChanged: true } } };

/** What was asked of a hub, in short. */
function story({ asked }: ScriptedHub): readonly string[] {
  return asked.map(({ method, headers, message }) =>
    [method, headers["mcp-session-id"], message.method, message.id].filter((word) => word !== undefined).join(" "),
  );
}

/** Opens sessions s1, s2 and so on, keeps their streams open, and lets `other` answer what else is asked. */
function sessions(other: (asked: Asked, hub: ScriptedHub) => void): (asked: Asked, hub: ScriptedHub) => void {
  let opened = 0;
  return (asked, hub) => {
    const { method, message, response, reply, stream } = asked;
    if (message.method === "initialize") reply({ result: RESULT }, { "mcp-session-id": `s${++opened}` });
    else if (message.method === "notifications/initialized") response.writeHead(202).end();
    else if (method === "GET" && asked.headers["mcp-session-id"] === `s${opened}`) stream();
    else if (method === "DELETE") response.writeHead(200).end();
    else other(asked, hub);
  };
}

describe("sse-mcp-server stdio, revisions with sessions", { concurrency: 2 }, () => {
  it("opens one session, says its id and revision from then on, and ends it", async () => {
    await using hub = await ScriptedHub.start(sessions(({ reply }) => reply({ result: {} })));
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    const { result } = await bridge.initialize();
    assert.equal(result?.["protocolVersion"], "2025-06-18");
    bridge.send({ id: 1, method: "ping" });
    await bridge.answer(1);
    assert.equal(await bridge.end(), 0);
    assert.deepEqual(story(hub), [
      "POST initialize initialize",
      "POST s1 notifications/initialized",
      "GET s1",
      "POST s1 ping 1",
      "DELETE s1",
    ]);
    const [first, ...rest] = hub.asked.map(({ headers }) => headers["mcp-protocol-version"]);
    assert.deepEqual([first, new Set(rest)], [undefined, new Set(["2025-06-18"])]);
    assert.equal(hub.asked[0]?.headers.accept, "application/json, text/event-stream");
  });

  it("keeps the order of what comes before the session is open", async () => {
    await using hub = await ScriptedHub.start(sessions(({ reply }) => reply({ result: {} })));
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } };
    bridge.send(
      { id: 0, method: "initialize", params },
      { method: "notifications/initialized" },
      { id: 1, method: "ping" },
    );
    assert.deepEqual([(await bridge.next()).id, (await bridge.next()).id], [0, 1]);
    assert.deepEqual(story(hub), [
      "POST initialize 0",
      "POST s1 notifications/initialized",
      "GET s1",
      "POST s1 ping 1",
    ]);
  });

  it("carries what the hub asks the client, and what the client answers", async () => {
    await using server = await startServer({}, fixtures());
    await using bridge = await StdioBridge.open(["--url", server.url]);
    await bridge.initialize({ elicitation: {}, sampling: {} });
    bridge.send({ id: 1, method: "tools/call", params: { name: "test_elicitation", arguments: { message: "Who?" } } });
    const asked = await bridge.next();
    assert.deepEqual([asked.method, asked.params?.["message"]], ["elicitation/create", "Who?"]);
    bridge.send({ id: asked.id, result: { action: "accept", content: { username: "ann" } } });
    assert.match(JSON.stringify((await bridge.answer(1)).result), /action=accept, content=.+ann/);
  });

  it("comes back for an answer whose stream the hub has ended", async () => {
    await using server = await startServer({}, fixtures());
    await using bridge = await StdioBridge.open(["--url", server.url]);
    await bridge.initialize();
    bridge.send({ id: 1, method: "tools/call", params: { name: "test_reconnection", arguments: {} } });
    const { result, error } = await bridge.answer(1);
    assert.ok(result !== undefined, error?.message);
  });

  it("reads the stream of the session from where it broke", async () => {
    const event = (id: string, n: number): string =>
      `id: ${id}\nretry: 1\ndata: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { n } })}\n\n`;
    let streams = 0;
    await using hub = await ScriptedHub.start((asked, self) => {
      if (asked.method !== "GET") return sessions(({ reply }) => reply({ result: {} }))(asked, self);
      streams++;
      if (streams === 3) return void asked.response.writeHead(503).end();
      asked.stream(event(`e${streams}`, streams));
      if (streams < 4) asked.response.write(":\n\n", () => asked.response.destroy());
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    const numbers = [await bridge.next(), await bridge.next(), await bridge.next()].map(({ params }) => params?.["n"]);
    assert.deepEqual(numbers, [1, 2, 4]);
    const asked = hub.asked.filter(({ method }) => method === "GET").map(({ headers }) => headers["last-event-id"]);
    assert.deepEqual(asked, [undefined, "e1", "e2", "e2"]);
  });

  it("comes back to a stream whose ids are no ASCII, and to one whose ids no header can say", async () => {
    const ids = ["事件-1", "e\u0001"];
    await using hub = await ScriptedHub.start((asked, self) => {
      if (asked.method !== "GET") return sessions(({ reply }) => reply({ result: {} }))(asked, self);
      const id = ids.shift();
      if (id === undefined) return asked.stream();
      asked.stream(`id: ${id}\nretry: 1\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n`);
      return asked.response.end();
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    // The list may have changed behind an event that cannot be named.
    const methods = [await bridge.next(), await bridge.next(), await bridge.next()].map(({ method }) => method);
    assert.deepEqual(methods, ["notifications/message", "notifications/message", "notifications/tools/list_changed"]);
    const asked = hub.asked.filter(({ method }) => method === "GET").map(({ headers }) => headers["last-event-id"]);
    const bytes = Buffer.from("事件-1").toString("latin1");
    assert.deepEqual(asked, [undefined, bytes, undefined]);
  });

  it("passes over what is not a message on its stream, however deep, and answers with why if an answer is not", async () => {
    const deep = `[${"[".repeat(20_000)}${"]".repeat(20_000)}]`;
    const answer = `{"jsonrpc":"2.0","id":1,"result":{"a":${deep}}}`;
    const wrong = [deep, `[${answer}]`, answer, "{"];
    const news = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';
    await using hub = await ScriptedHub.start((asked, self) => {
      const { id } = asked.message;
      if (asked.method === "GET") return asked.stream([...wrong, news].map((text) => `data: ${text}\n\n`).join(""));
      const text = typeof id === "number" ? wrong[id] : undefined;
      if (text === undefined) return sessions(({ reply }) => reply({ result: {} }))(asked, self);
      return asked.stream(`data: ${text}\n\n`);
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    assert.equal((await bridge.next()).method, "notifications/tools/list_changed");
    for (const id of wrong.keys()) {
      bridge.send({ id, method: "tools/list" });
      assert.match((await bridge.answer(id)).error?.message ?? "", /is not a JSON-RPC message/);
    }
    assert.equal(await bridge.end(), 0);
  });

  it("goes on when the hub first answers with nonsense to the opening of another session", async () => {
    let streams = 0;
    await using hub = await ScriptedHub.start((asked, self) => {
      const { method, message, response, reply } = asked;
      if (method === "GET" && ++streams < 3) response.writeHead(404).end();
      else if (message.method === "initialize" && self.asked.length > 1)
        reply({ error: { code: 1, message: { toString: "nothing that can be called" } } });
      else sessions(({ reply: other }) => other({ result: {} }))(asked, self);
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    await until("it has come back", () => streams === 3);
    bridge.send({ id: 1, method: "tools/list" });
    assert.ok((await bridge.answer(1)).result !== undefined);
  });

  it("does without the stream where the hub has none", async () => {
    await using hub = await ScriptedHub.start((asked, self) => {
      if (asked.method === "GET") asked.response.writeHead(405).end();
      else sessions(({ reply }) => reply({ result: {} }))(asked, self);
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    bridge.send({ id: 1, method: "ping" });
    assert.equal((await bridge.next()).id, 1);
    assert.equal(hub.asked.filter(({ method }) => method === "GET").length, 1);
    assert.doesNotMatch(bridge.cli.stderr, /by itself/);
  });

  it("opens another session once when the hub has lost it, does in it what was done before, then asks again", async () => {
    let known = "s1";
    await using hub = await ScriptedHub.start(
      sessions(({ headers, response, reply }) => {
        if (headers["mcp-session-id"] === known) reply({ result: {} });
        else response.writeHead(404).end();
      }),
    );
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    bridge.send({ id: 1, method: "resources/subscribe", params: { uri: "hub://a" } });
    bridge.send({ id: 2, method: "resources/subscribe", params: { uri: "hub://b" } });
    bridge.send({ id: 3, method: "logging/setLevel", params: { level: "info" } });
    for (let n = 0; n < 3; n++) await bridge.next();
    bridge.send({ id: 4, method: "resources/unsubscribe", params: { uri: "hub://b" } });
    await bridge.next();
    const before = hub.asked.length;
    known = "s2";
    bridge.send({ id: 5, method: "ping" }, { id: 6, method: "ping" });
    const lines = [await bridge.next(), await bridge.next(), await bridge.next(), await bridge.next()];
    assert.deepEqual(
      new Set(lines.map(({ id, method }) => id ?? method)),
      new Set([5, 6, "notifications/resources/updated", "notifications/tools/list_changed"]),
    );
    assert.equal(lines.find(({ params }) => params?.["uri"] !== undefined)?.params?.["uri"], "hub://a");
    const after = story(hub).slice(before);
    assert.deepEqual(after.slice(0, 2).sort(), ["POST s1 ping 5", "POST s1 ping 6"]);
    assert.deepEqual(after.slice(2, 6), [
      "POST initialize initialize",
      "POST s2 notifications/initialized",
      "POST s2 resources/subscribe 1",
      "POST s2 logging/setLevel 3",
    ]);
    assert.deepEqual(after.slice(6).sort(), ["GET s2", "POST s2 ping 5", "POST s2 ping 6"]);
  });

  it("says so where the hub opens no other session, or loses that one, too", async () => {
    let isFull = true;
    await using hub = await ScriptedHub.start((asked, self) => {
      const { message, response, reply } = asked;
      if (message.method === "ping") return void response.writeHead(404).end();
      if (message.method !== "initialize" || self.asked.length === 1 || !isFull) {
        return sessions(({ reply: other }) => other({ result: {} }))(asked, self);
      }
      return reply({ error: { code: 503, message: "1000 sessions are open" } });
    });
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    await bridge.initialize();
    bridge.send({ id: 1, method: "ping" });
    const { error } = await bridge.next();
    assert.deepEqual(error, { code: 503, message: "The hub opens no other session: 1000 sessions are open" });
    isFull = false;
    bridge.send({ id: 2, method: "ping" });
    assert.equal((await bridge.answer(2)).error?.code, 404);
  });

  it("answers a ping while there is no session, also where the hub opens none", async () => {
    await using hub = await ScriptedHub.start(({ reply }) => reply({ error: { code: -32602, message: "no" } }));
    await using bridge = await StdioBridge.open(["--url", hub.url]);
    bridge.send({ id: "p", method: "ping" });
    assert.deepEqual(await bridge.next(), { jsonrpc: "2.0", id: "p", result: {} });
    assert.equal((await bridge.initialize()).error?.message, "no");
    bridge.send({ id: 2, method: "ping" });
    assert.deepEqual((await bridge.answer(2)).result, {});
    assert.equal(hub.asked.length, 1);
  });

  it("passes on what the hub says of requests without a session, and drops the rest with a word", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    bridge.send({ id: 1, method: "tools/list" });
    const { error } = await bridge.next();
    assert.match(error?.message ?? "", /send initialize to open a session/);
    bridge.send({ method: "notifications/roots/list_changed" });
    await until("the word", () =>
      /roots\/list_changed could not be passed on: There is no session/.test(bridge.cli.stderr),
    );
  });

  it("cancels a request at the hub, and writes nothing more of it", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    await bridge.initialize();
    const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } };
    bridge.send({ id: 1, method: "tools/call", params: wait });
    bridge.send({ method: "notifications/cancelled", params: { requestId: 1 } });
    bridge.send({ id: 2, method: "tools/call", params: wait });
    const waiting = (): Promise<number> => server.metric('sse_mcp_connections{door="waiting"}');
    await until("one waits", async () => (await waiting()) === 1);
    await server.publish("a", "Hello");
    const { id, result } = await bridge.answer(2);
    assert.deepEqual([id, JSON.stringify(result).includes("Hello")], [2, true]);
    assert.doesNotMatch(bridge.cli.stdout, /"id":1[,}]/);
  });
});
