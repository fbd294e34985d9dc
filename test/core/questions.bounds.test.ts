import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Questions } from "../../src/core/questions.ts";
import { asked, QuestionRig } from "../support/question-rig.ts";

async function ask(questions: Questions, ...of: Parameters<typeof asked>): Promise<void> {
  await questions.ask(asked(...of));
}

describe("open questions", () => {
  it("are bounded: 20 of one asker, 1,000 on a channel, 10,000 in all", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    for (let n = 0; n < 20; n++) await ask(questions, `${n}?`, {}, "key-agent");
    await assert.rejects(ask(questions, "21?", {}, "key-agent"), /^HubError: You have 20 open questions/);
    for (let n = 20; n < 10_000; n++) await ask(questions, `${n}?`, { channel: `c${n % 11}` });
    await assert.rejects(ask(questions, "more?", { channel: "c12" }), { code: "TOO_MANY_QUESTIONS" });
    const [first] = questions.list();
    assert.equal(questions.open, 10_000);
    await questions.cancel(first?.id ?? "", "x");
    await ask(questions, "again?", { channel: "c12" });
    assert.equal(questions.open, 10_000);
  });
});
