import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent } from "node:http";
import { describe, it } from "node:test";
import type { ToolDefinition } from "../../../src/mcp/definitions.ts";
import {
  answerOf,
  CLIENT_CAPABILITIES,
  LOG_LEVEL,
  mcp,
  mcpRequest,
  McpStream,
  mcpText,
  PROTOCOL_VERSION,
  resultOf,
  SERVER_INFO,
  VERSION,
  type McpAnswer,
} from "../../support/mcp.ts";
import { startServer } from "../../support/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

/** A request with an id written as it is. */
function withId(id: string): string {
  return mcpRequest("tools/list", {}, { id: "ID" }).body.replace('"ID"', id);
}

function said(answer: McpAnswer): (string | number | undefined)[] {
  return [answer.status, answer.error?.code, answer.id];
}

describe("the id of a request", { concurrency: true }, () => {
  it("comes back as it was given: any text, any whole number", async () => {
    await using server = await startServer();
    for (const id of [
      0,
      -1,
      1,
      9_007_199_254_740_991,
      -9_007_199_254_740_991,
      "",
      "1",
      "a b",
      "Zoë \u0000\n",
      "x".repeat(256),
    ]) {
      const answer = await mcp(server, "tools/list", {}, { id });
      assert.deepEqual([answer.status, answer.id, answer.error], [200, id, undefined]);
    }
    // The same numbers in other clothes.
    assert.equal((await mcpText(server, withId("1.0"))).id, 1);
    assert.equal((await mcpText(server, withId("1e2"))).id, 100);
  });

  it("is refused, and not repeated, where it is no text and no whole number that JSON carries exactly", async () => {
    await using server = await startServer();
    const wrong = ["null", "1.5", "true", "{}", "[]", "[1]", "1e400", "-1e400", "9007199254740993", "1e300"];
    for (const id of wrong) {
      const answer = await mcpText(server, withId(id));
      assert.deepEqual(said(answer), [400, -32600, undefined], id);
      assert.match(answer.error?.message ?? "", /id/);
    }
  });

  it("is refused where it is longer than anyone needs: it is repeated in everything a subscription sends", async () => {
    await using server = await startServer();
    const answer = await mcp(server, "tools/list", {}, { id: "x".repeat(257) });
    assert.deepEqual(said(answer), [400, -32600, undefined]);
    assert.ok(answer.text.length < 400);
  });

  it("may be in use already, on this connection and on others: requests know nothing of each other", async () => {
    await using server = await startServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 20 } };
    const waiting = Promise.all(Array.from({ length: 3 }, () => mcp(server, "tools/call", wait, { id: "same" })));
    await until("three are waiting", () => server.hub.size === 3);
    const quick = await Promise.all(
      Array.from({ length: 20 }, () => mcp(server, "tools/list", {}, { id: "same", agent })),
    );
    for (const answer of quick) assert.deepEqual([answer.status, answer.id], [200, "same"]);
    await server.publish("a", "x");
    for (const answer of await waiting) {
      assert.equal(answer.id, "same");
      const { messages } = resultOf(answer)["structuredContent"] as { messages: { data: string }[] };
      assert.deepEqual(
        messages.map(({ data }) => data),
        ["x"],
      );
    }
    agent.destroy();
    assert.equal(server.hub.size, 0);
  });
});

