import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { Question } from "../../src/protocol/question.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { KeyRing } from "../support/keys.ts";
import { CLIENT_CAPABILITIES, HUB_TOOLS, mcp, resultOf, type McpAnswer } from "../support/mcp.ts";
import { startServer, type TestServer, type ToolAnswer } from "../support/server.ts";

type Headers = Readonly<Record<string, string>>;

const TYPE = "text/html;profile=mcp-app";
const VIEWS = { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: [TYPE] } } };
const APP_TOOLS = ["look_at_question", "answer_question"];
/** Of clients that do not show what there is here. */
const OTHERS = [
  {},
  { extensions: { "io.modelcontextprotocol/ui": {} } },
  { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: TYPE } } },
  { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/uri-list"] } } },
];

interface Listed {
  readonly name: string;
  readonly _meta?: { readonly ui: { readonly resourceUri?: string; readonly visibility?: readonly string[] } };
}

interface Resource {
  readonly uri: string;
  readonly mimeType: string;
  readonly text: string;
  readonly _meta?: unknown;
}

function bearer(key: string): Headers {
  return { authorization: `Bearer ${key}` };
}

function send(server: TestServer, method: string, params = {}, capabilities: object = VIEWS, headers: Headers = {}) {
  return mcp(server, method, params, { meta: { [CLIENT_CAPABILITIES]: capabilities }, headers });
}

async function listed(server: TestServer, capabilities: object): Promise<readonly Listed[]> {
  return resultOf(await send(server, "tools/list", {}, capabilities))["tools"] as readonly Listed[];
}

async function ask(server: TestServer, question: object, headers: Headers = {}): Promise<Question> {
  const body = JSON.stringify({ text: "Deploy?", channel: "ops.eu", ...question });
  const type = { "content-type": "application/json" };
  const answer = await server.request("/questions", { method: "POST", body, headers: { ...type, ...headers } });
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as Question;
}

async function use(server: TestServer, name: string, input: object, headers: Headers = {}): Promise<McpAnswer> {
  return send(server, "tools/call", { name, arguments: input }, VIEWS, headers);
}

async function refusal(server: TestServer, name: string, input: object, headers: Headers = {}): Promise<string> {
  const { status, result, error } = await use(server, name, input, headers);
  const { isError, content } = (result ?? {}) as unknown as Partial<ToolAnswer>;
  if (error !== undefined) return `${status} ${error.message}`;
  assert.equal(isError, true, JSON.stringify(result));
  return content?.[0]?.text ?? "";
}

