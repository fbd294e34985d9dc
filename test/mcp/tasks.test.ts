import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { askModern, openQuestion, questionNow, sayOnHub, toolAnswer } from "../support/asking.ts";
import { KeyRing } from "../support/keys.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { CLIENT_CAPABILITIES, listen, mcp, resultOf, type McpAnswer } from "../support/mcp.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

type Headers = Readonly<Record<string, string>>;

const TASKS = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const FORMS = { ...TASKS, elicitation: {} };

function task(
  server: TestServer,
  method: "get" | "update" | "cancel",
  params: object,
  { capabilities = TASKS, headers = {} }: { readonly capabilities?: object; readonly headers?: Headers } = {},
): Promise<McpAnswer> {
  return mcp(server, `tasks/${method}`, params, { meta: { [CLIENT_CAPABILITIES]: capabilities }, headers });
}

async function asked(
  server: TestServer,
  input: object,
  capabilities: object = TASKS,
  headers: Headers = {},
): Promise<string> {
  const result = resultOf(await askModern(server, input, capabilities, {}, headers));
  assert.equal(result["resultType"], "task", JSON.stringify(result));
  return String(result["taskId"]);
}

describe("a question as a task", { concurrency: true }, () => {
  const ring = new KeyRing();
  after(() => ring[Symbol.dispose]());
  const grants = { publish: ["ops.*"], subscribe: ["ops.*"] };
  const agent: Headers = { authorization: `Bearer ${ring.add("agent", grants)}` };
  const other: Headers = { authorization: `Bearer ${ring.add("other", grants)}` };

  it("[MCP-50] is what a call is answered with at once, and is completed by an answer on the hub", async () => {
    await using server = await startServer();
    const created = resultOf(await askModern(server, { question: "Deploy?" }, TASKS));
    const { id } = await openQuestion(server);
    assert.deepEqual(
      [created["resultType"], created["taskId"], created["status"], created["ttlMs"]],
      ["task", id, "working", null],
    );
    assert.match(String(created["statusMessage"]), /^NO ONE HAS SEEN IT/);
    for (const member of ["result", "error", "inputRequests", "requestState", "content"]) {
      assert.equal(member in created, false, member);
    }
    assert.equal(resultOf(await task(server, "get", { taskId: id }))["status"], "working");
    assert.equal(await sayOnHub(server, id, true), 200);
    const done = resultOf(await task(server, "get", { taskId: id }));
    assert.deepEqual([done["resultType"], done["status"]], ["complete", "completed"]);
    const { content, structuredContent } = done["result"] as {
      content: { text: string }[];
      structuredContent: { value: unknown };
    };
    assert.deepEqual([content[0]?.text, structuredContent.value], ["Ana answered: true", true]);
    assert.ok(Number(done["ttlMs"]) >= 7 * 86_400_000);
  });

  it("[MCP-50] is no task if the call is not to wait, if nothing is left to wait for, or if it cannot be asked", async () => {
    await using server = await startServer();
    const open = toolAnswer(await askModern(server, { question: "Deploy?", timeoutSeconds: 0 }, TASKS));
    assert.equal(open.structuredContent["status"], "open");
    const wrong = toolAnswer(await askModern(server, { question: "" }, TASKS));
    assert.equal(wrong.isError, true);
    const undeclared = await askModern(server, { question: "Deploy?", timeoutSeconds: 0.1 }, {});
    assert.equal(toolAnswer(undeclared).structuredContent["status"], "open");
  });

  it("[MCP-50] ends as the question does: timed out, cancelled by someone, or due and still open", async () => {
    await using server = await startServer();
    const denied = await asked(server, { question: "A?", deadlineSeconds: 0.05, onTimeout: "deny" });
    const kept = await asked(server, { question: "B?", deadlineSeconds: 0.05 });
    const cancelled = await asked(server, { question: "C?" });
    await server.request(`/questions/${cancelled}/cancel`, { method: "POST", body: '{"by":"Ana"}' });
    const ended = async (taskId: string): Promise<readonly unknown[]> => {
      for (;;) {
        const { status, result } = resultOf(await task(server, "get", { taskId }));
        const { structuredContent } = (result ?? {}) as { structuredContent?: { status: string } };
        if (status !== "working") return [status, structuredContent?.status];
      }
    };
    assert.deepEqual(await ended(denied), ["completed", "timed_out"]);
    assert.deepEqual(await ended(kept), ["completed", "open"]);
    assert.deepEqual(await ended(cancelled), ["cancelled", undefined]);
  });

  it("[MCP-50] is withdrawn by tasks/cancel, which is acknowledged as often as it comes", async () => {
    await using server = await startServer();
    const taskId = await asked(server, { question: "Deploy?" });
    for (let n = 0; n < 3; n++) {
      const { _meta: _, ...acknowledged } = resultOf(await task(server, "cancel", { taskId }));
      assert.deepEqual(acknowledged, { resultType: "complete" });
    }
    assert.equal((await questionNow(server, taskId)).outcome, "cancelled");
    assert.equal(await sayOnHub(server, taskId, true), 409);
    assert.equal(resultOf(await task(server, "get", { taskId }))["status"], "cancelled");
  });

  it("[MCP-50] asks the client's user if the question is for them, once", async () => {
    await using server = await startServer();
    const taskId = await asked(server, { question: "Deploy?", assignees: ["@user"] }, FORMS);
    const open = resultOf(await task(server, "get", { taskId }, { capabilities: FORMS }));
    assert.equal(open["status"], "input_required");
    const { answer } = open["inputRequests"] as { answer: { method: string; params: { message: string } } };
    assert.deepEqual([answer.method, answer.params.message], ["elicitation/create", "Deploy?"]);
    // A client that could not show it does not get it.
    assert.equal(resultOf(await task(server, "get", { taskId }))["status"], "working");
    const say = (response: unknown): Promise<McpAnswer> =>
      task(server, "update", { taskId, inputResponses: { answer: response } }, { capabilities: FORMS });
    for (const wrong of [
      5,
      {},
      { action: "yes" },
      { action: "accept" },
      { action: "accept", content: { answer: 5 } },
    ]) {
      assert.equal((await say(wrong)).error?.code, -32602, JSON.stringify(wrong));
    }
    const ignored = { taskId, inputResponses: { more: { action: "accept", content: { answer: true } } } };
    assert.ok(resultOf(await task(server, "update", ignored, { capabilities: FORMS })));
    assert.equal((await questionNow(server, taskId)).state, "open");
    assert.deepEqual(Object.keys(resultOf(await say({ action: "accept", content: { answer: true } }))).sort(), [
      "_meta",
      "resultType",
    ]);
    assert.ok(resultOf(await say({ action: "accept", content: { answer: false } })), "a second one is ignored");
    const done = resultOf(await task(server, "get", { taskId }, { capabilities: FORMS }));
    assert.match(JSON.stringify(done["result"]), /test answered: true/);
  });

  it("[MCP-50] goes on waiting for the hub if the user declines, and is not told twice", async () => {
    await using server = await startServer();
    const taskId = await asked(server, { question: "Deploy?", assignees: ["@user"] }, FORMS);
    const decline = { taskId, inputResponses: { answer: { action: "decline" } } };
    assert.ok(resultOf(await task(server, "update", decline, { capabilities: FORMS })));
    assert.equal(resultOf(await task(server, "get", { taskId }, { capabilities: FORMS }))["status"], "working");
    const late = { taskId, inputResponses: { answer: { action: "accept", content: { answer: true } } } };
    assert.ok(resultOf(await task(server, "update", late, { capabilities: FORMS })));
    assert.equal((await questionNow(server, taskId)).state, "open");
    assert.equal(await sayOnHub(server, taskId, false), 200);
    assert.match(JSON.stringify(resultOf(await task(server, "get", { taskId }))["result"]), /Ana answered: false/);
  });

  it("[MCP-50] is told of on a stream when it changes, as tasks/get gives it", async () => {
    await using server = await startServer();
    const taskId = await asked(server, { question: "Deploy?" });
    const asking = { taskIds: [taskId, "0".repeat(24), taskId] };
    const undeclared = await mcp(server, "subscriptions/listen", { notifications: asking });
    assert.equal(undeclared.error?.code, -32021);
    using listener = await listen(server, asking, { meta: { [CLIENT_CAPABILITIES]: TASKS } });
    assert.deepEqual(listener.granted, { taskIds: [taskId] });
    await server.publish("default", "something else");
    assert.equal(await sayOnHub(server, taskId, true), 200);
    const { method, params = {} } = await listener.stream.next();
    const { _meta: _, ...told } = params;
    assert.equal(method, "notifications/tasks");
    const { _meta: __, resultType: ___, ...now } = resultOf(await task(server, "get", { taskId }));
    assert.deepEqual([told["status"], told["result"]], [now["status"], now["result"]]);
  });

  it("[MCP-50] is no one else's, whoever knows its id", async () => {
    await using server = await startServer({ apiKeysFile: ring.path });
    const taskId = await asked(server, { question: "Deploy?", channel: "ops.eu" }, TASKS, agent);
    for (const [method, more] of [
      ["get", {}],
      ["update", { inputResponses: {} }],
      ["cancel", {}],
    ] as const) {
      const answer = await task(server, method, { taskId, ...more }, { headers: other });
      assert.equal(answer.error?.code, -32602);
      assert.match(answer.error?.message ?? "", /There is no task/);
    }
    using listener = await listen(
      server,
      { taskIds: [taskId] },
      { meta: { [CLIENT_CAPABILITIES]: TASKS }, headers: other },
    );
    assert.deepEqual(listener.granted, {});
    assert.equal(resultOf(await task(server, "get", { taskId }, { headers: agent }))["status"], "working");
  });

  it("[MCP-50] [ASK-15] is not made for someone who could not look at it again, nor is their user asked", async () => {
    await using server = await startServer({
      apiKeysFile: ring.path,
      anonymousPublish: ["ops.*"],
    });
    const input = { question: "Deploy?", channel: "ops.eu", timeoutSeconds: 0.1, assignees: ["@user"] };
    const answer = toolAnswer(await askModern(server, input, FORMS));
    assert.equal(answer.structuredContent["status"], "open");
    assert.match(String(answer.structuredContent["note"]), /cannot show its user/);
  });

  it("[MCP-50] [MCP-14] is the same on every node at once, and so is what its user was asked", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using a = await startServer({ data: engine.url });
    await using b = await startServer({ data: engine.url });
    for (let n = 0; n < 5; n++) {
      const taskId = await asked(a, { question: `Deploy ${n}?` });
      assert.equal(resultOf(await task(b, "get", { taskId }))["status"], "working");
      assert.ok(resultOf(await task(b, "cancel", { taskId })));
      assert.equal(resultOf(await task(a, "get", { taskId }))["status"], "cancelled");
    }
    const input = { question: "Where?", options: ["eu", "us"], assignees: ["@user"] };
    const { requestState } = resultOf(await askModern(a, input, { elicitation: {} }));
    const back = { inputResponses: { answer: { action: "accept", content: { answer: "us" } } }, requestState };
    const answer = toolAnswer(await askModern(b, input, { elicitation: {} }, back));
    assert.equal(answer.structuredContent["value"], "us");
  });

  it("[MCP-50] survives a restart", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file("hub.db")}`;
    let taskId: string;
    {
      await using server = await startServer({ data });
      taskId = await asked(server, { question: "Deploy?" });
    }
    await using server = await startServer({ data });
    assert.equal(resultOf(await task(server, "get", { taskId }))["status"], "working");
    assert.equal(await sayOnHub(server, taskId, true), 200);
    assert.equal(resultOf(await task(server, "get", { taskId }))["status"], "completed");
  });

  it("[MCP-50] is only for clients that declare the extension, and for requests of the right form", async () => {
    await using server = await startServer();
    const taskId = await asked(server, { question: "Deploy?" });
    for (const method of ["get", "update", "cancel"] as const) {
      for (const capabilities of [{}, { extensions: {} }, { tasks: {} }]) {
        const { status, error } = await task(server, method, { taskId }, { capabilities });
        assert.deepEqual([status, error?.code], [400, -32021]);
        assert.deepEqual(error?.data, { requiredCapabilities: TASKS });
      }
      for (const wrong of [
        {},
        { taskId: 5 },
        { taskId: "" },
        { taskId: "x".repeat(10_000) },
        { taskId: "__proto__" },
      ]) {
        const params = { inputResponses: {}, ...wrong };
        assert.equal((await task(server, method, params)).error?.code, -32602);
      }
    }
    for (const inputResponses of [undefined, null, 5, [], "x"]) {
      assert.equal((await task(server, "update", { taskId, inputResponses })).error?.code, -32602);
    }
    const misnamed = await task(server, "get", { taskId }, { headers: { "mcp-name": "another" } });
    assert.equal(misnamed.error?.code, -32020);
    for (const method of ["tasks/list", "tasks/result"]) {
      assert.equal((await mcp(server, method, { taskId })).error?.code, -32601);
    }
    const client = await LegacyClient.open(server, { capabilities: TASKS });
    assert.equal((await client.ask("tasks/get", { taskId })).error?.code, -32601);
  });
});
