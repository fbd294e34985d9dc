import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { channelName } from "../../../src/core/channel.ts";
import { Changes } from "../../../src/mcp/definitions.ts";
import type { ResourceDefinition } from "../../../src/mcp/definitions.ts";
import type { EventReader } from "../../support/event-reader.ts";
import { ACCEPT, initialize, LegacyClient, messagesOf, rpc, type RpcMessage } from "../../support/legacy-client.ts";
import { calling, Held, said, tool } from "../../support/legacy-tools.ts";
import { draftOf } from "../../support/sample.ts";
import { IS_SOAK, load } from "../../support/soak.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const PARAMS = { protocolVersion: "2025-11-25", capabilities: {} };

/** What is counted as open: readers of the hub, streams of MCP, calls that wait. */
async function open(server: TestServer): Promise<readonly number[]> {
  const metric = (name: string): Promise<number> => server.metric(`sse_mcp_${name}`);
  return [server.hub.size, await metric('connections{door="mcp"}'), await metric('connections{door="waiting"}')];
}

/** The methods of the messages a stream has brought so far. */
function methods(stream: EventReader): unknown[] {
  return stream.waiting.filter(({ data }) => data !== "").map(({ data }) => (JSON.parse(data) as RpcMessage).method);
}

// One after the other, since memory is that of the process.
describe("resources in a session", () => {
  it("are told of on its stream: updates of what it subscribed to, new channels, other tools and prompts", async () => {
    const changes = new Changes();
    await using server = await startServer({}, { changes });
    const client = await LegacyClient.open(server);
    const other = await LegacyClient.open(server);
    using stream = await client.listen();
    using quiet = await other.listen();
    await client.ask("resources/subscribe", { uri: "hub://channels/a" });
    const { receivers } = await server.publish("a", 1);
    assert.equal(receivers, 0, "who is told only that something came is no receiver");
    await until("both are told", () => methods(stream).length === 2);
    assert.deepEqual(
      new Set(methods(stream)),
      new Set(["notifications/resources/updated", "notifications/resources/list_changed"]),
    );
    changes.announce("tools");
    changes.announce("prompts");
    await until("it is told of both", () => methods(stream).length === 4);
    assert.deepEqual(methods(stream).slice(2), [
      "notifications/tools/list_changed",
      "notifications/prompts/list_changed",
    ]);
    await until("the other one is, too", () => methods(quiet).length === 3);
    assert.ok(!methods(quiet).includes("notifications/resources/updated"), "it subscribed to nothing");
  });

  it("[MCP-8] cost a client that does not read nothing: however many messages there are, it is notified at most ten times a second", async () => {
    await using server = await startServer({ retentionMessages: 1000 });
    const client = await LegacyClient.open(server);
    using stream = await client.listen();
    await client.ask("resources/subscribe", { uri: "hub://channels/a" });
    await client.ask("resources/subscribe", { uri: "hub://channels" });
    stream.freeze();
    const publish = async (thousands: number): Promise<void> => {
      for (let n = 0; n < thousands; n++)
        await Promise.all(Array.from({ length: 1000 }, () => server.hub.publish(draftOf("a", n))));
    };
    const start = performance.now();
    await publish(load(20));
    const before = await memory();
    await publish(load(100));
    const seconds = (performance.now() - start) / 1000;
    const grown = (await memory()) - before;
    // The test runner itself keeps some of the promises for a while.
    if (IS_SOAK) assert.ok(grown < 24e6, `${grown} bytes`);
    assert.deepEqual((await client.ask("ping")).result, {});
    stream.thaw();
    const last = server.hub.stats.published;
    await until("it is told", () => methods(stream).length > 0);
    const told = methods(stream).length;
    assert.ok(told <= (seconds + 1) * 20 + 10, `told ${told} times in ${seconds} seconds of ${last} messages`);
  });

  it("are told to a client that stands still until it has left more than it may, and then it is cut", async () => {
    const long = Array.from({ length: 10 }, (_, n): ResourceDefinition => {
      const uri = `test://${n}/${"x".repeat(200_000)}`;
      return { listing: { uri, name: "long" }, watches: [channelName("a")], read: async () => ({ contents: [] }) };
    });
    await using server = await startServer({ maxPendingBytes: 65_536 }, { resources: long });
    const client = await LegacyClient.open(server);
    using stream = await client.listen();
    for (const { listing } of long) await client.ask("resources/subscribe", { uri: listing.uri });
    stream.freeze();
    await until("it is cut", async () => {
      await server.publish("a", 1);
      return (await open(server))[1] === 0;
    });
    assert.deepEqual((await client.ask("ping")).result, {}, "its session goes on");
    stream.thaw();
    await stream.ended;
    using again = await client.listen();
    assert.equal(again.status, 200);
  });
});

