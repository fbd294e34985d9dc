import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draftOf } from "../../support/sample.ts";
import { startServer } from "../../support/server.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

describe("GET /events", () => {
  it("[SSE-1] begins at once with a retry of 2 to 4 seconds, an id and a comment", async () => {
    await using server = await startServer();
    const { id } = await server.publish("default", "before");
    using reader = await server.events();
    await until("the opening", () => reader.ids.length > 0);
    assert.equal(reader.status, 200);
    assert.ok(reader.retry !== undefined && reader.retry >= 2000 && reader.retry <= 4000, String(reader.retry));
    assert.deepEqual([reader.ids, reader.comments, reader.waiting], [[id], ["welcome"], []]);
  });

  it("[SSE-10] tells proxies and caches to leave the stream alone", async () => {
    await using server = await startServer();
    using reader = await server.events();
    assert.equal(reader.headers["content-type"], "text/event-stream; charset=utf-8");
    assert.equal(reader.headers["cache-control"], "no-cache, no-transform");
    assert.equal(reader.headers["x-accel-buffering"], "no");
    assert.equal(reader.headers["content-length"], undefined);
    assert.equal(reader.headers["transfer-encoding"], "chunked");
  });

  it("[SSE-4] brings a message as its text, without an event line, so that onmessage prints it", async () => {
    await using server = await startServer();
    using reader = await server.events();
    const { id } = await server.publish("default", "Hello");
    assert.deepEqual(await reader.next(), { event: "message", data: "Hello", id });
    assert.doesNotMatch(reader.text, /^event:/m);
  });

  it("brings any other JSON value as JSON, and an event with its name", async () => {
    await using server = await startServer();
    using reader = await server.events();
    for (const value of [null, false, 0, [1], { a: "b" }, "", '"quoted"']) await server.publish("default", value);
    assert.deepEqual(await reader.data(7), ["null", "false", "0", "[1]", '{"a":"b"}', "", '"quoted"']);
    await server.request("/channels/default/messages?event=order", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x",
    });
    assert.equal((await reader.next()).event, "order");
  });

  it("[SSE-3] brings whole messages as JSON with ?format=json", async () => {
    await using server = await startServer();
    using reader = await server.events("?format=json");
    const headers = { "content-type": "application/json" };
    const answer = await server.request("/channels/default/messages?event=e&sender=me", {
      method: "POST",
      headers,
      body: '{"a":[1]}',
    });
    const { id, time } = answer.json() as { id: string; time: string };
    const read = await reader.next();
    assert.deepEqual([read.event, read.id], ["e", id]);
    assert.deepEqual(JSON.parse(read.data), {
      id,
      channel: "default",
      event: "e",
      data: { a: [1] },
      sender: "me",
      time,
    });
  });

  it("reads the default channel unless others are asked for, repeated or with commas, patterns too", async () => {
    await using server = await startServer();
    using plain = await server.events("?format=json");
    using some = await server.events("?format=json&channel=a,b.c&channel=orders.*");
    using all = await server.events("?format=json&channel=*");
    const channels = ["default", "a", "b", "b.c", "orders", "orders.eu", "orders.eu.berlin", "ordersx"];
    for (const channel of channels) await server.publish(channel, channel);
    const data = async (reader: typeof plain, count: number): Promise<unknown[]> =>
      (await reader.data(count)).map((text) => (JSON.parse(text) as { data: unknown }).data);
    assert.deepEqual(await data(plain, 1), ["default"]);
    assert.deepEqual(await data(some, 4), ["a", "b.c", "orders.eu", "orders.eu.berlin"]);
    assert.deepEqual(await data(all, channels.length), channels);
    assert.deepEqual([plain.waiting, some.waiting], [[], []]);
  });

  it("[PUB-2] counts the readers a message was offered to, by name, by pattern, and each once", async () => {
    await using server = await startServer();
    assert.equal((await server.publish("orders.eu", 1)).receivers, 0);
    using one = await server.events("?channel=orders.eu");
    using two = await server.events("?channel=orders.*,orders.eu");
    using three = await server.events("?channel=*&format=json");
    using other = await server.events("?channel=orders.us");
    using web = await server.frames("?channel=orders.eu");
    await web.next();
    assert.equal((await server.publish("orders.eu", 2)).receivers, 4);
    await one.next();
    await two.next();
    await three.next();
    assert.deepEqual([two.waiting, other.waiting], [[], []]);
  });

  it("refuses a channel or pattern that breaks a rule, naming it", async () => {
    await using server = await startServer({ maxChannelsPerReader: 3 });
    const bad: readonly (readonly [string, string, RegExp])[] = [
      ["channel=..%2Fx", "INVALID_PATTERN", /words of letters, digits, _ and - joined by dots/],
      ["channel=../x", "INVALID_PATTERN", /words of letters/],
      ["channel=", "INVALID_PATTERN", /channel is empty/],
      ["channel=a,,b", "INVALID_PATTERN", /it is empty/],
      [`channel=${"x".repeat(200)}`, "INVALID_PATTERN", /it has 200 characters; at most 128/],
      ["channel=hub.secret", "INVALID_PATTERN", /hub and hub\.\* are reserved/],
      ["channel=hub.*", "INVALID_PATTERN", /reserved/],
      ["channel=a.*.b", "INVALID_PATTERN", /\* stands alone or ends a pattern after a dot/],
      ["channel=a*", "INVALID_PATTERN", /\* stands alone/],
      ["channel=**", "INVALID_PATTERN", /\* stands alone/],
      ["channel=a%0d%0aid:%201", "INVALID_PATTERN", /words of letters/],
      ["channel=a,b,c,d", "TOO_MANY_CHANNELS", /4 channels are asked for; at most 3/],
      ["format=xml", "INVALID_INPUT", /format/],
      ["format=json&format=text", "INVALID_INPUT", /format/],
      ["last_event_id=a&last_event_id=b", "INVALID_INPUT", /last_event_id must be a string, not an array/],
    ];
    for (const [query, code, sentence] of bad) {
      const answer = await server.request(`/events?${query}`);
      const problem = answer.json() as { code: string; detail: string };
      assert.deepEqual([answer.status, problem.code], [400, code], query);
      assert.match(problem.detail, sentence);
    }
    assert.equal(await server.metric('sse_mcp_connections{door="sse"}'), 0);
  });

  it("ignores parameters that it does not know, such as channel[]", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel[]=other&__proto__=x&constructor=y&%=z");
    await server.publish("default", "here");
    assert.deepEqual(await reader.data(1), ["here"]);
  });

  it("[SSE-8] sends comments as heartbeats, and an id and nothing else where much has passed the reader by", async () => {
    await using server = await startServer({ heartbeat: 1 });
    using reader = await server.events("?channel=quiet");
    using bare = await server.events("?channel=quiet&id_events=false");
    await server.publish("loud", 1);
    const beats = ({ comments }: typeof reader): number => comments.filter((comment) => comment === "heartbeat").length;
    await until("heartbeats", () => beats(reader) > 0 && beats(bare) > 0);
    assert.deepEqual([reader.ids.length, bare.ids], [1, []], "only that of the beginning");
    assert.match(reader.text, /: heartbeat\n$/);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => server.hub.publish(draftOf("loud", n))));
    const id = server.hub.cursor();
    await until("an id that is far on", () => reader.ids.at(-1) === id);
    await until("one more heartbeat", () => !reader.text.endsWith(`\n\nid: ${id}\n\n`));
    assert.deepEqual([reader.ids.length, reader.waiting, bare.ids, bare.waiting], [2, [], [], []]);
    assert.doesNotMatch(bare.text, /\n\n/);
    reader.close();
    const { id: missed } = await server.publish("quiet", "missed");
    using again = await server.events("?channel=quiet", { lastEventId: id });
    assert.deepEqual(await again.next(), { event: "message", data: "missed", id: missed });
  });

  it("[LOG-9] brings an ephemeral message to those listening, without an id, and to nobody later", async () => {
    await using server = await startServer();
    using reader = await server.events("?format=json");
    const { id } = await server.publish("default", "kept");
    const headers = { "content-type": "application/json" };
    const answer = await server.request("/channels/default/messages?ephemeral=true", {
      method: "POST",
      headers,
      body: '"now"',
    });
    assert.equal((answer.json() as { id: null }).id, null);
    await reader.next();
    const ephemeral = await reader.next();
    assert.deepEqual((JSON.parse(ephemeral.data) as { id: null; data: string }).data, "now");
    assert.deepEqual([(JSON.parse(ephemeral.data) as { id: null }).id, ephemeral.id], [null, undefined]);
    assert.equal(reader.ids.at(-1), id);
    using late = await server.events("?last_event_id=earliest");
    assert.deepEqual([(await late.next()).data, (await late.next()).event], ["kept", "live"]);
  });
});

