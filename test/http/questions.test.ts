import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Question } from "../../src/protocol/question.ts";
import { KeyRing } from "../support/keys.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import type { Answer, RequestOptions } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

type Headers = Readonly<Record<string, string>>;
type Asking = Pick<TestServer, "request">;

const JSON_TYPE = { "content-type": "application/json" };

function post(server: Asking, path: string, body: unknown, headers: Headers = {}): Promise<Answer> {
  const options: RequestOptions =
    typeof body === "string"
      ? { body, headers }
      : { body: JSON.stringify(body), headers: { ...JSON_TYPE, ...headers } };
  return server.request(path, { method: "POST", ...options });
}

async function ask(server: Asking, body: unknown, headers: Headers = {}, query = ""): Promise<Question> {
  const answer = await post(server, `/questions${query}`, body, headers);
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as Question;
}

function say(server: Asking, { id }: Question, body: object, headers: Headers = {}): Promise<Answer> {
  return post(server, `/questions/${id}/answer`, body, headers);
}

async function listed(server: Asking, query = "", headers: Headers = {}): Promise<readonly Question[]> {
  const answer = await server.request(`/questions${query}`, { headers });
  assert.equal(answer.status, 200, answer.text);
  return (answer.json() as { questions: Question[] }).questions;
}

function problemOf(answer: Answer): { readonly code: string; readonly detail: string; readonly question?: Question } {
  return answer.json() as { code: string; detail: string };
}

function bearer(key: string): Headers {
  return { authorization: `Bearer ${key}` };
}

