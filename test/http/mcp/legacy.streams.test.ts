import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EventReader } from "../../support/event-reader.ts";
import { LegacyClient, messagesOf, type RpcMessage } from "../../support/legacy-client.ts";
import { calling, Held, said, tool } from "../../support/legacy-tools.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

/** The next message of a stream, and the id of its event; events without data are passed over. */
async function next(stream: EventReader): Promise<RpcMessage & { readonly event: string }> {
  for (;;) {
    const { data, id } = await stream.next();
    if (data !== "") return { ...(JSON.parse(data) as RpcMessage), event: id ?? "" };
  }
}

function textOf({ result }: RpcMessage): string | undefined {
  return (result?.["content"] as { text: string }[] | undefined)?.[0]?.text;
}

async function opened(server: TestServer): Promise<number> {
  return server.metric('sse_mcp_connections{door="mcp"}');
}

describe("batches in a session", { concurrency: true }, () => {
  it("[MCP-11] are answered where the session speaks 2025-03-26, each request once, notifications among them", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server, { version: "2025-03-26" });
    const answer = await client.post([
      { id: 1, method: "ping" },
      { method: "notifications/initialized" },
      { id: "b", method: "tools/list" },
      { id: 2, method: "no/such" },
    ]);
    assert.equal(answer.status, 200);
    const responses = messagesOf(answer);
    assert.deepEqual(new Set(responses.map(({ id }) => id)), new Set([1, "b", 2]));
    assert.equal(responses.length, 3);
    assert.equal(responses.find(({ id }) => id === 2)?.error?.code, -32601);
    const told = await client.post([{ method: "notifications/initialized" }, { method: "notifications/x" }]);
    assert.equal(told.status, 202);
  });

  it("[MCP-11] are refused in sessions of all other revisions", async () => {
    await using server = await startServer();
    for (const version of ["2025-11-25", "2025-06-18", "2024-11-05"]) {
      const client = await LegacyClient.open(server, { version });
      const answer = await client.post([{ id: 1, method: "ping" }]);
      assert.deepEqual([answer.status, messagesOf(answer)[0]?.error?.code], [400, -32600]);
      assert.match(messagesOf(answer)[0]?.error?.message ?? "", new RegExp(`speaks ${version}`));
    }
  });

  it("have 1 to 100 messages, every one of them right, and no id twice", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server, { version: "2025-03-26" });
    const ping = (id: number): object => ({ id, method: "ping" });
    const many = (count: number): object[] => Array.from({ length: count }, (_, n) => ping(n));
    for (const [body, sentence] of [
      [[], /1 to 100 messages; this one has 0/],
      [many(101), /this one has 101/],
      [[ping(1), ping(2), ping(1)], /use another id/],
      [[ping(1), { id: 2 }], /not a JSON-RPC 2.0 message/],
      [[ping(1), { id: 3, method: "ping", params: [] }], /params must be an object/],
    ] as const) {
      const answer = await client.post(body);
      assert.equal(answer.status, 400);
      assert.match(messagesOf(answer)[0]?.error?.message ?? "", sentence);
    }
    assert.equal(messagesOf(await client.post(many(100))).length, 100);
    assert.equal(messagesOf(await client.post([ping(1)])).length, 1, "refused batches leave no ids behind");
  });

  it("go on for the others when one of their requests is cancelled", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server, { version: "2025-03-26" });
    using stream = await client.stream([calling(1, "hold"), calling(2, "hold"), calling(3, "hold")]);
    await until("all are held", () => held.calls.length === 3);
    await client.post({ method: "notifications/cancelled", params: { requestId: 2 } });
    await until("one is cancelled", () => held.cancelled === 1);
    held.calls[0]?.answer("first");
    assert.equal((await next(stream)).id, 1);
    await client.post({ method: "notifications/cancelled", params: { requestId: 99 } });
    held.calls[2]?.answer("third");
    assert.equal((await next(stream)).id, 3);
    await stream.ended;
    assert.equal(stream.waiting.length, 0, "what was cancelled is not answered");
    assert.deepEqual((await client.ask("ping")).result, {});
  });

  it("keep the ids of their requests in use until the last is answered", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server, { version: "2025-03-26" });
    using stream = await client.stream([{ id: 1, method: "ping" }, calling(2, "hold")]);
    assert.equal((await next(stream)).id, 1);
    assert.equal((await client.post({ id: 1, method: "ping" })).status, 400);
    held.calls[0]?.answer("done");
    assert.equal(textOf(await next(stream)), "done");
    await stream.ended;
    assert.equal((await client.post({ id: 1, method: "ping" })).status, 200);
  });
});

