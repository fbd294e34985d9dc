import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ANYONE } from "../../../src/core/principal.ts";
import type { McpContext } from "../../../src/mcp/catalog.ts";
import { Changes, type Extras } from "../../../src/mcp/definitions.ts";
import { EventRings } from "../../../src/mcp/legacy/event-ring.ts";
import { LegacySession } from "../../../src/mcp/legacy/session.ts";
import type { InputRequired } from "../../../src/mcp/definitions.ts";
import { said, tool } from "../../support/legacy-tools.ts";
import { Line } from "../../support/line.ts";
import { mcpContext } from "../../support/mcp-context.ts";
import { draftOf } from "../../support/sample.ts";
import { until } from "../../support/until.ts";

const UPDATED = "notifications/resources/updated";
const CAPABLE = { elicitation: { form: {} }, sampling: {}, roots: {} };

interface Opened extends AsyncDisposable {
  readonly line: Line;
  readonly session: LegacySession;
  readonly context: McpContext;
  /** What is there for the log. */
  readonly reported: unknown[];
  readonly publish: (channel: string) => Promise<number>;
}

/** A session that is initialized. */
async function open(extras: Extras = {}, capabilities: object = CAPABLE): Promise<Opened> {
  const context = await mcpContext(extras);
  const reported: unknown[] = [];
  const session = new LegacySession(context, {
    name: "test",
    principal: ANYONE,
    stay: () => () => {},
    ring: new EventRings(1e6).ring(),
    report: (error) => reported.push(error),
  });
  const line = new Line(session);
  await line.ask("initialize", {
    protocolVersion: "2025-11-25",
    capabilities,
    clientInfo: { name: "test", version: "0" },
  });
  line.say({ method: "notifications/initialized" });
  return {
    line,
    session,
    context,
    reported,
    publish: async (channel) => (await context.hub.publish(draftOf(channel, 1))).receivers,
    async [Symbol.asyncDispose]() {
      session.close();
      await context[Symbol.asyncDispose]();
    },
  };
}

function uris(line: Line): unknown[] {
  return line.of(UPDATED).map(({ params }) => params?.["uri"]);
}

