import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { askModern, openQuestion, questionNow, sayOnHub, textOf, toolAnswer } from "../support/asking.ts";
import { LegacyClient, type RpcMessage } from "../support/legacy-client.ts";
import { openSdkClient, SDK_CLIENTS } from "../support/mcp-clients.ts";
import { resultOf } from "../support/mcp.ts";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const FORMS = { elicitation: {} };
const URLS = { elicitation: { url: {} } };
const USER = { assignees: ["@user"] };

interface Round {
  readonly inputRequests: { readonly answer: { readonly method: string; readonly params: Record<string, unknown> } };
  readonly requestState: string;
}

describe("a question for the user at the client", { concurrency: true }, () => {
  for (const name of SDK_CLIENTS) {
    it(`[ASK-15] is shown there, and the answer counts: SDK ${name}`, async () => {
      await using server = await startServer();
      const shown: string[] = [];
      await using sdk = await openSdkClient(name, server.url, (message) => {
        shown.push(message);
        return { action: "accept", content: { answer: "us" } };
      });
      const proposal = { name: "deploy", arguments: { to: "us" } };
      const input = { question: "Where?", options: ["eu", "us"], context: "It is late", proposal, ...USER };
      const answer = await sdk.call("ask_person", input);
      assert.deepEqual(shown, ['What will be done: deploy {"to":"us"}\n\nWhere?\n\nIt is late']);
      const { status, value, via, by, questionId } = answer.structuredContent;
      assert.deepEqual([status, value, via, by], ["answered", "us", "mcp", "test"]);
      const question = await questionNow(server, String(questionId));
      assert.deepEqual([question.asksUser, question.answered?.proposalHash], [true, question.proposal?.hash]);
    });

    it(`[ASK-15] can be declined, which is no answer: SDK ${name}`, async () => {
      await using server = await startServer();
      await using sdk = await openSdkClient(name, server.url, () => ({ action: "decline" }));
      const answer = await sdk.call("ask_person", { question: "Delete?", ...USER });
      assert.equal(answer.structuredContent["status"], "open");
      assert.match(textOf(answer), /^Your user declined to answer\. That is neither an answer nor consent/);
      assert.equal(await sayOnHub(server, (await openQuestion(server)).id, false), 200);
    });

    it(`[ASK-15] is for people on the hub only, if the client cannot ask: SDK ${name}`, async () => {
      await using server = await startServer();
      await using sdk = await openSdkClient(name, server.url);
      const answer = await sdk.call("ask_person", { question: "Delete?", timeoutSeconds: 0.1, ...USER });
      assert.match(textOf(answer), /^This client cannot show its user the question/);
      assert.equal((await openQuestion(server)).asksUser, undefined);
    });
  }

  it("[ASK-15] is shown with nothing in it that is hidden or turned around", async () => {
    await using server = await startServer();
    const shown: string[] = [];
    await using sdk = await openSdkClient("v1", server.url, (message, schema) => {
      shown.push(message, JSON.stringify(schema));
      return { action: "decline" };
    });
    const turned = "\u202eexe.";
    const schema = { type: "object", properties: { a: { type: "string", title: `T${turned}` } } };
    await sdk.call("ask_person", {
      question: `Run${turned}?`,
      context: `Why${turned}`,
      options: [`o${turned}`, "b"],
      ...USER,
    });
    await sdk.call("ask_person", { question: "Which?", answer: { kind: "form", schema }, ...USER });
    assert.equal(shown[0], "Run\\u202eexe.?\n\nWhy\\u202eexe.");
    assert.match(shown[3] ?? "", /"title":"T\\\\u202eexe\."/);
    assert.match(shown[1] ?? "", /"o\\\\u202eexe\."/);
  });

  it("[ASK-15] stands alone among the assignees, and is known to ask_person only", async () => {
    await using server = await startServer();
    const both = await server.call("ask_person", { question: "x", assignees: ["@user", "ana"] });
    assert.match(textOf(both), /assignees names @user.*stands alone/);
    const body = JSON.stringify({ text: "x", assignees: ["@user"] });
    const answer = await server.request("/questions", { method: "POST", body });
    assert.deepEqual([answer.status, /only ask_person knows/.test(answer.text)], [400, true]);
    const elsewhere = await server.call("ask_person", { question: "x", ...USER, timeoutSeconds: 0.1 });
    assert.match(textOf(elsewhere), /^This client cannot show its user/);
    const hasNoTime = toolAnswer(await askModern(server, { question: "y", ...USER, timeoutSeconds: 0 }, FORMS));
    assert.match(textOf(hasNoTime), /^With timeoutSeconds 0 your user is not asked/);
  });

  it("is not shown to them if whoever asks may not answer, or others are to", async () => {
    await using server = await startServer();
    for (const more of [{ notAsker: true }, { assignees: ["ana"] }]) {
      const key = Object.keys(more)[0] as string;
      const body = JSON.stringify({ text: "Delete?", asker: "test", dedupeKey: key, ...more });
      const { id } = (await server.request("/questions", { method: "POST", body })).json() as { id: string };
      const joined = await askModern(
        server,
        { question: "Delete?", dedupeKey: key, timeoutSeconds: 0.1, ...USER },
        FORMS,
      );
      assert.equal(toolAnswer(joined).structuredContent["questionId"], id);
    }
  });
});

