import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventReader } from "../support/event-reader.ts";
import { startServer, type TestServer } from "../support/server.ts";

const HANDSHAKE = [
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];

interface Said {
  readonly status: number;
  readonly code?: string;
  readonly detail?: string;
}

/** What is said to who asks for a stream at both doors, one after the other. */
async function refusals(server: TestServer, query: string): Promise<readonly Said[]> {
  const events = await server.request(`/events?${query}`);
  using wire = await server.wire();
  wire.send([`GET /ws?${query} HTTP/1.1`, ...HANDSHAKE]);
  return [events.json() as Said, JSON.parse((await wire.response()).body) as Said];
}

describe("the cursor of a stream", { concurrency: true }, () => {
  const spellings = [
    "last_event_id",
    "lastEventId",
    "lastEventID",
    "last-event-id",
    "Last-Event-ID",
    "lasteventid",
    "LAST_EVENT_ID",
    "evs_last_event_id",
  ];

  it("[HTTP-22] is understood in every spelling that clients have for it", async () => {
    await using server = await startServer();
    const { id } = await server.publish("default", "seen");
    await server.publish("default", "missed");
    for (const name of spellings) {
      using events = await server.events(`?${name}=${id}`);
      assert.deepEqual([(await events.next()).data, (await events.next()).event], ["missed", "live"], name);
      using frames = await server.frames(`?${name}=${id}`);
      assert.equal((await frames.nextOf("message"))["data"], "missed", name);
    }
  });

  it("[HTTP-22] is that of the header, or else the last one given, and an empty one hides no other", async () => {
    await using server = await startServer();
    const { id } = await server.publish("default", 1);
    await server.publish("default", 2);
    const { id: last } = await server.publish("default", 3);
    for (const [query, lastEventId, first] of [
      [`last_event_id=earliest`, id, "2"],
      [`last_event_id=earliest`, "", "1"],
      [`last_event_id=earliest&lastEventId=${id}`, undefined, "2"],
      [`lastEventId=${id}&last_event_id=`, undefined, "2"],
      [`last_event_id=&evs_last_event_id=${last}`, undefined, JSON.stringify({ id: last })],
      ["last_event_id=", "", undefined],
    ] as const) {
      using events = await server.events(`?${query}`, lastEventId === undefined ? {} : { lastEventId });
      if (first === undefined) {
        await server.publish("other", 0);
        assert.deepEqual(events.waiting, []);
      } else assert.equal((await events.next()).data, first, query);
    }
  });

  it("[HTTP-22] that is only resembled is refused with the right name, whatever its value", async () => {
    await using server = await startServer();
    for (const name of [
      "after",
      "since",
      "cursor",
      "from",
      "offset",
      "last_id",
      "lastId",
      "last-message-id",
      "last_evnt_id",
      "last_event",
      "event_id",
      "eventID",
      "resume",
      "resumeFrom",
      "replay",
      "start",
      "Seq",
      "since_id",
      "after_id",
      "fromId",
      "latest_id",
    ]) {
      for (const { status, code, detail } of await refusals(server, `channel=a&${name}=earliest`)) {
        assert.deepEqual([status, code], [400, "INVALID_INPUT"], name);
        assert.equal(detail, `The parameter "${name}" is not known here; a stream resumes with last_event_id`);
      }
    }
    for (const { detail } of await refusals(server, "last%E2%80%A8id%E2%80%AE=1"))
      assert.match(detail ?? "", /^The parameter "last\\u2028id\\u202e" is not known/);
    for (const { detail } of await refusals(server, "watch=%E2%80%A8"))
      assert.equal(detail, String.raw`watch is "\u2028"; use true or false`);
    for (const said of await refusals(server, "lastEventId=a&lastEventId=b"))
      assert.equal(said.detail, 'The parameter "lastEventId" is given twice');
    assert.equal(await server.metric('sse_mcp_connections{door="sse"}'), 0);
  });

  it("is not resembled by what pages and proxies add", async () => {
    await using server = await startServer();
    for (const query of [
      "_=1",
      "t=1&ts=2&v=3",
      "utm_source=x",
      "cb=%ff",
      "token=x",
      "evs_preamble=1",
      "authorization=x",
      "id=7",
      "last_seen=1",
      "startup=1",
    ]) {
      using events = await server.events(`?channel=a&${query}`);
      const { receivers } = await server.publish("a", 1);
      assert.deepEqual([receivers, (await events.next()).data], [1, "1"], query);
      events.close();
      using frames = await server.frames(`?channel=a&${query}`);
      assert.equal((await frames.next()).type, "welcome");
    }
  });

  it("[HTTP-22] of a subscription by frame is last_event_id, and what resembles it is refused", async () => {
    await using server = await startServer();
    using frames = await server.frames("?channel=");
    await frames.next();
    for (const name of ["lastEventId", "last_id", "after", "since", "cursor"]) {
      const { type, code, message } = await frames.ask({
        type: "subscribe",
        channels: ["a"],
        [name]: "earliest",
        id: 1,
      });
      assert.deepEqual([type, code], ["error", "INVALID_REQUEST"], name);
      assert.equal(message, `subscribe: unknown property "${name}"; a cursor is given as last_event_id`);
    }
    const { type } = await frames.ask({ type: "subscribe", channels: ["a"], trace: "x", id: 2 });
    assert.equal(type, "subscribed");
  });

  it("[HTTP-23] that is not percent-encoded UTF-8 is refused by name, as a channel is", async () => {
    await using server = await startServer();
    for (const [query, name] of [
      ["last_event_id=%ff", "last_event_id"],
      ["lastEventId=%E9", "lastEventId"],
      ["channel=caf%E9", "channel"],
      ["channel=a&channel=%", "channel"],
    ] as const)
      for (const { status, detail } of await refusals(server, query))
        assert.deepEqual([status, detail], [400, `The parameter "${name}" is not percent-encoded UTF-8`], query);
  });
});

