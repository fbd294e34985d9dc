import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type {
  ResourceDefinition,
  TemplateDefinition,
  ToolDefinition,
  ResourceListing,
} from "../../src/mcp/definitions.ts";
import { mcp, resultOf, SERVER_INFO, SUBSCRIPTION_ID, VERSION, type McpAnswer } from "../support/mcp.ts";
import { assertMatches } from "../support/mcp-schema.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** A call of each method that has a result at once. */
const CALLS: readonly (readonly [string, object])[] = [
  ["server/discover", {}],
  ["tools/list", {}],
  ["tools/call", { name: "get_server_info" }],
  ["resources/list", {}],
  ["resources/templates/list", {}],
  ["resources/read", { uri: "hub://channels" }],
  ["prompts/list", {}],
  ["prompts/get", { name: "catch_up", arguments: { channel: "a" } }],
  ["completion/complete", { ref: { type: "ref/prompt", name: "catch_up" }, argument: { name: "channel", value: "" } }],
];

const CACHED = [
  "server/discover",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
];

function refusal({ status, error }: McpAnswer): (number | undefined)[] {
  return [status, error?.code];
}

interface ListedTool {
  readonly name: string;
  readonly inputSchema: object;
  readonly outputSchema: object;
  readonly annotations: Readonly<Record<string, boolean>>;
}

async function tools(server: TestServer): Promise<ListedTool[]> {
  return resultOf(await mcp(server, "tools/list"))["tools"] as ListedTool[];
}

/** Follows the cursors of `resources/list` to its end. */
async function pages(server: TestServer): Promise<ResourceListing[][]> {
  const found: ResourceListing[][] = [];
  let cursor: unknown;
  do {
    const result = resultOf(await mcp(server, "resources/list", cursor === undefined ? {} : { cursor }));
    found.push(result["resources"] as ResourceListing[]);
    cursor = result["nextCursor"];
  } while (cursor !== undefined);
  return found;
}

describe("every method", { concurrency: true }, () => {
  it("says that its result is complete, and whose it is", async () => {
    await using server = await startServer();
    for (const [method, params] of CALLS) {
      const result = resultOf(await mcp(server, method, params));
      assert.equal(result["resultType"], "complete", method);
      const { [SERVER_INFO]: info, ...more } = result["_meta"] as Record<string, { name: string; version: string }>;
      assert.equal(info?.name, "sse-mcp-server");
      assert.match(info?.version ?? "", /^\d+\.\d+\.\d+/);
      assert.deepEqual(more, {});
      assert.ok(!(SUBSCRIPTION_ID in (result["_meta"] as object)));
    }
  });

  it("says for how long, and for whom, its result may be kept, where the specification has it so, and nowhere else", async () => {
    await using server = await startServer();
    for (const [method, params] of CALLS) {
      const { ttlMs, cacheScope } = resultOf(await mcp(server, method, params)) as {
        ttlMs?: number;
        cacheScope?: string;
      };
      if (CACHED.includes(method)) {
        assert.ok(Number.isInteger(ttlMs) && (ttlMs ?? -1) >= 0, method);
        assert.equal(cacheScope, method === "resources/list" || method === "resources/read" ? "private" : "public");
      } else assert.deepEqual([ttlMs, cacheScope], [undefined, undefined], method);
    }
  });

  it("answers the same with the same words, on any connection", async () => {
    await using server = await startServer();
    await server.publish("b", 1);
    await server.publish("a", 1);
    for (const [method, params] of CALLS) {
      if (method === "tools/call") continue;
      const [first, second] = [await mcp(server, method, params), await mcp(server, method, params)];
      assert.equal(first.text, second.text);
    }
  });

  it("looks at the type of what it is given", async () => {
    await using server = await startServer();
    for (const [method, params] of [
      ["tools/call", {}],
      ["tools/call", { name: null }],
      ["tools/call", { name: 5 }],
      ["tools/call", { name: "" }],
      ["tools/call", { name: "nobody" }],
      ["tools/call", { name: "x".repeat(10_000) }],
      ["tools/call", { name: "list_channels", arguments: [] }],
      ["tools/call", { name: "list_channels", arguments: "prefix" }],
      ["resources/read", {}],
      ["resources/read", { uri: 5 }],
      ["resources/read", { uri: ["hub://channels"] }],
      ["prompts/get", {}],
      ["prompts/get", { name: "nobody" }],
      ["completion/complete", {}],
    ] as const) {
      const answer = await mcp(server, method, params);
      assert.deepEqual(refusal(answer), [200, -32602], JSON.stringify([method, params]));
      assert.ok(answer.text.length < 600, answer.text);
    }
  });
});