describe("the form that a user is shown", { concurrency: true }, () => {
  const cases: readonly (readonly [object, object, unknown, unknown])[] = [
    [{}, { properties: { answer: { type: "boolean", title: "Yes" } }, required: ["answer"] }, { answer: false }, false],
    [
      { answer: { kind: "confirm", yes: "Delete 3 rows", no: "Keep them", destructive: true } },
      {
        properties: {
          answer: {
            type: "string",
            title: "Answer",
            oneOf: [
              { const: "no", title: "Keep them" },
              { const: "yes", title: "Delete 3 rows" },
            ],
          },
        },
        required: ["answer"],
      },
      { answer: "yes" },
      true,
    ],
    [
      { answer: { kind: "text", maxLength: 20 } },
      {
        properties: { answer: { type: "string", title: "Answer", minLength: 1, maxLength: 20 } },
        required: ["answer"],
      },
      { answer: "soon" },
      "soon",
    ],
    [
      {
        answer: {
          kind: "choice",
          options: [{ value: "eu", label: "Europe" }, { value: "us" }],
          multiple: true,
          other: true,
        },
      },
      {
        properties: {
          answer: {
            type: "array",
            title: "Answer",
            items: {
              anyOf: [
                { const: "eu", title: "Europe" },
                { const: "us", title: "us" },
              ],
            },
          },
          other: { type: "string", title: "Another answer" },
        },
        required: [],
      },
      { answer: ["eu"], other: "the moon" },
      ["eu", "the moon"],
    ],
    [
      { answer: { kind: "form", schema: { properties: { rows: { type: "integer" } }, required: ["rows"] } } },
      { properties: { rows: { type: "integer" } }, required: ["rows"] },
      { rows: 3 },
      { rows: 3 },
    ],
  ];

  it("[ASK-15] has the fields of the answer, and what is filled in becomes it", async () => {
    await using server = await startServer();
    for (const [form, schema, content, value] of cases) {
      const input = { question: "What?", ...form, ...USER };
      const round = resultOf(await askModern(server, input, FORMS)) as unknown as Round;
      const { method, params } = round.inputRequests.answer;
      assert.deepEqual([method, params["requestedSchema"]], ["elicitation/create", { type: "object", ...schema }]);
      const back = { inputResponses: { answer: { action: "accept", content } }, requestState: round.requestState };
      const answer = toolAnswer(await askModern(server, input, FORMS, back));
      assert.deepEqual(answer.structuredContent["value"], value);
    }
  });

  it("has only what the clients of older revisions know", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server, { version: "2025-06-18", capabilities: FORMS });
    const choice = { question: "Where?", options: ["eu", "us"], ...USER };
    using stream = await client.stream(call(1, choice));
    const asked = JSON.parse((await stream.next()).data) as RpcMessage;
    assert.deepEqual((asked.params as { requestedSchema: { properties: unknown } }).requestedSchema.properties, {
      answer: { type: "string", title: "Answer", enum: ["eu", "us"], enumNames: ["eu", "us"] },
    });
    const several = {
      question: "Where?",
      answer: { kind: "choice", options: [{ value: "eu" }, { value: "us" }], multiple: true },
      timeoutSeconds: 0.1,
      ...USER,
    };
    const answer = await client.ask("tools/call", { name: "ask_person", arguments: several });
    assert.match(JSON.stringify(answer.result), /cannot show its user the question/);
  });
});

