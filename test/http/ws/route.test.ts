import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RefusedUpgrade } from "../../support/frame-reader.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

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
      ["GET /ws/x HTTP/1.1", HANDSHAKE, 404, /it is at \/ws/],
      ["GET /events HTTP/1.1", HANDSHAKE, 404, /it is at \/ws/],
      ["POST /ws HTTP/1.1", HANDSHAKE, 400, /handshake is wrong/],
      ["GET /ws HTTP/1.1", HANDSHAKE.slice(0, 4), 400, /Sec-WebSocket-Key/],
      ["GET /ws HTTP/1.1", HANDSHAKE.map((line) => line.replace("13", "7")), 400, /Sec-WebSocket-Version/],
      ["GET /ws?channel=a.*.b HTTP/1.1", HANDSHAKE, 400, /stands alone/],
      ["GET /ws?channel=%E0%A4%A HTTP/1.1", HANDSHAKE, 400, /"channel" is not percent-encoded UTF-8/],
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