describe("the query of a route for data", { concurrency: true }, () => {
  it("[HTTP-23] is refused by name if there is no such parameter, with those there are", async () => {
    await using server = await startServer();
    const { id } = await server.publish("a", 1);
    for (const [method, path, name, known] of [
      ["GET", "/channels/a/messages", "query", "after, before, q, limit"],
      ["GET", "/channels/a/messages", "lastEventId", "after, before, q, limit"],
      ["GET", "/channels/a/messages", "Limit", "after, before, q, limit"],
      ["GET", "/channels", "prefix", "pattern, after, limit"],
      ["POST", "/channels/a/messages", "via", "event, sender, at, delaySeconds, ephemeral"],
      ["POST", "/channels/a/messages", "__proto__", "event, sender, at, delaySeconds, ephemeral"],
    ] as const) {
      const body = method === "POST" ? { body: "x" } : {};
      const answer = await server.request(`${path}?${name}=${id}`, { method, ...body });
      const { code, detail } = answer.json() as Said;
      assert.deepEqual([answer.status, code], [400, "INVALID_INPUT"], name);
      assert.equal(detail, `unknown property "${name}"; there are ${known}`);
    }
    assert.equal(server.hub.stats.published, 1);
  });

  it("[HTTP-23] is refused if a parameter is given twice, is no number, or is not percent-encoded UTF-8", async () => {
    await using server = await startServer();
    for (const [path, sentence] of [
      ["/channels/a/messages?limit=1&limit=2", /^limit/],
      ["/channels/a/messages?limit=abc", /^limit must be a number/],
      ["/channels?limit=1.5", /^limit/],
      ["/channels/a/messages?after=a&after=b", /^after must be a string, not an array/],
      ["/channels/a/messages?after=%ff", /^The parameter "after" is not percent-encoded UTF-8/],
      ["/channels?pattern=%E9", /^The parameter "pattern" is not percent-encoded/],
      ["/channels?%E9=1", /is not percent-encoded/],
    ] as const) {
      const answer = await server.request(path);
      assert.equal(answer.status, 400, path);
      assert.match((answer.json() as Said).detail ?? "", sentence);
    }
    for (const query of ["sender=J%F6rg", "event=%ff", "sender=a%"]) {
      const answer = await server.request(`/channels/a/messages?${query}`, { method: "POST", body: "x" });
      assert.equal(answer.status, 400, query);
      assert.match(
        (answer.json() as Said).detail ?? "",
        /^The parameter "(?:sender|event)" is not percent-encoded UTF-8/,
      );
    }
    assert.equal(server.hub.stats.published, 0);
  });

  it("is of no matter to a probe", async () => {
    await using server = await startServer();
    for (const path of ["/health?t=1&after=x", "/health/live?_=%ff", "/metrics?t=1", "/mcp/tools/list?key=1"]) {
      const method = path.startsWith("/mcp") ? "POST" : "GET";
      assert.equal((await server.request(path, { method })).status, 200, path);
    }
  });
});

it("[PUB-21] an Idempotency-Key that is not ASCII is refused, since its bytes depend on who sends it", async () => {
  await using server = await startServer();
  for (const key of ["caf\u00e9", "\u0085", "\u00c3\u00a9"]) {
    const answer = await server.request("/channels/a/messages", {
      method: "POST",
      body: "x",
      headers: { "idempotency-key": key },
    });
    assert.deepEqual([answer.status, (answer.json() as Said).code], [400, "INVALID_MESSAGE"]);
    assert.match((answer.json() as Said).detail ?? "", /must be ASCII/);
  }
});

it("[MSG-1] events that a browser dispatches by itself are refused at every door, and those of an older log call no handler", async () => {
  await using server = await startServer();
  using frames = await server.frames();
  await frames.next();
  for (const event of ["error", "open", "live", "gap", "endpoint"]) {
    const rest = await server.request(`/channels/default/messages?event=${event}`, { method: "POST", body: "x" });
    assert.deepEqual([rest.status, (rest.json() as Said).code], [400, "INVALID_MESSAGE"], event);
    const frame = await frames.ask({ type: "publish", channel: "default", data: "x", event });
    assert.deepEqual([frame.type, frame["code"]], ["error", "INVALID_MESSAGE"], event);
    const { isError, content } = await server.call("send_sse_message", { message: "x", event });
    assert.equal(isError, true);
    assert.match(content[0]?.text ?? "", /use another name/);
  }
  const kept = { channel: "default", event: "error", data: '"old"', sender: "s" };
  await server.hub.publish(kept as Parameters<TestServer["hub"]["publish"]>[0]);
  for (const format of ["text", "json"]) {
    using events = await EventReader.open(`${server.url}/events?last_event_id=earliest&format=${format}`);
    assert.equal((await events.next()).event, "message");
  }
});