describe("a reader that comes back", () => {
  it("[LOG-3] gets everything missed, in order, once, then event: live, then what is new", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    using first = await server.events("?channel=orders.*");
    await server.publish("orders.eu", "1");
    const { id } = await first.next();
    first.close();
    await server.publish("orders.us", "2");
    await server.publish("elsewhere", "not ours");
    await server.publish("orders.eu", "3");
    using second = await server.events("?channel=orders.*", { lastEventId: id as string });
    assert.deepEqual(await second.data(2), ["2", "3"]);
    const live = await second.next();
    assert.deepEqual([live.event, JSON.parse(live.data)], ["live", { id: live.id }]);
    await server.publish("orders.eu", "4");
    assert.deepEqual(await second.data(1), ["4"]);
  });

  it("may say where by ?last_event_id, and its header comes first", async () => {
    await using server = await startServer();
    const ids = [];
    for (const data of ["1", "2", "3"]) ids.push((await server.publish("default", data)).id);
    using byQuery = await server.events(`?last_event_id=${ids[0]}`);
    assert.deepEqual(await byQuery.data(2), ["2", "3"]);
    using byHeader = await server.events(`?last_event_id=${ids[0]}`, { lastEventId: ids[1] as string });
    assert.deepEqual([(await byHeader.next()).data, (await byHeader.next()).event], ["3", "live"]);
    using byBeginning = await server.events("?last_event_id=earliest");
    assert.deepEqual(await byBeginning.data(3), ["1", "2", "3"]);
    assert.equal((await byBeginning.next()).event, "live");
  });

  it("[SSE-6] is not told of live where it has no cursor, or an empty one", async () => {
    await using server = await startServer();
    await server.publish("default", "before");
    using bare = await server.events();
    using empty = await server.events("?last_event_id=");
    await server.publish("default", "after");
    assert.deepEqual([(await bare.next()).data, (await empty.next()).data], ["after", "after"]);
    assert.doesNotMatch(bare.text + empty.text, /event: live/);
  });

  it("[LOG-5] is told of a gap where its id is no cursor of this log, then goes on", async () => {
    await using server = await startServer();
    const { id } = await server.publish("default", "before");
    const epoch = id.split("-")[0] as string;
    const garbage = [
      "garbage",
      "0",
      "-1",
      `${epoch}-99999999`,
      "otherepoch-1",
      `${epoch}-`,
      `${epoch}-1e3`,
      "x".repeat(4000),
      "\u00e4\u00f6\u00fc",
    ];
    for (const after of garbage) {
      using reader = await server.events("", { lastEventId: after });
      const gap = await reader.next();
      assert.deepEqual([gap.event, gap.id], ["gap", id], after);
      assert.deepEqual(JSON.parse(gap.data), { reason: "unknown_cursor", after: after.slice(0, 64), resumed: id });
      assert.equal((await reader.next()).event, "live");
    }
  });

  it("[LOG-4] is told of a gap where retention has dropped what it asks for, then gets what is kept", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}`, retentionMessages: 2 });
    const ids = [];
    for (const data of ["1", "2", "3", "4"]) ids.push((await server.publish("default", data)).id);
    using reader = await server.events("", { lastEventId: ids[0] as string });
    const gap = await reader.next();
    assert.deepEqual([gap.event, JSON.parse(gap.data)], ["gap", { reason: "expired", after: ids[0], resumed: ids[1] }]);
    assert.deepEqual(await reader.data(2), ["3", "4"]);
    assert.equal((await reader.next()).event, "live");
    assert.equal(await server.metric("sse_mcp_gaps_total"), 1);
  });

  it("resumes over a restart of the server on the same file, and not on another", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    let id = "";
    {
      await using server = await startServer({ data });
      ({ id } = await server.publish("default", "1"));
      await server.publish("default", "2");
    }
    await using server = await startServer({ data });
    using reader = await server.events("", { lastEventId: id });
    assert.deepEqual([(await reader.next()).data, (await reader.next()).event], ["2", "live"]);
    await using other = await startServer();
    using stranger = await other.events("", { lastEventId: id });
    assert.match((await stranger.next()).data, /unknown_cursor/);
  });
});
