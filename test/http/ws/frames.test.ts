import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Frame } from "../../support/frame-reader.ts";
import { startServer, type ToolAnswer } from "../../support/server.ts";

describe("a frame", () => {
  it("ping is answered with pong, with its id where it has one", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    assert.deepEqual(await reader.ask({ type: "ping" }), { type: "pong" });
    assert.deepEqual(await reader.ask({ type: "ping", id: 7 }), { type: "pong", id: 7 });
    assert.deepEqual(await reader.ask({ type: "ping", id: "x" }), { type: "pong", id: "x" });
    assert.deepEqual(await reader.ask({ type: "ping", id: null }), { type: "pong" });
  });

  it("[WS-2] mcp_call is answered with the same result as over HTTP", async () => {
    await using server = await startServer();
    using reader = await server.frames("?channel=");
    await reader.next();
    await server.publish("a", { text: "kept" });
    const calls: readonly (readonly [string, object])[] = [
      ["get_server_info", {}],
      ["list_channels", {}],
      ["read_messages", { channel: "a" }],
      ["wait_for_messages", { channels: ["a"], after: "earliest" }],
      ["send_sse_message", {}],
      ["read_messages", { channel: 7 }],
    ];
    for (const [tool, input] of calls) {
      const over = await server.call(tool, input);
      const { result, ...rest } = await reader.ask({ type: "mcp_call", tool, arguments: input, id: 1 });
      assert.deepEqual(rest, { type: "mcp_result", id: 1, tool });
      assert.deepEqual(result, over);
    }
    const sent = await reader.ask({ type: "mcp_call", tool: "send_sse_message", arguments: { message: "x" } });
    const { structuredContent, content } = sent["result"] as ToolAnswer;
    assert.deepEqual(Object.keys(structuredContent), ["id", "channel", "time", "receivers"]);
    assert.match(content[0]?.text ?? "", /^Sent to 0 readers on "default" \(id .+\)$/);
  });

  it("mcp_call of a tool that is not there is an error that names it", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    const error = await reader.ask({ type: "mcp_call", tool: "launch", id: 1 });
    assert.deepEqual([error.type, error["id"], error["code"]], ["error", 1, "UNKNOWN_TOOL"]);
    assert.match(String(error["message"]), /"launch"/);
  });

  it("publish is answered with a receipt, and the message comes like any other", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    const frames = [
      await reader.ask({ type: "publish", channel: "default", data: [1], event: "e", sender: "me", id: "p" }),
      await reader.next(),
    ];
    const published = frames.find(({ type }) => type === "published") as Frame;
    const message = frames.find(({ type }) => type === "message") as Frame;
    const { id, time } = published["message"] as { id: string; time: string };
    assert.deepEqual(published, {
      type: "published",
      id: "p",
      message: { id, channel: "default", time, receivers: 1 },
    });
    assert.deepEqual(message, { type: "message", id, channel: "default", event: "e", data: [1], sender: "me", time });
  });

  it("publish takes ephemeral messages, and any JSON value, null and __proto__ among them", async () => {
    await using server = await startServer();
    using reader = await server.frames("?channel=a");
    await reader.next();
    reader.send({ type: "publish", channel: "a", data: "now", ephemeral: true });
    const message = await reader.nextOf("message");
    assert.deepEqual([message["id"], message["data"]], [null, "now"]);
    reader.send({ type: "publish", channel: "a", data: null });
    assert.equal((await reader.nextOf("message"))["data"], null);
    reader.send('{"type":"publish","channel":"a","data":{"__proto__":{"x":1},"constructor":{"prototype":1}}}');
    const { data } = await reader.nextOf("message");
    assert.equal(JSON.stringify(data), '{"__proto__":{"x":1},"constructor":{"prototype":1}}');
    assert.equal(server.hub.log.size().messages, 2);
  });

  it("[WS-4] subscribe and unsubscribe change what comes, and overlapping ones bring nothing twice", async () => {
    await using server = await startServer();
    using reader = await server.frames("?channel=");
    await reader.next();
    const subscribed = await reader.ask({ type: "subscribe", channels: ["orders.*", "orders.eu", "orders.*"], id: 1 });
    assert.deepEqual(subscribed, { type: "subscribed", id: 1, channels: ["orders.*", "orders.eu"] });
    await server.publish("orders.eu", 1);
    assert.equal((await reader.next())["data"], 1);
    await reader.ask({ type: "subscribe", channels: ["*"] });
    await server.publish("orders.eu", 2);
    assert.equal((await reader.next())["data"], 2);
    const unsubscribed = await reader.ask({ type: "unsubscribe", channels: ["*", "orders.*", "never"], id: 2 });
    assert.deepEqual(unsubscribed, { type: "unsubscribed", id: 2, channels: ["*", "orders.*", "never"] });
    await server.publish("orders.us", "not ours");
    await server.publish("orders.eu", 3);
    assert.equal((await reader.next())["data"], 3);
    await reader.ask({ type: "unsubscribe", channels: ["orders.eu"] });
    await server.publish("orders.eu", "not ours");
    assert.equal((await reader.ask({ type: "ping" })).type, "pong");
  });

  it("[WS-3] that is wrong is answered with an error that names the field, and the connection stays", async () => {
    await using server = await startServer({ maxChannelsPerReader: 3 });
    using reader = await server.frames();
    await reader.next();
    const bad: readonly (readonly [object, string, RegExp])[] = [
      [{}, "INVALID_REQUEST", /type is missing or no string; use mcp_call, subscribe/],
      [{ type: 7 }, "INVALID_REQUEST", /type is missing or no string/],
      [{ type: "__proto__" }, "INVALID_REQUEST", /type is "__proto__"/],
      [{ type: "toString" }, "INVALID_REQUEST", /type is "toString"/],
      [{ type: "mcp_call" }, "INVALID_REQUEST", /mcp_call: tool is missing; give a string/],
      [{ type: "subscribe" }, "INVALID_REQUEST", /subscribe: channels is missing; give an array/],
      [
        { type: "subscribe", channels: ["a"], "last\u2028id": "x" },
        "INVALID_REQUEST",
        /unknown property "last\\u2028id"; a cursor is given as last_event_id/,
      ],
      [{ type: "subscribe", channels: [] }, "INVALID_REQUEST", /channels/],
      [{ type: "subscribe", channels: 7 }, "INVALID_REQUEST", /channels must be an array, not a number/],
      [{ type: "subscribe", channels: Array(20_000).fill(0) }, "TOO_MANY_CHANNELS", /channels names 20000/],
      [{ type: "subscribe", channels: [7] }, "INVALID_REQUEST", /channels\.0 must be a string, not a number/],
      [{ type: "subscribe", channels: ["a.*.b"] }, "INVALID_PATTERN", /stands alone/],
      [{ type: "subscribe", channels: ["hub.secret"] }, "INVALID_PATTERN", /reserved/],
      [
        { type: "subscribe", channels: ["a", "b", "c"] },
        "TOO_MANY_CHANNELS",
        /this reader would have 4 channels; at most 3/i,
      ],
      [
        { type: "subscribe", channels: ["a", "b", "c", "d"] },
        "TOO_MANY_CHANNELS",
        /4 channels are asked for; at most 3/,
      ],
      [{ type: "publish", channel: "a" }, "INVALID_REQUEST", /data is missing; give any JSON value/],
      [{ type: "publish", channel: "a", data: 1, event: "open" }, "INVALID_MESSAGE", /use another name/],
      [{ type: "publish", data: 1 }, "INVALID_REQUEST", /channel is missing; give a string/],
      [{ type: "publish", channel: "../x", data: 1 }, "INVALID_CHANNEL", /words of letters/],
      [{ type: "publish", channel: "orders.*", data: 1 }, "INVALID_CHANNEL", /words of letters/],
      [{ type: "publish", channel: "a", data: 1, event: "a\nb" }, "INVALID_MESSAGE", /event must be one line/],
      [{ type: "publish", channel: "a", data: "\ud800" }, "INVALID_MESSAGE", /half a surrogate pair/],
      [{ type: "ping", id: {} }, "INVALID_REQUEST", /id/],
      [{ type: "ping", id: 2 ** 53 }, "INVALID_REQUEST", /id: it must be .* up to 9007199254740991/],
    ];
    for (const [frame, code, sentence] of bad) {
      const error = await reader.ask({ id: 5, ...frame });
      const { type, retry, retryAfter } = error;
      assert.deepEqual(
        [type, error["code"], retry, retryAfter],
        ["error", code, false, undefined],
        JSON.stringify(frame),
      );
      assert.match(String(error["message"]), sentence);
      if (!("id" in frame)) assert.equal(error["id"], 5);
    }
    assert.equal(server.hub.stats.published, 0);
    assert.equal((await reader.ask({ type: "ping" })).type, "pong");
  });

  it("[WS-3] is answered without an id if its id is a number that no double holds", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    const answer = await reader.ask('{"type":"ping","id":1e400}');
    assert.deepEqual([answer["code"], "id" in answer], ["INVALID_REQUEST", false]);
  });

  it("may begin with a byte order mark, and ends the connection with 1007 if it is not UTF-8", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    assert.equal((await reader.ask('\uFEFF{"type":"ping"}')).type, "pong");
    reader.ws.send(Buffer.from('{"type":"publish","channel":"a","data":"Gr\xfc\xdfe"}', "latin1"), { binary: false });
    assert.equal((await reader.closed).code, 1007);
    assert.equal(server.hub.stats.published, 0);
  });
});
