import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describe, it } from "node:test";
import { HUB_TOOLS } from "../../support/mcp.ts";
import type { Answer } from "../../support/request.ts";
import { startServer, type TestServer, type ToolAnswer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const CALL = "/mcp/tools/call";
const LIST = "/mcp/tools/list";

function post(server: TestServer, path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return server.request(path, { method: "POST", body, headers });
}

function errorOf(answer: Answer): { code: number; message: string; data: { code: string } } {
  return (answer.json() as { error: { code: number; message: string; data: { code: string } } }).error;
}

function send(message: unknown, more: object = {}): string {
  return JSON.stringify({ params: { name: "send_sse_message", arguments: { message, ...more } } });
}

describe("POST /mcp/tools/list", () => {
  it("lists the tools for a whole request, for {} and for nothing", async () => {
    await using server = await startServer();
    const whole = await post(server, LIST, '{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{}}');
    const empty = await post(server, LIST, "{}");
    const nothing = await server.request(LIST, { method: "POST" });
    assert.deepEqual([whole.status, empty.status, nothing.status], [200, 200, 200]);
    assert.equal((whole.json() as { id: unknown }).id, "a");
    assert.equal((nothing.json() as { id: unknown }).id, null);
    const { result } = empty.json() as { result: { tools: { name: string }[] } };
    assert.deepEqual(
      result.tools.map(({ name }) => name),
      HUB_TOOLS,
    );
    assert.deepEqual((nothing.json() as { result: unknown }).result, result);
  });

  it("answers a method that is not its own with -32601", async () => {
    await using server = await startServer();
    const answer = await post(server, LIST, '{"id":1,"method":"tools/call"}');
    assert.deepEqual([answer.status, errorOf(answer).code, (answer.json() as { id: number }).id], [404, -32601, 1]);
    assert.match(errorOf(answer).message, /tools\/list.*tools\/call/);
  });
});

describe("POST /mcp/tools/call", () => {
  it("[RPC-2] answers with the id of the request, and with null where it had none", async () => {
    await using server = await startServer();
    for (const [id, back] of [
      ["7", 7],
      ['"x"', "x"],
      ["null", null],
      ["{}", null],
    ] as const) {
      const answer = await post(server, CALL, `{"id":${id},"params":{"name":"get_server_info"}}`);
      assert.equal((answer.json() as { id: unknown }).id, back);
    }
    const none = await post(server, CALL, '{"params":{"name":"get_server_info"}}');
    assert.equal((none.json() as { jsonrpc: string; id: unknown }).id, null);
    assert.equal((none.json() as { jsonrpc: string; id: unknown }).jsonrpc, "2.0");
    assert.match(none.headers["content-type"] ?? "", /^application\/json/);
  });

  it("[RPC-1] reads the body as JSON whatever its Content-Type says, even one that cannot be read", async () => {
    await using server = await startServer();
    const types = [
      "application/x-www-form-urlencoded",
      "text/plain",
      "multipart/form-data",
      "application/xml; charset=utf-8",
      "json",
      "",
      ";",
      "application/json; charset=bogus",
    ];
    for (const type of types) {
      const answer = await post(server, CALL, send("typed"), { "content-type": type });
      assert.equal(answer.status, 200, `${JSON.stringify(type)}: ${answer.text}`);
    }
    const list = await post(server, LIST, "{}", { "content-type": "json" });
    assert.equal(list.status, 200);
  });

  it("[RPC-3] answers a body that is no JSON object with -32700 or -32600, and the same connection serves the next request", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const bad: readonly (readonly [string, number])[] = [
      ["not json", -32700],
      ['{"params":{"name":"get_ser', -32700],
      ["[]", -32600],
      ['[{"id":1,"method":"tools/call"}]', -32600],
      ["7", -32600],
      ["null", -32600],
      ['"text"', -32600],
    ];
    for (const path of [CALL, LIST]) {
      for (const [body, code] of bad) {
        wire.send([`POST ${path} HTTP/1.1`, "Host: localhost", `Content-Length: ${Buffer.byteLength(body)}`], body);
        const answer = await wire.response();
        const json = JSON.parse(answer.body) as { jsonrpc: string; id: null; error: { code: number; message: string } };
        assert.deepEqual([answer.status, json.jsonrpc, json.id, json.error.code], [400, "2.0", null, code], body);
        wire.send(["GET /health/live HTTP/1.1", "Host: localhost"]);
        assert.equal((await wire.response()).status, 200);
      }
    }
  });

  it("answers a body over the limit with 413 and -32600, and the same connection serves the next request", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const body = send("x".repeat(2 * 1024 * 1024));
    for (const path of [CALL, LIST]) {
      wire.send([`POST ${path} HTTP/1.1`, "Host: localhost", `Content-Length: ${body.length}`], body);
      const answer = await wire.response();
      const { error } = JSON.parse(answer.body) as { error: { code: number; message: string } };
      assert.deepEqual([answer.status, error.code], [413, -32600]);
      assert.match(error.message, /1048576 bytes/);
      wire.send(["GET /health/live HTTP/1.1", "Host: localhost"]);
      assert.equal((await wire.response()).status, 200);
    }
  });

  it("answers a chunked body over the limit with 413, and the same connection serves the next request", async () => {
    await using server = await startServer({ maxBodyBytes: 1024 });
    using wire = await server.wire();
    const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
    wire.send(
      [`POST ${CALL} HTTP/1.1`, "Host: localhost", "Transfer-Encoding: chunked"],
      `${chunk.repeat(4)}0\r\n\r\n`,
    );
    assert.equal((await wire.response()).status, 413);
    wire.send(["GET /health/live HTTP/1.1", "Host: localhost"]);
    assert.equal((await wire.response()).status, 200);
  });

  it("forgets a request whose body is cut off by the caller", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const body = send("never");
    wire.send([`POST ${CALL} HTTP/1.1`, "Host: localhost", `Content-Length: ${body.length}`], body.slice(0, -5));
    wire.socket.end();
    await until("the server lets go", () => wire.ended);
    assert.equal(server.hub.stats.published, 0);
  });

  it("[RPC-4] names a tool it does not know with -32602, and those there are", async () => {
    await using server = await startServer();
    for (const name of ["launch", "__proto__", "constructor", ""]) {
      const answer = await post(server, CALL, JSON.stringify({ id: 3, params: { name } }));
      const error = errorOf(answer);
      assert.deepEqual([answer.status, error.code, error.data.code], [400, -32602, "UNKNOWN_TOOL"]);
      assert.ok(error.message.includes(JSON.stringify(name)), error.message);
      assert.match(error.message, /there are get_server_info, send_sse_message/);
    }
  });

  it("answers params that are missing or of a wrong type with -32602, naming what is wrong", async () => {
    await using server = await startServer();
    const bad: readonly (readonly [string, RegExp])[] = [
      ["{}", /params is missing; give an object/],
      ['{"params":[]}', /params must be an object, not an array/],
      ['{"params":{}}', /params\.name is missing; give a string/],
      ['{"params":{"name":7}}', /params\.name must be a string, not a number/],
      ['{"params":{"name":"get_server_info","arguments":[]}}', /params\.arguments must be an object, not an array/],
      ['{"params":{"name":"get_server_info","arguments":"x"}}', /params\.arguments must be an object, not a string/],
    ];
    for (const [body, sentence] of bad) {
      const answer = await post(server, CALL, body);
      assert.deepEqual([answer.status, errorOf(answer).code], [400, -32602], body);
      assert.match(errorOf(answer).message, sentence);
    }
  });

  it("answers an envelope that is not JSON-RPC 2.0 with -32600", async () => {
    await using server = await startServer();
    const version = await post(server, CALL, '{"jsonrpc":"1.0","params":{"name":"get_server_info"}}');
    assert.deepEqual([version.status, errorOf(version).code], [400, -32600]);
    assert.match(errorOf(version).message, /jsonrpc/);
    const method = await post(server, CALL, '{"method":{"a":1},"params":{"name":"get_server_info"}}');
    assert.deepEqual([method.status, errorOf(method).code], [404, -32601]);
  });

  it("[RPC-5] answers wrong input with a result that has isError and names the field, and publishes nothing", async () => {
    await using server = await startServer();
    const most = 1024 * 1024 - 200;
    const bad: readonly (readonly [object | undefined, RegExp])[] = [
      [{}, /^send_sse_message: message is missing; give any JSON value$/],
      [undefined, /^send_sse_message: message is missing; give any JSON value$/],
      [{ message: "x", channel: 7 }, /channel must be a string, not a number/],
      [{ message: "x", colour: "red" }, /unknown property "colour"; there are message, channel, event, sender/],
      [{ message: "x".repeat(most) }, /^send_sse_message: message has 1048376 bytes; at most 65536 are allowed$/],
      [{ message: "half a pair: \ud83d" }, /^send_sse_message: message holds half a surrogate pair/],
      [{ message: "x", event: "a\nb" }, /event must be one line/],
      [{ message: "x", event: "live" }, /event live is one of the server's own signals/],
      [{ message: "x", sender: "a\rb" }, /sender must be one line/],
      [{ message: "x", channel: "../x" }, /Not a channel: "\.\.\/x"/],
      [{ message: "x", channel: "hub.secret" }, /reserved/],
    ];
    for (const [input, sentence] of bad) {
      const answer = await post(
        server,
        CALL,
        JSON.stringify({ params: { name: "send_sse_message", arguments: input } }),
      );
      assert.equal(answer.status, 200, answer.text);
      const { result } = answer.json() as { result: ToolAnswer };
      assert.equal(result.isError, true, JSON.stringify(input)?.slice(0, 80));
      assert.match(result.content[0]?.text ?? "", sentence);
    }
    assert.equal(server.hub.stats.published, 0);
    assert.equal(server.hub.log.size().messages, 0);
  });

  it("is not fooled by __proto__ in the body", async () => {
    await using server = await startServer();
    const answer = await post(
      server,
      CALL,
      '{"__proto__":{"params":{"name":"get_server_info"}},"constructor":{"prototype":{"x":1}}}',
    );
    assert.deepEqual([answer.status, errorOf(answer).code], [400, -32602]);
    const input = '{"params":{"name":"send_sse_message","arguments":{"message":"x","__proto__":{"channel":"other"}}}}';
    await post(server, CALL, input);
    assert.equal(({} as { x?: number }).x, undefined);
    assert.equal(server.hub.channels({ pattern: "other" as never, limit: 9 }).length, 0);
  });

  it("answers many calls that come down one connection at once, in their order, without a warning", async (test) => {
    await using server = await startServer();
    const warnings: Error[] = [];
    const warned = (warning: Error): number => warnings.push(warning);
    process.on("warning", warned);
    test.after(() => process.off("warning", warned));
    using wire = await server.wire();
    const count = 40;
    for (let id = 0; id < count; id++) {
      const body = JSON.stringify({ id, params: { name: "wait_for_messages", arguments: { channels: ["a"] } } });
      wire.send([`POST ${CALL} HTTP/1.1`, "Host: localhost", `Content-Length: ${body.length}`], body);
    }
    await until("every call waits", () => server.hub.size === count);
    await server.publish("a", "now");
    for (let id = 0; id < count; id++)
      assert.equal((JSON.parse((await wire.response()).body) as { id: number }).id, id);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(warnings.map(String), []);
  });

  it("keeps a connection open between calls for an agent that asks for it", async () => {
    await using server = await startServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    agent.on("free", (socket) => sockets.add(socket));
    for (let call = 0; call < 5; call++) await server.request(CALL, { method: "POST", body: send("x"), agent });
    assert.equal(sockets.size, 1);
    agent.destroy();
  });

  it("answers GET with 405, as a problem that says what it takes", async () => {
    await using server = await startServer();
    const answer = await server.request(CALL);
    assert.deepEqual([answer.status, answer.headers["allow"]], [405, "POST"]);
    assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
  });
});
