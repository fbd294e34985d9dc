import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HubError } from "../../src/core/errors.ts";
import { keyName } from "../../src/core/question-keys.ts";
import type { KeptQuestion } from "../../src/core/question.ts";
import type { Questions } from "../../src/core/questions.ts";
import type { QuestionClosed } from "../../src/protocol/question.ts";
import { asked, QuestionRig } from "../support/question-rig.ts";
import { until } from "../support/until.ts";

const SECOND = 1000;
const DAY = 86_400_000;
const forever = new AbortController().signal;

function says(value: boolean, by = "ana", key?: string): Parameters<Questions["answer"]>[1] {
  return { answered: { value, by, via: "rest" }, key };
}

async function ask(questions: Questions, ...of: Parameters<typeof asked>): Promise<KeptQuestion> {
  return (await questions.ask(asked(...of))).kept;
}

describe("questions", { concurrency: true }, () => {
  it("are told on their channel when they are asked and when they are answered, and say how many were told", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    const { question } = await ask(questions, "Deploy?");
    assert.deepEqual([question.state, question.notified, question.askedAt], ["open", 2, "2026-11-30T08:00:00.000Z"]);
    rig.now += SECOND;
    const answered = await questions.answer(question.id, says(true));
    assert.deepEqual(answered.answered, { value: true, by: "ana", via: "rest", at: "2026-11-30T08:00:01.000Z" });
    assert.deepEqual(rig.told(), ["opened Deploy?", "answered Deploy? answered"]);
    const [opened, closed] = rig.log;
    assert.deepEqual([opened?.sender, opened?.via, closed?.sender], ["deployer", "question", "ana"]);
    // What was told of it when it was opened does not say how it ended, or how many heard it.
    assert.deepEqual(Object.keys(JSON.parse(opened?.data ?? "") as object).includes("notified"), false);
    assert.deepEqual([questions.asked, questions.answered, questions.open], [1, 1, 0]);
  });

  it("take the first answer of many, on whichever node, and tell the others what it was", async () => {
    await using rig = new QuestionRig();
    const nodes = ["a", "b", "c"].map((name) => rig.open(name).questions);
    const [first] = nodes as [Questions];
    for (let round = 0; round < 20; round++) {
      const { question } = await ask(first, `Round ${round}?`);
      const answers = await Promise.allSettled(
        Array.from({ length: 9 }, (_, n) =>
          (nodes[n % 3] as Questions).answer(question.id, says(n % 2 === 0, `person-${n}`)),
        ),
      );
      const winners = answers.filter((one) => one.status === "fulfilled");
      assert.equal(winners.length, 1);
      const winner = winners[0]?.value.answered?.by;
      for (const one of answers) {
        if (one.status === "fulfilled") continue;
        const error = one.reason as HubError;
        assert.equal(error.code, "QUESTION_CLOSED");
        assert.match(error.message, new RegExp(`"${winner}" answered it with`));
      }
    }
    assert.equal(rig.told().filter((line) => line.startsWith("answered")).length, 20);
  });

  it("are told by another node if their own dies between the answer and its message", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open("a");
    const { questions: others } = rig.open("b");
    const { question } = await ask(questions, "Deploy?");
    const waiting = others.wait({ ...(await others.get(question.id)), question } as KeptQuestion, 60_000, forever);
    rig.dead.add("a");
    await questions.answer(question.id, says(true));
    assert.deepEqual(rig.told(), ["opened Deploy?"]);
    // The one who waits elsewhere is not kept waiting by that.
    assert.equal((await waiting).question.answered?.value, true);
    await questions.close();
    await until("the other node tells it", () => {
      rig.later(SECOND);
      return rig.told().length === 2;
    });
    assert.deepEqual(rig.told(), ["opened Deploy?", "answered Deploy? answered"]);
    await until("nothing is left to tell", async () => (await others.get(question.id))?.untold.length === 0);
  });

  it("survive a restart, with what was not told yet", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    rig.dead.add("a");
    const { question } = await ask(questions, "Deploy?");
    assert.equal(question.notified, undefined);
    await questions.close();
    rig.dead.clear();
    const { questions: again } = rig.open();
    await until("it is told", () => {
      rig.later(SECOND);
      return rig.told().length === 1;
    });
    await again.answer(question.id, says(false));
    assert.deepEqual(rig.told(), ["opened Deploy?", "answered Deploy? answered"]);
  });

  it("are closed by the clock of the server, also if it jumps, and never by an answer after that", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    const deadline = new Date(rig.now + DAY).toISOString();
    const denied = await ask(questions, "Denied?", { deadline, onTimeout: "deny" });
    const byDefault = await ask(questions, "Default?", { deadline, onTimeout: "default", defaultAnswer: false });
    const late = await ask(questions, "Late?", { deadline, onTimeout: "deny" });
    const kept = await ask(questions, "Kept?", { deadline });
    const waiting = [denied, byDefault, kept].map((one) => questions.wait(one, 60_000, forever));
    rig.now += DAY;
    // No timer of the server has run: the answer itself finds that it is too late.
    await assert.rejects(questions.answer(late.question.id, says(true)), /it was closed as timed_out at 2026-12-01T08/);
    rig.later(0);
    const [one, two, three] = (await Promise.all(waiting)).map(({ question }) => question);
    assert.deepEqual([one?.outcome, one?.answered], ["timed_out", undefined]);
    assert.deepEqual([two?.outcome, two?.answered], ["timed_out", undefined]);
    // Whoever waits is told of the deadline, and the question can still be answered.
    assert.equal(three?.state, "open");
    await questions.answer(kept.question.id, says(true));
    await until("all is told", () => rig.log.length === 8);
    const closed = rig.log
      .filter(({ event }) => event === "question.closed")
      .map(({ data }) => JSON.parse(data) as QuestionClosed);
    assert.equal(closed.length, 3);
    assert.deepEqual(
      closed.filter((message) => "value" in message).map((message) => message.text),
      ["Default?"],
    );
    assert.equal(questions.timedOut, 3);
    // Back before the deadline, nothing opens again.
    rig.later(-2 * DAY);
    assert.equal((await questions.get(denied.question.id))?.question.state, "closed");
  });

  it("are joined by whoever asks again with the same key while they are open", async () => {
    await using rig = new QuestionRig();
    const nodes = ["a", "b"].map((name) => rig.open(name).questions);
    const key = { name: await keyName("dedupe", "deployer", "deploy-2.14"), isForClosed: false };
    const askOn = (node: number): ReturnType<Questions["ask"]> =>
      (nodes[node % 2] as Questions).ask({ ...asked("Deploy?"), keys: [key] });
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => askOn(n)));
    const ids = new Set(answers.map(({ kept }) => kept.question.id));
    assert.deepEqual([ids.size, answers.filter(({ joined }) => !joined).length], [1, 1]);
    const [id] = [...ids] as [string];
    await (nodes[1] as Questions).answer(id, says(true));
    const next = await askOn(0);
    assert.equal(next.joined, false);
    assert.notEqual(next.kept.question.id, id);
  });

  it("can be superseded while they are open, and otherwise the newer one is not asked", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    const { question } = await ask(questions, "Deploy 1?");
    const { question: newer } = await ask(questions, "Deploy 2?", { supersedes: question.id });
    const older = (await questions.get(question.id))?.question;
    assert.deepEqual([older?.outcome, older?.supersededBy], ["superseded", newer.id]);
    await questions.answer(newer.id, says(false));
    await assert.rejects(ask(questions, "Deploy 3?", { supersedes: newer.id }), { code: "QUESTION_CLOSED" });
    assert.deepEqual(rig.told(), [
      "opened Deploy 1?",
      "closed Deploy 1? superseded",
      "opened Deploy 2?",
      "answered Deploy 2? answered",
    ]);
    assert.equal(questions.open, 0);
  });

  it("that are cancelled cannot be answered, and those that are answered cannot be cancelled", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    const one = await ask(questions, "One?");
    await questions.cancel(one.question.id, "deployer");
    await assert.rejects(questions.answer(one.question.id, says(true)), /it was closed as cancelled/);
    const two = await ask(questions, "Two?");
    await questions.answer(two.question.id, says(true, "ana", "k"));
    await assert.rejects(questions.cancel(two.question.id, "x"), { code: "QUESTION_CLOSED" });
    await assert.rejects(questions.answer(two.question.id, says(true)), { code: "QUESTION_CLOSED" });
    // The same request again is answered as before.
    assert.equal((await questions.answer(two.question.id, says(true, "ana", "k"))).answered?.by, "ana");
  });

  it("are not asked if the log refuses their message for good, and nothing is kept of them", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    rig.refuses = () => new HubError("OVERLOADED", "as many channels as MAX_CHANNELS allows");
    await assert.rejects(ask(questions, "Deploy?"), { code: "OVERLOADED" });
    assert.deepEqual([(await rig.records.list("question")).size, questions.open], [0, 0]);
  });

  it("that are closed are kept for 7 days, and then removed", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    const key = { name: await keyName("idempotency", "deployer", "k"), isForClosed: true };
    const { kept } = await questions.ask({ ...asked("Deploy?"), keys: [key] });
    await questions.answer(kept.question.id, says(true));
    rig.later(7 * DAY - SECOND);
    assert.equal((await questions.ask({ ...asked("Deploy?"), keys: [key] })).kept.question.id, kept.question.id);
    await until("it is removed", async () => {
      rig.later(SECOND);
      return (await questions.get(kept.question.id)) === undefined;
    });
    assert.equal((await rig.records.list("question-key")).size, 0);
  });

  it("end those who wait when the server stops, with what is known", async () => {
    await using rig = new QuestionRig();
    const { questions } = rig.open();
    const one = await ask(questions, "Deploy?");
    const waiting = Array.from({ length: 1000 }, () => questions.wait(one, 3_600_000, forever));
    await until("they wait", () => questions.waiting === 1000);
    await questions.close();
    const ended = await Promise.all(waiting);
    assert.deepEqual([ended.length, ended[0]?.question.state, questions.waiting], [1000, "open", 0]);
  });
});
