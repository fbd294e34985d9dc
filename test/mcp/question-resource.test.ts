import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { Question } from "../../src/protocol/question.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { KeyRing } from "../support/keys.ts";
import { openSdkClient, SDK_CLIENTS } from "../support/mcp-clients.ts";
import { listen, mcp, resultOf } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

type Headers = Readonly<Record<string, string>>;

async function ask(server: TestServer, text: string, headers: Headers = {}): Promise<Question> {
  const body = JSON.stringify({ text, channel: "ops.eu" });
  const type = { "content-type": "application/json" };
  const answer = await server.request("/questions", { method: "POST", body, headers: { ...type, ...headers } });
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as Question;
}

async function say(server: TestServer, { id }: Question): Promise<Question> {
  const answer = await server.request(`/questions/${id}/answer`, { method: "POST", body: '{"value":true,"by":"Ana"}' });
  assert.equal(answer.status, 200, answer.text);
  return answer.json() as Question;
}

function uriOf({ id }: Question): string {
  return `hub://questions/${id}`;
}

describe("a question as a resource", { concurrency: true }, () => {
  const ring = new KeyRing();
  after(() => ring[Symbol.dispose]());
  const agent = bearer(ring.add("agent", { publish: ["ops.*"] }));
  const reader = bearer(ring.add("reader", { subscribe: ["ops.*"] }));
  const outsider = bearer(ring.add("outsider", { publish: ["news"], subscribe: ["news"] }));

  for (const name of SDK_CLIENTS) {
    it(`[MCP-19] is what HTTP gives, and its subscribers are told when it is answered: SDK ${name}`, async () => {
      await using server = await startServer();
      await using sdk = await openSdkClient(name, server.url);
      const { resourceTemplates } = await sdk.client.listResourceTemplates();
      assert.ok(resourceTemplates.some(({ uriTemplate }) => uriTemplate === "hub://questions/{id}"));
      const question = await ask(server, "Deploy?");
      const read = async (): Promise<unknown> => {
        const { contents } = await sdk.client.readResource({ uri: uriOf(question) });
        return JSON.parse((contents[0] as { text: string }).text);
      };
      assert.deepEqual(await read(), question);
      const told: string[] = [];
      await sdk.follow(
        uriOf(question),
        (uri) => told.push(uri),
        () => {},
      );
      const answered = await say(server, question);
      await until("it is told", () => told.includes(uriOf(question)));
      const { answered: seen, ...rest } = (await read()) as Question;
      assert.deepEqual([seen, rest.outcome], [answered.answered, "answered"]);
    });
  }

  it("[MCP-19] is told of only if it changed, not with each message of its channel", async () => {
    await using server = await startServer();
    const [first, second] = [await ask(server, "One?"), await ask(server, "Two?")];
    using listener = await listen(server, { resourceSubscriptions: [uriOf(first), uriOf(second)] });
    assert.deepEqual(listener.granted, { resourceSubscriptions: [uriOf(first), uriOf(second)] });
    await server.publish("ops.eu", "a message");
    await say(server, second);
    assert.equal((await listener.stream.next()).params?.["uri"], uriOf(second));
    await say(server, first);
    const uris = new Set([(await listener.stream.next()).params?.["uri"]]);
    while (!uris.has(uriOf(first))) uris.add((await listener.stream.next()).params?.["uri"]);
    assert.deepEqual([...uris].includes("hub://channels/ops.eu"), false);
  });

  it("[MCP-19] [ASK-7] does not exist for those who may not look at it, in both eras", async () => {
    await using server = await startServer({ apiKeysFile: ring.path });
    const question = await ask(server, "Deploy?", agent);
    const uri = uriOf(question);
    for (const [headers, isThere] of [
      [agent, true],
      [reader, true],
      [outsider, false],
    ] as const) {
      const { error, result } = await mcp(server, "resources/read", { uri }, { headers });
      assert.equal(error === undefined, isThere);
      if (error === undefined) assert.match(JSON.stringify(result), /Deploy\?/);
      else assert.deepEqual([error.code, error.data?.["uri"]], [-32602, uri]);
      using listener = await listen(server, { resourceSubscriptions: [uri] }, { headers });
      assert.deepEqual(listener.granted, isThere ? { resourceSubscriptions: [uri] } : {});
      const request: TestServer["request"] = (path, options = {}) =>
        server.request(path, { ...options, headers: { ...options.headers, ...headers } });
      const session = await LegacyClient.open({ url: server.url, request });
      assert.equal((await session.ask("resources/read", { uri })).error?.code, isThere ? undefined : -32602);
      assert.equal((await session.ask("resources/subscribe", { uri })).error?.code, isThere ? undefined : -32602);
    }
  });

  it("has other spellings, and is not found under a name that is no id of one", async () => {
    await using server = await startServer();
    const question = await ask(server, "Deploy?");
    const { contents } = resultOf(await mcp(server, "resources/read", { uri: `HUB://questions/${question.id}/` }));
    assert.match(JSON.stringify(contents), /Deploy\?/);
    for (const id of ["", "x", "0".repeat(24), `${question.id}0`, "../channels", "{id}"]) {
      const { error } = await mcp(server, "resources/read", { uri: `hub://questions/${id}` });
      assert.equal(error?.code, -32602, id);
      assert.match(error?.message ?? "", /^Resource not found: /);
    }
  });

  it("is subscribed to again by a session that goes on after a restart", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file("hub.db")}`;
    let session: LegacyClient;
    let question: Question;
    {
      await using server = await startServer({ data });
      question = await ask(server, "Deploy?");
      session = await LegacyClient.open(server);
      assert.equal((await session.ask("resources/subscribe", { uri: uriOf(question) })).error, undefined);
    }
    await using server = await startServer({ data });
    const later = new LegacyClient(server, session.session, session.version);
    using stream = await later.listen();
    await say(server, question);
    for (;;) {
      const { data: text } = await stream.next();
      if (text !== "" && text.includes(uriOf(question))) break;
    }
  });
});

function bearer(key: string): Headers {
  return { authorization: `Bearer ${key}` };
}
