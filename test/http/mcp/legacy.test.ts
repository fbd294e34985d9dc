import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EventReader } from "../../support/event-reader.ts";
import { ACCEPT, initialize, LegacyClient, messagesOf, rpc, type RpcMessage } from "../../support/legacy-client.ts";
import type { Answer } from "../../support/request.ts";
import { startServer } from "../../support/server.ts";

const VERSIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const PARAMS = { protocolVersion: "2025-11-25", capabilities: {} };

function errorOf(answer: Answer): NonNullable<RpcMessage["error"]> & { id: unknown; status: number } {
  const [message] = messagesOf(answer);
  if (message?.error === undefined) throw new Error(`no error: ${answer.status} ${answer.text}`);
  return { ...message.error, id: message.id, status: answer.status };
}

/** What a stream says next; events without data are passed over. */
async function news(stream: EventReader): Promise<string> {
  for (;;) {
    const { data } = await stream.next();
    if (data !== "") return data;
  }
}

describe("a session of the initialize era", { concurrency: true }, () => {
  it("speaks each of the four revisions when it is asked to, and the newest when asked for one nobody knows", async () => {
    await using server = await startServer();
    for (const version of [...VERSIONS, "2019-01-01", "2099-01-01"]) {
      const answer = await initialize(server, { ...PARAMS, protocolVersion: version });
      const [{ id, result } = {}] = messagesOf(answer);
      assert.deepEqual([answer.status, id], [200, 0]);
      assert.equal(result?.["protocolVersion"], VERSIONS.includes(version) ? version : "2025-11-25");
      assert.deepEqual(Object.keys(result?.["capabilities"] as object).sort(), [
        "completions",
        "events",
        "extensions",
        "logging",
        "prompts",
        "resources",
        "tools",
      ]);
      assert.match(result?.["instructions"] as string, /hub of channels/);
      assert.partialDeepStrictEqual(result, { serverInfo: { name: "sse-mcp-server" } });
    }
  });

  it("has an id that nobody can guess and any header can carry", async () => {
    await using server = await startServer();
    const ids = new Set<string>();
    for (let n = 0; n < 20; n++) ids.add((await LegacyClient.open(server)).session);
    assert.equal(ids.size, 20);
    for (const id of ids) assert.match(id, /^[\x21-\x7e]{64,1023}$/);
  });

  it("answers requests, before `initialized` and after it, and takes notifications with 202", async () => {
    await using server = await startServer();
    const opened = await initialize(server, PARAMS);
    const client = new LegacyClient(server, opened.headers["mcp-session-id"] as string, "2025-11-25");
    assert.deepEqual((await client.ask("ping")).result, {});
    const told = await client.post({ method: "notifications/initialized" });
    assert.deepEqual([told.status, told.text], [202, ""]);
    const { result } = await client.ask("tools/call", {
      name: "send_sse_message",
      arguments: { message: "hi", channel: "a" },
    });
    assert.partialDeepStrictEqual(result, { structuredContent: { channel: "a" } });
  });

  it("[MCP-10] is over after DELETE: every method is answered 404 from then on", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    using stream = await client.listen();
    const ended = await client.end();
    assert.deepEqual([ended.status, ended.text], [200, ""]);
    await stream.ended;
    for (const again of [await client.post({ id: 1, method: "ping" }), await client.end()]) {
      const { status, code, message } = errorOf(again);
      assert.deepEqual([status, code], [404, -32001]);
      assert.match(message, /initialize again/);
    }
    using refused = await client.listen();
    assert.equal(refused.status, 404);
    assert.equal(server.hub.size, 0);
  });

  it("is not found under an id that never was one, whatever it looks like", async () => {
    await using server = await startServer();
    for (const id of ["x", crypto.randomUUID(), "a, b", "9".repeat(8000)]) {
      const answer = await new LegacyClient(server, id, "2025-11-25").post({ id: 5, method: "ping" });
      assert.deepEqual([answer.status, errorOf(answer).code, errorOf(answer).id], [404, -32001, 5]);
    }
  });

  it("is asked for in a sentence where a request names none", async () => {
    await using server = await startServer();
    for (const message of [{ id: 3, method: "tools/list" }, { method: "notifications/initialized" }]) {
      const answer = await server.request("/mcp", { method: "POST", headers: { accept: ACCEPT }, body: rpc(message) });
      const { status, code, message: sentence } = errorOf(answer);
      assert.deepEqual([status, code], [400, -32000]);
      assert.match(sentence, /send initialize to open a session/);
    }
  });

  it("[MCP-10] is needed for GET and DELETE: without it they are answered 405 with Allow", async () => {
    await using server = await startServer();
    for (const method of ["GET", "DELETE"]) {
      const answer = await server.request("/mcp", { method, headers: { accept: ACCEPT } });
      assert.deepEqual([answer.status, answer.headers.allow, errorOf(answer).code], [405, "POST", -32600]);
    }
    const put = await server.request("/mcp", { method: "PUT" });
    assert.deepEqual([put.status, put.headers.allow], [405, "DELETE, GET, POST"]);
  });

  it("[MCP-16] has one stream of its own: one that cannot be read is refused, a second takes the place of the first", async () => {
    await using server = await startServer();
    for (const version of VERSIONS) {
      const client = await LegacyClient.open(server, { version });
      await client.ask("resources/subscribe", { uri: "hub://channels/a" });
      using first = await client.listen();
      assert.deepEqual([first.status, first.headers["content-type"]], [200, "text/event-stream; charset=utf-8"]);
      const unreadable = await server.request("/mcp", {
        headers: { ...client.headers, accept: "application/json, */*;q=0" },
      });
      assert.equal(unreadable.status, 406);
      await server.publish("a", 1);
      assert.match(await news(first), /updated.*hub:..channels.a/, "what was refused took nothing");
      using second = await client.listen();
      assert.equal(second.status, 200);
      await first.ended;
      const posted = await client.post({ id: 1, method: "ping" }, { accept: "text/html" });
      assert.equal(posted.status, 406);
      await client.end();
    }
  });

  it("[MCP-16] tells a client that comes back without an id all that may have changed, and then what does", async () => {
    await using server = await startServer();
    for (const version of VERSIONS) {
      const client = await LegacyClient.open(server, { version });
      await client.ask("resources/subscribe", { uri: `hub://channels/${version}` });
      using stalled = await client.listen();
      stalled.freeze();
      const told = await server.publish(version, 1);
      assert.equal(told.receivers, 0);
      using stream = await client.listen();
      assert.equal(stream.status, 200);
      const both = [await news(stream), await news(stream)].sort();
      assert.match(both[0] ?? "", /list_changed/);
      assert.match(both[1] ?? "", /resources.updated/);
      await server.publish(version, 2);
      assert.match(await news(stream), /resources.updated/);
      assert.equal(await server.metric('sse_mcp_connections{door="mcp"}'), 1);
      await client.end();
      await stream.ended;
    }
  });

  it("[MCP-17] speaks the revision agreed on, whichever the header names, and refuses what is none", async () => {
    await using server = await startServer();
    const ping = { id: 5, method: "ping" };
    for (const version of VERSIONS) {
      const client = await LegacyClient.open(server, { version });
      const { "mcp-protocol-version": _, ...silent } = client.headers;
      for (const named of [undefined, ...VERSIONS]) {
        const headers = { ...silent, ...(named !== undefined && { "mcp-protocol-version": named }) };
        const answer = await server.request("/mcp", { method: "POST", headers, body: rpc(ping) });
        assert.deepEqual([answer.status, messagesOf(answer)[0]?.result], [200, {}]);
        const isPrimed = /^id: \S+\nretry: \d+\ndata: \n\n/.test(answer.text);
        assert.equal(isPrimed, version === "2025-11-25", `${version}, ${named}`);
        const batch = await server.request("/mcp", { method: "POST", headers, body: rpc([ping]) });
        assert.equal(batch.status, version === "2025-03-26" ? 200 : 400, `${version}, ${named}`);
      }
      for (const none of [`${version}, ${version}`, "1999-01-01"]) {
        const wrong = { "mcp-protocol-version": none };
        const attempts: readonly [ask: () => Promise<Answer>, id: number | null][] = [
          [() => client.post(ping, wrong), 5],
          [() => client.post([ping], wrong), null],
          [() => client.post({ method: "notifications/initialized" }, wrong), null],
          [() => server.request("/mcp", { headers: { ...client.headers, ...wrong } }), null],
          [() => client.end(wrong), null],
        ];
        for (const [ask, id] of attempts) {
          const answer = await ask();
          assert.deepEqual([answer.status, errorOf(answer).code, errorOf(answer).id], [400, -32000, id]);
          assert.match(errorOf(answer).message, new RegExp(`"${none}".*speak 2025-11-25, `));
        }
      }
      const ended = await server.request("/mcp", { method: "DELETE", headers: silent });
      assert.equal(ended.status, 200);
    }
  });

  it("is opened whatever revision the header says: none is agreed on yet", async () => {
    await using server = await startServer();
    for (const version of [...VERSIONS, "1999-01-01"]) {
      const answer = await initialize(server, PARAMS, { "mcp-protocol-version": version });
      assert.deepEqual([answer.status, messagesOf(answer)[0]?.result?.["protocolVersion"]], [200, "2025-11-25"]);
    }
  });

  it("is initialized once: a second time is refused, alone or among others, and changes nothing", async () => {
    await using server = await startServer();
    for (const version of ["2025-11-25", "2025-03-26"]) {
      const client = await LegacyClient.open(server, { version });
      const again = { id: 7, method: "initialize", params: { ...PARAMS, clientInfo: { name: "x", version: "1" } } };
      for (const body of [again, [again, { id: 8, method: "ping" }]]) {
        const answer = await client.post(body);
        assert.deepEqual([answer.status, errorOf(answer).code], [400, -32600]);
      }
      assert.deepEqual((await client.ask("ping")).result, {});
    }
  });

  it("is not opened by params that are wrong, and the sentence names the field", async () => {
    await using server = await startServer();
    const wrong: readonly [object, RegExp][] = [
      [{ capabilities: {} }, /params\.protocolVersion is missing/],
      [{ ...PARAMS, protocolVersion: 5 }, /params\.protocolVersion must be a string, not a number/],
      [{ protocolVersion: "2025-11-25" }, /params\.capabilities is missing/],
      [{ ...PARAMS, capabilities: { roots: 5 } }, /params\.capabilities\.roots must be an object/],
    ];
    for (const [params, sentence] of wrong) {
      const answer = await initialize(server, params);
      const { status, code, message, id } = errorOf(answer);
      assert.deepEqual([status, code, id], [400, -32602, 0]);
      assert.match(message, sentence);
      assert.equal(answer.headers["mcp-session-id"], undefined);
    }
    const none = rpc({ id: 1, method: "initialize" });
    const answer = await server.request("/mcp", { method: "POST", headers: { accept: ACCEPT }, body: none });
    assert.match(errorOf(answer).message, /params is missing/);
    assert.equal(server.hub.size, 0, "nothing is left of them");
  });

  it("is not opened by a batch, a notification, or a client that cannot read the answer", async () => {
    await using server = await startServer();
    const request = { id: 1, method: "initialize", params: { ...PARAMS, clientInfo: { name: "x", version: "1" } } };
    const post = (body: string, accept = ACCEPT): Promise<Answer> =>
      server.request("/mcp", { method: "POST", headers: { accept }, body });
    assert.equal((await post(rpc([request]))).status, 400);
    assert.equal((await post(rpc([]))).status, 400);
    assert.equal((await post(rpc({ ...request, id: undefined }))).status, 400);
    assert.equal((await post(rpc(request), "text/html, */*;q=0")).status, 406);
    assert.equal(server.hub.size, 0);
  });
});
