import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type TestServer, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

async function readersOf(server: TestServer, channel: string): Promise<number[]> {
  const { channels } = (await server.request(`/channels?pattern=${channel}`)).json() as {
    channels: { readers: number }[];
  };
  return channels.map(({ readers }) => readers);
}

describe("a reader that only looks on", () => {
  it("[SSE-40] gets what others get, and counts neither as a receiver nor as a reader nor as a delivery", async () => {
    await using server = await startServer();
    using watcher = await server.events("?channel=*&watch=true");
    assert.equal((await server.publish("orders.eu", "one")).receivers, 0);
    assert.equal((await watcher.next()).data, "one");
    assert.deepEqual(await readersOf(server, "orders.eu"), [0]);
    using reader = await server.events("?channel=orders.eu&watch=false");
    assert.equal((await server.publish("orders.eu", "two")).receivers, 1);
    assert.deepEqual([(await watcher.next()).data, (await reader.next()).data], ["two", "two"]);
    assert.deepEqual(await readersOf(server, "orders.eu"), [1]);
    const { structuredContent } = await server.call("send_sse_message", { message: "three", channel: "orders.eu" });
    assert.equal(structuredContent["receivers"], 1);
    assert.equal((await reader.next()).data, "three");
    assert.equal(await server.metric("sse_mcp_messages_delivered_total"), 2);
    assert.equal(await server.metric('sse_mcp_connections{door="sse"}'), 2);
    await until("get_server_info has the reader alone", async () => {
      const { connections } = (await server.call("get_server_info")).structuredContent as { connections: unknown };
      return JSON.stringify(connections) === JSON.stringify({ sse: 1, websocket: 0, mcp: 0, waiting: 0, total: 1 });
    });
  });

  it("[SSE-40] makes no channel be listed that it names and nobody else does", async () => {
    await using server = await startServer();
    using watcher = await server.events("?channel=quiet&watch=true");
    await until("it reads", () => server.hub.size === 1);
    assert.deepEqual((await server.call("list_channels")).structuredContent["channels"], []);
    await server.publish("quiet", "now");
    assert.equal((await watcher.next()).data, "now");
  });

  it("[SSE-40] resumes like any other reader", async () => {
    await using server = await startServer();
    const { id } = await server.publish("a", 1);
    await server.publish("a", 2);
    using watcher = await server.events(`?channel=a&watch=true&last_event_id=${id}`);
    assert.deepEqual([(await watcher.next()).data, (await watcher.next()).event], ["2", "live"]);
    assert.equal((await server.publish("a", 3)).receivers, 0);
    assert.equal((await watcher.next()).data, "3");
  });

  it("[WS-40] does not count over WebSocket either, whatever it subscribes to later", async () => {
    await using server = await startServer();
    using watcher = await server.frames("?channel=a&watch=true");
    await watcher.nextOf("welcome");
    await watcher.ask({ type: "subscribe", channels: ["b.*"] });
    for (const channel of ["a", "b.c"]) assert.equal((await server.publish(channel, 1)).receivers, 0, channel);
    await watcher.ask({ type: "unsubscribe", channels: ["a"] });
    assert.equal((await server.publish("b.c", 2)).receivers, 0);
    assert.deepEqual(await readersOf(server, "b.c"), [0]);
    assert.equal(await server.metric('sse_mcp_connections{door="websocket"}'), 1);
  });

  it("[NAME-5] is told what the server does and logs all the same", async () => {
    await using server = await startServer();
    using watcher = await server.events("?channel=hub.stats&watch=true");
    assert.equal((await watcher.next()).event, "stats");
  });

  it("is refused at both doors where watch is neither true nor false", async () => {
    await using server = await startServer();
    for (const path of ["/events?watch=yes", "/ws?watch=1"]) {
      const headers = path.startsWith("/ws") ? HANDSHAKE : {};
      const answer = await server.request(path, { headers });
      assert.equal(answer.status, 400, path);
      assert.match((answer.json() as { detail: string }).detail, /^watch is "(?:yes|1)"; use true or false$/);
    }
    using empty = await server.events("?watch=");
    assert.equal((await server.publish("default", "all the same")).receivers, 1);
    assert.equal((await empty.next()).data, "all the same");
  });
});