describe("requests in a session", { concurrency: true }, () => {
  it("[MCP-13] are refused with an id that is being answered, even when both come at once", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server);
    const twice = [client.post(calling(1, "hold")), client.post(calling(1, "hold"))];
    const refused = await Promise.race(twice);
    assert.equal(refused.status, 400);
    assert.deepEqual(
      messagesOf(refused).map(({ id, error }) => [id, error?.code]),
      [[1, -32600]],
    );
    using other = await client.stream(calling("1", "hold"));
    await until("a text is another id than a number", () => held.calls.length === 2);
    for (const { answer } of held.calls) answer("x");
    assert.equal(textOf(await next(other)), "x");
    const statuses = (await Promise.all(twice)).map(({ status }) => status);
    assert.deepEqual(new Set(statuses), new Set([200, 400]));
  });

  it("are refused with Retry-After where 256 are being answered", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server, { version: "2025-03-26" });
    const streams = [];
    for (let n = 0; n < 256; n += 64)
      streams.push(await client.stream(Array.from({ length: 64 }, (_, m) => calling(n + m, "hold"))));
    const refused = await client.post(calling("one more", "hold"));
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "2"]);
    assert.deepEqual([messagesOf(refused)[0]?.id, messagesOf(refused)[0]?.error?.code], ["one more", 503]);
    await client.post({ method: "notifications/cancelled", params: { requestId: 0 } });
    using stream = await client.stream(calling("one more", "hold"));
    await until("one more is held", () => held.calls.length === 257);
    for (const { answer } of held.calls) answer("x");
    assert.equal(textOf(await next(stream)), "x");
    for (const one of streams) await one.ended;
    assert.equal((await client.post({ id: 0, method: "ping" })).status, 200);
  });

  it("are answered no more when they are cancelled: their stream ends, their id is free", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server);
    for (const id of [0, "", 7, "x"]) {
      using stream = await client.stream(calling(id, "hold"));
      await until("it is held", () => held.calls.length > held.cancelled);
      const told = await client.post({
        method: "notifications/cancelled",
        params: { requestId: id, reason: "enough" },
      });
      assert.equal(told.status, 202);
      await stream.ended;
      assert.deepEqual(
        stream.waiting.map(({ data }) => data),
        [""],
        "no response comes",
      );
      assert.equal((await client.post({ id, method: "ping" })).status, 200);
    }
    assert.equal(held.cancelled, 4);
  });

  it("go on when what cancels them is malformed, names nobody, or is of another session", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server);
    const stranger = await LegacyClient.open(server);
    using stream = await client.stream(calling(1, "hold"));
    await until("it is held", () => held.calls.length === 1);
    for (const params of [{}, { requestId: "1" }, { requestId: {} }, { requestId: 1, reason: 5 }, undefined]) {
      await client.post({ method: "notifications/cancelled", ...(params === undefined ? {} : { params }) });
    }
    await stranger.post({ method: "notifications/cancelled", params: { requestId: 1 } });
    assert.equal((await client.post({ id: 1, method: "ping" })).status, 400, "its id is in use");
    held.calls[0]?.answer("here");
    assert.equal(textOf(await next(stream)), "here");
  });

  it("have a result of any size: a client is cut for what it leaves behind, not for what it is given", async () => {
    const large = "x".repeat(5_000_000);
    const big = tool("big", async () => said(large));
    await using server = await startServer({ maxPendingBytes: 65_536 }, { tools: [big] });
    const client = await LegacyClient.open(server);
    const answer = await client.post(calling(1, "big"));
    assert.equal(textOf(messagesOf(answer)[0] as RpcMessage), large);
  });
});

