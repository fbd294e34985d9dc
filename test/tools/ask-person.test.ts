import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Question } from "../../src/protocol/question.ts";
import { startServer, type TestServer, type ToolAnswer } from "../support/server.ts";
import { until } from "../support/until.ts";

async function openQuestion(server: TestServer): Promise<Question> {
  let found: readonly Question[] = [];
  await until("it is asked", async () => {
    found = ((await server.request("/questions?state=open")).json() as { questions: Question[] }).questions;
    return found.length === 1;
  });
  return found[0] as Question;
}

function say(server: TestServer, { id }: Question, value: unknown): Promise<unknown> {
  const body = JSON.stringify({ value, by: "Ana" });
  return server.request(`/questions/${id}/answer`, { method: "POST", body });
}

function textOf({ content }: ToolAnswer): string {
  return content[0]?.text ?? "";
}

describe("asking a person with a tool", { concurrency: true }, () => {
  it("[ASK-11] is answered as soon as a person has answered", async () => {
    await using server = await startServer();
    using _ = await server.events("?channel=ops");
    const asking = server.call("ask_person", { question: "Where?", channel: "ops", options: ["eu", "us"] });
    const question = await openQuestion(server);
    assert.equal(question.notified, 1);
    await say(server, question, "eu");
    const answer = await asking;
    assert.equal(textOf(answer), "Ana answered: eu");
    const { at: __, ...structured } = answer.structuredContent;
    assert.deepEqual(structured, {
      status: "answered",
      questionId: question.id,
      value: "eu",
      by: "Ana",
      via: "rest",
      notified: 1,
    });
  });

  it("[ASK-11] says loudly that no one has seen it, and how to wait on", async () => {
    await using server = await startServer();
    const open = await server.call("ask_person", { question: "Deploy?", timeoutSeconds: 0 });
    const { questionId, status, notified } = open.structuredContent;
    assert.deepEqual([status, notified], ["open", 0]);
    assert.match(textOf(open), /^Not answered yet: Deploy\?\nNO ONE HAS SEEN IT: no reader was on default/);
    assert.match(textOf(open), new RegExp(`await_answer, questionId: ${String(questionId)}$`));
    const waiting = server.call("await_answer", { questionId });
    await until("it waits", async () => (await server.metric("sse_mcp_questions_waiting")) === 1);
    await say(server, await openQuestion(server), true);
    assert.equal((await waiting).structuredContent["value"], true);
    const unknown = await server.call("await_answer", { questionId: "0".repeat(24) });
    assert.match(textOf(unknown), /There is no such question/);
  });

  it("[ASK-11] never takes the end of the time for an answer", async () => {
    await using server = await startServer();
    const denied = await server.call("ask_person", { question: "Delete?", deadlineSeconds: 0.2, onTimeout: "deny" });
    assert.deepEqual([denied.structuredContent["status"], denied.structuredContent["value"]], ["timed_out", undefined]);
    assert.match(textOf(denied), /That is no consent/);
    const late = await server.call("ask_person", { question: "Delete?", deadlineSeconds: 0.2 });
    assert.equal(late.structuredContent["status"], "open");
    assert.match(textOf(late), /Its deadline has passed, and it can still be answered/);
  });

  it("[ASK-11] takes the context, urgency and assignees of a question, and joins one with its key", async () => {
    await using server = await startServer();
    const input = {
      question: "Delete?",
      context: "Three **rows**",
      urgency: "high",
      assignees: ["Ana"],
      dedupeKey: "delete-3",
      timeoutSeconds: 0,
    };
    const first = await server.call("ask_person", input);
    const { context, urgency, assignees, id } = await openQuestion(server);
    assert.deepEqual([context, urgency, assignees], ["Three **rows**", "high", ["Ana"]]);
    const again = await server.call("ask_person", { ...input, assignees: "Ana" });
    assert.deepEqual([first.structuredContent["questionId"], again.structuredContent["questionId"]], [id, id]);
  });

  it("says what is wrong with a question, with the field", async () => {
    await using server = await startServer();
    const cases: readonly (readonly [object, RegExp])[] = [
      [{}, /question is missing/],
      [{ question: "x", options: ["one"] }, /answer\.options: give 2 to 10 options/],
      [{ question: "x", options: ["a", "b"], answer: { kind: "text" } }, /give one of them/],
      [{ question: "x", onTimeout: "deny" }, /there is no deadline/],
      [{ question: "x", urgency: "now" }, /urgency/],
      [{ question: "x", context: "x".repeat(32_769) }, /context has 32769 bytes/],
      [{ question: "x", dedupeKey: "x".repeat(256) }, /dedupeKey/],
      [{ question: "x", assignees: Array.from({ length: 51 }, (_, n) => `p${n}`) }, /assignees names 51/],
    ];
    for (const [input, said] of cases) {
      const answer = await server.call("ask_person", input);
      assert.equal(answer.isError, true);
      assert.match(textOf(answer), said);
    }
  });
});
