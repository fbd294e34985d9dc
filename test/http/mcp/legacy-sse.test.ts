import { Client as ClientV2, SSEClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { CallToolResultSchema, ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerOptions } from "../../../src/server.ts";
import type { Extras } from "../../../src/mcp/definitions.ts";
import { EventReader } from "../../support/event-reader.ts";
import { messagesOf, rpc, type RpcMessage } from "../../support/legacy-client.ts";
import { calling, Held, said, tool } from "../../support/legacy-tools.ts";
import { HUB_TOOLS } from "../../support/mcp.ts";
import type { Answer } from "../../support/request.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const INITIALIZE = {
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "test", version: "0" } },
};

function start(config: ServerOptions = {}, extras: Extras = {}): Promise<TestServer> {
  return startServer({ legacySse: true, ...config }, extras);
}

/** A client by hand: its stream, and where to post. */
class Pair implements Disposable {
  readonly stream: EventReader;
  readonly path: string;
  readonly #server: TestServer;

  constructor(server: TestServer, stream: EventReader, path: string) {
    this.#server = server;
    this.stream = stream;
    this.path = path;
  }

  static async open(server: TestServer): Promise<Pair> {
    const stream = await EventReader.open(`${server.url}/sse`);
    const { event, data } = await stream.next();
    assert.equal(event, "endpoint");
    return new Pair(server, stream, data);
  }

  /** With `initialize` and `initialized`. */
  static async initialized(server: TestServer, version = "2024-11-05"): Promise<Pair> {
    const pair = await Pair.open(server);
    await pair.post({ ...INITIALIZE, params: { ...INITIALIZE.params, protocolVersion: version } });
    await pair.next();
    await pair.post({ method: "notifications/initialized" });
    return pair;
  }

  post(message: object | readonly object[], path: string = this.path): Promise<Answer> {
    return this.#server.request(path, { method: "POST", body: rpc(message) });
  }

  async next(): Promise<RpcMessage> {
    const { event, data } = await this.stream.next();
    assert.equal(event, "message");
    return JSON.parse(data) as RpcMessage;
  }

  [Symbol.dispose](): void {
    this.stream.close();
  }
}

async function open(server: TestServer): Promise<readonly number[]> {
  return [server.hub.size, await server.metric('sse_mcp_connections{door="mcp"}')];
}

function errorOf(answer: Answer): readonly [number, number | undefined, string] {
  const [message] = messagesOf(answer);
  return [answer.status, message?.error?.code, message?.error?.message ?? ""];
}

