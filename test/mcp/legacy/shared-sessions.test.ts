import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ANYONE, type Principal } from "../../../src/core/principal.ts";
import { LocalStore } from "../../../src/logs/local-store.ts";
import type { McpContext } from "../../../src/mcp/catalog.ts";
import type { Extras } from "../../../src/mcp/definitions.ts";
import { clientOf } from "../../../src/mcp/legacy/session-state.ts";
import type { SessionConnection } from "../../../src/mcp/legacy/session-stream.ts";
import type { LegacySession } from "../../../src/mcp/legacy/session.ts";
import { openMcp, type McpOptions, type OpenedMcp } from "../../../src/mcp/open.ts";
import type { RpcMessage } from "../../support/legacy-client.ts";
import { calling, Held, said, tool } from "../../support/legacy-tools.ts";
import { mcpContext } from "../../support/mcp-context.ts";
import { draftOf } from "../../support/sample.ts";
import { SharedNode } from "../../support/shared-node.ts";
import { until } from "../../support/until.ts";

const CLIENT = clientOf({
  protocolVersion: "2025-11-25",
  capabilities: { elicitation: {} },
  clientInfo: { name: "test", version: "0" },
});
const OWNER = { principal: ANYONE, stay: () => () => {} };
const OTHER: Principal = { ...ANYONE, id: "somebody else" };
const AWAY = { code: "LOG_UNAVAILABLE" };

/** A node: its store of sessions, and its way to what the nodes share. */
interface Node extends OpenedMcp {
  readonly shared: SharedNode;
}

/** Two nodes with one store and one hub. */
class Nodes implements AsyncDisposable {
  readonly context: McpContext & AsyncDisposable;
  readonly store = new LocalStore();
  readonly a: Node;
  readonly b: Node;

  private constructor(context: McpContext & AsyncDisposable, a: Node, b: Node, store: LocalStore) {
    this.context = context;
    this.a = a;
    this.b = b;
    this.store = store;
  }

  static async open(options: Partial<McpOptions> = {}, extras: Extras = {}): Promise<Nodes> {
    const store = new LocalStore();
    const context = await mcpContext(extras);
    const open = async (name: string): Promise<Node> => {
      const shared = new SharedNode(store, name);
      const defaults = { file: undefined, maxSessions: 10, idle: 60_000, onKey: () => {}, report: assert.ifError };
      return { shared, ...(await openMcp({ ...context, shared, ...defaults, ...options })) };
    };
    return new Nodes(context, await open("a"), await open("b"), store);
  }

