import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RefusedUpgrade, type Frame } from "../support/frame-reader.ts";
import { startServer, type ToolAnswer } from "../support/server.ts";
import { until } from "../support/until.ts";

const HANDSHAKE = [
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

describe("GET /ws", () => {
  it("[WS-1] says welcome first, with what it is subscribed to and where it starts", async () => {
    await using server = await startServer();
    const { id } = await server.publish("default", "before");
    using plain = await server.frames();
    const { type, channels, heartbeatSeconds, ...rest } = await plain.next();
    assert.deepEqual([type, channels, rest["id"], heartbeatSeconds], ["welcome", ["default"], id, 300]);
    assert.deepEqual(Object.keys(rest).sort(), ["id", "name", "version"]);
    using some = await server.frames("?channel=a,b.*&channel=a");
    assert.deepEqual((await some.next())["channels"], ["a", "b.*"]);
    using none = await server.frames("?channel=");
    assert.deepEqual((await none.next())["channels"], []);
  });

  it("brings each message whole", async () => {
    await using server = await startServer();
    using reader = await server.frames();
    await reader.next();
    const { id, time } = await server.publish("default", { a: ["\r\n", "\u2028", "é😀"] });
    const data = { a: ["\r\n", "\u2028", "é😀"] };
    assert.deepEqual(await reader.next(), {
      type: "message",
      id,
      channel: "default",
      event: "message",
      data,
      sender: "anyone",
      time,
    });
  });

  it("brings messages of every length that its frames count differently", async () => {
    await using server = await startServer({ maxMessageBytes: 200_000 });
    using reader = await server.frames();
    await reader.next();
    for (const length of [0, 1, 20, 60, 125, 126, 65_400, 65_535, 65_536, 150_000]) {
      await server.publish("default", "x".repeat(length));
      assert.equal(((await reader.next())["data"] as string).length, length);
    }
  });

  it("answers a request that is no WebSocket handshake with 426, and says what would be", async () => {
    await using server = await startServer();
    const answer = await server.request("/ws");
    assert.deepEqual([answer.status, answer.headers["upgrade"]], [426, "websocket"]);
    assert.match((answer.json() as { detail: string }).detail, /new WebSocket\(\)/);
  });

  it("answers a handshake that is wrong, or on another path, with a problem", async () => {
    await using server = await startServer();
    const bad: readonly (readonly [string, readonly string[], number, RegExp])[] = [
      ["GET /ws/ HTTP/1.1", HANDSHAKE, 404, /it is at \/ws/],
      ["GET /events HTTP/1.1", HANDSHAKE, 404, /it is at \/ws/],
      ["POST /ws HTTP/1.1", HANDSHAKE, 400, /handshake is wrong/],
      ["GET /ws HTTP/1.1", HANDSHAKE.slice(0, 4), 400, /Sec-WebSocket-Key/],
      ["GET /ws HTTP/1.1", HANDSHAKE.map((line) => line.replace("13", "7")), 400, /Sec-WebSocket-Version/],
      ["GET /ws?channel=a.*.b HTTP/1.1", HANDSHAKE, 400, /stands alone/],
      ["GET /ws?channel=%E0%A4%A HTTP/1.1", HANDSHAKE, 400, /words of letters/],
    ];
    for (const [line, headers, status, sentence] of bad) {
      using wire = await server.wire();
      wire.send([line, ...headers]);
      const answer = await wire.response();
      assert.equal(answer.status, status, line);
      assert.match((JSON.parse(answer.body) as { detail: string }).detail, sentence);
    }
    await until(
      "all are counted out",
      async () => (await server.metric('sse_mcp_connections{door="websocket"}')) === 0,
    );
  });

  it("takes frames that come with the handshake", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 + 15, 0, 0, 0, 0]), Buffer.from('{"type":"ping"}')]);
    wire.socket.write(Buffer.concat([Buffer.from(`GET /ws HTTP/1.1\r\n${HANDSHAKE.join("\r\n")}\r\n\r\n`), frame]));
    await until("the answer", () => wire.text.includes('{"type":"pong"}'));
  });

  it("refuses a reader while the server stops", async () => {
    await using server = await startServer({ drain: 1 });
    using first = await server.frames();
    using second = await server.frames();
    await first.next();
    await second.next();
    const closing = server.close();
    await assert.rejects(server.frames(), (error) => error instanceof RefusedUpgrade && error.status === 503);
    assert.deepEqual(await first.closed, { code: 4002, reason: "shutdown" });
    assert.deepEqual(await second.closed, { code: 4002, reason: "shutdown" });
    await closing;
  });
});

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
      [{}, "INVALID_REQUEST", /type is missing; use mcp_call, subscribe/],
      [{ type: 7 }, "INVALID_REQUEST", /type is 7/],
      [{ type: "__proto__" }, "INVALID_REQUEST", /type is "__proto__"/],
      [{ type: "toString" }, "INVALID_REQUEST", /type is "toString"/],
      [{ type: "mcp_call" }, "INVALID_REQUEST", /mcp_call: tool is missing; give a string/],
      [{ type: "subscribe" }, "INVALID_REQUEST", /subscribe: channels is missing; give an array/],
      [{ type: "subscribe", channels: [] }, "INVALID_REQUEST", /channels/],
      [{ type: "subscribe", channels: "a" }, "INVALID_REQUEST", /channels must be an array, not a string/],
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
      [{ type: "publish", data: 1 }, "INVALID_REQUEST", /channel is missing; give a string/],
      [{ type: "publish", channel: "../x", data: 1 }, "INVALID_CHANNEL", /words of letters/],
      [{ type: "publish", channel: "orders.*", data: 1 }, "INVALID_CHANNEL", /words of letters/],
      [{ type: "publish", channel: "a", data: 1, event: "a\nb" }, "INVALID_MESSAGE", /event must be one line/],
      [{ type: "publish", channel: "a", data: "\ud800" }, "INVALID_MESSAGE", /half a surrogate pair/],
      [{ type: "ping", id: {} }, "INVALID_REQUEST", /id/],
    ];
    for (const [frame, code, sentence] of bad) {
      const error = await reader.ask({ id: 5, ...frame });
      assert.deepEqual([error.type, error["code"]], ["error", code], JSON.stringify(frame));
      assert.match(String(error["message"]), sentence);
      if (!("id" in frame)) assert.equal(error["id"], 5);
    }
    assert.equal(server.hub.stats.published, 0);
    assert.equal((await reader.ask({ type: "ping" })).type, "pong");
  });
});