describe("server/discover", () => {
  it("says which versions are spoken, what there is, and how to use it", async () => {
    await using server = await startServer();
    const { supportedVersions, capabilities, instructions } = resultOf(await mcp(server, "server/discover"));
    assert.deepEqual(supportedVersions, [VERSION]);
    assert.deepEqual(capabilities, {
      tools: {},
      prompts: {},
      resources: { subscribe: true, listChanged: true },
      completions: {},
      events: { listChanged: false },
      extensions: { "io.modelcontextprotocol/events": { listChanged: false }, "io.modelcontextprotocol/tasks": {} },
    });
    assert.match(instructions as string, /wait_for_messages/);
  });
});

describe("the tools", { concurrency: true }, () => {
  it("are listed in one order, each with a valid schema and true annotations", async () => {
    await using server = await startServer();
    const listed = await tools(server);
    assert.deepEqual(
      listed.map(({ name, annotations }) => [name, annotations]),
      [
        ["get_server_info", { readOnlyHint: true, openWorldHint: false }],
        ["send_sse_message", { readOnlyHint: false, destructiveHint: false, openWorldHint: false }],
        ["list_channels", { readOnlyHint: true, openWorldHint: false }],
        ["read_messages", { readOnlyHint: true, openWorldHint: false }],
        ["wait_for_messages", { readOnlyHint: true, openWorldHint: false }],
        ["ask_person", { readOnlyHint: false, destructiveHint: false, openWorldHint: false }],
        ["await_answer", { readOnlyHint: true, openWorldHint: false }],
        ["list_participants", { readOnlyHint: true, openWorldHint: false }],
      ],
    );
  });

  it("[MCP-2] answer with data of the form they promise, and with the same as text", async () => {
    await using server = await startServer();
    await server.publish("a", { any: ["JSON", 1, null] });
    await server.publish("a", "text");
    using reader = await server.events("?channel=nothing.yet");
    const listed = await tools(server);
    for (const [name, input] of [
      ["get_server_info", {}],
      ["send_sse_message", { message: "x" }],
      ["send_sse_message", { message: "x", channel: "b", event: "e", sender: "s" }],
      ["list_channels", {}],
      ["list_channels", { prefix: "none" }],
      ["read_messages", { channel: "a" }],
      ["read_messages", { channel: "none" }],
      ["read_messages", { channel: "*", after: "earliest", limit: 1 }],
      ["read_messages", { channel: "*", after: "another-1" }],
      ["wait_for_messages", { channels: ["a"], timeoutSeconds: 0 }],
      ["wait_for_messages", { channels: ["a"], after: "earliest" }],
    ] as const) {
      const tool = listed.find((candidate) => candidate.name === name);
      assert.ok(tool !== undefined);
      assertMatches(tool.inputSchema, input, name);
      const { content, structuredContent, isError } = resultOf(
        await mcp(server, "tools/call", { name, arguments: input }),
      );
      assert.equal(isError, undefined);
      assertMatches(tool.outputSchema, structuredContent, name);
      const [{ type, text }] = content as [{ type: string; text: string }];
      assert.equal(type, "text");
      assert.ok(text.length > 0);
    }
    reader.close();
  });

  it("that only read change nothing: no message, no channel, no reader", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    const before = server.hub.log.size();
    for (const { name, annotations } of await tools(server)) {
      if (annotations["readOnlyHint"] !== true) continue;
      const input =
        { read_messages: { channel: "b" }, wait_for_messages: { channels: ["b"], timeoutSeconds: 0 } }[name] ?? {};
      resultOf(await mcp(server, "tools/call", { name, arguments: input }));
    }
    assert.deepEqual(server.hub.log.size(), before);
    assert.equal(server.hub.size, 0);
  });

  it("say what is wrong with their input in a result, for a model to read", async () => {
    await using server = await startServer();
    for (const [name, input, said] of [
      ["send_sse_message", {}, /message is missing/],
      ["send_sse_message", { message: "x", channel: 5 }, /channel must be a string/],
      ["send_sse_message", { message: "x", channel: "a b" }, /Not a channel/],
      ["send_sse_message", { message: "x", channel: "hub.log" }, /reserved/],
      ["list_channels", { nonsense: 1 }, /unknown property/],
      ["read_messages", { channel: "a", limit: 1000 }, /limit/],
      ["wait_for_messages", { channels: [] }, /channels/],
    ] as const) {
      const { isError, content, structuredContent } = resultOf(
        await mcp(server, "tools/call", { name, arguments: input }),
      );
      assert.equal(isError, true);
      assert.equal(structuredContent, undefined);
      assert.match((content as [{ text: string }])[0].text, said);
    }
  });
});

