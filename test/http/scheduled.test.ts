import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../src/protocol/message.ts";
import { Cli } from "../support/cli.ts";
import { KeyRing } from "../support/keys.ts";
import { needsEngine, startEngine } from "../support/redis.ts";
import { request, type Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface Receipt {
  readonly id: string;
  readonly channel: string;
  readonly at: string;
}

type Headers = Readonly<Record<string, string>>;

const DAY = 86_400;

function post(url: string, query: string, body = "later", headers: Headers = {}): Promise<Answer> {
  return request(`${url}/channels/a/messages?${query}`, { method: "POST", body, headers });
}

async function scheduled(url: string, query: string, body?: string, headers?: Headers): Promise<Receipt> {
  const answer = await post(url, query, body, headers);
  assert.equal(answer.status, 202, answer.text);
  return answer.json() as Receipt;
}

async function messages(url: string): Promise<readonly Message[]> {
  return ((await request(`${url}/channels/a/messages`)).json() as { messages: Message[] }).messages;
}

async function listed(server: TestServer, headers: Headers = {}, query = ""): Promise<readonly Receipt[]> {
  const answer = await server.request(`/scheduled${query}`, { headers });
  assert.equal(answer.status, 200, answer.text);
  return (answer.json() as { scheduled: Receipt[] }).scheduled;
}

function problemOf(answer: Answer): { readonly code: string; readonly detail: string } {
  return answer.json() as { code: string; detail: string };
}

function bearer(key: string): Headers {
  return { authorization: `Bearer ${key}` };
}

describe("publishing later", { concurrency: true }, () => {
  it("[PUB-40] [PUB-41] is answered with 202 at once, and reaches readers at its time and not before", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=a&format=json");
    const answer = await post(server.url, "delaySeconds=0.5&event=order&sender=shop", '{"n":1}', {
      "content-type": "application/json",
    });
    const { id, channel, at } = answer.json() as Receipt;
    assert.deepEqual([answer.status, answer.headers["location"], channel], [202, `/scheduled/${id}`, "a"]);
    assert.deepEqual(await messages(server.url), []);
    const one = (await server.request(`/scheduled/${id}`)).json();
    assert.deepEqual(one, { id, channel: "a", at, event: "order", sender: "shop", by: "anyone", data: { n: 1 } });
    const message = JSON.parse((await reader.next()).data) as Message;
    assert.deepEqual([message.data, message.event, message.sender], [{ n: 1 }, "order", "shop"]);
    assert.ok(message.time >= at, `${message.time} is not before ${at}`);
    await until("it is gone", async () => (await listed(server)).length === 0);
    assert.equal((await server.request(`/scheduled/${id}`)).status, 404);
  });

  it("[PUB-40] takes a time with any offset, also with the plus sign as curl sends it", async () => {
    await using server = await startServer();
    const noon = new Date(Date.now() + DAY * 1000).toISOString().slice(0, 11);
    for (const time of [`${noon}12:00:00+01:00`, `${noon}12:00:00%2B01:00`, `${noon}11:00Z`]) {
      assert.equal((await scheduled(server.url, `at=${time}`)).at, `${noon}11:00:00.000Z`);
    }
    for (const [query, said] of [
      ["at=2030-01-01T09:00", /^at is .*; use a time with its offset from UTC/],
      ["at=2020-01-01T09:00Z", /which is in the past/],
      ["delaySeconds=-1", /^delaySeconds is -1; use a number from 0/],
      ["delaySeconds=soon", /delaySeconds must be a number/],
      // From a variable of a shell that is not set.
      ["delaySeconds=", /delaySeconds must be a number/],
      ["delaySeconds=%20", /delaySeconds must be a number/],
      ["at=", /^at is ""; use a time with its offset from UTC/],
      [`at=${noon}11:00Z&delaySeconds=1`, /give one of them/],
      ["delaySeconds=1&ephemeral=true", /an ephemeral message is not kept, so it cannot be scheduled/],
    ] as const) {
      const answer = await post(server.url, query);
      assert.equal(answer.status, 400, query);
      assert.match(problemOf(answer).detail, said);
    }
    assert.equal((await listed(server)).length, 3);
  });

  it("[PUB-43] gives one id for one idempotency key, and publishes it once", async () => {
    await using server = await startServer();
    const headers = { "idempotency-key": "k" };
    const first = await post(server.url, "delaySeconds=2", "x", headers);
    const again = await post(server.url, "delaySeconds=2", "x", headers);
    assert.deepEqual([again.status, again.headers["idempotent-replayed"], again.text], [202, "true", first.text]);
    const other = await post(server.url, "delaySeconds=2", "y", headers);
    assert.deepEqual([other.status, problemOf(other).code], [422, "IDEMPOTENCY_KEY_REUSED"]);
    await until("it is published", async () => (await messages(server.url)).length === 1);
    assert.equal((await post(server.url, "delaySeconds=0", "x", headers)).status, 202);
    await until("the repeat is gone", async () => (await listed(server)).length === 0);
    assert.equal((await messages(server.url)).length, 1);
  });

  it("[PUB-42] is cancelled for good", async () => {
    await using server = await startServer();
    const { id } = await scheduled(server.url, `delaySeconds=${DAY}`);
    assert.equal((await server.request(`/scheduled/${id}`, { method: "DELETE" })).status, 204);
    const again = await server.request(`/scheduled/${id}`, { method: "DELETE" });
    assert.deepEqual([again.status, problemOf(again).code], [404, "NOT_FOUND"]);
    assert.deepEqual(await listed(server), []);
  });

  it("[PUB-42] lists in order of time, page by page, by channel", async () => {
    await using server = await startServer();
    for (const n of [3, 1, 2]) await scheduled(server.url, `delaySeconds=${n * DAY}`, String(n));
    const pages: string[] = [];
    for (let after: string | null = ""; after !== null;) {
      const answer = await server.request(`/scheduled?limit=2&after=${after}`);
      const page = answer.json() as { scheduled: Receipt[]; next: string | null };
      pages.push(page.scheduled.map(({ at }) => at.slice(0, 10)).join(" "));
      after = page.next;
    }
    const days = [1, 2, 3].map((n) => new Date(Date.now() + n * DAY * 1000).toISOString().slice(0, 10));
    assert.deepEqual(pages, [`${days[0]} ${days[1]}`, days[2]]);
    assert.deepEqual(await listed(server, {}, "?channel=b.*"), []);
    assert.equal((await listed(server, {}, "?channel=a")).length, 3);
    assert.equal((await server.request("/scheduled?since=1")).status, 400);
  });

  it("over a WebSocket is answered with a frame of its own", async () => {
    await using server = await startServer();
    using frames = await server.frames("?channel=a");
    await frames.nextOf("welcome");
    const frame = { type: "publish", channel: "a", data: [1], id: 7 };
    const answer = (await frames.ask({ ...frame, delaySeconds: 1 })) as Record<string, unknown>;
    const message = answer["message"] as Receipt;
    assert.deepEqual([answer["type"], answer["id"], message.channel], ["scheduled", 7, "a"]);
    assert.deepEqual((await listed(server))[0]?.id, message.id);
    assert.deepEqual((await frames.nextOf("message"))["data"], [1]);
    const refused = (await frames.ask({ ...frame, at: "now" })) as Record<string, unknown>;
    assert.deepEqual([refused["type"], refused["code"]], ["error", "INVALID_INPUT"]);
    for (const [empty, said] of [
      [{ at: "" }, /^at is ""; use a time with its offset from UTC/],
      [{ delaySeconds: "" }, /delaySeconds must be a number/],
    ] as const) {
      const { message: sentence } = (await frames.ask({ ...frame, ...empty })) as { readonly message?: unknown };
      assert.match(String(sentence), said);
    }
  });
});