describe("a body that is no request", { concurrency: true }, () => {
  it("is refused with -32700 where it is not JSON, and with -32600 where it is no object", async () => {
    await using server = await startServer();
    for (const body of ["", " ", "{", "nonsense", "{'a':1}", '{"jsonrpc":"2.0"}}', new Uint8Array([0xff])]) {
      assert.deepEqual(said(await mcpText(server, body)), [400, -32700, undefined], String(body));
    }
    for (const body of ["null", "true", "5", '"text"', "[]", "[[]]", `[${mcpRequest("tools/list").body}]`]) {
      assert.deepEqual(said(await mcpText(server, body)), [400, -32600, undefined], body);
    }
  });

  it("is refused with -32600 where it is no JSON-RPC 2.0", async () => {
    await using server = await startServer();
    const { body } = mcpRequest("tools/list");
    for (const wrong of [
      "{}",
      body.replace('"jsonrpc":"2.0",', ""),
      body.replace('"2.0"', '"1.0"'),
      body.replace('"2.0"', "2"),
      body.replace('"tools/list"', "5"),
      body.replace('"tools/list"', "null"),
    ]) {
      const answer = await mcpText(server, wrong);
      assert.deepEqual([answer.status, answer.error?.code], [400, -32600], wrong);
    }
  });

  it("is refused where it is a response: clients only ask", async () => {
    await using server = await startServer();
    for (const body of [
      '{"jsonrpc":"2.0","id":1,"result":{}}',
      '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}',
    ]) {
      const answer = await mcpText(server, body);
      assert.deepEqual(said(answer), [400, -32600, undefined]);
      assert.match(answer.error?.message ?? "", /response/);
    }
  });

  it("is accepted without a word where it is a notification, and nothing is done", async () => {
    await using server = await startServer();
    for (const [method, params] of [
      ["notifications/cancelled", { requestId: 1 }],
      ["notifications/initialized", {}],
      ["notifications/nobody-knows-it", {}],
      // A method that forgot its id cannot be answered.
      ["tools/call", { name: "send_sse_message", arguments: { message: "x" } }],
    ] as const) {
      const { body, headers } = mcpRequest(method, params, { id: undefined });
      const answer = await server.request("/mcp", { method: "POST", headers, body });
      assert.deepEqual([answer.status, answer.text], [202, ""], method);
    }
    assert.equal(server.hub.stats.published, 0);
  });

  it("is refused as a notification whose header names another", async () => {
    await using server = await startServer();
    const { body, headers } = mcpRequest("notifications/cancelled", {}, { id: undefined });
    const answer = await mcpText(server, body, { ...headers, "mcp-method": "notifications/other" });
    assert.deepEqual(said(answer), [400, -32020, undefined]);
  });

  it("is a request where a notification has an id: its method is unknown", async () => {
    await using server = await startServer();
    assert.deepEqual(said(await mcp(server, "notifications/cancelled", { requestId: 1 })), [404, -32601, 1]);
  });

  it("is refused where it is nested deeper than anything needs to be, however deep", async () => {
    await using server = await startServer();
    const { body, headers } = mcpRequest("tools/call", { name: "get_server_info", arguments: {} });
    const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    for (const wrong of [
      deep(100_000),
      '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000),
      body.replace('"arguments":{}', `"arguments":{"a":${deep(100_000)}}`),
      body.replace('"_meta":{', `"_meta":{"a":${deep(100_000)},`),
      body.replace('"id":1', `"id":${deep(100_000)}`),
    ]) {
      const answer = await mcpText(server, wrong);
      assert.deepEqual(said(answer), [400, -32600, undefined]);
    }
    const allowed = await mcpText(server, body.replace('"_meta":{', `"_meta":{"a":${deep(100)},`), headers);
    assert.deepEqual([allowed.status, allowed.error], [200, undefined]);
  });
});