describe("resources/list", { concurrency: true }, () => {
  it("goes through any number of channels page by page: all of them, once, by name", async () => {
    await using server = await startServer();
    const names = Array.from({ length: 250 }, (_, n) => `c${String((n * 37) % 250).padStart(3, "0")}`);
    for (const name of names) await server.publish(name, 1);
    const found = await pages(server);
    assert.deepEqual(
      found.map((page) => page.length),
      [100, 100, 51],
    );
    assert.deepEqual(
      found.flat().map(({ uri }) => uri),
      ["hub://channels", ...names.sort().map((name) => `hub://channels/${name}`)],
    );
  });

  it("has one page where one is enough, to the last entry", async () => {
    await using server = await startServer();
    for (const [count, sizes] of [
      [0, [1]],
      [99, [100]],
      [100, [100, 1]],
      [199, [100, 100]],
    ] as const) {
      for (let n = server.hub.log.size().channels; n < count; n++) await server.publish(`c${n}`, 1);
      assert.deepEqual(
        (await pages(server)).map((page) => page.length),
        sizes,
      );
    }
  });

  it("goes on behind what was listed when channels come meanwhile", async () => {
    await using server = await startServer();
    for (let n = 100; n < 220; n++) await server.publish(`c${n}`, 1);
    const first = resultOf(await mcp(server, "resources/list"));
    await server.publish("c0", 1);
    await server.publish("c999", 1);
    const second = resultOf(await mcp(server, "resources/list", { cursor: first["nextCursor"] }));
    const uris = (second["resources"] as ResourceListing[]).map(({ uri }) => uri);
    assert.equal(uris[0], "hub://channels/c199");
    assert.equal(uris.at(-1), "hub://channels/c999");
    assert.equal(uris.length, 22);
  });

  it("does not list what only readers have named: nobody would be told when they come and go", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=nothing.yet");
    await until("the reader is there", () => server.hub.size === 1);
    const [page] = await pages(server);
    assert.deepEqual(
      page?.map(({ uri }) => uri),
      ["hub://channels"],
    );
    const read = await mcp(server, "resources/read", { uri: "hub://channels/nothing.yet" });
    assert.equal(read.status, 200);
    reader.close();
  });

  it("lists what is offered beside the hub's own, however much that is", async () => {
    const listing = (uri: string): ResourceListing => ({ uri, name: uri });
    const resource = (uri: string): ResourceDefinition => ({
      listing: listing(uri),
      read: () => Promise.resolve({ contents: [] }),
    });
    const letters = ["x", "y", "z"].map((name) => ({ uri: `letters://${name}`, name }));
    const template: TemplateDefinition = {
      listing: { uriTemplate: "letters://{letter}", name: "letter" },
      resource: () => undefined,
      list: (after, limit) => letters.filter(({ name }) => after === undefined || name > after).slice(0, limit),
    };
    for (const fixed of [97, 98, 99, 100, 101, 250]) {
      const resources = Array.from({ length: fixed }, (_, n) => resource(`zebra://${n}`));
      await using server = await startServer({}, { resources, templates: [template] });
      for (const name of ["a", "b", "c"]) await server.publish(name, 1);
      const found = (await pages(server)).flat().map(({ uri }) => uri);
      assert.deepEqual(
        found.slice(fixed + 1),
        ["hub://channels/a", "hub://channels/b", "hub://channels/c", "letters://x", "letters://y", "letters://z"],
        String(fixed),
      );
    }
  });

  it("refuses a cursor that it never gave", async () => {
    await using server = await startServer();
    for (const cursor of [
      "x",
      "0",
      ":",
      "1:a",
      "999:a",
      "-1:a",
      "0.5:a",
      `0:${"x".repeat(129)}`,
      "0:a\nb",
      0,
      {},
      [],
      true,
      "🙂:a",
    ]) {
      const answer = await mcp(server, "resources/list", { cursor });
      assert.deepEqual(refusal(answer), [200, -32602], JSON.stringify(cursor));
      assert.match(answer.error?.message ?? "", /cursor/);
    }
  });
});

it("a list of one page refuses every cursor", async () => {
  await using server = await startServer();
  for (const method of ["tools/list", "prompts/list", "resources/templates/list"]) {
    for (const cursor of ["0:a", 5, {}]) {
      const answer = await mcp(server, method, { cursor });
      assert.deepEqual(refusal(answer), [200, -32602]);
    }
  }
});

it("what a tool adds to _meta stays beside the name of the server", async () => {
  const tool: ToolDefinition = {
    listing: { name: "noted", description: "", inputSchema: { type: "object" } },
    call: () => Promise.resolve({ content: [], _meta: { "com.example/note": 1 } }),
  };
  await using server = await startServer({}, { tools: [tool] });
  const { _meta } = resultOf(await mcp(server, "tools/call", { name: "noted" }));
  assert.deepEqual(Object.keys(_meta as object).sort(), ["com.example/note", SERVER_INFO]);
});