describe("views for MCP clients", { concurrency: true }, () => {
  const ring = new KeyRing();
  after(() => ring[Symbol.dispose]());
  const agent = bearer(ring.add("agent", { publish: ["ops.*"], subscribe: ["ops.*"] }));
  const ana = bearer(ring.add("ana", { publish: ["ops.*"], subscribe: ["ops.*"] }));
  const reader = bearer(ring.add("reader", { subscribe: ["ops.*"] }));
  const outsider = bearer(ring.add("outsider", { publish: ["news"], subscribe: ["news"] }));

  it("[MCP-60] are named by their tools for clients that show them, and for no others, in both eras", async () => {
    await using server = await startServer();
    for (const open of [
      async (capabilities: object) => listed(server, capabilities),
      async (capabilities: object) => {
        const session = await LegacyClient.open(server, { capabilities });
        return (await session.ask("tools/list")).result?.["tools"] as readonly Listed[];
      },
    ]) {
      for (const others of OTHERS) {
        const tools = await open(others);
        assert.deepEqual(
          tools.map(({ name, _meta }) => [name, _meta]),
          HUB_TOOLS.map((name) => [name, undefined]),
        );
      }
      const tools = await open(VIEWS);
      assert.deepEqual(
        tools.map(({ name }) => name),
        [...HUB_TOOLS, ...APP_TOOLS],
      );
      const shown = tools.flatMap(({ name, _meta }) => (_meta === undefined ? [] : [[name, _meta.ui]]));
      assert.deepEqual(shown, [
        ["read_messages", { resourceUri: "ui://hub/channel" }],
        ["ask_person", { resourceUri: "ui://hub/question" }],
        ["look_at_question", { visibility: ["app"] }],
        ["answer_question", { visibility: ["app"] }],
      ]);
    }
    const scopes = await Promise.all(
      [VIEWS, {}].map(async (own) => resultOf(await send(server, "tools/list", {}, own))["cacheScope"]),
    );
    assert.deepEqual(scopes, ["private", "public"]);
  });

  it("[MCP-60] are HTML that needs nothing else, with the policy beside it", async () => {
    await using server = await startServer();
    const { resources } = resultOf(await send(server, "resources/list")) as { resources: readonly Resource[] };
    const views = resources.filter(({ uri }) => uri.startsWith("ui://"));
    assert.deepEqual(
      views.map(({ uri, mimeType }) => [uri, mimeType]),
      [
        ["ui://hub/question", TYPE],
        ["ui://hub/channel", TYPE],
      ],
    );
    const { resources: others } = resultOf(await send(server, "resources/list", {}, {})) as {
      resources: readonly Resource[];
    };
    assert.ok(others.every(({ uri }) => !uri.startsWith("ui://")));
    for (const { uri } of views) {
      const { contents } = resultOf(await send(server, "resources/read", { uri })) as { contents: readonly Resource[] };
      const [view] = contents;
      assert.deepEqual(
        [view?.uri, view?.mimeType, view?._meta],
        [uri, TYPE, { ui: { csp: {}, prefersBorder: false } }],
      );
      const html = view?.text ?? "";
      assert.match(html, /^<!doctype html>/);
      // Everything that would be loaded; what the scripts have in quotes is not.
      assert.doesNotMatch(html, /<link|<img|<iframe|@import|url\(|<script[^>]* src/);
      assert.equal(html.match(/<\/script>/g)?.length, 1);
      assert.ok(html.length < 200_000, `${html.length} characters`);
    }
  });

  it("[MCP-60] have tools that no other door and no other client has", async () => {
    await using server = await startServer();
    const { id } = await ask(server, {});
    const input = { questionId: id, value: true };
    for (const others of OTHERS) {
      const { error } = await send(server, "tools/call", { name: "answer_question", arguments: input }, others);
      assert.match(error?.message ?? "", /^Unknown tool: "answer_question"/);
    }
    const session = await LegacyClient.open(server);
    const { error } = await session.ask("tools/call", { name: "answer_question", arguments: input });
    assert.match(error?.message ?? "", /^Unknown tool/);
    const listing = await server.request("/mcp/tools/list", { method: "POST" });
    assert.doesNotMatch(listing.text, /answer_question|look_at_question|_meta/);
    const call = JSON.stringify({ params: { name: "answer_question", arguments: input } });
    assert.match((await server.request("/mcp/tools/call", { method: "POST", body: call })).text, /Unknown tool/);
    using frames = await server.frames();
    await frames.nextOf("welcome");
    frames.send({ type: "mcp_call", tool: "answer_question", arguments: input });
    assert.equal((await frames.nextOf("error"))["code"], "UNKNOWN_TOOL");
    assert.equal(((await server.request(`/questions/${id}`)).json() as Question).state, "open");
  });

  it("find a question by its text while its id is not known, and answer it", async () => {
    await using server = await startServer();
    await ask(server, { text: "Another?" });
    const older = await ask(server, {});
    const newer = await ask(server, { answer: { kind: "choice", options: [{ value: "a" }, { value: "b" }] } });
    const found = async (input: object): Promise<unknown> =>
      (resultOf(await use(server, "look_at_question", input)) as unknown as ToolAnswer).structuredContent["question"];
    assert.deepEqual(await found({ text: "Deploy?", channel: "ops.eu" }), newer);
    assert.deepEqual(await found({ questionId: older.id }), older);
    assert.equal(await found({ text: "Deploy?" }), null);
    assert.match(await refusal(server, "look_at_question", {}), /questionId is missing/);
    assert.match(await refusal(server, "answer_question", { questionId: newer.id, value: "c" }), /a, b|"a"/);
    const { structuredContent } = resultOf(
      await use(server, "answer_question", { questionId: newer.id, value: "b" }),
    ) as unknown as ToolAnswer;
    const { outcome, answered } = structuredContent["question"] as Question;
    assert.deepEqual([outcome, answered?.value, answered?.via, answered?.by], ["answered", "b", "app", "test"]);
    assert.match(await refusal(server, "answer_question", { questionId: newer.id, value: "a" }), /closed|answered/);
    assert.deepEqual(await found({ text: "Deploy?", channel: "ops.eu" }), older);
  });

  it("[MCP-60] answer only what their person may, and the proposal that was shown", async () => {
    await using server = await startServer({ apiKeysFile: ring.path });
    const proposal = { name: "deploy", arguments: { version: "2.14.0" } };
    const forAna = await ask(server, { assignees: ["ana"], proposal }, agent);
    const notMine = await ask(server, { notAsker: true }, agent);
    const input = { questionId: forAna.id, value: true, proposalHash: forAna.proposal?.hash };
    assert.match(await refusal(server, "answer_question", input, agent), /Only "ana" may answer/);
    const mine = { questionId: notMine.id, value: true };
    assert.match(await refusal(server, "answer_question", mine, agent), /may not answer it/);
    for (const name of APP_TOOLS) {
      assert.match(
        await refusal(server, name, { ...(name === "answer_question" ? mine : { questionId: notMine.id }) }, outsider),
        /no such question/i,
      );
      assert.match(await refusal(server, name, name === "answer_question" ? mine : { questionId: notMine.id }), /^401/);
    }
    const asked = { text: "Deploy?", channel: "ops.eu" };
    for (const [headers, id] of [
      [agent, notMine.id],
      [ana, undefined],
      [outsider, undefined],
    ] as const) {
      const { structuredContent } = resultOf(
        await use(server, "look_at_question", asked, headers),
      ) as unknown as ToolAnswer;
      assert.equal((structuredContent["question"] as Question | null)?.id, id, "of one's own only");
    }
    assert.match(await refusal(server, "answer_question", mine, reader), /^403|publish/);
    const { proposalHash: _, ...unseen } = input;
    assert.match(await refusal(server, "answer_question", unseen, ana), /proposalHash is missing/);
    const other = { ...input, proposalHash: "0".repeat(64) };
    assert.match(await refusal(server, "answer_question", other, ana), /proposalHash is not that of the proposal/);
    assert.match(await refusal(server, "answer_question", { ...input, by: "agent" }, ana), /by/);
    const { structuredContent } = resultOf(await use(server, "answer_question", input, ana)) as unknown as ToolAnswer;
    const { answered } = structuredContent["question"] as Question;
    assert.deepEqual(
      [answered?.by, answered?.verified, answered?.via, answered?.proposalHash],
      ["ana", true, "app", forAna.proposal?.hash],
    );
  });
});