describe("subscriptions in a session", { concurrency: true }, () => {
  it("tell of a channel, of all channels, and of nothing any more once they are given up", async () => {
    await using opened = await open();
    const { line, session, publish, context } = opened;
    session.subscriptions.listening(true);
    assert.deepEqual((await line.ask("resources/subscribe", { uri: "hub://channels/a" })).result, {});
    assert.deepEqual((await line.ask("resources/subscribe", { uri: "hub://channels" })).result, {});
    await publish("a");
    await until("both are told of", () => uris(line).length === 2);
    assert.deepEqual(new Set(uris(line)), new Set(["hub://channels/a", "hub://channels"]));
    await line.ask("resources/unsubscribe", { uri: "hub://channels" });
    assert.deepEqual((await line.ask("resources/unsubscribe", { uri: "hub://never" })).result, {});
    await publish("b");
    await publish("a");
    await until("the one that is left is told of", () => uris(line).length === 3);
    assert.equal(uris(line)[2], "hub://channels/a");
    await line.ask("resources/unsubscribe", { uri: "hub://channels/a" });
    assert.deepEqual(
      context.hub.channels({ pattern: "*" as never, limit: 10 }).map(({ readers }) => readers),
      [0, 0],
    );
  });

  it("[MCP-7] are not counted among the receivers of a message", async () => {
    await using opened = await open();
    const { line, session, publish } = opened;
    session.subscriptions.listening(true);
    await line.ask("resources/subscribe", { uri: "hub://channels/a" });
    assert.equal(await publish("a"), 0);
  });

  it("tell of a burst once, and always once after its last change", async () => {
    await using opened = await open();
    const { line, session, publish, context } = opened;
    session.subscriptions.listening(true);
    await line.ask("resources/subscribe", { uri: "hub://channels/a" });
    let last = 0;
    const seen: number[] = [];
    line.onMessage = ({ method }) => {
      if (method === UPDATED) seen.push(context.hub.stats.published);
    };
    for (let burst = 1; burst <= 3; burst++) {
      for (let n = 0; n < 200; n++) await publish("a");
      last += 200;
      await until("it is told of the last one", () => seen.at(-1) === last);
    }
    assert.ok(seen.length <= 30, `${seen.length} notifications for 600 messages`);
  });

  it("tell once, when it listens again, of what changed while the client did not", async () => {
    await using opened = await open();
    const { line, session, publish } = opened;
    for (const channel of ["a", "b", "c"]) await line.ask("resources/subscribe", { uri: `hub://channels/${channel}` });
    for (let n = 0; n < 50; n++) for (const channel of ["a", "b"]) await publish(channel);
    await line.ask("ping");
    assert.deepEqual(uris(line), []);
    session.subscriptions.listening(true);
    await until("it is told", () => uris(line).length === 2);
    assert.deepEqual(new Set(uris(line)), new Set(["hub://channels/a", "hub://channels/b"]));
    session.subscriptions.listening(false);
    await publish("c");
    session.subscriptions.listening(true);
    await until("it is told again", () => uris(line).includes("hub://channels/c"));
    assert.equal(uris(line).length, 3);
  });

  it("asked for twice count once, and forget no change in between", async () => {
    await using opened = await open();
    const { line, session, publish } = opened;
    await line.ask("resources/subscribe", { uri: "hub://channels/a" });
    await publish("a");
    await line.ask("resources/subscribe", { uri: "hub://channels/a" });
    session.subscriptions.listening(true);
    await until("it is told of the change before", () => uris(line).length === 1);
    await line.ask("resources/unsubscribe", { uri: "hub://channels/a" });
    await publish("a");
    await line.ask("ping");
    assert.equal(uris(line).length, 1);
  });

  it("are refused for what there is not, and beyond as many as a reader may have", async () => {
    await using opened = await open();
    const { line, context } = opened;
    for (const uri of ["hub://nowhere", "hub://channels/a b", "hub://channels?", "x".repeat(2000), "", "__proto__"]) {
      const { error } = await line.ask("resources/subscribe", { uri });
      assert.equal(error?.code, -32602);
      assert.match(error?.message ?? "", /^Resource not found: .{0,200}; there are hub:\/\/channels$/);
    }
    for (const method of ["resources/subscribe", "resources/unsubscribe"]) {
      for (const params of [undefined, {}, { uri: 5 }, { uri: null }]) {
        const { error } = await line.ask(method, params);
        assert.equal(error?.code, -32602);
        assert.match(error?.message ?? "", /^uri /);
      }
    }
    for (let n = 0; n < 100; n++) await line.ask("resources/subscribe", { uri: `hub://channels/c${n}` });
    const { error } = await line.ask("resources/subscribe", { uri: "hub://channels/one-more" });
    assert.deepEqual([error?.code, error?.data?.["code"]], [-32602, "TOO_MANY_CHANNELS"]);
    assert.deepEqual((await line.ask("resources/subscribe", { uri: "hub://channels/c5" })).result, {});
    assert.equal(context.hub.size, 1, "a session is one reader");
  });

  it("end with the session, whatever is on its way then", async () => {
    await using opened = await open();
    const { line, session, context } = opened;
    await line.ask("resources/subscribe", { uri: "hub://channels/a" });
    line.say({ id: 1, method: "resources/subscribe", params: { uri: "hub://channels/b" } });
    session.close();
    await until("nobody reads", () => context.hub.size === 0);
    await using other = await open();
    other.line.say({ id: 1, method: "resources/subscribe", params: { uri: "hub://channels/b" } });
    other.session.close();
    await new Promise(setImmediate);
    assert.equal(other.context.hub.size, 0);
  });
});