describe("questions over HTTP", { concurrency: true }, () => {
  it("[ASK-1] [ASK-2] are asked with any body, and are told to who reads their channel", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=ops&format=json");
    const answer = await post(server, "/questions?channel=ops", "Deploy 2.14?\n");
    const question = answer.json() as Question;
    assert.deepEqual([answer.status, answer.headers["location"]], [201, `/questions/${question.id}`]);
    assert.match(question.id, /^[0-9a-f]{24}$/);
    assert.deepEqual(
      [question.text, question.answer, question.state, question.asker, question.notified],
      ["Deploy 2.14?", { kind: "confirm" }, "open", "anyone", 1],
    );
    const opened = JSON.parse((await reader.next()).data) as { event: string; via: string; data: Question };
    const { notified: _, ...told } = question;
    assert.deepEqual([opened.event, opened.via, opened.data], ["question.opened", "question", told]);
    const answered = (await say(server, question, { value: "yes", by: "Ana", via: "page" })).json() as Question;
    assert.deepEqual([answered.outcome, answered.answered?.value, answered.answered?.via], ["answered", true, "page"]);
    const closed = JSON.parse((await reader.next()).data) as { event: string; data: object };
    assert.deepEqual(
      [closed.event, closed.data],
      ["question.answered", { id: question.id, text: "Deploy 2.14?", outcome: "answered", ...answered.answered }],
    );
    // What curl sends with -d alone has the type of a form.
    const form = await ask(server, '{"text":"Which?","answer":{"kind":"text"}}', {
      "content-type": "application/x-www-form-urlencoded",
    });
    assert.deepEqual([form.text, form.answer], ["Which?", { kind: "text", maxLength: 4096 }]);
  });

  it("[ASK-3] keep one answer, and answer the next with the one that counts", async () => {
    await using server = await startServer();
    const question = await ask(server, "Deploy?");
    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => say(server, question, { value: n % 2 === 0, by: `person ${n}` })),
    );
    const won = answers.filter(({ status }) => status === 200);
    assert.equal(won.length, 1);
    const { answered } = (won[0] as Answer).json() as Question;
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      const { code, question: known } = problemOf(answer);
      assert.deepEqual([answer.status, code, known?.answered], [409, "QUESTION_CLOSED", answered]);
    }
    for (const method of ["GET", "HEAD"]) await server.request(`/questions/${question.id}`, { method });
    const looked = (await server.request(`/questions/${question.id}`)).json() as Question;
    assert.deepEqual(looked.answered, answered);
    assert.equal((await server.request(`/questions/${question.id}/answer?value=true`)).status, 405);
  });

  it("[ASK-4] refuse an answer that does not fit, with the field", async () => {
    await using server = await startServer();
    const choice = await ask(server, {
      text: "Where?",
      answer: {
        kind: "choice",
        options: [
          { value: "eu", label: "Europe" },
          { value: "us", destructive: true },
        ],
      },
    });
    const wrong = await say(server, choice, { value: "asia" });
    assert.deepEqual([wrong.status, problemOf(wrong).detail], [400, 'value is "asia"; use one of "eu", "us"']);
    assert.match(
      problemOf(await say(server, choice, { answer: "eu" })).detail,
      /unknown property "answer"; there are value/,
    );
    assert.equal((await say(server, choice, { value: "Europe" })).status, 200);
    const form = await ask(server, {
      text: "How much?",
      answer: {
        kind: "form",
        schema: { type: "object", properties: { amount: { type: "integer" } }, required: ["amount"] },
      },
    });
    assert.match(problemOf(await say(server, form, { value: {} })).detail, /^value\.amount is missing/);
    const { hash } =
      (await ask(server, { text: "?", proposal: { name: "refund", arguments: { b: 2, a: 1 } } })).proposal ?? {};
    // echo -n '{"arguments":{"a":1,"b":2},"name":"refund"}' | sha256sum
    assert.equal(hash, "df47d0d649781850605ee22de0808274d9af53255cc634ca9f832f74b1039a20");
  });

  it("[ASK-4] refuse the answer to another proposal than the one that was shown", async () => {
    await using server = await startServer();
    const question = await ask(server, { text: "Refund?", proposal: { name: "refund", arguments: { amount: 12 } } });
    const other = await say(server, question, { value: true, proposalHash: "0".repeat(64) });
    assert.equal(other.status, 400);
    assert.match(problemOf(other).detail, /^proposalHash is not that of the proposal, which is [0-9a-f]{64}/);
    const { hash } = question.proposal ?? {};
    const right = await say(server, question, { value: true, proposalHash: hash });
    assert.equal((right.json() as Question).answered?.proposalHash, hash);
  });

  it("[ASK-5] refuse a question that cannot be asked, with the field", async () => {
    await using server = await startServer();
    for (const [body, said] of [
      [{ text: "" }, /^text is empty/],
      [{ text: "é".repeat(1025) }, /^text has 2050 bytes; at most 2048 are allowed$/],
      [{}, /^text is missing; give a string$/],
      [{ text: "x", answer: { kind: "maybe" } }, /^answer\.kind is "maybe"; use confirm, choice, text or form$/],
      [{ text: "x", answer: { kind: "choice", options: [{ value: "a" }] } }, /^answer\.options: give 2 to 10 options$/],
      [
        { text: "x", answer: { kind: "choice", options: [{ value: "a" }, { value: "a" }] } },
        /has the value "a" twice$/,
      ],
      [{ text: "x", answer: { kind: "confirm", yes: "a\nb" } }, /^answer\.yes: use one line/],
      [
        { text: "x", answer: { kind: "form", schema: { properties: { a: { type: "object" } } } } },
        /a form has no objects in it$/,
      ],
      [
        { text: "x", answer: { kind: "form", schema: { properties: { a: { type: "string", pattern: "(a+)+" } } } } },
        /has a pattern/,
      ],
      [
        {
          text: "x",
          answer: { kind: "form", schema: { properties: { a: { type: "string", default: "pay \u202e001" } } } },
        },
        /^answer\.schema\.properties\.a\.default: has characters that are invisible or turn text around$/,
      ],
      [
        { text: "x", answer: { kind: "form", schema: { properties: { a: { type: "string", enum: ["a\u200b"] } } } } },
        /^answer\.schema\.properties\.a\.enum\.0: has characters that are invisible/,
      ],
      [{ text: "x", onTimeout: "deny" }, /^onTimeout is deny, and there is no deadline/],
      [{ text: "x", deadline: "tomorrow" }, /^deadline is "tomorrow"; use a time/],
      [{ text: "x", deadlineSeconds: -1 }, /^deadlineSeconds is -1/],
      [{ text: "x", deadlineSeconds: 9, onTimeout: "default" }, /^defaultAnswer is missing/],
      [
        {
          text: "x",
          deadlineSeconds: 9,
          onTimeout: "default",
          defaultAnswer: true,
          answer: { kind: "confirm", destructive: true },
        },
        /^defaultAnswer is destructive/,
      ],
      [{ text: "x", answers: [] }, /^unknown property "answers"; there are channel, text/],
      [{ text: "x", channel: "hub.x" }, /reserved/],
      [
        '{"text":"x","proposal":{"name":"a","arguments":{"id":12345678901234567890}}}',
        /holds 12345678901234567890, which no double can hold/,
      ],
    ] as const) {
      const answer = await post(server, "/questions", body);
      assert.equal(answer.status, 400, answer.text);
      assert.match(problemOf(answer).detail, said);
    }
    assert.deepEqual(await listed(server), []);
  });

  it("[ASK-6] are waited for: with the head at once, until they are answered", async () => {
    await using server = await startServer();
    const waiting = post(server, "/questions?channel=ops&wait=600", "Deploy?");
    await until("it is asked", async () => (await listed(server)).length === 1);
    const [question] = (await listed(server)) as [Question];
    using wire = await server.wire();
    wire.send([`GET /questions/${question.id}?wait=600 HTTP/1.1`, "Host: localhost"]);
    const short = server.request(`/questions/${question.id}?wait=15`);
    await until("the head is sent", () => wire.text.startsWith("HTTP/1.1 200 OK") && wire.text.includes("\r\n\r\n"));
    await until("they wait", async () => (await server.metric("sse_mcp_questions_waiting")) === 3);
    await say(server, question, { value: true });
    const answer = await waiting;
    assert.deepEqual([answer.status, answer.headers["content-encoding"]], [201, undefined]);
    assert.equal((answer.json() as Question).answered?.value, true);
    assert.equal(((await short).json() as Question).state, "closed");
    const at0 = (await server.request(`/questions/${question.id}?wait=3600`)).json() as Question;
    assert.equal(at0.state, "closed");
    assert.equal((await server.request(`/questions/${question.id}?wait=3601`)).status, 400);
  });

  it("[ASK-6] are waited for no longer than their deadline, or the server runs", async () => {
    await using server = await startServer();
    const late = await post(server, "/questions?wait=600", { text: "Deploy?", deadlineSeconds: 0.3 });
    assert.deepEqual([late.status, (late.json() as Question).state], [201, "open"]);
    const denied = await post(server, "/questions?wait=10", {
      text: "Deploy?",
      deadlineSeconds: 0.3,
      onTimeout: "deny",
    });
    assert.equal((denied.json() as Question).outcome, "timed_out");
    const waiting = post(server, "/questions?wait=600", "And now?");
    await until("it is asked", async () => (await listed(server, "?state=open")).length === 2);
    await server.close();
    assert.equal(((await waiting).json() as Question).state, "open");
  });

  it("[ASK-7] are seen by those who may read the channel, and answered by those who may publish there", async () => {
    await using server = await startServer({ apiKeysFile: ring.path });
    const question = await ask(
      server,
      { text: "Deploy?", channel: "ops.eu", assignees: ["ana", "bo"], notAsker: true },
      bearer(agent),
    );
    assert.deepEqual([question.asker, question.verified], ["agent", true]);
    const path = `/questions/${question.id}`;
    for (const [key, status] of [
      [outsider, 404],
      [reader, 200],
      [agent, 200],
      [ana, 200],
    ] as const) {
      assert.equal((await server.request(path, { headers: bearer(key) })).status, status);
      assert.equal((await listed(server, "", bearer(key))).length, status === 200 ? 1 : 0);
    }
    assert.equal((await server.request(path)).status, 401);
    for (const [key, status, said] of [
      [outsider, 404, /no such question/],
      [reader, 403, /may not answer questions on "ops.eu"/],
      [cy, 403, /Only "ana" and 1 more may answer this question; you are "cy"/],
      [agent, 403, /Only "ana"/],
    ] as const) {
      const answer = await say(server, question, { value: true }, bearer(key));
      assert.equal(answer.status, status, answer.text);
      assert.match(problemOf(answer).detail, said);
    }
    assert.equal((await say(server, question, { value: true, by: "bo" }, bearer(cy))).status, 403);
    const answered = (await say(server, question, { value: false }, bearer(ana))).json() as Question;
    assert.deepEqual([answered.answered?.by, answered.answered?.verified], ["ana", true]);
    const own = await ask(server, { text: "Really?", channel: "ops.eu", notAsker: true }, bearer(ana));
    assert.match(
      problemOf(await say(server, own, { value: true }, bearer(ana))).detail,
      /Whoever asked this question may not answer/,
    );
    assert.equal((await post(server, `/questions/${own.id}/cancel`, "", bearer(cy))).status, 403);
    assert.equal((await post(server, `/questions/${own.id}/cancel`, "", bearer(outsider))).status, 404);
    const cancelled = (await post(server, `/questions/${own.id}/cancel`, "", bearer(ana))).json() as Question;
    assert.deepEqual([cancelled.outcome, cancelled.closedBy], ["cancelled", "ana"]);
    assert.equal((await say(server, own, { value: true }, bearer(cy))).status, 409);
    assert.equal((await post(server, "/questions?channel=ops.eu", "x", bearer(reader))).status, 403);
    for (let n = 0; n < 20; n++) await ask(server, { text: `${n}?`, channel: "ops.eu" }, bearer(cy));
    const more = await post(server, "/questions?channel=ops.eu", "x", bearer(cy));
    assert.deepEqual([more.status, problemOf(more).code], [429, "TOO_MANY_QUESTIONS"]);
  });

  it("[ASK-8] are asked once for one idempotency key, and joined while they are open by one dedupe key", async () => {
    await using server = await startServer();
    const headers = { "idempotency-key": "k" };
    const first = await ask(server, "Deploy?", headers);
    await say(server, first, { value: true });
    const again = await post(server, "/questions", "Deploy?", headers);
    assert.deepEqual([again.status, again.headers["idempotent-replayed"]], [200, "true"]);
    assert.equal((again.json() as Question).answered?.value, true);
    const other = await post(server, "/questions", "Delete?", headers);
    assert.deepEqual([other.status, problemOf(other).code], [422, "IDEMPOTENCY_KEY_REUSED"]);
    const one = await ask(server, { text: "One?", dedupeKey: "d" });
    const joined = await post(server, "/questions", { text: "One, please?", dedupeKey: "d" });
    assert.deepEqual([joined.status, (joined.json() as Question).id], [200, one.id]);
    const said = { value: false };
    const answers = [await say(server, one, said, headers), await say(server, one, said, headers)];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    );
  });

  it("[ASK-9] are listed page by page in the order in which they were asked, by state and channel", async () => {
    await using server = await startServer();
    for (let n = 0; n < 5; n++) await ask(server, { text: `${n}?`, channel: n % 2 === 0 ? "a.x" : "b" });
    const [first] = (await listed(server)) as [Question];
    await say(server, first, { value: true });
    const texts: string[] = [];
    for (let after: string | null = ""; after !== null;) {
      const page = (await server.request(`/questions?state=open&limit=2&after=${after}`)).json() as {
        questions: Question[];
        next: string | null;
      };
      texts.push(page.questions.map(({ text }) => text).join(" "));
      after = page.next;
    }
    assert.deepEqual(texts, ["1? 2?", "3? 4?"]);
    assert.deepEqual(
      (await listed(server, "?channel=a.*")).map(({ text }) => text),
      ["0?", "2?", "4?"],
    );
    assert.deepEqual(
      (await listed(server, "?state=closed")).map(({ id }) => id),
      [first.id],
    );
  });

  it("[ASK-10] survive a restart, in a file", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file("hub.db")}`;
    let question: Question;
    {
      await using server = await startServer({ data });
      question = await ask(server, { text: "Deploy?", deadlineSeconds: 3600 });
    }
    await using server = await startServer({ data });
    assert.deepEqual(await listed(server, "?state=open"), [question]);
    assert.equal((await say(server, question, { value: true })).status, 200);
  });

  it("[ASK-3] [ASK-10] take one answer on two nodes, and end who waits on either", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using a = await startServer({ data: engine.url });
    await using b = await startServer({ data: engine.url });
    const question = await ask(a, "Deploy?");
    const waiting = [a, b].map((server) => server.request(`/questions/${question.id}?wait=600`));
    await until("they wait", async () =>
      (await Promise.all([a, b].map((server) => server.metric("sse_mcp_questions_waiting")))).every(
        (count) => count === 1,
      ),
    );
    const answers = await Promise.all(
      [a, b, a, b].map((server, n) => say(server, question, { value: n < 2, by: `person ${n}` })),
    );
    assert.deepEqual(
      answers.map(({ status }) => status).sort((one, other) => one - other),
      [200, 409, 409, 409],
    );
    const winner = answers.find(({ status }) => status === 200) as Answer;
    const { answered } = winner.json() as Question;
    for (const one of waiting) assert.deepEqual(((await one).json() as Question).answered, answered);
    await until("it is told once", async () => {
      const { messages } = (await b.request("/channels/default/messages")).json() as { messages: { event: string }[] };
      return messages.map(({ event }) => event).join() === "question.opened,question.answered";
    });
  });

  it("[ASK-7] are not decided by a page of another origin", async () => {
    await using server = await startServer({ env: "production" });
    const question = await ask(server, "Deploy?");
    const forged = await say(
      server,
      question,
      { value: true },
      { origin: "https://evil.example", "content-type": "text/plain" },
    );
    assert.deepEqual([forged.status, problemOf(forged).code], [403, "ORIGIN_NOT_ALLOWED"]);
  });

  const ring = new KeyRing();
  const agent = ring.add("agent", { publish: ["ops.*"], subscribe: [] });
  const reader = ring.add("reader", { subscribe: ["ops.*"] });
  const outsider = ring.add("outsider", { publish: ["news"], subscribe: ["news"] });
  const [ana, cy] = ["ana", "cy"].map((name) => ring.add(name, { publish: ["ops.*"], subscribe: ["ops.*"] })) as [
    string,
    string,
  ];
});