describe("names that JavaScript knows", { concurrency: true }, () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "prototype"];

  it("are no methods, no tools, no prompts and no capabilities", async () => {
    await using server = await startServer();
    for (const name of names) {
      assert.deepEqual(said(await mcp(server, name, { "[object Object]": "x" })), [404, -32601, 1], name);
      assert.equal((await mcp(server, "tools/call", { name })).error?.code, -32602, name);
      assert.equal((await mcp(server, "prompts/get", { name })).error?.code, -32602, name);
      const answer = await mcp(server, "completion/complete", {
        ref: { type: "ref/prompt", name: "catch_up" },
        argument: { name, value: "" },
      });
      assert.equal(answer.error?.code, -32602, name);
    }
  });

  it("are unknown arguments as any other, and change no object of the server", async () => {
    await using server = await startServer();
    const { body, headers } = mcpRequest("tools/call", { name: "get_server_info", arguments: {} });
    for (const name of names) {
      const input = `{"${name}":{"polluted":true}}`;
      const answer = await mcpText(server, body.replace('"arguments":{}', `"arguments":${input}`), headers);
      assert.equal(answer.status, 200);
      const everywhere = body
        .replace('"_meta":{', `"_meta":{"${name}":{"polluted":true},`)
        .replace('"params":{', `"params":{"${name}":{"polluted":true},`)
        .replace('"jsonrpc"', `"${name}":{"polluted":true},"jsonrpc"`);
      const other = await mcpText(server, everywhere, headers);
      assert.deepEqual([other.status, other.error], [200, undefined], name);
    }
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  });

  it("cannot stand in for what _meta must say", async () => {
    await using server = await startServer();
    const { headers } = mcpRequest("tools/list");
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"__proto__":{"_meta":{"${PROTOCOL_VERSION}":"${VERSION}","${CLIENT_CAPABILITIES}":{}}}}}`;
    assert.deepEqual(said(await mcpText(server, body, headers)), [400, -32602, 1]);
  });
});

it("a name that an object has twice is refused, so that no two readers of the body understand it differently", async () => {
  await using server = await startServer();
  const { body, headers } = mcpRequest("tools/call", { name: "get_server_info" });
  const twice = body.replace('"name":', '"name":"send_sse_message","name":');
  assert.deepEqual(said(await mcpText(server, twice, headers)), [400, -32600, undefined]);
  const other = body.replace('"_meta"', '"name":"send_sse_message","_meta"');
  assert.deepEqual(said(await mcpText(server, other, headers)), [400, -32600, undefined]);
});

describe("_meta", { concurrency: true }, () => {
  it("must be there, with a version and with capabilities", async () => {
    await using server = await startServer();
    const { headers } = mcpRequest("tools/list");
    const head = '{"jsonrpc":"2.0","id":1,"method":"tools/list"';
    for (const rest of [
      "}",
      ',"params":null}',
      ',"params":[]}',
      ',"params":"x"}',
      ',"params":{}}',
      ',"params":{"_meta":[]}}',
      ',"params":{"_meta":null}}',
    ]) {
      const answer = await mcpText(server, head + rest, headers);
      assert.deepEqual(said(answer), [400, -32602, 1], rest);
      assert.match(answer.error?.message ?? "", /_meta/);
    }
    for (const meta of [
      { [PROTOCOL_VERSION]: undefined },
      { [PROTOCOL_VERSION]: 20260728 },
      { [PROTOCOL_VERSION]: null },
      { [CLIENT_CAPABILITIES]: undefined },
      { [CLIENT_CAPABILITIES]: [] },
      { [CLIENT_CAPABILITIES]: "all" },
    ]) {
      const answer = await mcp(server, "tools/list", {}, { meta });
      assert.deepEqual(said(answer), [400, -32602, 1], JSON.stringify(meta));
      assert.match(answer.error?.message ?? "", /params\._meta\["io\.modelcontextprotocol\//);
    }
  });

  it("need not say who the client is, and may say anything else", async () => {
    await using server = await startServer();
    for (const meta of [
      { "io.modelcontextprotocol/clientInfo": undefined },
      { "io.modelcontextprotocol/clientInfo": 5 },
      { "com.example/x": { y: [1] }, traceparent: "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01" },
    ]) {
      assert.equal((await mcp(server, "tools/list", {}, { meta })).status, 200);
    }
  });

  it("is refused where its progress token is no text and no whole number", async () => {
    await using server = await startServer();
    for (const progressToken of [1.5, {}, [], true, 2 ** 53]) {
      const answer = await mcp(server, "tools/list", {}, { meta: { progressToken } });
      assert.deepEqual(said(answer), [400, -32602, 1], JSON.stringify(progressToken));
      assert.match(answer.error?.message ?? "", /progressToken/);
    }
  });

  it("is refused where its log level is none", async () => {
    await using server = await startServer();
    for (const level of ["verbose", "INFO", 3, {}]) {
      const answer = await mcp(server, "tools/list", {}, { meta: { [LOG_LEVEL]: level } });
      assert.deepEqual(said(answer), [400, -32602, 1], JSON.stringify(level));
      assert.match(answer.error?.message ?? "", /debug, info, notice/);
    }
  });
});

describe("a version that is not spoken", { concurrency: true }, () => {
  it("[MCP-3] is refused with -32022, and the answer says which there are", async () => {
    await using server = await startServer();
    for (const version of ["2099-01-01", "1900-01-01", "2025-11-25", "2025-03-26", "", "latest", "x".repeat(5000)]) {
      for (const method of ["server/discover", "tools/list", "initialize", "nonsense"]) {
        const answer = await mcp(
          server,
          method,
          {},
          {
            meta: { [PROTOCOL_VERSION]: version },
            headers: { "mcp-protocol-version": version },
          },
        );
        assert.deepEqual(said(answer), [400, -32022, 1], version);
        assert.deepEqual(answer.error?.data?.["supported"], [VERSION]);
        assert.equal(answer.error?.data?.["requested"], version.slice(0, 100));
      }
    }
  });

  it("is refused so even where only the header names it: a later version may say it nowhere else", async () => {
    await using server = await startServer();
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}';
    const answer = await mcpText(server, body, { "mcp-protocol-version": "2099-01-01" });
    assert.deepEqual(said(answer), [400, -32022, 1]);
    assert.equal(answer.error?.data?.["requested"], "2099-01-01");
  });
});

describe("a method", { concurrency: true }, () => {
  it("[MCP-3] that this revision does not have is answered with 404 and -32601, and those there are", async () => {
    await using server = await startServer();
    for (const method of [
      "initialize",
      "ping",
      "logging/setLevel",
      "resources/subscribe",
      "resources/unsubscribe",
      "tasks/list",
      "sampling/createMessage",
      "",
      "tools/List",
      "tools/list ",
      "rpc.discover",
    ]) {
      const answer = await mcp(server, method, {}, { headers: { "mcp-method": method.trim() } });
      if (method.endsWith(" ")) assert.deepEqual(said(answer), [400, -32020, 1]);
      else assert.deepEqual(said(answer), [404, -32601, 1], method);
      if (answer.status === 404) assert.match(answer.error?.message ?? "", /server\/discover, tools\/list/);
    }
  });

  it("of any length is named in part", async () => {
    await using server = await startServer();
    const answer = await mcp(server, "x".repeat(10_000));
    assert.deepEqual(said(answer), [404, -32601, 1]);
    assert.ok(answer.text.length < 500);
  });
});

describe("progress", { concurrency: true }, () => {
  const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 20 } };

  it("[MCP-4] is told on a stream to who gave a token, and grows; the result ends the stream", async () => {
    await using server = await startServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (const progressToken of ["text", 7, 0, ""]) {
      const asked = mcp(server, "tools/call", wait, { meta: { progressToken }, agent });
      await until("it waits", () => server.hub.size === 1);
      await server.publish("a", "x");
      const answer = await asked;
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], "text/event-stream; charset=utf-8");
      assert.equal(answer.headers["x-accel-buffering"], "no");
      assert.ok(answer.notifications.length > 0);
      let before = -1;
      for (const { method, params } of answer.notifications) {
        assert.equal(method, "notifications/progress");
        assert.equal(params?.["progressToken"], progressToken);
        assert.equal(params?.["total"], 20);
        assert.ok((params?.["progress"] as number) > before);
        before = params?.["progress"] as number;
      }
      assert.equal(answer.id, 1);
      assert.equal((resultOf(answer)["structuredContent"] as { messages: unknown[] }).messages.length, 1);
    }
    // One connection served them all.
    assert.equal(Object.values(agent.freeSockets).flat().length, 1);
    agent.destroy();
  });

  it("[MCP-4] is left out if the client takes no events, and the answer is JSON", async () => {
    await using server = await startServer();
    const headers = { accept: "application/json" };
    const asked = mcp(server, "tools/call", wait, { meta: { progressToken: 1 }, headers });
    await until("it waits", () => server.hub.size === 1);
    await server.publish("a", "x");
    const answer = await asked;
    assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "application/json; charset=utf-8"]);
    assert.equal(answer.id, 1);
  });

  it("is not told without a token, nor of a method that takes no time", async () => {
    await using server = await startServer();
    const asked = mcp(server, "tools/call", wait);
    await until("it waits", () => server.hub.size === 1);
    await server.publish("a", "x");
    const quick = await mcp(server, "tools/list", {}, { meta: { progressToken: 1 } });
    for (const answer of [await asked, quick]) {
      assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "application/json; charset=utf-8"]);
      assert.deepEqual(answer.notifications, []);
    }
  });

  it("that would not grow is left out", async () => {
    const tool = counting([1, 1, 3, 2, 3, 4]);
    await using server = await startServer({}, { tools: [tool] });
    const answer = await mcp(server, "tools/call", { name: "count" }, { meta: { progressToken: 1 } });
    assert.deepEqual(
      answer.notifications.map(({ params }) => params?.["progress"]),
      [1, 3, 4],
    );
  });
});

describe("a caller that closes its connection", { concurrency: true }, () => {
  const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } };

  it("[MCP-4] cancels its request, whether it is answered as a stream or not: the wait ends and nothing is left", async () => {
    await using server = await startServer();
    const streams = await Promise.all(
      Array.from({ length: 10 }, () => McpStream.open(server, "tools/call", wait, { meta: { progressToken: 1 } })),
    );
    const wires = await Promise.all(Array.from({ length: 10 }, () => server.wire()));
    const { headers, body } = mcpRequest("tools/call", wait);
    const lines = Object.entries({ ...headers, host: "localhost", "content-length": body.length }).map(
      ([name, value]) => `${name}: ${String(value)}`,
    );
    for (const wire of wires) wire.send(["POST /mcp HTTP/1.1", ...lines], body);
    await until("all wait", () => server.hub.size === 20);
    assert.equal(await server.metric('sse_mcp_connections{door="waiting"}'), 20);
    for (const stream of streams) stream.close();
    for (const [index, { socket }] of wires.entries()) {
      if (index % 2 === 0) socket.resetAndDestroy();
      else socket.end();
    }
    await until("all waits have ended", () => server.hub.size === 0);
    assert.equal(await server.metric('sse_mcp_connections{door="waiting"}'), 0);
    for (const wire of wires) wire[Symbol.dispose]();
  });

  it("is noticed by its signal, and what the tool does afterwards goes nowhere", async () => {
    const { promise: noticed, resolve } = Promise.withResolvers<void>();
    const tool: ToolDefinition = {
      listing: { name: "late", description: "", inputSchema: { type: "object" } },
      async call(_, call) {
        call.progress?.(1);
        await new Promise<void>((done) => call.signal.addEventListener("abort", () => done()));
        call.progress?.(2);
        call.log("error", "gone");
        resolve();
        return { content: [] };
      },
    };
    await using server = await startServer({}, { tools: [tool] });
    const stream = await McpStream.open(
      server,
      "tools/call",
      { name: "late" },
      { meta: { progressToken: 1, [LOG_LEVEL]: "debug" } },
    );
    await stream.next();
    stream.close();
    await noticed;
    assert.equal((await mcp(server, "tools/list")).status, 200);
  });
});

describe("a server that stops", { concurrency: true }, () => {
  it("answers the last of those who wait, whichever form the answer has", async () => {
    const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 50 } };
    for (const meta of [{}, { progressToken: 1 }]) {
      await using server = await startServer();
      const asked = mcp(server, "tools/call", wait, { meta });
      await until("it waits", () => server.hub.size === 1);
      await server.close();
      assert.deepEqual((resultOf(await asked)["structuredContent"] as { messages: unknown[] }).messages, []);
    }
  });
});

describe("log messages", { concurrency: true }, () => {
  const LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const;
  const tool: ToolDefinition = {
    listing: { name: "chatty", description: "", inputSchema: { type: "object" } },
    async call(_, call) {
      for (const level of LEVELS) call.log(level, { said: level }, "test");
      return { content: [] };
    },
  };

  it("come from the level on that the request names, before the result", async () => {
    await using server = await startServer({}, { tools: [tool] });
    for (const [index, level] of LEVELS.entries()) {
      const answer = await mcp(server, "tools/call", { name: "chatty" }, { meta: { [LOG_LEVEL]: level } });
      assert.deepEqual(
        answer.notifications.map(({ method, params }) => [method, params?.["level"], params?.["logger"]]),
        LEVELS.slice(index).map((name) => ["notifications/message", name, "test"]),
      );
      assert.equal(answer.result?.["resultType"], "complete");
    }
  });

  it("do not come where the request names no level", async () => {
    await using server = await startServer({}, { tools: [tool] });
    const answer = await mcp(server, "tools/call", { name: "chatty" }, { meta: { progressToken: 1 } });
    assert.deepEqual([answer.notifications, answer.headers["content-type"]], [[], "application/json; charset=utf-8"]);
  });

  it("are announced as a capability where what is offered may send some", async () => {
    await using plain = await startServer();
    await using chatty = await startServer({}, { tools: [tool] });
    const capabilities = async (server: { url: string }): Promise<object> =>
      (await mcp(server, "server/discover")).result?.["capabilities"] as object;
    assert.deepEqual(Object.keys(await capabilities(plain)).sort(), [
      "completions",
      "events",
      "extensions",
      "prompts",
      "resources",
      "tools",
    ]);
    assert.deepEqual(Object.keys(await capabilities(chatty)).sort(), [
      "completions",
      "events",
      "extensions",
      "logging",
      "prompts",
      "resources",
      "tools",
    ]);
  });
});

describe("a client that does not read its stream", { concurrency: true }, () => {
  it("is cut off when more waits for it than may, and what it asked for is cancelled", async () => {
    const text = "x".repeat(64 * 1024);
    const { promise: cancelled, resolve } = Promise.withResolvers<number>();
    const tool: ToolDefinition = {
      listing: { name: "flood", description: "", inputSchema: { type: "object" } },
      async call(_, call) {
        let sent = 0;
        while (!call.signal.aborted && sent < 20_000) {
          call.log("info", text);
          sent++;
          await new Promise<void>((next) => setImmediate(next));
        }
        resolve(sent);
        return { content: [] };
      },
    };
    await using server = await startServer({ maxPendingBytes: 1024 * 1024 }, { tools: [tool] });
    const stream = await McpStream.open(server, "tools/call", { name: "flood" }, { meta: { [LOG_LEVEL]: "info" } });
    stream.reader.freeze();
    const sent = await cancelled;
    assert.ok(sent < 1000, `${sent} messages were taken for a client that reads none`);
    stream.close();
  });

  it("is not what one is whose tool says more in one turn than a socket takes in it", async () => {
    const text = "x".repeat(64 * 1024);
    const tool: ToolDefinition = {
      listing: { name: "burst", description: "", inputSchema: { type: "object" } },
      async call(_, call) {
        for (let sent = 0; sent < 50; sent++) call.log("info", text);
        return { content: [] };
      },
    };
    await using server = await startServer({ maxPendingBytes: 1024 * 1024 }, { tools: [tool] });
    const stream = await McpStream.open(server, "tools/call", { name: "burst" }, { meta: { [LOG_LEVEL]: "info" } });
    for (let told = 0; told < 50; told++) assert.equal((await stream.next()).method, "notifications/message");
    assert.deepEqual((await stream.next()).result?.["content"], []);
    stream.close();
  });
});

describe("what fails", { concurrency: true }, () => {
  it("inside is answered with -32603 and no detail, and logged in one line; what a caller gets wrong is not logged", async () => {
    using folder = new TemporaryFolder();
    const logFile = folder.file("hub.log");
    const broken: ToolDefinition = {
      listing: { name: "broken", description: "", inputSchema: { type: "object" } },
      call: () => Promise.reject(new Error("the secret of /etc/passwd")),
    };
    await using server = await startServer({ logLevel: "info", logFile }, { tools: [broken] });
    for (const [method, params] of [
      ["nonsense", {}],
      ["tools/call", { name: "nobody" }],
      ["tools/call", { name: "read_messages", arguments: { channel: "a b" } }],
      ["resources/read", { uri: "hub://channels/a b" }],
      ["prompts/get", { name: "catch_up", arguments: { channel: "*" } }],
      ["tools/list", { cursor: "x" }],
    ] as const) {
      await mcp(server, method, params);
      await mcp(server, method, params, { headers: { "mcp-method": "other" } });
      await mcp(server, method, params, { meta: { [PROTOCOL_VERSION]: "1900-01-01" } });
    }
    for (const body of ["", "{", "[]", "[".repeat(1000), "x".repeat(2_000_000)]) await mcpText(server, body);
    const answer = await mcp(server, "tools/call", { name: "broken" });
    assert.deepEqual([answer.status, answer.error?.code], [200, -32603]);
    assert.ok(!answer.text.includes("secret") && !answer.text.includes("passwd"));
    const lines = (): string[] =>
      readFileSync(logFile, "utf8")
        .split("\n")
        .filter((line) => line !== "" && !line.includes("Server listening"));
    await until("it is logged", () => lines().length > 0);
    assert.equal(lines().length, 1, lines().join("\n"));
    assert.match(lines()[0] ?? "", /the secret of.*an MCP method failed/);
  });

  it("[MCP-3] for want of room says when to come back, and nothing is left of it", async () => {
    await using server = await startServer({ maxConnections: 1 });
    using reader = await server.events();
    const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 5 } };
    for (const answer of [
      await mcp(server, "tools/call", wait),
      await mcp(server, "subscriptions/listen", { notifications: { resourcesListChanged: true } }),
    ]) {
      assert.deepEqual([answer.status, answer.error?.code], [200, 503]);
      assert.deepEqual(answer.error?.data, { code: "TOO_MANY_CONNECTIONS", retry: true });
      assert.equal(answer.headers["retry-after"], "2");
    }
    const missing = await mcp(server, "tools/call", { name: "nobody" });
    assert.deepEqual([missing.error?.code, missing.headers["retry-after"]], [-32602, undefined]);
    reader.close();
    await until("the reader is gone", () => server.hub.size === 0);
    const again = McpStream.open(server, "subscriptions/listen", { notifications: {} });
    assert.equal((await (await again).next()).method, "notifications/subscriptions/acknowledged");
    (await again).close();
  });
});

describe("input asked for", { concurrency: true }, () => {
  const form = {
    method: "elicitation/create",
    params: { message: "?", requestedSchema: { type: "object", properties: {} } },
  } as const;
  const url = {
    method: "elicitation/create",
    params: { mode: "url", message: "?", url: "https://example.com" },
  } as const;
  const sampling = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } } as const;
  const withTools = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1, tools: [] } } as const;
  const roots = { method: "roots/list" } as const;
  const asking: ToolDefinition = {
    listing: { name: "ask", description: "", inputSchema: { type: "object" } },
    async call(input = {}) {
      const requests = { form, url, sampling, withTools, roots };
      const { what } = input as { what: (keyof typeof requests)[] };
      const asked = what.map((name) => [name, requests[name]]);
      return { resultType: "input_required", inputRequests: Object.fromEntries(asked) };
    },
  };

  it("goes to a client that has said it can give it, and says nothing of caching", async () => {
    await using server = await startServer({}, { tools: [asking] });
    for (const [what, capabilities] of [
      [["form"], { elicitation: {} }],
      [["form"], { elicitation: { form: {} } }],
      [["url"], { elicitation: { url: {} } }],
      [["form", "url"], { elicitation: { form: {}, url: {} } }],
      [["sampling"], { sampling: {} }],
      [["withTools"], { sampling: { tools: {} } }],
      [["roots"], { roots: {} }],
    ] as const) {
      const answer = await mcp(
        server,
        "tools/call",
        { name: "ask", arguments: { what } },
        { meta: { [CLIENT_CAPABILITIES]: capabilities } },
      );
      assert.deepEqual([answer.status, answer.error], [200, undefined], JSON.stringify(what));
      assert.equal(answer.result?.["resultType"], "input_required");
      assert.deepEqual(Object.keys(answer.result?.["inputRequests"] as object), what);
      assert.deepEqual(Object.keys(resultOf(answer)).sort(), ["_meta", "inputRequests", "resultType"]);
      assert.deepEqual(Object.keys(resultOf(answer)["_meta"] as object), [SERVER_INFO]);
    }
  });

  it("is refused with -32021 to one that has not, and the answer names what is missing", async () => {
    await using server = await startServer({}, { tools: [asking] });
    for (const [what, capabilities, required] of [
      [["form"], {}, { elicitation: { form: {} } }],
      [["form"], { elicitation: { url: {} } }, { elicitation: { form: {} } }],
      [["url"], {}, { elicitation: { url: {} } }],
      [["url"], { elicitation: {} }, { elicitation: { url: {} } }],
      [["form", "url"], {}, { elicitation: { form: {}, url: {} } }],
      [["url"], { elicitation: true }, { elicitation: { url: {} } }],
      [["sampling", "roots"], { elicitation: {} }, { sampling: {}, roots: {} }],
      [["withTools"], { sampling: {} }, { sampling: { tools: {} } }],
      [["roots"], { roots: null }, { roots: {} }],
    ] as const) {
      const answer = await mcp(
        server,
        "tools/call",
        { name: "ask", arguments: { what } },
        { meta: { [CLIENT_CAPABILITIES]: capabilities } },
      );
      assert.deepEqual(said(answer), [400, -32021, 1], JSON.stringify([what, capabilities]));
      assert.deepEqual(answer.error?.data, { requiredCapabilities: required });
    }
  });
});

it("requests that come down one connection together are answered in their order", async () => {
  await using server = await startServer();
  using wire = await server.wire();
  const wait = mcpRequest(
    "tools/call",
    { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 20 } },
    { id: 0 },
  );
  const all = [wait, ...Array.from({ length: 5 }, (_, n) => mcpRequest("tools/list", {}, { id: n + 1 }))];
  for (const { headers, body } of all) {
    const lines = Object.entries({ ...headers, host: "localhost", "content-length": body.length });
    wire.send(["POST /mcp HTTP/1.1", ...lines.map(([name, value]) => `${name}: ${String(value)}`)], body);
  }
  await until("the first waits", () => server.hub.size === 1);
  await server.publish("a", 1);
  for (const [index] of all.entries()) {
    const { status, headers, body } = await wire.response();
    assert.equal(
      answerOf(index === 0 ? "tools/call" : "tools/list", { status, headers, text: body, json: () => null }).id,
      index,
    );
  }
});

function counting(steps: readonly number[]): ToolDefinition {
  return {
    listing: { name: "count", description: "", inputSchema: { type: "object" } },
    async call(_, call) {
      for (const step of steps) call.progress?.(step);
      return { content: [] };
    },
  };
}