describe("who schedules", { concurrency: true }, () => {
  it("[PUB-42] sees and cancels their own; admins see all, and strangers nothing", async () => {
    using keys = new KeyRing();
    const [ada, bob] = ["ada", "bob"].map((name) => bearer(keys.add(name, { publish: ["a"] })));
    const admin = bearer(keys.add("root", { admin: true }));
    await using server = await startServer({ apiKeysFile: keys.path, anonymousPublish: ["a"] });
    const { id } = await scheduled(server.url, `delaySeconds=${DAY}`, "x", ada);
    const { id: open } = await scheduled(server.url, `delaySeconds=${DAY}`, "x");
    const ids = async (headers?: Headers) => (await listed(server, headers)).map((one) => one.id);
    assert.deepEqual([await ids(ada), await ids(bob), await ids(admin)], [[id], [], [id, open]]);
    assert.equal((await server.request("/scheduled")).status, 401);
    for (const method of ["GET", "DELETE"] as const) {
      assert.equal((await server.request(`/scheduled/${id}`, { method, headers: bob })).status, 404, method);
      assert.equal((await server.request(`/scheduled/${id}`, { method })).status, 404, method);
    }
    assert.equal((await server.request(`/scheduled/${open}`)).status, 200, "whoever has its id, for they have no name");
    const refused = await request(`${server.url}/channels/b/messages?delaySeconds=1`, {
      method: "POST",
      body: "x",
      headers: bob,
    });
    assert.equal(refused.status, 403);
    assert.equal((await server.request(`/scheduled/${id}`, { method: "DELETE", headers: admin })).status, 204);
  });

  it("[PUB-44] is asked for again at its time: what a key scheduled that is revoked or narrowed is not sent", async () => {
    using keys = new KeyRing();
    const names = ["ada", "bob", "cy", "dan"];
    const tokens = names.map((name) => bearer(keys.add(name, { publish: ["a", "b"] })));
    const admin = bearer(keys.add("root", { admin: true }));
    await using server = await startServer({ apiKeysFile: keys.path });
    using audit = await server.events("?channel=hub.audit", { headers: admin });
    for (const [n, headers] of tokens.entries()) await scheduled(server.url, "delaySeconds=2", names[n], headers);
    keys.revoke("ada");
    keys.change("bob", { publish: ["b"] });
    keys.change("cy", { publish: ["a"] });
    const sent = async () =>
      ((await server.request("/channels/a/messages", { headers: admin })).json() as { messages: Message[] }).messages;
    await until("all are gone", async () => (await listed(server, admin)).length === 0);
    assert.deepEqual(
      (await sent()).map(({ data, sender, verified }) => [data, sender, verified]),
      [
        ["cy", "cy", true],
        ["dan", "dan", true],
      ],
    );
    const dropped: string[] = [];
    while (dropped.length < 2) {
      const event = JSON.parse((await audit.next()).data) as { action: string; subject: string };
      if (event.action === "scheduled_dropped") dropped.push(event.subject);
    }
    assert.deepEqual(dropped, ["ada", "bob"]);
  });

  it("[PUB-44] without a credential is not sent any more once no one may publish there without one", async () => {
    using folder = new TemporaryFolder();
    using keys = new KeyRing();
    const admin = bearer(keys.add("root", { admin: true }));
    const data = `file:${folder.file("hub.db")}`;
    const open = await startServer({ data });
    for (const channel of ["a", "b"]) {
      const options = { method: "POST", body: channel };
      assert.equal((await open.request(`/channels/${channel}/messages?delaySeconds=1`, options)).status, 202);
    }
    await open.close();
    await using server = await startServer({ data, apiKeysFile: keys.path, anonymousPublish: ["b"] });
    await until("both are gone", async () => (await listed(server, admin)).length === 0);
    const answer = await server.request("/channels/*/messages", { headers: admin });
    assert.deepEqual(
      (answer.json() as { messages: Message[] }).messages.map((one) => one.data),
      ["b"],
    );
  });
});