describe("a user who is asked between two requests", { concurrency: true }, () => {
  it("[ASK-15] [MCP-14] may answer after a restart, and gets the same answer for the same round", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file("hub.db")}`;
    const input = { question: "Deploy?", deadlineSeconds: 30 * 86_400, ...USER };
    let state: string;
    {
      await using server = await startServer({ data });
      state = (resultOf(await askModern(server, input, FORMS)) as unknown as Round).requestState;
    }
    await using server = await startServer({ data });
    const back = { inputResponses: { answer: { action: "accept", content: { answer: true } } }, requestState: state };
    const first = toolAnswer(await askModern(server, input, FORMS, back));
    assert.equal(first.structuredContent["status"], "answered");
    assert.deepEqual(toolAnswer(await askModern(server, input, FORMS, back)), first);
    const other = { ...input, question: "Delete everything?" };
    assert.equal((await askModern(server, other, FORMS, back)).error?.code, -32602);
  });

  it("[ASK-15] is told that someone on the hub was faster", async () => {
    await using server = await startServer();
    const input = { question: "Deploy?", ...USER };
    const { requestState } = resultOf(await askModern(server, input, FORMS)) as unknown as Round;
    const { id } = await openQuestion(server);
    assert.equal(await sayOnHub(server, id, false), 200);
    const back = { inputResponses: { answer: { action: "accept", content: { answer: true } } }, requestState };
    const answer = toolAnswer(await askModern(server, input, FORMS, back));
    assert.match(textOf(answer), /^Your user has answered, too, but later.*\nAna answered: false$/);
    assert.deepEqual((await questionNow(server, id)).answered?.value, false);
  });

  it("is asked again after something that is no reaction, and not about an answer that never was asked for", async () => {
    await using server = await startServer();
    const input = { question: "Deploy?", dedupeKey: "one", ...USER };
    const { requestState } = resultOf(await askModern(server, input, FORMS)) as unknown as Round;
    const { id } = await openQuestion(server);
    for (const answer of [undefined, 5, {}, { action: "maybe" }, { action: "ACCEPT", content: { answer: true } }]) {
      const inputResponses = answer === undefined ? {} : { answer };
      const again = resultOf(await askModern(server, input, FORMS, { inputResponses, requestState }));
      assert.equal(again["resultType"], "input_required");
    }
    const forged = { inputResponses: { answer: { action: "accept", content: { answer: true } } } };
    assert.equal(resultOf(await askModern(server, input, FORMS, forged))["resultType"], "input_required");
    assert.equal((await questionNow(server, id)).state, "open");
  });

  it("[ASK-15] opens the page if the client shows no forms, and the call waits for what is answered there", async () => {
    await using server = await startServer();
    const input = { question: "Deploy?", channel: "ops", ...USER };
    const { inputRequests, requestState } = resultOf(await askModern(server, input, URLS)) as unknown as Round;
    const { mode, url } = inputRequests.answer.params;
    assert.deepEqual([mode, url], ["url", `${server.url}/chat#ops`]);
    const back = { inputResponses: { answer: { action: "accept" } }, requestState };
    const waiting = askModern(server, input, URLS, back);
    await until("it waits", async () => (await server.metric("sse_mcp_questions_waiting")) === 1);
    assert.equal(await sayOnHub(server, (await openQuestion(server)).id, true), 200);
    assert.deepEqual(toolAnswer(await waiting).structuredContent["value"], true);
  });
});

