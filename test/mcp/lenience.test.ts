import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accepts } from "../../src/mcp/classify.ts";
import { canonicalUri } from "../../src/mcp/resources.ts";
import { ACCEPT, LegacyClient, messagesOf, rpc } from "../support/legacy-client.ts";
import { listen, mcp, mcpRequest, mcpText, resultOf } from "../support/mcp.ts";
import type { Answer } from "../support/request.ts";
import { startServer, type TestServer } from "../support/server.ts";

const INITIALIZE = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "0" } };
const LISTS = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"];
const ROUNDED = [2 ** 53, 2 ** 63, -(2 ** 53)];

/** Asks in a session and without one; resolves with both results. */
async function both(server: TestServer, method: string, params: object): Promise<readonly Record<string, unknown>[]> {
  const client = await LegacyClient.open(server);
  const { result, error } = await client.ask(method, params);
  assert.ok(result !== undefined, `${method} ${JSON.stringify(params)}: ${error?.message}`);
  return [result, resultOf(await mcp(server, method, params))];
}

function post(server: TestServer, message: object, headers: Record<string, string> = {}): Promise<Answer> {
  return server.request("/mcp", { method: "POST", headers: { accept: ACCEPT, ...headers }, body: rpc(message) });
}

describe("a request that says null or nothing for what it leaves out", { concurrency: true }, () => {
  it("[MCP-30] is answered as if that were not there, in both eras", async () => {
    await using server = await startServer();
    for (const none of [null, ""]) {
      for (const method of LISTS) await both(server, method, { cursor: none });
      const info = { name: "get_server_info", arguments: none, requestState: none, inputResponses: none };
      for (const result of await both(server, "tools/call", info)) assert.equal(result["isError"], undefined);
      await both(server, "prompts/get", { name: "join_channel", arguments: { channel: "a", name: none } });
      const argument = { name: "channel", value: "" };
      const ref = { type: "ref/prompt", name: "catch_up", title: none };
      await both(server, "completion/complete", { ref, argument, context: none });
      const meta = { "io.modelcontextprotocol/logLevel": none, "io.modelcontextprotocol/clientInfo": none };
      resultOf(await mcp(server, "tools/list", {}, { meta }));
      using listener = await listen(server, { toolsListChanged: none, resourceSubscriptions: none });
      assert.deepEqual(listener.granted, {});
    }
    resultOf(await mcp(server, "tools/list", {}, { meta: { progressToken: null } }));
    const client = await LegacyClient.open(server);
    for (const method of [...LISTS, "ping"]) {
      for (const params of [null, "", { _meta: null }, { _meta: "" }, { _meta: { progressToken: null } }]) {
        const answer = await client.post({ id: 1, method, params });
        assert.deepEqual([answer.status, messagesOf(answer)[0]?.error], [200, undefined], JSON.stringify(params));
      }
    }
    for (const more of [{ params: null }, { params: "" }, { id: null }]) {
      assert.equal((await client.post({ method: "notifications/initialized", ...more })).status, 202);
    }
    assert.equal((await client.post({ id: 9, result: {}, error: null })).status, 202);
  });

  it("[MCP-30] opens a session whatever is null in what the client is and can", async () => {
    await using server = await startServer();
    const client = { name: "test", version: "1", title: null, websiteUrl: "", icons: null };
    for (const capabilities of [{ sampling: null, roots: "", elicitation: { form: null, url: null } }, {}]) {
      const params = { ...INITIALIZE, capabilities, clientInfo: client, _meta: null };
      assert.equal((await post(server, { id: 1, method: "initialize", params })).status, 200);
    }
  });

  it("is refused where it says so of what it needs, or gives a cursor that was never given", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    for (const [method, params, sentence] of [
      ["tools/call", { name: null }, /name is missing/],
      ["resources/read", { uri: null }, /uri is missing/],
      ["prompts/get", { name: "catch_up", arguments: { channel: null } }, /arguments\.channel is missing/],
      ["tools/list", { cursor: "bogus" }, /cursor is not a nextCursor/],
    ] as const) {
      assert.match((await client.ask(method, params)).error?.message ?? "", sentence);
      assert.match((await mcp(server, method, params)).error?.message ?? "", sentence);
    }
    const unnamed = await client.post({ id: null, method: "tools/list" });
    assert.equal(unnamed.status, 400);
    assert.match(messagesOf(unnamed)[0]?.error?.message ?? "", /^id: it must be a text/);
  });
});

