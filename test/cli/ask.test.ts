import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Question } from "../../src/protocol/question.ts";
import { runCli } from "../support/cli.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** Answers the only open question, once it is there. */
async function answer(server: TestServer, value: unknown): Promise<Question> {
  let open: readonly Question[] = [];
  await until("it is asked", async () => {
    const page = (await server.request("/questions?state=open")).json() as { questions: readonly Question[] };
    open = page.questions;
    return open.length === 1;
  });
  const [question] = open as [Question];
  const body = JSON.stringify({ value, by: "Ana" });
  const { status, text } = await server.request(`/questions/${question.id}/answer`, {
    method: "POST",
    headers: JSON_TYPE,
    body,
  });
  assert.equal(status, 200, text);
  return question;
}

describe("sse-mcp-server ask", { concurrency: 2 }, () => {
  it("waits for people, prints the answer, and tells yes from no by its exit code", async () => {
    await using server = await startServer();
    for (const [kind, words, value, stdout, code] of [
      ["confirm", ["Deploy?", "--yes", "Deploy", "--as", "ci"], true, "yes\n", 0],
      ["confirm", ["Deploy?", "--no", "Later", "--destructive"], false, "no\n", 3],
      ["choice", ["Where?", "--option", "eu", "--option", "us"], "us", "us\n", 0],
      ["text", ["Why?", "--text"], "because of\na line", '"because of\\na line"\n', 0],
    ] as const) {
      const asking = runCli(["ask", "ops", ...words, "--url", server.url]);
      const { asker, answer: form } = await answer(server, value);
      const told = await asking;
      assert.deepEqual([told.code, told.stdout], [code, stdout], told.stderr);
      assert.match(told.stderr, /^asked 0 readers of ops, as [0-9a-f]{24}\nanswered by Ana\n$/);
      assert.deepEqual([form.kind, asker], [kind, kind === "confirm" && value ? "ci" : "anyone"]);
    }
  });

  it("ends without an answer when the time is up, at the deadline, and when the question is cancelled", async () => {
    await using server = await startServer();
    const waited = await runCli(["ask", "ops", "A?", "--wait", "0s", "--url", server.url]);
    assert.deepEqual([waited.code, waited.stdout], [4, ""]);
    assert.match(waited.stderr, /no answer: open\n$/);
    const due = await runCli(["ask", "ops", "B?", "--deadline", "1s", "--url", server.url]);
    assert.deepEqual([due.code, due.stdout], [4, ""]);
    assert.match(due.stderr, /no answer: timed_out\n$/);
  });

  it("prints the question as JSON, and refuses words that do not fit", async () => {
    await using server = await startServer();
    const proposal = { name: "deploy", arguments: { version: 2 } };
    const words = ["--json", "--for", "Ana", "--proposal", JSON.stringify(proposal)];
    const asking = runCli(["ask", "ops", "A?", ...words, "--url", server.url]);
    const { id, proposal: shown } = await answer(server, true);
    assert.deepEqual(shown, { ...proposal, hash: shown?.hash });
    const told = JSON.parse((await asking).stdout) as Question;
    assert.deepEqual([told.id, told.state, told.answered?.by, told.assignees], [id, "closed", "Ana", ["Ana"]]);
    for (const [wrong, sentence] of [
      [["ops"], /ask takes CHANNEL and TEXT/],
      [["ops", "A?", "--text", "--option", "a"], /give --option, or --text/],
      [["ops", "A?", "--deadline", "soon"], /--deadline is "soon"/],
      [["ops", "A?", "--option", "one"], /answer/],
      [["ops", "A?", "--proposal", "deploy"], /--proposal is not a JSON object/],
    ] as const) {
      const { code, stderr } = await runCli(["ask", ...wrong, "--url", server.url]);
      assert.match(stderr, sentence);
      assert.ok(code === 2 || code === 1);
    }
  });
});