/** Bytes in use, after a collection. */
async function memory(): Promise<number> {
  setFlagsFromString("--expose-gc");
  await (runInNewContext("gc") as (how: object) => Promise<void>)({ execution: "async" });
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe("a client that vanishes", { concurrency: true }, () => {
  it("leaves nothing open behind it, whatever it was in the middle of", async () => {
    const held = new Held();
    await using server = await startServer({ sessionTimeout: 1 }, { tools: [held.tool] });
    const client = await LegacyClient.open(server);
    await client.ask("resources/subscribe", { uri: "hub://channels/a" });
    const head = (method: string, more: string[] = []): string[] => [
      `${method} /mcp HTTP/1.1`,
      "Host: localhost",
      ...Object.entries(client.headers).map(([name, value]) => `${name}: ${value}`),
      ...more,
    ];
    const post = (body: string): [string[], string] => [
      head("POST", [`Content-Length: ${Buffer.byteLength(body)}`]),
      body,
    ];
    const wait = rpc(calling(1, "wait_for_messages", { channels: ["never"], timeoutSeconds: 50 }));
    const [whole, body] = post(rpc(calling(2, "hold")));
    for (const [lines, text] of [
      [head("POST", ["Content-Length: 1000"]), '{"jsonrpc":'],
      [head("GET"), ""],
      [whole, body],
      post(wait),
      post(rpc({ id: 3, method: "tools/list" })),
      post(rpc({ method: "notifications/initialized" })),
      [head("GET"), "GET /mcp HTTP/1.1\r\n"],
    ] as const) {
      for (const isReset of [false, true]) {
        using wire = await server.wire();
        wire.send(lines, text);
        if (isReset) wire.socket.resetAndDestroy();
        else wire.socket.end();
        await until("the connection is over", () => wire.ended || wire.closed || !isReset);
      }
    }
    for (const id of [1, 2]) await client.post({ method: "notifications/cancelled", params: { requestId: id } });
    await until("nobody is connected", async () => (await open(server)).slice(1).join() === "0,0");
    for (const { answer } of held.calls) answer("for nobody");
    await until("its session ends", async () => (await open(server)).join() === "0,0,0");
    assert.equal((await client.post({ id: 9, method: "ping" })).status, 404);
  });

  it("may do so while its session is opened or ended", async () => {
    await using server = await startServer({ sessionTimeout: 1 });
    const text = rpc({ id: 0, method: "initialize", params: { ...PARAMS, clientInfo: { name: "x", version: "1" } } });
    for (let n = 0; n < 20; n++) {
      using wire = await server.wire();
      wire.send(
        ["POST /mcp HTTP/1.1", "Host: localhost", `Accept: ${ACCEPT}`, `Content-Length: ${Buffer.byteLength(text)}`],
        text,
      );
      if (n % 2 === 0) await until("something is answered", () => wire.text !== "");
      wire.socket.resetAndDestroy();
    }
    await until("their sessions end", async () => (await open(server)).join() === "0,0,0");
  });
});

describe("sessions at their limits", { concurrency: true }, () => {
  it("[MCP-10] are refused with Retry-After while all there may be are in use, and not when one no longer is", async () => {
    await using server = await startServer({ maxSessions: 2 });
    const clients = [await LegacyClient.open(server), await LegacyClient.open(server)];
    const streams = await Promise.all(clients.map((client) => client.listen()));
    const refused = await initialize(server, PARAMS);
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    assert.equal(messagesOf(refused)[0]?.error?.data?.["code"], "TOO_MANY_CONNECTIONS");
    streams[0]?.close();
    await until("there is room", async () => (await initialize(server, PARAMS)).status === 200);
    assert.equal((await clients[0]?.post({ id: 1, method: "ping" }))?.status, 404);
    assert.equal((await clients[1]?.post({ id: 1, method: "ping" }))?.status, 200);
    streams[1]?.close();
  });

  it("count their streams among all readers: one too many is refused with Retry-After", async () => {
    await using server = await startServer({ maxConnections: 2 });
    const client = await LegacyClient.open(server);
    using _first = await server.events();
    using _second = await server.events();
    const answer = await server.request("/mcp", { headers: client.headers });
    assert.deepEqual([answer.status, answer.headers["retry-after"]], [503, "2"]);
    assert.equal(messagesOf(answer)[0]?.error?.data?.["code"], "TOO_MANY_CONNECTIONS");
    assert.deepEqual((await client.ask("ping")).result, {}, "requests are answered");
    using again = await client.listen();
    assert.equal(again.status, 503);
  });

  it("are not begun by a server that stops; streams end, and whoever waits is answered no more", async () => {
    const held = new Held();
    await using server = await startServer({ drain: 1 }, { tools: [held.tool] });
    const client = await LegacyClient.open(server);
    using stream = await client.listen();
    using posted = await client.stream(calling(1, "hold"));
    using reader = await server.events();
    const closing = server.close();
    const refused = await initialize(server, PARAMS);
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    assert.equal(messagesOf(refused)[0]?.error?.data?.["code"], "SHUTTING_DOWN");
    await closing;
    await Promise.all([stream.ended, posted.ended, reader.ended]);
    assert.equal(held.cancelled, 1);
  });

  it("refuse a body that is too large, too deep, or no JSON, as JSON-RPC does, and go on", async () => {
    await using server = await startServer({ maxBodyBytes: 10_000 });
    const client = await LegacyClient.open(server);
    const post = (body: string): ReturnType<TestServer["request"]> =>
      server.request("/mcp", { method: "POST", headers: client.headers, body });
    for (const [body, status, code] of [
      ["x".repeat(10_001), 413, -32600],
      ["{", 400, -32700],
      ["", 400, -32700],
      ["[".repeat(4000) + "]".repeat(4000), 400, -32600],
      [`{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(900)}1${"}".repeat(900)}}`, 400, -32600],
      ["null", 400, -32600],
      ['"x"', 400, -32600],
      ["5", 400, -32600],
      ["[1]", 400, -32600],
    ] as const) {
      const answer = await post(body);
      assert.deepEqual([answer.status, messagesOf(answer)[0]?.error?.code], [status, code], body.slice(0, 50));
    }
    assert.deepEqual((await client.ask("ping")).result, {});
  });

  it("keep little of what clients say about themselves", async () => {
    await using server = await startServer({ maxSessions: 1 });
    const client = await LegacyClient.open(server);
    const post = (params: object): ReturnType<TestServer["request"]> => {
      const body = rpc({ id: 1, method: "initialize", params: { ...PARAMS, ...params } });
      return server.request("/mcp", { method: "POST", headers: { accept: ACCEPT }, body });
    };
    const capabilities = { experimental: { x: { list: Array.from({ length: 5000 }, () => ({})) } } };
    const clientInfo = { name: "x", version: "1" };
    const refused = await post({ capabilities, clientInfo });
    const { error } = messagesOf(refused)[0] as RpcMessage;
    assert.deepEqual([refused.status, error?.code], [400, -32602]);
    assert.match(error?.message ?? "", /^params\.capabilities has more than 8192 characters/);
    const unreadable = await server.request("/mcp", {
      method: "POST",
      headers: { accept: "text/html" },
      body: rpc({ id: 1, method: "initialize", params: { ...PARAMS, clientInfo } }),
    });
    assert.equal(unreadable.status, 406);
    assert.deepEqual((await client.ask("ping")).result, {}, "no session makes room for one that is not begun");
    const icons = [{ src: `data:image/png;base64,${"A".repeat(500_000)}` }];
    const accepted = await post({ clientInfo: { ...clientInfo, icons, name: "x".repeat(10_000) } });
    assert.equal(accepted.status, 200);
  });

  it("log nothing of what clients do wrong, and once what fails inside", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("log");
    const broken = tool("broken", () => Promise.reject(new Error("inside")));
    const asking = tool("asking", async (_, { ask }) => said(JSON.stringify(await ask?.("roots/list", {}))));
    await using server = await startServer({ logLevel: "info", logFile }, { tools: [broken, asking] });
    const lines = (): string[] => readFileSync(logFile, "utf8").split("\n").filter(Boolean);
    const client = await LegacyClient.open(server, { capabilities: { roots: {} } });
    await until("the start is logged", () => lines().length > 0);
    const before = lines().length;
    for (const message of [
      { id: 77, result: {} },
      { id: 0, error: { code: 1, message: "x" } },
      { id: "a", result: { deep: [[[]]] } },
      { method: "notifications/progress", params: { progressToken: 1, progress: 1 } },
      { method: "notifications/progress", params: {} },
      { method: "notifications/cancelled", params: {} },
      { id: 1, method: "no/such" },
      { id: 2, method: "tools/call", params: { name: "nobody" } },
      { id: 3, method: "logging/setLevel", params: { level: "x" } },
      { id: 4, method: "ping", params: { _meta: { progressToken: [] } } },
      { id: 5, method: "initialize" },
      [],
    ])
      await client.post(message);
    using stream = await client.stream(calling(6, "asking"));
    for (;;) {
      const { data } = await stream.next();
      if (data === "") continue;
      const { id, method } = JSON.parse(data) as RpcMessage;
      if (method === undefined) break;
      await client.post({ id: id as number, result: { roots: "garbage" } });
    }
    assert.deepEqual(lines().slice(before), []);
    await client.ask("tools/call", { name: "broken" });
    await until("it is logged", () => lines().length > before);
    const [line, ...more] = lines().slice(before);
    assert.match(line ?? "", /"level":50.*inside.*an MCP method failed/);
    assert.deepEqual(more, []);
  });

  it("are refused to other origins and other hosts, like all else", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    for (const wrong of [{ origin: "https://evil.example" }, { host: "evil.example" }]) {
      for (const method of ["POST", "GET", "DELETE"]) {
        const answer = await server.request("/mcp", {
          method,
          headers: { ...client.headers, ...wrong },
          ...(method === "POST" ? { body: rpc({ id: 1, method: "ping" }) } : {}),
        });
        assert.equal(answer.status, 403);
      }
    }
    assert.deepEqual((await client.ask("ping")).result, {});
  });
});