describe("the id of a request", { concurrency: true }, () => {
  it("[MCP-31] comes back as it was, or is refused in a sentence about it where JSON would round it", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    using frames = await server.frames();
    await frames.next();
    for (const id of ["1", 0, "", -5, "é😀", Number.MAX_SAFE_INTEGER]) {
      assert.equal(messagesOf(await client.post({ id, method: "ping" }))[0]?.id, id);
      assert.equal((await mcp(server, "server/discover", {}, { id })).id, id);
    }
    const sentence = /^(?:ping: )?id: it must be a text .* up to 9007199254740991; send a greater one as a text$/;
    for (const id of ROUNDED) {
      const answer = await client.post({ id, method: "ping" });
      assert.equal(answer.status, 400);
      assert.match(messagesOf(answer)[0]?.error?.message ?? "", sentence);
      const modern = await mcp(server, "server/discover", {}, { id });
      assert.deepEqual([modern.status, modern.id], [400, undefined]);
      assert.match(modern.error?.message ?? "", sentence);
      for (const path of ["/mcp/tools/list", "/mcp/tools/call"]) {
        const body = JSON.stringify({ id, params: { name: "get_server_info" } });
        const plain = await server.request(path, { method: "POST", body });
        const { error } = plain.json() as { error: { code: number; message: string } };
        assert.deepEqual([plain.status, error.code, (plain.json() as { id: null }).id], [400, -32600, null]);
        assert.match(error.message, sentence);
      }
      assert.match(String((await frames.ask({ type: "ping", id }))["message"]), sentence);
    }
  });
});

describe("what a client accepts", { concurrency: true }, () => {
  it("is read with wildcards, in any case, and with weights", () => {
    for (const [header, isTaken] of [
      [null, true],
      [" ", true],
      ["*/*", true],
      ["text/*", true],
      ["TEXT/Event-Stream", true],
      ["application/json, text/event-stream;q=0.5", true],
      ["text/event-stream; q=0", false],
      ["*/*, text/event-stream;q=0.0", false],
      ["text/*;q=0, */*", false],
      ["text/event-stream, */*;q=0", true],
      ["application/json", false],
      ["application/*", false],
      ["xtext/event-stream", false],
    ] as const) {
      assert.equal(accepts(header, "text/event-stream"), isTaken, String(header));
    }
  });

  it("[MCP-32] decides what a session answers with: events where they are taken, else JSON, else 406", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    const { accept: _, ...bare } = client.headers;
    const events = [
      "*/*",
      "application/*, text/*",
      "text/event-stream",
      "Application/JSON, Text/Event-Stream",
      undefined,
    ];
    for (const accept of [...events, "application/json", "APPLICATION/*;q=0.3"]) {
      const more = accept === undefined ? {} : { accept };
      const body = rpc({ id: 1, method: "initialize", params: INITIALIZE });
      const opened = await server.request("/mcp", { method: "POST", headers: more, body });
      const asked = await server.request("/mcp", {
        method: "POST",
        headers: { ...bare, ...more },
        body: rpc({ id: 2, method: "ping" }),
      });
      const type = `${events.includes(accept) ? "text/event-stream" : "application/json"}; charset=utf-8`;
      for (const answer of [opened, asked])
        assert.deepEqual([answer.status, answer.headers["content-type"]], [200, type], accept);
      assert.deepEqual(messagesOf(asked)[0]?.result, {});
      const told = await server.request("/mcp", {
        method: "POST",
        headers: { ...bare, ...more },
        body: rpc({ method: "notifications/initialized" }),
      });
      assert.equal(told.status, 202);
    }
    for (const accept of ["text/html", "image/*", "application/json;q=0"]) {
      assert.equal((await client.post({ id: 3, method: "ping" }, { accept })).status, 406);
    }
    const stream = await server.request("/mcp", { headers: { ...bare, accept: "application/json" } });
    assert.equal(stream.status, 406);
  });

  it("[MCP-32] gets the answers to a batch as JSON, and nothing of what precedes them", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server, { version: "2025-03-26" });
    const accept = "application/json";
    const wait = {
      name: "wait_for_messages",
      arguments: { channels: ["a"], timeoutSeconds: 0.1 },
      _meta: { progressToken: 1 },
    };
    const batch = await client.post(
      [
        { id: 1, method: "ping" },
        { id: 2, method: "tools/call", params: wait },
      ],
      { accept },
    );
    assert.deepEqual(
      messagesOf(batch)
        .map(({ id }) => Number(id))
        .toSorted((a, b) => a - b),
      [1, 2],
    );
    assert.ok(Array.isArray(batch.json()));
  });
});