describe("a stream that broke", { concurrency: true }, () => {
  it("begins with an id and a time to come back after, where the client understands an event without data", async () => {
    await using server = await startServer();
    for (const version of ["2025-11-25", "2025-06-18"]) {
      const client = await LegacyClient.open(server, { version });
      const { text } = await client.post({ id: 1, method: "ping" });
      const primed = /^id: (\S+)\nretry: 1000\ndata: \n\n/.exec(text);
      assert.equal(primed !== null, version === "2025-11-25");
      using own = await client.listen();
      if (version === "2025-11-25") assert.deepEqual((await own.next()).data, "");
      const { result } = await client.ask("resources/subscribe", { uri: "hub://channels/a" });
      assert.deepEqual(result, {});
      await server.publish("a", 1);
      assert.equal((await next(own)).method, "notifications/resources/updated");
    }
  });

  it("gives the client that vanished the result once, whenever it comes back", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server);
    for (const isAnsweredBefore of [true, false]) {
      const stream = await client.stream(calling(1, "hold"));
      const { id = "" } = await stream.next();
      await until("it is held", () => held.calls.length === 1);
      stream.close();
      const answer = (): void => held.calls.pop()?.answer("late");
      if (isAnsweredBefore) answer();
      using again = await client.listen(id);
      assert.equal(again.status, 200);
      if (!isAnsweredBefore) answer();
      const response = await next(again);
      assert.deepEqual([response.id, textOf(response)], [1, "late"]);
      await again.ended;
      assert.equal(again.waiting.length, 0);
      using nothing = await client.listen(response.event);
      await nothing.ended;
      assert.deepEqual([nothing.status, nothing.waiting.length], [200, 0]);
      assert.equal(held.cancelled, 0, "a connection that breaks cancels nothing");
    }
    await until("nobody is connected", async () => (await opened(server)) === 0);
  });

  it("[MCP-12] is brought what was missed on it, in order, and nothing of any other stream", async () => {
    const calls: { say: (n: number) => void; end: () => void }[] = [];
    const talk = tool(
      "talk",
      ({ name }, call) =>
        new Promise((resolve) => {
          calls.push({
            say: (n) => call.progress?.(n, 100, `${String(name)} ${n}`),
            end: () => resolve(said(`${String(name)} is over`)),
          });
        }),
    );
    await using server = await startServer({}, { tools: [talk] });
    const client = await LegacyClient.open(server);
    using own = await client.listen();
    const started = (id: number, name: string): Promise<EventReader> =>
      client.stream({
        id,
        method: "tools/call",
        params: { name: "talk", arguments: { name }, _meta: { progressToken: name } },
      });
    const first = await started(1, "first");
    using second = await started(2, "second");
    await until("both talk", () => calls.length === 2);
    for (const { say } of calls) for (let n = 1; n <= 3; n++) say(n);
    const seen = [await next(first), await next(first)];
    assert.deepEqual(
      seen.map(({ params }) => params?.["message"]),
      ["first 1", "first 2"],
    );
    first.close();
    for (const { say } of calls) for (let n = 4; n <= 6; n++) say(n);
    for (const { end } of calls) end();
    using again = await client.listen(seen[0]?.event);
    const story: (string | undefined)[] = [];
    for (let n = 0; n < 6; n++) {
      const message = await next(again);
      story.push((message.params?.["message"] as string | undefined) ?? textOf(message));
    }
    assert.deepEqual(story, ["first 2", "first 3", "first 4", "first 5", "first 6", "first is over"]);
    await again.ended;
    await second.ended;
    assert.equal(own.waiting.filter(({ data }) => data !== "").length, 0);
  });

  it("is not brought to another session, nor for an id that never was, and the refusal says what to do", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    const stranger = await LegacyClient.open(server);
    const { text } = await client.post(calling(1, "send_sse_message", { message: "secret" }));
    const [, id = ""] = /^id: (\S+)/.exec(text) ?? [];
    const forged = [
      "x",
      "/",
      "_GET_stream/1",
      `${id.slice(0, -1)}9`,
      id.replace(/^./, "z"),
      "9".repeat(8000),
      "__proto__",
    ];
    for (const [session, ids] of [
      [stranger, [id, ...forged]],
      [client, forged],
    ] as const) {
      for (const one of ids) {
        const answer = await server.request("/mcp", { headers: { ...session.headers, "last-event-id": one } });
        assert.equal(answer.status, 400, one);
        assert.match(messagesOf(answer)[0]?.error?.message ?? "", /leave it out for a new stream/);
        assert.ok(!answer.text.includes("secret"));
      }
    }
    assert.equal(await opened(server), 0);
    using fine = await client.listen(id);
    assert.match(fine.text + (await next(fine)).event, /./);
  });

  it("is taken over by the client that comes back, from a connection that only looks alive", async () => {
    const held = new Held();
    await using server = await startServer({}, { tools: [held.tool] });
    const client = await LegacyClient.open(server);
    using stale = await client.listen();
    const { id: place } = await stale.next();
    using own = await client.listen(place);
    assert.equal(own.status, 200);
    await stale.ended;
    await client.ask("resources/subscribe", { uri: "hub://channels/a" });
    await server.publish("a", 1);
    assert.equal((await next(own)).method, "notifications/resources/updated");

    using posted = await client.stream(calling(1, "hold"));
    const { id } = await posted.next();
    using second = await client.listen(id);
    await posted.ended;
    using third = await client.listen(id);
    await second.ended;
    assert.deepEqual([second.status, third.status], [200, 200]);
    held.calls[0]?.answer("done");
    assert.equal(textOf(await next(third)), "done");
    await third.ended;
    assert.equal(await opened(server), 1);
  });

  it("of the session itself is given anew where what was sent on it is forgotten, and all is said to have changed", async () => {
    const loud = tool("loud", async () => said("x".repeat(3_000_000)));
    await using server = await startServer({}, { tools: [loud] });
    const client = await LegacyClient.open(server);
    await client.ask("resources/subscribe", { uri: "hub://channels/a" });
    await client.ask("resources/subscribe", { uri: "hub://channels/b" });
    const own = await client.listen();
    const { id: place } = await own.next();
    own.close();
    await until("nobody listens", async () => (await opened(server)) === 0);
    await client.post(calling(1, "loud"));
    const busy = await LegacyClient.open(server);
    for (const one of [client, busy, client]) await one.post(calling(2, "loud"));
    using again = await client.listen(place);
    assert.equal(again.status, 200);
    const said3 = [await next(again), await next(again), await next(again)];
    assert.deepEqual(
      new Set(said3.map(({ method, params }) => params?.["uri"] ?? method)),
      new Set(["notifications/resources/list_changed", "hub://channels/a", "hub://channels/b"]),
    );
    for (const forged of ["_GET_stream/999", "_GET_stream/0", "_GET_stream/-1", "_GET_stream/1e0", "_GET_stream/"]) {
      using refused = await client.listen(forged);
      assert.equal(refused.status, 400, forged);
    }
  });

  it("brings more than a client may leave behind, all that was kept", async () => {
    const chatter = tool("chatter", async (_, call) => {
      for (let n = 1; n <= 20; n++) call.log("info", `${n}:${"x".repeat(50_000)}`);
      return said("over");
    });
    await using server = await startServer({ maxPendingBytes: 65_536 }, { tools: [chatter] });
    const client = await LegacyClient.open(server);
    const stream = await client.stream(calling(1, "chatter"));
    const { id } = await stream.next();
    stream.close();
    using again = await client.listen(id);
    for (let n = 1; n <= 20; n++) assert.match(String((await next(again)).params?.["data"]), new RegExp(`^${n}:`));
    assert.equal(textOf(await next(again)), "over");
    await again.ended;
  });
});