const HANDSHAKE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

describe("hub.presence", () => {
  const say = (server: TestServer, channel: string, query = "ephemeral=true") =>
    server.request(`/channels/${channel}/messages?event=presence&${query}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"state":"here"}',
    });

  it("[NAME-20] brings what is not kept to those that read it by its name, and to nobody else", async () => {
    await using server = await startServer();
    using bare = await server.events();
    using everything = await server.events("?channel=*,default");
    using present = await server.events("?channel=hub.presence.default&format=json");
    using frames = await server.frames("?channel=hub.presence.default");
    await frames.nextOf("welcome");
    const answer = await say(server, "hub.presence.default");
    const { id, channel, receivers } = answer.json() as Record<string, unknown>;
    assert.deepEqual([answer.status, id, channel, receivers], [201, null, "hub.presence.default", 2]);
    frames.send({ type: "publish", channel: "hub.presence.default", data: 1, ephemeral: true });
    await frames.nextOf("published");
    for (const data of [{ state: "here" }, 1]) {
      const heard = JSON.parse((await present.next()).data) as Record<string, unknown>;
      assert.deepEqual([heard["id"], heard["channel"], heard["data"]], [null, "hub.presence.default", data]);
    }
    await server.publish("default", "for all");
    assert.deepEqual([(await bare.next()).data, (await everything.next()).data], ["for all", "for all"]);
  });

  it("[NAME-20] takes nothing that is kept, and nothing where there can be no such channel", async () => {
    await using server = await startServer();
    for (const query of ["", "ephemeral=false"]) {
      const kept = await say(server, "hub.presence.default", query);
      assert.equal(kept.status, 400);
      assert.match(kept.text, /takes only ephemeral messages/);
    }
    for (const channel of ["hub.presence", "hub.presence.hub.stats", "hub.presence.a..b", "hub.presents.a"]) {
      const refused = await say(server, channel);
      assert.equal((refused.json() as { code: string }).code, "INVALID_CHANNEL", channel);
    }
    const pattern = await server.request("/events?channel=hub.presence.*");
    assert.match((pattern.json() as { detail: string }).detail, /after hub\.presence\. comes the name of one channel/);
    const longest = "x".repeat(128);
    assert.equal((await say(server, `hub.presence.${longest}`)).status, 201);
    assert.equal((await say(server, `hub.presence.${longest}x`)).status, 400);
    assert.equal((await server.call("send_sse_message", { message: "x", channel: "hub.presence.a" })).isError, true);
  });

  it("[NAME-21] counts as nothing published or delivered, and is listed nowhere", async () => {
    await using server = await startServer();
    using present = await server.events("?channel=default,hub.presence.default");
    await say(server, "hub.presence.default");
    await present.next();
    assert.equal(await server.metric("sse_mcp_messages_published_total"), 0);
    await server.publish("default", "counted");
    await present.next();
    assert.equal(await server.metric("sse_mcp_messages_published_total"), 1);
    assert.equal(await server.metric("sse_mcp_messages_delivered_total"), 1);
    assert.equal(server.hub.log.size().channels, 1);
    const { channels } = (await server.request("/channels")).json() as { channels: { channel: string }[] };
    assert.deepEqual(
      channels.map(({ channel }) => channel),
      ["default"],
    );
  });

  it("[NAME-20] wakes no call that waits, and cannot be waited for", async () => {
    await using server = await startServer();
    const waiting = server.call("wait_for_messages", { channels: ["default", "*"], timeoutSeconds: 20 });
    await until("it waits", () => server.hub.size === 1);
    await say(server, "hub.presence.default");
    await server.publish("default", "wake up");
    const { messages } = (await waiting).structuredContent as { messages: { data: unknown }[] };
    assert.deepEqual(
      messages.map(({ data }) => data),
      ["wake up"],
    );
    const refused = await server.call("wait_for_messages", { channels: ["hub.presence.default"] });
    assert.equal(refused.isError, true);
    assert.match(refused.content[0]?.text ?? "", /not kept/);
  });
});