describe("a WebSocket reader that comes back", () => {
  it("gets what it missed, then live, then what is new", async () => {
    await using server = await startServer();
    const ids = [];
    for (const data of [1, 2, 3]) ids.push((await server.publish("a", data)).id);
    using reader = await server.frames(`?channel=a&last_event_id=${ids[0]}`);
    await reader.next();
    assert.deepEqual([(await reader.next())["data"], (await reader.next())["data"]], [2, 3]);
    assert.deepEqual(await reader.next(), { type: "live", id: ids[2] });
    await server.publish("a", 4);
    assert.equal((await reader.next())["data"], 4);
  });

  it("is told of a gap where its id means nothing here", async () => {
    await using server = await startServer();
    using reader = await server.frames("?last_event_id=garbage");
    await reader.next();
    const gap = await reader.next();
    assert.deepEqual([gap.type, gap["reason"], gap["after"]], ["gap", "unknown_cursor", "garbage"]);
    assert.equal((await reader.next()).type, "live");
    using late = await server.frames();
    await late.next();
    await late.ask({ type: "subscribe", channels: ["b"], last_event_id: "garbage" });
    assert.equal((await late.next()).type, "gap");
    assert.equal((await late.next()).type, "live");
  });

  it("[WS-5] may resume with a subscription, and one without a cursor is live at once", async () => {
    await using server = await startServer();
    const { id } = await server.publish("a", 1);
    await server.publish("a", 2);
    using reader = await server.frames("?channel=");
    await reader.next();
    assert.equal((await reader.ask({ type: "subscribe", channels: ["a"], last_event_id: id })).type, "subscribed");
    assert.equal((await reader.next())["data"], 2);
    assert.equal((await reader.next()).type, "live");
    assert.equal((await reader.ask({ type: "subscribe", channels: ["b"] })).type, "subscribed");
    assert.equal((await reader.ask({ type: "subscribe", channels: ["c"], last_event_id: "" })).type, "subscribed");
    await server.publish("c", 3);
    assert.equal((await reader.next())["data"], 3);
  });
});

describe("the heartbeat of /ws", { concurrency: true }, () => {
  it("says how far the reader has got, and pings; one that answers stays", async () => {
    await using server = await startServer({ heartbeat: 1 });
    using reader = await server.frames("?channel=quiet");
    await reader.next();
    const pinged = new Promise((resolve) => reader.ws.once("ping", resolve));
    const { id } = await server.publish("loud", 1);
    let beat = await reader.next();
    while (beat["id"] !== id) beat = await reader.next();
    assert.deepEqual(beat, { type: "beat", id });
    await pinged;
  });

  it("[WS-7] cuts a client that does not answer pings, and not one that is only busy", async () => {
    await using server = await startServer({ heartbeat: 1 });
    using busy = await server.frames("?channel=");
    await busy.next();
    for (let id = 0; id < 70; id++) {
      busy.send({ type: "mcp_call", tool: "wait_for_messages", arguments: { channels: ["done"] }, id });
    }
    await until("it waits", () => server.hub.size >= 65);
    using silent = await server.wire();
    silent.send(["GET /ws?channel= HTTP/1.1", ...HANDSHAKE]);
    await until("the welcome", () => silent.text.includes("welcome"));
    await until("the silent one is cut", () => silent.closed || silent.ended);
    assert.equal(await server.metric('sse_mcp_connections{door="websocket"}'), 1);
    await server.publish("done", 1);
    for (let id = 0; id < 64; id++) await busy.nextOf("mcp_result");
  });
});