describe("a user who is asked during a call", { concurrency: true }, () => {
  it("[ASK-15] is not asked any more once someone on the hub has answered", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server, { capabilities: FORMS });
    using stream = await client.stream(call(7, { question: "Deploy?", ...USER }));
    let asked: RpcMessage = {};
    while (asked.method !== "elicitation/create") asked = messageIn((await stream.next()).data);
    assert.equal(await sayOnHub(server, (await openQuestion(server)).id, true), 200);
    const withdrawn = messageIn((await stream.next()).data);
    assert.deepEqual([withdrawn.method, withdrawn.params?.["requestId"]], ["notifications/cancelled", asked.id]);
    const answer = messageIn((await stream.next()).data);
    assert.match(JSON.stringify(answer.result), /Ana answered: true/);
  });

  it("[ASK-15] is sent to the page by a client that only opens URLs, which is told when the question is closed", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server, { capabilities: URLS });
    using stream = await client.stream(call(7, { question: "Deploy?", ...USER }));
    let asked: RpcMessage = {};
    while (asked.method !== "elicitation/create") asked = messageIn((await stream.next()).data);
    const { id } = await openQuestion(server);
    assert.deepEqual([asked.params?.["mode"], asked.params?.["elicitationId"]], ["url", id]);
    assert.equal((await client.post({ id: asked.id, result: { action: "accept" } })).status, 202);
    assert.equal(await sayOnHub(server, id, true), 200);
    const done = messageIn((await stream.next()).data);
    assert.deepEqual([done.method, done.params], ["notifications/elicitation/complete", { elicitationId: id }]);
    assert.match(JSON.stringify(messageIn((await stream.next()).data).result), /Ana answered: true/);
  });

  it("leaves the question open if the client refuses, gives nonsense, or the call is cancelled", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server, { capabilities: FORMS });
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ error: { code: -32000, message: "no window" } }, /Your user could not be asked: .*no window/],
      [{ result: { action: "accept", content: { answer: "perhaps" } } }, /does not count: value is \\?"perhaps/],
      [{ result: { action: "accept" } }, /does not count: value is missing/],
      [{ result: { action: "cancel" } }, /Your user dismissed the question/],
    ];
    for (const [index, [response, said]] of cases.entries()) {
      using stream = await client.stream(call(20 + index, { question: "Deploy?", dedupeKey: "one", ...USER }));
      let asked: RpcMessage = {};
      while (asked.method !== "elicitation/create") asked = messageIn((await stream.next()).data);
      await client.post({ id: asked.id, ...response });
      const { result } = messageIn((await stream.next()).data);
      assert.match(JSON.stringify(result), said);
    }
    using stream = await client.stream(call(30, { question: "Deploy?", dedupeKey: "one", ...USER }));
    let asked: RpcMessage = {};
    while (asked.method !== "elicitation/create") asked = messageIn((await stream.next()).data);
    await client.post({ method: "notifications/cancelled", params: { requestId: 30 } });
    assert.equal(messageIn((await stream.next()).data).method, "notifications/cancelled");
    assert.equal((await openQuestion(server)).state, "open");
  });
});

function call(id: number, input: object): object {
  return { id, method: "tools/call", params: { name: "ask_person", arguments: input } };
}

function messageIn(data: string): RpcMessage {
  return data === "" ? {} : (JSON.parse(data) as RpcMessage);
}