  async publish(channel: string): Promise<void> {
    await this.context.hub.publish(draftOf(channel, 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.a.close();
    this.b.close();
    this.store.close();
    await this.context[Symbol.asyncDispose]();
  }
}

async function begin({ sessions }: Node, principal: Principal = ANYONE): Promise<LegacySession> {
  const { session, leave } = await sessions.begin({ ...OWNER, principal }, CLIENT);
  leave();
  return session;
}

async function find({ sessions }: Node, { id }: { readonly id: string }): Promise<LegacySession> {
  const session = await sessions.find(id, OWNER);
  assert.ok(session !== undefined);
  return session;
}

async function isFound({ sessions }: Node, { id }: { readonly id: string }): Promise<boolean> {
  return (await sessions.find(id, OWNER)) !== undefined;
}

/** One stream of a session. */
class Stream implements SessionConnection {
  readonly sent: RpcMessage[] = [];
  isCut = false;

  write(text: string): void {
    this.sent.push(JSON.parse(text) as RpcMessage);
  }

  prime(): void {}

  end(): void {}

  cut(): void {
    this.isCut = true;
  }

  /** The URIs and lists that its client was told of. */
  get told(): Set<unknown> {
    return new Set(this.sent.map(({ method, params }) => params?.["uri"] ?? method));
  }

  async hears(...names: readonly string[]): Promise<void> {
    await until(`it is told of ${names.join()}`, () => names.every((name) => this.told.has(name)));
  }
}

/** Has a session perform a request; resolves with the response. */
async function ask(session: LegacySession, method: string, params: object = {}): Promise<RpcMessage> {
  const stream = new Stream();
  const id = crypto.randomUUID();
  session.receive([{ jsonrpc: "2.0", id, method, params }], OWNER, session.stream(stream));
  const isAnswer = (message: RpcMessage): boolean => message.id === id;
  await until("the answer", () => stream.sent.some(isAnswer));
  return stream.sent.find(isAnswer) as RpcMessage;
}

function subscribe(session: LegacySession, channel: string): Promise<RpcMessage> {
  return ask(session, "resources/subscribe", { uri: `hub://channels/${channel}` });
}

function uris(session: LegacySession): Set<string> {
  return new Set(session.subscriptions.uris.map((uri) => uri.replace("hub://channels/", "")));
}

/** What comes to a node in a session, and is passed on if it is of another. */
async function say(node: Node, session: LegacySession, message: object): Promise<void> {
  await node.sessions.forward(session, session.receive([{ jsonrpc: "2.0", ...message }], OWNER));
}

describe("a session on many nodes", { concurrency: true }, () => {
  it("[MCP-43] goes on at a node that has never seen it, with its subscriptions, log level and client", async () => {
    await using nodes = await Nodes.open();
    const began = await begin(nodes.a);
    await subscribe(began, "x");
    await ask(began, "logging/setLevel", { level: "error" });
    const found = await find(nodes.b, began);
    assert.deepEqual([uris(found), found.state.logLevel], [new Set(["x"]), "error"]);
    assert.deepEqual(found.state.client, CLIENT);
    const stream = new Stream();
    found.listen(stream);
    await stream.hears("hub://channels/x", "notifications/resources/list_changed");
  });

  it("[MCP-43] is found by its owner only, wherever it comes", async () => {
    await using nodes = await Nodes.open();
    const began = await begin(nodes.a);
    assert.equal(await nodes.b.sessions.find(began.id, { ...OWNER, principal: OTHER }), undefined);
    assert.equal(await isFound(nodes.b, { id: `${began.id}x` }), false);
    assert.equal(await isFound(nodes.b, began), true);
  });

  it("[MCP-43] listens on one node to what it subscribes to on another, until it unsubscribes there", async () => {
    await using nodes = await Nodes.open();
    const onA = await begin(nodes.a);
    const stream = new Stream();
    onA.listen(stream);
    const onB = await find(nodes.b, onA);
    await subscribe(onB, "x");
    await stream.hears("hub://channels/x");
    stream.sent.length = 0;
    await nodes.publish("x");
    await stream.hears("hub://channels/x", "notifications/resources/list_changed");
    await ask(onB, "resources/unsubscribe", { uri: "hub://channels/x/" });
    await until("it has heard", () => uris(onA).size === 0);
  });

  it("[MCP-43] keeps what it subscribes to on several nodes at the same time", async () => {
    await using nodes = await Nodes.open();
    const onA = await begin(nodes.a);
    const onB = await find(nodes.b, onA);
    const names = Array.from({ length: 12 }, (_, n) => `c${n}`);
    await Promise.all(names.map((name, n) => subscribe(n % 2 === 0 ? onA : onB, name)));
    const all = new Set(names);
    await find(nodes.a, onA);
    await find(nodes.b, onA);
    assert.deepEqual([uris(onA), uris(onB)], [all, all]);
  });

  it("[MCP-43] has what it set on one node in its next request on another, even if nodes do not hear each other", async () => {
    await using nodes = await Nodes.open();
    const onA = await begin(nodes.a);
    const onB = await find(nodes.b, onA);
    nodes.b.shared.isMute = true;
    await ask(onB, "logging/setLevel", { level: "alert" });
    assert.equal(onA.state.logLevel, "debug");
    assert.equal((await find(nodes.a, onA)).state.logLevel, "alert");
  });

  it("[MCP-43] that is ended on one node ends on all, at once if they hear of it, and with its next request if not", async () => {
    const held = new Held();
    await using nodes = await Nodes.open({}, { tools: [held.tool] });
    const [heard, unheard] = [await begin(nodes.a), await begin(nodes.a)];
    heard.receive([{ jsonrpc: "2.0", ...calling(1, "hold") }], OWNER, heard.stream(undefined));
    await until("it is held", () => held.calls.length === 1);
    await nodes.b.sessions.end(await find(nodes.b, heard));
    assert.deepEqual([heard.isOver, held.cancelled], [true, 1]);
    nodes.b.shared.isMute = true;
    await nodes.b.sessions.end(await find(nodes.b, unheard));
    assert.equal(unheard.isOver, false);
    for (const node of [nodes.a, nodes.b])
      assert.deepEqual([await isFound(node, heard), await isFound(node, unheard)], [false, false]);
    assert.equal(unheard.isOver, true);
  });

  it("[MCP-43] does not come back if a node changes it while another ends it", async () => {
    await using nodes = await Nodes.open();
    const onA = await begin(nodes.a);
    const onB = await find(nodes.b, onA);
    nodes.b.shared.isMute = true;
    await nodes.b.sessions.end(onB);
    onA.receive(
      [{ jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "info" } }],
      OWNER,
      onA.stream(undefined),
    );
    await until("it is over on both", () => onA.isOver);
    assert.deepEqual([await isFound(nodes.a, onA), await isFound(nodes.b, onA)], [false, false]);
  });

  it("[MCP-43] lasts as long as any node is used, and then ends on all", async () => {
    await using nodes = await Nodes.open({ idle: 600 });
    const began = await begin(nodes.a);
    const onB = await find(nodes.b, began);
    const leave = nodes.b.sessions.use(onB);
    await until("one node lets go of it", () => began.isOver);
    const since = performance.now();
    await until("it could have ended twice", () => performance.now() > since + 2500);
    assert.equal(await isFound(nodes.a, began), true);
    leave();
    await until("no node has it", () => nodes.a.sessions.size + nodes.b.sessions.size === 0);
    await until("it is over", async () => (await nodes.store.get(`session:${began.name}`)) === undefined);
    assert.deepEqual([await isFound(nodes.a, began), await isFound(nodes.b, began)], [false, false]);
  });

  it("[MCP-43] goes on if a node needs room that another used last; otherwise it ends, so that their number is bounded", async () => {
    await using nodes = await Nodes.open({ maxSessions: 2 });
    const [moved, stayed] = [await begin(nodes.a), await begin(nodes.a)];
    await find(nodes.b, moved);
    const record = (): Promise<string | undefined> => nodes.store.get(`session:${moved.name}`);
    await until("it is noted who used it", async () => (await record())?.startsWith("b") === true);
    await begin(nodes.a);
    await begin(nodes.a);
    assert.deepEqual([moved.isOver, stayed.isOver, nodes.a.sessions.evicted], [true, true, 2]);
    await until("one is over", async () => !(await isFound(nodes.b, stayed)));
    assert.equal(await isFound(nodes.b, moved), true);
  });

  it("[MCP-44] is answered on any node what another asked its client, and only by its owner", async () => {
    const asking = tool("ask", async (_, call) => {
      const answer = await call.ask?.("elicitation/create", { message: "?" });
      return said(JSON.stringify(answer));
    });
    await using nodes = await Nodes.open({}, { tools: [asking] });
    const onA = await begin(nodes.a);
    const onB = await find(nodes.b, onA);
    const stream = new Stream();
    onA.receive([{ jsonrpc: "2.0", ...calling(1, "ask") }], OWNER, onA.stream(stream));
    await until("it is asked", () => stream.sent.some(({ method }) => method === "elicitation/create"));
    const { id } = stream.sent[0] as RpcMessage;
    const forged = { node: "c", kind: "message", name: onA.name, principal: OTHER.id, token: "t" };
    const decline = { jsonrpc: "2.0", id, result: { action: "decline" } };
    await nodes.store.publish("sessions", JSON.stringify({ ...forged, message: decline }));
    for (const noise of ["", "{", "[]", "null", '{"kind":"message"}', "x".repeat(2_000_000)])
      await nodes.store.publish("sessions", noise);
    await say(nodes.b, onB, { id, result: { action: "accept", content: { n: 1 } } });
    await until("it is answered", () => stream.sent.some((message) => message.result !== undefined));
    const text = JSON.stringify({ action: "accept", content: { n: 1 } });
    assert.deepEqual(stream.sent.at(-1)?.result?.["content"], [{ type: "text", text }]);
  });

  it("[MCP-44] has the answer on the connection of its request, also of a tool that would have its client come back", async () => {
    const slow = tool("slow", async (_, call) => {
      call.pause?.();
      return said("done");
    });
    await using nodes = await Nodes.open({}, { tools: [slow] });
    const onA = await begin(nodes.a);
    assert.deepEqual((await ask(onA, "tools/call", { name: "slow" })).result, {
      content: [{ type: "text", text: "done" }],
    });
  });

  it("[MCP-44] has a message passed on again if the node that waits for it was deaf", async () => {
    const held = new Held();
    await using nodes = await Nodes.open({}, { tools: [held.tool] });
    const onA = await begin(nodes.a);
    onA.receive([{ jsonrpc: "2.0", ...calling("one", "hold") }], OWNER, onA.stream(undefined));
    await until("it is held", () => held.calls.length === 1);
    const onB = await find(nodes.b, onA);
    const sent: string[] = [];
    nodes.store.subscribe("sessions", (text) => void sent.push((JSON.parse(text) as { kind: string }).kind));
    nodes.b.shared.isMute = true;
    await say(nodes.b, onB, { method: "notifications/cancelled", params: { requestId: "one" } });
    assert.equal(held.cancelled, 0);
    nodes.b.shared.isMute = false;
    await until("it is cancelled", () => held.cancelled === 1);
    await until("that was told", () => sent.length === 2);
    const since = performance.now();
    await until("it could have come again", () => performance.now() > since + 2500);
    assert.deepEqual(sent.toSorted(), ["acknowledged", "message"]);
  });

  it("[MCP-44] pays for what is passed on as for a message", async () => {
    await using nodes = await Nodes.open();
    const onB = await find(nodes.b, await begin(nodes.a));
    const paid: unknown[] = [];
    const message = { jsonrpc: "2.0", id: 1, result: {} };
    const owner = { ...OWNER, admit: (what: string, cost?: number) => void paid.push([what, cost]) };
    await nodes.b.sessions.forward(onB, onB.receive([message], owner));
    assert.deepEqual(paid, [
      ["publishes", 1],
      ["publish_bytes", JSON.stringify(message).length],
    ]);
  });

  it("[MCP-44] cancels on any node what another works at", async () => {
    const held = new Held();
    await using nodes = await Nodes.open({}, { tools: [held.tool] });
    const onA = await begin(nodes.a);
    onA.receive([{ jsonrpc: "2.0", ...calling("one", "hold") }], OWNER, onA.stream(undefined));
    await until("it is held", () => held.calls.length === 1);
    const onB = await find(nodes.b, onA);
    await say(nodes.b, onB, { method: "notifications/cancelled", params: { requestId: "another" } });
    assert.equal(held.cancelled, 0);
    await say(nodes.b, onB, { method: "notifications/cancelled", params: { requestId: "one" } });
    assert.deepEqual([held.cancelled, onA.atWork], [1, 0]);
  });

  it("[MCP-44] may answer on any node with 1,048,576 characters, and is told if it is one more", async () => {
    const asking = tool("ask", async (_, call) => {
      const answer = (await call.ask?.("elicitation/create", { message: "?" })) as { content: { text: string } };
      return said(String(answer.content.text.length));
    });
    await using nodes = await Nodes.open({}, { tools: [asking] });
    const onA = await begin(nodes.a);
    const onB = await find(nodes.b, onA);
    const stream = new Stream();
    onA.receive([{ jsonrpc: "2.0", ...calling(1, "ask") }], OWNER, onA.stream(stream));
    await until("it is asked", () => stream.sent.some(({ method }) => method === "elicitation/create"));
    const { id } = stream.sent[0] as RpcMessage;
    const accept = (text: string) => ({ id, result: { action: "accept", content: { text } } });
    const around = JSON.stringify({ jsonrpc: "2.0", ...accept("") }).length;
    const longest = "x".repeat(1_048_576 - around);
    await assert.rejects(say(nodes.b, onB, accept(`${longest}x`)), { code: "MESSAGE_TOO_LARGE" });
    await say(nodes.b, onB, accept(longest));
    await until("it is answered", () => stream.sent.some((message) => message.result !== undefined));
    const text = String(longest.length);
    assert.deepEqual(stream.sent.at(-1)?.result?.["content"], [{ type: "text", text }]);
  });

  it("[MCP-44] is told if what it answers cannot be passed on", async () => {
    await using nodes = await Nodes.open();
    const onB = await find(nodes.b, await begin(nodes.a));
    nodes.b.shared.isAway = true;
    await assert.rejects(say(nodes.b, onB, { id: 1, result: {} }), AWAY);
  });

  it("[MCP-46] listens on the node it came to last: the stream that another node has ends", async () => {
    await using nodes = await Nodes.open();
    const onA = await begin(nodes.a);
    const before = new Stream();
    onA.listen(before);
    const onB = await find(nodes.b, onA);
    const after = new Stream();
    onB.listen(after);
    nodes.b.sessions.recordStreamNode(onB);
    await until("the other ends", () => before.isCut);
    assert.equal(after.isCut, false);
    await subscribe(onA, "x");
    await after.hears("hub://channels/x");
    assert.equal(before.told.size, 0);
  });

  it("[MCP-46] listens on one node in the end, even if nodes do not hear each other", async () => {
    await using nodes = await Nodes.open({ idle: 1000 });
    const onA = await begin(nodes.a);
    nodes.a.sessions.use(onA);
    const before = new Stream();
    onA.listen(before);
    nodes.b.shared.isMute = true;
    const onB = await find(nodes.b, onA);
    const after = new Stream();
    onB.listen(after);
    nodes.b.sessions.recordStreamNode(onB);
    await until("the other ends", () => before.isCut);
    assert.equal(after.isCut, false);
  });

  it("[MCP-46] takes an event id of another node for one of before, also where it began and came back", async () => {
    await using nodes = await Nodes.open();
    const onA = await begin(nodes.a);
    const onB = await find(nodes.b, onA);
    for (const session of [onA, onB]) {
      assert.equal(session.isForgotten("0123abcd/own/7"), true);
      assert.equal(session.isForgotten("0123abcd/7/7"), false);
      assert.equal(session.streamOf("0123abcd/7/7"), undefined);
    }
  });

  it("[MCP-45] is not given up while the engine is away: nodes that have it go on, others say that they do not know", async () => {
    await using nodes = await Nodes.open();
    const began = await begin(nodes.a);
    nodes.a.shared.isAway = true;
    nodes.b.shared.isAway = true;
    assert.equal(await find(nodes.a, began), began);
    assert.deepEqual((await ask(began, "ping")).result, {});
    await assert.rejects(nodes.b.sessions.find(began.id, OWNER), AWAY);
    await assert.rejects(nodes.a.sessions.end(began), AWAY);
    await assert.rejects(begin(nodes.a), AWAY);
    assert.deepEqual([(await subscribe(began, "x")).error?.data?.["code"], nodes.a.sessions.size], [AWAY.code, 1]);
    nodes.a.shared.isAway = false;
    nodes.b.shared.isAway = false;
    assert.equal(await isFound(nodes.b, began), true);
  });

  it("[MCP-45] has what it was told is done, though the engine lost its last writes", async () => {
    await using nodes = await Nodes.open();
    const onA = await begin(nodes.a);
    const key = `session:${onA.name}`;
    const before = (await nodes.store.get(key)) ?? "";
    await subscribe(onA, "x");
    await nodes.store.set(key, before, 60_000);
    assert.deepEqual(uris(await find(nodes.a, onA)), new Set(["x"]));
    assert.deepEqual(uris(await find(nodes.b, onA)), new Set(["x"]));
  });

  it("is refused a subscription if all of them would be too long to store", async () => {
    await using nodes = await Nodes.open({ limits: { message: 65_536, channels: 1000 } });
    const began = await begin(nodes.a);
    const answers = [];
    for (let n = 0; n < 600; n++) answers.push(await subscribe(began, `${"x".repeat(100)}${n}`));
    const refused = answers.filter(({ error }) => error !== undefined);
    assert.equal(refused[0]?.error?.data?.["code"], "TOO_MANY_CHANNELS");
    assert.match(refused[0]?.error?.message ?? "", /would have 65\d\d\d characters, more than 65536/);
    const kept = 600 - refused.length;
    assert.deepEqual([uris(began).size, uris(await find(nodes.b, began)).size], [kept, kept]);
  });

  it("[MCP-14] is not needed for a state: what one node sealed, another opens, and a node that starts", async () => {
    await using nodes = await Nodes.open();
    const scope = { subject: "s", method: "tools/call", params: {} };
    const sealed = await nodes.a.context.states.seal({ n: 1 }, scope);
    assert.deepEqual(await nodes.b.context.states.open(sealed, scope), { n: 1 });
    await nodes.store.set("secret", "not a key", 60_000);
    const opening = openMcp({
      ...nodes.context,
      shared: new SharedNode(nodes.store, "c"),
      file: undefined,
      maxSessions: 1,
      idle: 1000,
      onKey: () => {},
      report: () => {},
    });
    await assert.rejects(opening, {
      ...AWAY,
      message: /^The signing key .*:value:secret.* is not 64 hexadecimal digits; delete it/,
    });
  });
});
