import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Question } from "../../src/protocol/question.ts";
import { askModern, questionNow, sayOnHub, toolAnswer } from "../support/asking.ts";
import { LegacyClient, type RpcMessage } from "../support/legacy-client.ts";
import { CLIENT_CAPABILITIES, mcp, resultOf } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";

const FORMS = { elicitation: {} };
const TASKS = { ...FORMS, extensions: { "io.modelcontextprotocol/tasks": {} } };
const INPUT = {
  question: "How many?",
  answer: { kind: "form", schema: { properties: { rows: { type: "integer", maximum: 3 } }, required: ["rows"] } },
  assignees: ["@user"],
};

/** A question that waits for an answer through a door. */
interface Waiting {
  readonly id: string;
  /** Answers, and resolves with what the answerer, or the agent in its place, is told. */
  answer(fields: object): Promise<string>;
}

/** The doors through which a question is answered, each with a question of its own. */
const DOORS: Readonly<Record<string, (server: TestServer) => Promise<Waiting>>> = {
  async HTTP(server) {
    const { question: text, answer } = INPUT;
    const body = JSON.stringify({ text, answer });
    const { id } = (await server.request("/questions", { method: "POST", body })).json() as Question;
    return {
      id,
      async answer(fields) {
        const given = JSON.stringify({ value: fields, by: "Bo" });
        return (await server.request(`/questions/${id}/answer`, { method: "POST", body: given })).text;
      },
    };
  },
  async "a form between two requests"(server) {
    const { requestState } = resultOf(await askModern(server, INPUT, FORMS));
    const { id } = await newest(server);
    return {
      id,
      async answer(content) {
        const inputResponses = { answer: { action: "accept", content } };
        return JSON.stringify(toolAnswer(await askModern(server, INPUT, FORMS, { inputResponses, requestState })));
      },
    };
  },
  async "a form of a task"(server) {
    const id = String(resultOf(await askModern(server, INPUT, TASKS))["taskId"]);
    const meta = { [CLIENT_CAPABILITIES]: TASKS };
    return {
      id,
      async answer(content) {
        const inputResponses = { answer: { action: "accept", content } };
        const { error } = await mcp(server, "tasks/update", { taskId: id, inputResponses }, { meta });
        return error?.message ?? JSON.stringify(resultOf(await mcp(server, "tasks/get", { taskId: id }, { meta })));
      },
    };
  },
  async "a form in a session"(server) {
    const client = await LegacyClient.open(server, { capabilities: FORMS });
    const params = { name: "ask_person", arguments: INPUT };
    const stream = await client.stream({ id: 1, method: "tools/call", params });
    const next = async (): Promise<RpcMessage> => {
      const { data } = await stream.next();
      return data === "" ? next() : (JSON.parse(data) as RpcMessage);
    };
    const asked = await next();
    const { id } = await newest(server);
    return {
      id,
      async answer(content) {
        await client.post({ id: asked.id, result: { action: "accept", content } });
        for (;;) {
          const { result } = await next();
          if (result === undefined) continue;
          stream.close();
          return JSON.stringify(result);
        }
      },
    };
  },
};

async function newest(server: TestServer): Promise<Question> {
  const { questions } = (await server.request("/questions?state=open")).json() as { questions: readonly Question[] };
  return questions.at(-1) as Question;
}

describe("an answer that does not count", { concurrency: true }, () => {
  for (const [door, open] of Object.entries(DOORS)) {
    it(`[ASK-3] [ASK-15] is one after someone else's, through ${door}`, async () => {
      await using server = await startServer();
      const waiting = await open(server);
      assert.equal(await sayOnHub(server, waiting.id, { rows: 1 }), 200);
      assert.match(await waiting.answer({ rows: 2 }), /Ana/);
      assert.deepEqual((await questionNow(server, waiting.id)).answered?.value, { rows: 1 });
    });

    it(`[ASK-3] is one to a question that was cancelled, through ${door}`, async () => {
      await using server = await startServer();
      const waiting = await open(server);
      await server.request(`/questions/${waiting.id}/cancel`, { method: "POST", body: '{"by":"Ana"}' });
      assert.match(await waiting.answer({ rows: 2 }), /cancelled/);
      const { outcome, answered } = await questionNow(server, waiting.id);
      assert.deepEqual([outcome, answered], ["cancelled", undefined]);
    });

    it(`[ASK-4] is one that does not fit, which leaves the question open, through ${door}`, async () => {
      await using server = await startServer();
      const waiting = await open(server);
      assert.match(await waiting.answer({ rows: 4 }), /value\.rows is 4/);
      assert.equal((await questionNow(server, waiting.id)).state, "open");
      assert.equal(await sayOnHub(server, waiting.id, { rows: 3 }), 200);
    });

    it(`[ASK-3] is a second one of the same person, through ${door}`, async () => {
      await using server = await startServer();
      const waiting = await open(server);
      await waiting.answer({ rows: 2 });
      // In a session, the call is over with the first.
      if (door !== "a form in a session") await waiting.answer({ rows: 3 });
      const { answered } = await questionNow(server, waiting.id);
      assert.deepEqual(answered?.value, { rows: 2 });
      assert.equal(await sayOnHub(server, waiting.id, { rows: 1 }), 409);
    });
  }
});
