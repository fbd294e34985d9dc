import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Questions } from "../../src/core/questions.ts";
import { AnswerLinks } from "../../src/notify/answer-links.ts";
import { Notifier, type Step } from "../../src/notify/notifier.ts";
import { Refused, type Notification, type Way } from "../../src/notify/way.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";
import { asked, QuestionRig } from "../support/question-rig.ts";
import { until } from "../support/until.ts";

/** A way that notes what it sends, and refuses as it is told. */
class NotedWay implements Way {
  readonly kind = "ntfy";
  readonly sent: string[] = [];
  refuses: (count: number) => Error | undefined = () => undefined;
  #tries = 0;

  send({ question }: Notification): Promise<number> {
    const refused = this.refuses(++this.#tries);
    if (refused !== undefined) return Promise.reject(refused);
    this.sent.push(question.text);
    return Promise.resolve(1);
  }

  get tries(): number {
    return this.#tries;
  }
}

function step(name: string, way: Way, more: Partial<Step> = {}): Step {
  return { name, channels: ["a"] as string[] as ChannelPattern[], urgency: "low", afterSeconds: 0, way, ...more };
}

/** A node with these steps. */
async function node(rig: QuestionRig, name: string, steps: readonly Step[], failsToNote = () => false) {
  const { questions, node: shared } = rig.open(name);
  const links = await AnswerLinks.open(rig.records, "https://hub.example");
  const reports: string[] = [];
  const now = (): number => rig.now;
  const notifier = new Notifier({
    steps,
    questions: {
      get: (id) => questions.get(id),
      list: () => questions.list(),
      addNotice: (id, notice) =>
        failsToNote() ? Promise.reject(new Error("the log is away")) : questions.addNotice(id, notice),
    },
    shared,
    links,
    now,
    base: "https://hub.example",
    report: (sentence) => reports.push(sentence),
  });
  questions.onChange = (entry) => notifier.onChange(entry);
  notifier.onChange();
  return { questions, notifier, reports, [Symbol.asyncDispose]: () => notifier.close() };
}

async function noticesOf(questions: Questions, id: string): Promise<readonly string[]> {
  const { notices = [] } = (await questions.get(id))?.question ?? {};
  return notices.map(({ name, count, error = "" }) => `${name} ${count} ${error}`.trim());
}

describe("the steps in which people are told", { concurrency: true, timeout: 60_000 }, () => {
  it("are taken one after the other while the question is open", async () => {
    await using rig = new QuestionRig();
    const [phone, team] = [new NotedWay(), new NotedWay()];
    const steps = [step("phone", phone), step("team", team, { afterSeconds: 300 })];
    await using one = await node(rig, "a", steps);
    const first = (await one.questions.ask(asked("First?"))).kept.question.id;
    const second = (await one.questions.ask(asked("Second?"))).kept.question.id;
    await until("the first step is taken", () => {
      one.notifier.wake();
      return phone.sent.length === 2;
    });
    await until("both are noted", async () => (await noticesOf(one.questions, second)).length === 1);
    await one.questions.answer(first, { answered: { value: true, by: "ana", via: "page" } });
    rig.later(299_000);
    one.notifier.wake();
    assert.deepEqual(team.sent, []);
    rig.later(1000);
    await until("the second step is taken", () => {
      one.notifier.wake();
      return team.sent.length > 0;
    });
    assert.deepEqual(team.sent, ["Second?"]);
    await until("it is noted", async () => (await noticesOf(one.questions, second)).length === 2);
    assert.deepEqual(rig.told().filter((told) => told.startsWith("notified")).length, 3);
  });

  it("are taken once by all nodes together, and go on when the node that takes them is gone", async () => {
    await using rig = new QuestionRig();
    const [phone, team] = [new NotedWay(), new NotedWay()];
    const steps = [step("phone", phone), step("team", team, { afterSeconds: 60 })];
    const one = await node(rig, "a", steps);
    await using other = await node(rig, "b", steps);
    const { id } = (await other.questions.ask(asked("A?"))).kept.question;
    await until("one tells", () => phone.sent.length > 0);
    await until("it is noted", async () => (await noticesOf(other.questions, id)).length === 1);
    await one.notifier.close();
    rig.later(60_000);
    await until("the other tells", () => {
      other.notifier.wake();
      return team.sent.length > 0;
    });
    await until("it is noted, too", async () => (await noticesOf(other.questions, id)).length === 2);
    assert.deepEqual([phone.sent, team.sent], [["A?"], ["A?"]]);
  });

  it("are tried again while it may help, and noted with the reason in the end", async () => {
    await using rig = new QuestionRig();
    const [late, never] = [new NotedWay(), new NotedWay()];
    late.refuses = (count) => (count <= 2 ? new Refused("it answered 503", true) : undefined);
    never.refuses = () => new Error("a password");
    await using one = await node(rig, "a", [step("late", late), step("never", never)]);
    const { id } = (await one.questions.ask(asked("A?"))).kept.question;
    await until("both are noted", async () => {
      rig.later(5000);
      one.notifier.wake();
      return (await noticesOf(one.questions, id)).length === 2;
    });
    assert.deepEqual([late.tries, never.tries], [3, 4]);
    assert.deepEqual((await noticesOf(one.questions, id)).toSorted(), [
      "late 1",
      "never 0 it failed; the log of the server says why",
    ]);
    assert.match(one.reports.join(), /step never cannot tell people of a question: Error: a password/);
    assert.deepEqual([one.notifier.sent, one.notifier.failed], [1, 1]);
  });

  it("are not taken again where they could not be noted at first", async () => {
    await using rig = new QuestionRig();
    const phone = new NotedWay();
    let failures = 2;
    await using one = await node(rig, "a", [step("phone", phone)], () => failures-- > 0);
    const { id } = (await one.questions.ask(asked("A?"))).kept.question;
    await until("it is noted", async () => {
      rig.later(5000);
      one.notifier.wake();
      return (await noticesOf(one.questions, id)).length === 1;
    });
    assert.deepEqual([phone.sent, failures], [["A?"], -1]);
  });

  it("are not held up by questions that are not urgent enough", async () => {
    await using rig = new QuestionRig();
    const phone = new NotedWay();
    await using one = await node(rig, "a", [step("phone", phone, { urgency: "high" })]);
    for (let number = 0; number < 25; number++) await one.questions.ask(asked(`${number}?`));
    await one.questions.ask(asked("Urgent?", { urgency: "high" }));
    await until("it sends", () => {
      one.notifier.wake();
      return phone.sent.length > 0;
    });
    assert.deepEqual(phone.sent, ["Urgent?"]);
  });

  it("are taken for urgent questions first, and then by turns for all who ask", async () => {
    await using rig = new QuestionRig();
    const phone = new NotedWay();
    await using one = await node(rig, "a", [step("phone", phone)]);
    const sends = (count: number): Promise<void> =>
      until(`${count} were sent`, () => {
        one.notifier.wake();
        return phone.sent.length >= count;
      });
    for (let number = 0; number < 60; number++) await one.questions.ask(asked(`${number}?`, { urgency: "low" }));
    await sends(20);
    rig.later(10_000);
    for (const text of ["Mine?", "Too?"]) await one.questions.ask(asked(text, { urgency: "low" }, "key-ada"));
    await one.questions.ask(asked("Urgent?", { urgency: "high" }, "key-bob"));
    rig.later(50_000);
    await sends(40);
    assert.equal(phone.sent[20], "Urgent?");
    const next = phone.sent.slice(21, 25);
    assert.deepEqual(next.toSorted(), ["20?", "21?", "Mine?", "Too?"], "two of each");
    rig.later(60_000);
    await sends(60);
    assert.deepEqual(phone.sent.slice(40, 42), ["37?", "38?"]);
  });

  it("do not ring all the time: what one step sends is bounded", async () => {
    await using rig = new QuestionRig();
    const phone = new NotedWay();
    await using one = await node(rig, "a", [step("phone", phone)]);
    for (let number = 0; number < 25; number++) await one.questions.ask(asked(`${number}?`));
    await until("it sends", () => {
      one.notifier.wake();
      return phone.sent.length >= 20;
    });
    rig.later(59_000);
    one.notifier.wake();
    assert.equal(phone.sent.length, 20);
    rig.later(1000);
    await until("it sends the rest", () => {
      one.notifier.wake();
      return phone.sent.length === 25;
    });
  });
});