describe("initialize with the id of a session", { concurrency: true }, () => {
  it("[MCP-33] opens another where that one is over or empty; everything else is refused as before", async () => {
    await using server = await startServer();
    const request = { id: 1, method: "initialize", params: INITIALIZE };
    for (const session of ["5f0c1a52-0000-4000-8000-000000000000", ""]) {
      const answer = await post(server, request, { "mcp-session-id": session });
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.headers["mcp-session-id"] as string, /^[0-9a-f-]{36}$/);
    }
    const gone = { "mcp-session-id": "gone" };
    const list = await post(server, { id: 2, method: "tools/list" }, gone);
    assert.deepEqual([list.status, messagesOf(list)[0]?.id, messagesOf(list)[0]?.error?.code], [404, 2, -32001]);
    assert.equal((await server.request("/mcp", { headers: { ...gone, accept: ACCEPT } })).status, 404);
    assert.equal((await server.request("/mcp", { method: "DELETE", headers: gone })).status, 404);
    const client = await LegacyClient.open(server);
    assert.equal((await client.post(request)).status, 400, "its session goes on");
  });
});

describe("other spellings of the address of a resource", { concurrency: true }, () => {
  const SAME = [
    "hub://channels/orders.eu/",
    "HUB://Channels/orders.eu",
    "hub://channels/orders%2Eeu",
    "hub://channels/%6frders.eu",
  ];

  it("are one address, and what means something else is not", () => {
    for (const uri of SAME) assert.equal(canonicalUri(uri), "hub://channels/orders.eu");
    assert.equal(canonicalUri("Hub://CHANNELS/"), "hub://channels");
    for (const uri of [
      "hub://channels/Orders.eu",
      "hub://channels//",
      "hub://channels/a?b",
      "hub://channels/%",
      "hub://channelsx",
    ])
      assert.equal(canonicalUri(uri), uri);
  });

  it("[MCP-34] are read, subscribed to and unsubscribed from, in both eras", async () => {
    await using server = await startServer();
    await server.publish("orders.eu", 1);
    for (const uri of [...SAME, "hub://channels/", "HUB://channels"]) {
      for (const { contents } of await both(server, "resources/read", { uri })) {
        assert.match((contents as { text: string }[])[0]?.text ?? "", /orders\.eu/);
      }
    }
    for (const uri of SAME) {
      using listener = await listen(server, { resourceSubscriptions: uri });
      assert.deepEqual(listener.granted, { resourceSubscriptions: [uri] });
      await server.publish("orders.eu", 2);
      assert.equal((await listener.stream.next()).params?.["uri"], uri, "in the client's own spelling");
      const client = await LegacyClient.open(server);
      using stream = await client.listen();
      await client.ask("resources/subscribe", { uri });
      await server.publish("orders.eu", 3);
      for (;;) {
        const { data } = await stream.next();
        if (data.includes("resources/updated")) {
          assert.equal((JSON.parse(data) as { params: { uri: string } }).params.uri, uri);
          break;
        }
      }
      const before = server.hub.size;
      await client.ask("resources/unsubscribe", { uri: "hub://channels/orders.eu" });
      await client.ask("resources/subscribe", { uri: "hub://channels/quiet" });
      await server.publish("orders.eu", 4);
      await server.publish("quiet", 5);
      for (;;) {
        const { data } = await stream.next();
        if (!data.includes("resources/updated")) continue;
        assert.match(data, /quiet/);
        break;
      }
      assert.equal(server.hub.size, before);
      await client.end();
    }
  });
});

describe("what a client sends too much of", { concurrency: true }, () => {
  it("[TOOL-14] is refused in a short sentence, and the hub goes on", async () => {
    await using server = await startServer();
    const zeros = Array<number>(400_000).fill(0);
    const unknown = Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`k${n}`, 0]));
    const client = await LegacyClient.open(server);
    const refused: readonly Answer[] = [
      await post(server, {
        id: 1,
        method: "initialize",
        params: { ...INITIALIZE, capabilities: { experimental: unknown } },
      }),
      await client.post({ id: 2, method: "ping", ...unknown }),
      await client.post({ id: 3, method: "ping", params: { _meta: zeros } }),
      await server.request("/mcp", { method: "POST", headers: client.headers, body: JSON.stringify(zeros) }),
    ];
    for (const { status, text } of refused)
      assert.deepEqual([status, text.length < 500], [400, true], text.slice(0, 600));
    const icons = { ...INITIALIZE, clientInfo: { ...INITIALIZE.clientInfo, icons: zeros } };
    assert.equal(
      (await post(server, { id: 1, method: "initialize", params: icons })).status,
      200,
      "no one asks for icons",
    );
    for (const resourceSubscriptions of [zeros, JSON.stringify(zeros)]) {
      const { error } = await mcp(server, "subscriptions/listen", { notifications: { resourceSubscriptions } });
      assert.match(error?.message ?? "", /resourceSubscriptions names 400000/);
    }
    const { body, headers } = mcpRequest("tools/call", { name: "wait_for_messages", arguments: { channels: zeros } });
    const { result } = await mcpText(server, body, headers);
    assert.equal(result?.["isError"], true);
  });
});