describe("lists in a session", { concurrency: true }, () => {
  it("that change are told of when it listens, and once when it did not", async () => {
    const { line, session, context } = await open({ changes: new Changes() });
    session.subscriptions.changed("tools");
    session.subscriptions.changed("tools");
    session.subscriptions.changed("prompts");
    assert.equal(line.sent.filter(({ method }) => method?.endsWith("list_changed")).length, 0);
    session.subscriptions.listening(true);
    session.subscriptions.changed("resources");
    await until("all are told of", () => line.of("notifications/resources/list_changed").length === 1);
    assert.equal(line.of("notifications/tools/list_changed").length, 1);
    assert.equal(line.of("notifications/prompts/list_changed").length, 1);
    session.subscriptions.listening(false);
    session.subscriptions.listening(true);
    await line.ask("ping");
    assert.equal(line.of("notifications/tools/list_changed").length, 1);
    session.close();
    await context.hub.close();
  });
});

// One after the other: one of them has a clock of its own.
describe("what a client is asked while its request is open", () => {
  const asking = tool("asking", async (_, { ask }) => {
    const answer = (await ask?.("elicitation/create", {
      mode: "form",
      message: "Sure?",
      requestedSchema: { type: "object", properties: {} },
    })) as { action: string };
    return said(answer.action);
  });
  const request = { id: "call", method: "tools/call", params: { name: "asking" } };

  /** The request that came to the client. */
  async function asked(line: Line, count = 1): Promise<number> {
    await until("it is asked", () => line.of("elicitation/create").length === count);
    return line.of("elicitation/create")[count - 1]?.id as number;
  }

  it("comes back to the tool", async () => {
    await using opened = await open({ tools: [asking] });
    const { line } = opened;
    line.say(request);
    line.say({ id: await asked(line), result: { action: "decline" } });
    const { result } = await line.response("call");
    assert.deepEqual(result?.["content"], [{ type: "text", text: "decline" }]);
  });

  it("is a failure the client can read, and none for the log, where it refuses or answers with anything else", async () => {
    await using opened = await open({ tools: [asking] });
    const { line, reported } = opened;
    let count = 0;
    for (const [answer, sentence] of [
      [{ error: { code: -1, message: "no time" } }, /client refused elicitation\/create: no time/],
      [{ error: { code: -32603, message: "x".repeat(100_000) } }, /client refused/],
      [{ result: {} }, /is no result of it/],
      [{ result: { action: "dance" } }, /is no result of it/],
      [{ result: { resultType: "input_required", inputRequests: {} } }, /is no result of it/],
    ] as const) {
      const id = `call ${++count}`;
      line.say({ ...request, id });
      line.say({ id: await asked(line, count), ...answer });
      const { error } = await line.response(id);
      assert.equal(error?.code, -32603);
      assert.match(error?.message ?? "", sentence);
      assert.ok((error?.message.length ?? 0) < 400);
    }
    assert.deepEqual(reported, []);
  });

  it("is not waited for longer than five minutes", async (t) => {
    await using opened = await open({ tools: [asking] });
    const { line, reported } = opened;
    t.mock.timers.enable({ apis: ["setTimeout"] });
    line.say(request);
    const id = await asked(line);
    t.mock.timers.tick(299_999);
    assert.equal(line.of("notifications/cancelled").length, 0);
    t.mock.timers.tick(1);
    t.mock.timers.reset();
    assert.match((await line.response("call")).error?.message ?? "", /not answered elicitation\/create in time/);
    assert.deepEqual(line.of("notifications/cancelled")[0]?.params?.["requestId"], id);
    line.say({ id, result: { action: "accept" } });
    assert.deepEqual((await line.ask("ping")).result, {}, "an answer that comes too late changes nothing");
    assert.deepEqual(reported, []);
  });

  it("is taken back when the request is cancelled or the session ends", async () => {
    await using opened = await open({ tools: [asking] });
    const { line, reported } = opened;
    line.say(request);
    const id = await asked(line);
    line.say({ method: "notifications/cancelled", params: { requestId: "call" } });
    await until("it is taken back", () => line.of("notifications/cancelled").length === 1);
    assert.equal(line.of("notifications/cancelled")[0]?.params?.["requestId"], id);
    line.say({ ...request, id: "second" });
    await asked(line, 2);
    opened.session.close();
    await new Promise(setImmediate);
    assert.deepEqual(reported, []);
  });

  it("is asked of nobody any longer when the request has been answered without it", async () => {
    const both = tool("both", async (_, { ask }) => {
      const form = { mode: "form", message: "?", requestedSchema: { type: "object", properties: {} } };
      await Promise.race([ask?.("elicitation/create", form), ask?.("elicitation/create", form)]);
      return said("enough");
    });
    await using opened = await open({ tools: [both] });
    const { line } = opened;
    line.say({ ...request, params: { name: "both" } });
    line.say({ id: await asked(line, 2), result: { action: "accept" } });
    await line.response("call");
    assert.equal(line.of("notifications/cancelled").length, 1);
  });

  it("stands for the rounds in which a modern client would be sent away for input", async () => {
    const rounds = (most: number): Extras => ({
      tools: [
        tool("rounds", async (_, call) => {
          const { inputs } = call;
          const state = (inputs.state as { count: number } | undefined) ?? { count: 0 };
          if (state.count === most) return said(`${most} rounds, last ${JSON.stringify(inputs.responses)}`);
          return {
            resultType: "input_required",
            inputRequests: { where: { method: "roots/list" } },
            requestState: await call.seal({ count: state.count + 1 }),
          } satisfies InputRequired;
        }),
      ],
    });
    for (const [most, isDone] of [
      [3, true],
      [100, true],
      [101, false],
    ] as const) {
      await using opened = await open(rounds(most));
      const { line, reported } = opened;
      line.onMessage = ({ id, method }) => {
        if (method !== "roots/list") return;
        setImmediate(() => line.say({ id, result: { roots: [{ uri: "file:///x" }] } }));
      };
      const { result, error } = await line.ask("tools/call", { name: "rounds" });
      if (isDone) assert.match(JSON.stringify(result), /rounds, last .*file:\/\/\/x/);
      else assert.match(error?.message ?? "", /asked for 100 times in a row/);
      assert.deepEqual(reported, []);
    }
  });

  it("leaves nothing of its request behind, however it ends", async () => {
    await using opened = await open({ tools: [asking] });
    const { line, session } = opened;
    line.say({ ...request, id: "cancelled" });
    await asked(line);
    assert.deepEqual([session.atWork, session.isInUse("cancelled")], [1, true]);
    line.say({ method: "notifications/cancelled", params: { requestId: "cancelled" } });
    line.say({ ...request, id: "answered" });
    line.say({ id: await asked(line, 2), result: { action: "accept" } });
    await line.response("answered");
    line.say({ ...request, id: "refused" });
    line.say({ id: await asked(line, 3), error: { code: 1, message: "no" } });
    await line.response("refused");
    assert.deepEqual([session.atWork, session.isInUse("cancelled"), session.isInUse("refused")], [0, false, false]);
    line.say({ ...request, id: "open" });
    await asked(line, 4);
    session.close();
    assert.deepEqual([session.atWork, session.isInUse("open")], [0, false]);
  });

  it("is not asked of a client that never said it can answer", async () => {
    const wants = tool("wants", async () => ({
      resultType: "input_required",
      inputRequests: { where: { method: "roots/list" } },
    }));
    await using opened = await open({ tools: [wants] }, {});
    const { line, reported } = opened;
    const { error } = await line.ask("tools/call", { name: "wants" });
    assert.equal(error?.code, -32021);
    assert.deepEqual([line.of("roots/list").length, reported.length], [0, 0]);
  });
});