describe("what is scheduled", { concurrency: true }, () => {
  it("[PUB-41] survives kill -9 in a file, and is sent at once, in order, if its time has passed", async () => {
    using folder = new TemporaryFolder();
    const words = ["--port", "0", "--data", `file:${folder.file("hub.db")}`, "--log-level", "silent"];
    const first = new Cli(words);
    const url = await first.url();
    const ids: string[] = [];
    for (const [n, seconds] of [0.9, 0.3, DAY, 0.6].entries()) {
      ids.push((await scheduled(url, `delaySeconds=${seconds}`, String(n))).id);
    }
    first.kill("SIGKILL");
    await first.exit();
    await using second = new Cli(words);
    const back = await second.url();
    await until("what is due is sent", async () => (await messages(back)).length === 3);
    assert.deepEqual(
      (await messages(back)).map(({ data }) => data),
      ["1", "3", "0"],
    );
    assert.equal((await request(`${back}/scheduled/${ids[2]}`)).status, 200);
  });

  it("[PUB-41] on two nodes of one Redis is sent once, also by a node that was not asked, after kill -9 of the other", async (test) => {
    if (!needsEngine(test)) return;
    await using engine = await startEngine();
    await using doomed = new Cli(["--port", "0", "--data", engine.url, "--log-level", "silent"]);
    const url = await doomed.url();
    await until("it has the lease", async () => (await engine.cli("GET", "{hub}:value:lease:scheduled")) !== "");
    await using server = await startServer({ data: engine.url });
    for (let n = 0; n < 20; n++) {
      await scheduled(n % 2 === 0 ? url : server.url, `delaySeconds=${n < 10 ? 0.2 : 3}`, String(n));
    }
    await until("the first are sent", async () => (await messages(server.url)).length === 10);
    // A message is in the log a moment before it leaves the list.
    await until("the others are left", async () => (await listed(server)).length === 10);
    doomed.kill("SIGKILL");
    await doomed.exit();
    await until("the others are sent", async () => (await messages(server.url)).length === 20);
    await until("nothing is left", async () => (await listed(server)).length === 0);
    const found = (await messages(server.url)).map(({ data }) => Number(data));
    assert.deepEqual(
      found.toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, n) => n),
    );
  });
});