describe("MCP over HTTP+SSE", { concurrency: true }, () => {
  it("[MCP-15] is not there unless LEGACY_SSE asks for it, and /events never looks like it", async () => {
    await using server = await startServer();
    for (const [method, path, status] of [
      ["GET", "/sse", 404],
      ["POST", "/sse", 404],
      // The search of messages is there, by GET.
      ["POST", "/messages?sessionId=x", 405],
    ] as const) {
      assert.equal((await server.request(path, { method })).status, status, path);
    }
    for (const legacySse of [false, true]) {
      await using other = await startServer({ legacySse });
      using reader = await other.events("?channel=a");
      await other.publish("a", { event: "endpoint" });
      assert.equal((await reader.next()).event, "message");
      assert.doesNotMatch(reader.text, /event: ?endpoint/);
    }
  });

  it("serves the client of the v1 SDK", async () => {
    await using server = await start();
    const client = new Client({ name: "v1", version: "1" });
    await client.connect(new SSEClientTransport(new URL(`${server.url}/sse`)));
    const updated: unknown[] = [];
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
    assert.equal(client.getServerVersion()?.name, "sse-mcp-server");
    assert.equal((await client.listTools()).tools.length, HUB_TOOLS.length);
    await client.subscribeResource({ uri: "hub://channels/a" });
    const result = await client.callTool(
      { name: "send_sse_message", arguments: { message: "hi", channel: "a" } },
      CallToolResultSchema,
    );
    assert.match(JSON.stringify(result.content), /Sent to 0 readers/);
    await until("it is told", () => updated.length === 1);
    await client.close();
    await until("nothing is open", async () => (await open(server)).join() === "0,0");
  });

  it("serves the client of the v2 SDK", async () => {
    await using server = await start();
    const client = new ClientV2({ name: "v2", version: "1" });
    await client.connect(new TransportV2(new URL(`${server.url}/sse`)));
    assert.equal((await client.listTools()).tools.length, HUB_TOOLS.length);
    const { contents } = await client.readResource({ uri: "hub://channels" });
    assert.equal(contents.length, 1);
    await client.close();
    await until("nothing is open", async () => (await open(server)).join() === "0,0");
  });

  it("answers a POST with 202, and what it says on the stream", async () => {
    await using server = await start();
    using pair = await Pair.open(server);
    assert.match(pair.path, /^\/messages\?sessionId=[0-9a-f-]{36}$/);
    assert.equal(pair.stream.headers["content-type"], "text/event-stream; charset=utf-8");
    assert.equal(pair.stream.headers["mcp-session-id"], undefined);
    for (const id of [1, "a"]) {
      const posted = await pair.post({ id, method: "ping" });
      assert.deepEqual([posted.status, posted.text], [202, ""]);
      assert.deepEqual(await pair.next(), { jsonrpc: "2.0", id, result: {} });
    }
    await pair.post(INITIALIZE);
    assert.partialDeepStrictEqual(await pair.next(), { id: 0, result: { protocolVersion: "2024-11-05" } });
    await pair.post({ method: "notifications/initialized" });
    await pair.post({ id: 1, method: "no/such" });
    assert.equal((await pair.next()).error?.code, -32601);
    await server.publish("new", 1);
    assert.equal((await pair.next()).method, "notifications/resources/list_changed");
    assert.equal(await server.metric('sse_mcp_connections{door="mcp"}'), 1);
  });

  it("refuses what is wrong about a POST in a sentence, and goes on", async () => {
    await using server = await start({ maxBodyBytes: 10_000 });
    using pair = await Pair.open(server);
    const ping = { id: 1, method: "ping" };
    assert.deepEqual(errorOf(await pair.post(ping, "/messages")).slice(0, 2), [400, -32000]);
    assert.deepEqual(errorOf(await pair.post(ping, "/messages?sessionId=")).slice(0, 2), [400, -32000]);
    const unknown = errorOf(await pair.post(ping, `/messages?sessionId=${crypto.randomUUID()}`));
    assert.deepEqual(unknown.slice(0, 2), [404, -32001]);
    assert.match(unknown[2], /open another with GET \/sse/);
    assert.deepEqual(errorOf(await pair.post({ id: 1, method: "tools/list" })), [400, -32600, "Send initialize first"]);
    const malformed = errorOf(await pair.post({ ...INITIALIZE, params: { protocolVersion: 1 } }));
    assert.deepEqual(malformed.slice(0, 2), [400, -32602]);
    assert.match(malformed[2], /params\.protocolVersion must be a string/);
    await pair.post(INITIALIZE);
    await pair.next();
    assert.deepEqual(errorOf(await pair.post(INITIALIZE)).slice(0, 2), [400, -32600]);
    assert.deepEqual(errorOf(await pair.post([ping])).slice(0, 2), [400, -32600]);
    const raw = (body: string): Promise<Answer> => server.request(pair.path, { method: "POST", body });
    assert.deepEqual(errorOf(await raw("{")).slice(0, 2), [400, -32700]);
    assert.deepEqual(errorOf(await raw("5")).slice(0, 2), [400, -32600]);
    assert.deepEqual(errorOf(await raw("x".repeat(10_001))).slice(0, 2), [413, -32600]);
    assert.deepEqual(errorOf(await raw("[".repeat(4000) + "]".repeat(4000))).slice(0, 2), [400, -32600]);
    await pair.post(ping);
    assert.deepEqual((await pair.next()).result, {});
    const wrong = await server.request("/sse", { method: "POST" });
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, "GET"]);
  });

  it("takes batches where the session speaks 2025-03-26", async () => {
    await using server = await start();
    using pair = await Pair.initialized(server, "2025-03-26");
    const posted = await pair.post([
      { id: 1, method: "ping" },
      { method: "notifications/x" },
      { id: 2, method: "ping" },
    ]);
    assert.equal(posted.status, 202);
    assert.deepEqual([(await pair.next()).id, (await pair.next()).id], [1, 2]);
  });

  it("refuses an id that is being answered, and frees it when the request is cancelled", async () => {
    const held = new Held();
    await using server = await start({}, { tools: [held.tool] });
    using pair = await Pair.initialized(server);
    await pair.post(calling(1, "hold"));
    assert.deepEqual(errorOf(await pair.post({ id: 1, method: "ping" })).slice(0, 2), [400, -32600]);
    await pair.post({ method: "notifications/cancelled", params: { requestId: 1 } });
    await until("it is cancelled", () => held.cancelled === 1);
    await pair.post({ id: 1, method: "ping" });
    assert.deepEqual(await pair.next(), { jsonrpc: "2.0", id: 1, result: {} });
    for (let n = 0; n < 256; n++) await pair.post(calling(`h${n}`, "hold"));
    const refused = await pair.post(calling("one more", "hold"));
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
  });

  it("asks the client on the stream, and is answered by a POST", async () => {
    const asking = tool("asking", async (_, { ask }) => said(JSON.stringify(await ask?.("roots/list", {}))));
    await using server = await start({}, { tools: [asking] });
    using pair = await Pair.initialized(server);
    await pair.post(calling(1, "asking"));
    const { id, method } = await pair.next();
    assert.equal(method, "roots/list");
    await pair.post({ id: id as number, result: { roots: [{ uri: "file:///x" }] } });
    assert.match(JSON.stringify((await pair.next()).result), /file:\/\/\/x/);
  });

  it("ends a session with its stream, and all it was doing", async () => {
    const held = new Held();
    await using server = await start({}, { tools: [held.tool] });
    const pair = await Pair.initialized(server);
    await pair.post({ id: 1, method: "resources/subscribe", params: { uri: "hub://channels/a" } });
    await pair.post(calling(2, "hold"));
    await until("it is held", () => held.calls.length === 1);
    assert.deepEqual(await open(server), [2, 1]);
    pair.stream.close();
    await until("nothing is open", async () => (await open(server)).join() === "0,0");
    assert.equal(held.cancelled, 1);
    assert.equal((await pair.post({ id: 3, method: "ping" })).status, 404);
    for (let n = 0; n < 20; n++) {
      using wire = await server.wire();
      wire.send(["GET /sse HTTP/1.1", "Host: localhost"]);
      if (n % 2 === 0) await until("it has begun", () => wire.text.includes("endpoint"));
      wire.socket.resetAndDestroy();
    }
    await until("nothing is open", async () => (await open(server)).join() === "0,0");
  });

  it("has sessions of its own: neither door finds those of the other", async () => {
    await using server = await start();
    using pair = await Pair.initialized(server);
    const id = pair.path.split("=")[1] as string;
    const headers = { accept: "application/json, text/event-stream" };
    const ping = rpc({ id: 1, method: "ping" });
    const wrong = await server.request("/mcp", {
      method: "POST",
      headers: { ...headers, "mcp-session-id": id },
      body: ping,
    });
    assert.equal(wrong.status, 404);
    const opened = await server.request("/mcp", { method: "POST", headers, body: rpc(INITIALIZE) });
    const other = opened.headers["mcp-session-id"] as string;
    assert.equal((await pair.post({ id: 1, method: "ping" }, `/messages?sessionId=${other}`)).status, 404);
  });

  it("counts its sessions among all, and its streams among all readers", async () => {
    await using server = await start({ maxSessions: 2, maxConnections: 3 });
    using first = await Pair.initialized(server);
    using second = await Pair.initialized(server);
    for (const [method, path, body] of [
      ["GET", "/sse", undefined],
      ["POST", "/mcp", rpc(INITIALIZE)],
    ] as const) {
      const headers = { accept: "application/json, text/event-stream" };
      const refused = await server.request(path, { method, headers, ...(body === undefined ? {} : { body }) });
      assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
      assert.equal(messagesOf(refused)[0]?.error?.data?.["code"], "TOO_MANY_CONNECTIONS");
    }
    assert.deepEqual(await open(server), [1, 2]);
    first.stream.close();
    await until("there is room", async () => (await open(server))[1] === 1);
    using _third = await Pair.initialized(server);
    second.stream.close();
    using _a = await server.events();
    using _b = await server.events();
    await until("the second has gone", async () => (await server.request("/sse")).status === 503);
  });

  it("cuts a client that stands still, and takes any one message, however large", async () => {
    const big = tool("big", async ({ size }) => said("x".repeat(size as number)));
    await using server = await start({ maxPendingBytes: 65_536 }, { tools: [big] });
    using pair = await Pair.initialized(server);
    await pair.post(calling(1, "big", { size: 5_000_000 }));
    assert.equal(JSON.stringify((await pair.next()).result).length > 5_000_000, true);
    pair.stream.freeze();
    await until("it is cut", async () => {
      await pair.post(calling(2, "big", { size: 1_000_000 }));
      return (await open(server))[1] === 0;
    });
  });

  it("keeps a silent stream alive by comments", async () => {
    await using server = await start({ heartbeat: 1 });
    using pair = await Pair.initialized(server);
    await until("a comment comes", () => pair.stream.comments.length > 0);
    assert.equal(pair.stream.waiting.length, 0);
  });

  it("is checked for Origin and Host like all else", async () => {
    await using server = await start();
    using pair = await Pair.initialized(server);
    for (const headers of [{ origin: "https://evil.example" }, { host: "evil.example" }]) {
      assert.equal((await server.request("/sse", { headers })).status, 403);
      const posted = await server.request(pair.path, { method: "POST", headers, body: rpc({ id: 1, method: "ping" }) });
      assert.equal(posted.status, 403);
    }
  });

  it("ends with the server, and begins nothing while it stops", async () => {
    await using server = await start({ drain: 1 });
    using pair = await Pair.initialized(server);
    using _reader = await server.events();
    const closing = server.close();
    const refused = await server.request("/sse");
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    await closing;
    await pair.stream.ended;
  });
});