describe("a session", { concurrency: true }, () => {
  it("logs to the client at the level it asked for and above, all levels before it asked", async () => {
    const talk = tool("talk", async (_, call) => {
      for (const level of ["debug", "info", "warning", "emergency"] as const) call.log(level, { level }, "test");
      return said("over");
    });
    await using opened = await open({ tools: [talk] });
    const { line } = opened;
    const heard = async (): Promise<unknown[]> => {
      line.sent.length = 0;
      await line.ask("tools/call", { name: "talk" });
      return line.of("notifications/message").map(({ params }) => params?.["level"]);
    };
    assert.deepEqual(await heard(), ["debug", "info", "warning", "emergency"]);
    assert.deepEqual((await line.ask("logging/setLevel", { level: "warning" })).result, {});
    assert.deepEqual(await heard(), ["warning", "emergency"]);
    for (const params of [{}, { level: "loud" }, { level: 3 }, { level: "__proto__" }, undefined]) {
      const { error } = await line.ask("logging/setLevel", params);
      assert.equal(error?.code, -32602);
      assert.match(error?.message ?? "", /^level must be one of debug, info/);
    }
    assert.deepEqual(await heard(), ["warning", "emergency"]);
  });

  it("says which field of the params is wrong, with -32602", async () => {
    await using opened = await open();
    const { line, reported } = opened;
    for (const [method, params, sentence] of [
      ["tools/call", {}, /^name /],
      ["tools/call", { name: 5 }, /^name /],
      ["tools/call", { name: "nothing" }, /nothing/],
      ["tools/call", { name: "list_channels", arguments: [] }, /^arguments /],
      ["tools/list", { cursor: "x" }, /^cursor /],
      ["resources/read", {}, /^uri /],
      ["resources/read", { uri: "hub://channels/ " }, /^Resource not found/],
      ["resources/list", { cursor: {} }, /^cursor /],
      ["prompts/get", {}, /^name /],
      ["prompts/get", { name: "catch_up" }, /^arguments\.channel /],
      ["prompts/get", { name: "catch_up", arguments: { channel: 5 } }, /^arguments/],
      ["completion/complete", {}, /^(ref|argument)/],
    ] as const) {
      const { error } = await line.ask(method, params);
      assert.equal(error?.code, -32602, `${method} ${JSON.stringify(params)}`);
      assert.match(error?.message ?? "", sentence);
    }
    assert.deepEqual(reported, []);
  });

  it("does not know methods of other eras, of clients, or of nobody: -32601", async () => {
    await using opened = await open();
    const { line, reported } = opened;
    for (const method of [
      "server/discover",
      "subscriptions/listen",
      "sampling/createMessage",
      "roots/list",
      "tasks/list",
      "notifications/cancelled",
      "toString",
      "__proto__",
      "",
      "x".repeat(100_000),
    ]) {
      const { error } = await line.ask(method, {});
      assert.equal(error?.code, -32601, method.slice(0, 40));
      assert.ok((error?.message.length ?? 0) < 200);
    }
    assert.deepEqual(reported, []);
  });

  it("hides what failed inside, and reports it once", async () => {
    const failure = new Error("secret path /etc");
    const broken = tool("broken", () => Promise.reject(failure));
    await using opened = await open({ tools: [broken] });
    const { line, reported } = opened;
    const { error } = await line.ask("tools/call", { name: "broken" });
    const data = { code: "INTERNAL", retry: true };
    assert.deepEqual(error, { code: -32603, message: "Something failed on the server; its log says what", data });
    assert.deepEqual(reported, [failure]);
  });

  it("is not shaken by answers that nobody asked for, nor by notifications that nobody knows", async () => {
    await using opened = await open();
    const { line, reported } = opened;
    for (const message of [
      { id: 0, result: {} },
      { id: "x", result: {} },
      { id: 1e9, error: { code: 1, message: "" } },
      { method: "notifications/progress", params: { progressToken: 5, progress: 1 } },
      { method: "notifications/progress" },
      { method: "notifications/nobody", params: { a: 1 } },
      { method: "notifications/cancelled", params: { requestId: 5 } },
      { method: "notifications/roots/list_changed" },
    ])
      line.say(message);
    assert.deepEqual((await line.ask("ping")).result, {});
    assert.deepEqual([line.sent.length, reported.length], [2, 0]);
  });

  it("does no work for a request that was cancelled before it began", async () => {
    let ran = 0;
    const count = tool("count", async () => said(String(++ran)));
    await using opened = await open({ tools: [count] });
    const { line } = opened;
    line.say({ id: 1, method: "tools/call", params: { name: "count" } });
    opened.session.close();
    await new Promise(setImmediate);
    assert.equal(ran, 0);
  });
});
