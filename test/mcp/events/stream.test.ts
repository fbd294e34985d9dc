import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Participants } from "../../../src/core/participants.ts";
import { ANYONE } from "../../../src/core/principal.ts";
import { MemoryLog } from "../../../src/logs/memory.ts";
import { hubEvents } from "../../../src/mcp/events/event-catalog.ts";
import { streamEvents } from "../../../src/mcp/events/stream.ts";
import { StreamPlaces } from "../../../src/mcp/events/stream-places.ts";
import type { McpRequestContext, NotificationStream } from "../../../src/mcp/request-context.ts";
import type { EventReader } from "../../support/event-reader.ts";
import { KeyRing } from "../../support/keys.ts";
import { LegacyClient } from "../../support/legacy-client.ts";
import { mcp, McpStream, SUBSCRIPTION_ID } from "../../support/mcp.ts";
import { clientOf, poll, type Era } from "../../support/mcp-events.ts";
import type { McpMessage } from "../../support/mcp-schema.ts";
import { draftOf, FOREVER, openHub } from "../../support/sample.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { StdioBridge } from "../../support/stdio-bridge.ts";
import { until } from "../../support/until.ts";

const ID = "a stream";

function asked(channels: readonly string[], more: object = {}): object {
  return { name: "message.published", arguments: { channels }, ...more };
}

/** What a notification of a stream is called, and the params that are its own. */
function told({ method = "", params = {} }: McpMessage, id: unknown = ID): readonly [string, Record<string, unknown>] {
  const { _meta: meta, ...own } = params as Record<string, Record<string, unknown>>;
  assert.deepEqual(meta, { [SUBSCRIPTION_ID]: id });
  return [method.replace("notifications/events/", ""), own];
}

/** Streams that are open. */
async function openStreams(server: TestServer): Promise<number> {
  const open = await Promise.all(
    ["mcp", "waiting"].map((door) => server.metric(`sse_mcp_connections{door="${door}"}`)),
  );
  return open.reduce((sum, one) => sum + one, 0);
}

interface Reader {
  next(): Promise<McpMessage>;
  close(): void;
}

/** Opens a stream in one of the eras. */
const ERAS: Readonly<Record<string, (server: TestServer, params: object) => Promise<Reader>>> = {
  "2026-07-28": (server, params) => McpStream.open(server, "events/stream", params, { id: ID }),
  "a session": async (server, params) => {
    const client = await LegacyClient.open(server);
    const reader = await client.stream({ id: ID, method: "events/stream", params });
    return { next: () => nextOf(reader), close: () => reader.close() };
  },
};

async function nextOf(reader: EventReader): Promise<McpMessage> {
  for (;;) {
    const { data } = await reader.next();
    // The first event of a session's stream only has an id.
    if (data !== "") return JSON.parse(data) as McpMessage;
  }
}

for (const [era, open] of Object.entries(ERAS)) {
  describe(`a stream of events in ${era}`, { concurrency: true }, () => {
    it("[EVENTS-8] begins with where it is, then sends what is published, each with its place", async () => {
      await using server = await startServer();
      await server.publish("a", "before");
      const stream = await open(server, asked(["a"]));
      const [first, { cursor, truncated }] = told(await stream.next());
      assert.deepEqual([first, truncated], ["active", false]);
      const { id } = await server.publish("a", { n: 1 });
      const [second, event] = told(await stream.next());
      assert.equal(second, "event");
      assert.partialDeepStrictEqual(event, { eventId: id, name: "message.published", cursor: id });
      assert.deepEqual((event["data"] as Record<string, unknown>)["data"], { n: 1 });
      stream.close();
      // What came on the stream is what a poll from where it began gives.
      const { events } = await poll(await clientOf("2026-07-28", server), ["a"], { cursor });
      const { cursor: _, ...occurrence } = event;
      assert.deepEqual(events, [occurrence]);
    });

    it("[EVENTS-8] replays what came after a cursor, in order and once, before what is new", async () => {
      await using server = await startServer();
      const ask = await clientOf("2026-07-28", server);
      const { cursor } = await poll(ask, ["a"]);
      for (let n = 0; n < 200; n++) await server.hub.publish(draftOf("a", n));
      const stream = await open(server, asked(["a"], { cursor }));
      assert.deepEqual(told(await stream.next()), ["active", { cursor, truncated: false }]);
      const late = server.publish("a", 200);
      for (let n = 0; n <= 200; n++) {
        const [, event] = told(await stream.next());
        assert.equal((event["data"] as Record<string, unknown>)["data"], n);
      }
      await late;
      stream.close();
    });

    it("[EVENTS-9] says that it lives, and how far it is, although nothing comes that was asked for", async () => {
      await using server = await startServer({ heartbeat: 1 });
      const stream = await open(server, asked(["a"]));
      const [, { cursor }] = told(await stream.next());
      const { id } = await server.publish("b", 1);
      for (;;) {
        const [name, beat] = told(await stream.next());
        assert.equal(name, "heartbeat");
        if (beat["cursor"] === id) break;
        assert.equal(beat["cursor"], cursor);
      }
      stream.close();
    });

    it("[EVENTS-10] begins truncated with a fresh cursor after one that the log does not know", async () => {
      await using server = await startServer();
      const { id } = await server.publish("a", 1);
      const stream = await open(server, asked(["a"], { cursor: "other-9" }));
      assert.deepEqual(told(await stream.next()), ["active", { cursor: id, truncated: true }]);
      stream.close();
    });

    it("[EVENTS-11] ends with an empty result when the server stops", async () => {
      await using server = await startServer();
      const stream = await open(server, asked(["a"]));
      await stream.next();
      const closing = server.close();
      const { id, result } = await stream.next();
      assert.equal(id, ID);
      assert.equal(result?.["resultType"], "complete");
      assert.partialDeepStrictEqual(result, { _meta: { [SUBSCRIPTION_ID]: ID } });
      await closing;
    });

    it("[EVENTS-11] ends when its client closes the connection, and leaves nothing open", async () => {
      await using server = await startServer();
      const stream = await open(server, asked(["a"]));
      await stream.next();
      const before = server.hub.size;
      await until("it is counted", async () => (await openStreams(server)) === 1);
      stream.close();
      await until("no place is taken", async () => (await openStreams(server)) === 0);
      await until("nothing reads any more", () => server.hub.size < before);
    });

    it("[EVENTS-11] is refused before it begins if something is wrong with it", async () => {
      await using server = await startServer();
      for (const [params, code] of [
        [{ name: "none" }, -32011],
        [asked(["a"], { cursor: "?" }), -32602],
      ] as const) {
        const ask = await clientOf(era as Era, server);
        assert.equal((await ask("events/stream", params)).error?.code, code);
      }
    });
  });
}

describe("a stream of events", { concurrency: true }, () => {
  it("[EVENTS-11] ends when its request is cancelled in a session, without another word", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    const reader = await client.stream({ id: ID, method: "events/stream", params: asked(["a"]) });
    await nextOf(reader);
    await client.post({ method: "notifications/cancelled", params: { requestId: ID } });
    await reader.ended;
    await until("no place is taken", async () => (await openStreams(server)) === 0);
  });

  it("is refused in a session whose client takes no stream", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    const message = { id: ID, method: "events/stream", params: asked(["a"]) };
    const { text } = await client.post(message, { accept: "application/json" });
    assert.match(text, /send Accept: text\/event-stream/);
  });

  it("[EVENTS-12] is one of its own bound, which leaves calls alone", async () => {
    const places = new StreamPlaces();
    const ada = { ...ANYONE, id: "key-ada", kind: "key" } as const;
    const leaves = Array.from({ length: 100 }, () => places.take(ada));
    assert.equal(places.take(ada), 100);
    assert.equal(typeof places.take({ ...ada, id: "key-bob" }), "function");
    for (const leave of leaves) if (typeof leave === "function") leave();
    for (let n = 0; n < 999; n++) places.take(ANYONE);
    assert.equal(places.take(ada), 1000);
  });

  it("[EVENTS-12] says ResourceExhausted and which limit when there is no room", async () => {
    using ring = new KeyRing();
    const headers = { authorization: `Bearer ${ring.add("reader", { subscribe: ["a"] })}` };
    await using server = await startServer({ apiKeysFile: ring.path });
    const streams: McpStream[] = [];
    for (let n = 0; n < 100; n++) {
      streams.push(await McpStream.open(server, "events/stream", asked(["a"]), { headers }));
    }
    await Promise.all(streams.map((stream) => stream.next()));
    const { error } = await mcp(server, "events/stream", asked(["a"]), { headers });
    assert.equal(error?.code, -32013);
    assert.deepEqual(error?.data, { limit: "streams", max: 100 });
    streams[0]?.close();
    await until("there is room", () => server.hub.size === 99);
    using again = await McpStream.open(server, "events/stream", asked(["a"]), { headers });
    assert.equal((await again.next()).method, "notifications/events/active");
    for (const stream of streams) stream.close();
  });

  it("[EVENTS-13] says that it is terminated when its credential is revoked, and why", async () => {
    using ring = new KeyRing();
    const headers = { authorization: `Bearer ${ring.add("reader", { subscribe: ["a"] })}` };
    await using server = await startServer({ apiKeysFile: ring.path });
    using stream = await McpStream.open(server, "events/stream", asked(["a"]), { id: ID, headers });
    await stream.next();
    ring.revoke("reader");
    const [name, { error }] = told(await stream.next());
    assert.equal(name, "terminated");
    assert.partialDeepStrictEqual(error, { code: -32012 });
    assert.equal((await stream.next()).id, ID);
  });

  it("[EVENTS-10] says in between that events are missing which the log dropped before its client took them", async () => {
    await using hub = await openHub(new MemoryLog({ ...FOREVER, messages: 3 }));
    const out = new SlowStream();
    const { call, end } = callOf(hub, out);
    const done = streamEvents(asked(["a"]) as never, call, hubEvents("sketch", 60_000));
    await until("it began", () => hub.size === 1);
    await hub.publish(draftOf("a", 0));
    await until("it has stopped to read", () => out.messages.length === 2);
    for (let n = 1; n < 20; n++) await hub.publish(draftOf("a", n));
    out.drain();
    const last = hub.cursor();
    await until("it has caught up", () => out.messages.at(-1)?.params?.["eventId"] === last);
    const names = out.messages.slice(0, 4).map((message) => told(message)[0]);
    assert.deepEqual(names, ["active", "event", "active", "event"]);
    const [, gap] = told(out.messages[2] as McpMessage);
    assert.equal(gap["truncated"], true);
    end.abort();
    await done;
  });

  it("cuts a client that takes nothing for too long, and holds no more for it than one event", async () => {
    await using hub = await openHub(new MemoryLog(FOREVER));
    const out = new SlowStream();
    const { call } = callOf(hub, out);
    const done = streamEvents(asked(["a"]) as never, call, { ...hubEvents("sketch", 60_000), patience: 20 });
    await until("it began", () => hub.size === 1);
    for (let n = 0; n < 20; n++) await hub.publish(draftOf("a", n));
    await done;
    assert.equal(out.isCut, true);
    assert.equal(out.messages.length, 2);
    assert.equal(hub.size, 0);
  });

  it("goes over standard input and output, in both eras, beside as many requests as there may be", async () => {
    await using server = await startServer();
    await using bridge = await StdioBridge.open(["--url", server.url]);
    await bridge.initialize();
    bridge.modern("modern", "events/stream", asked(["a"]));
    assert.equal(told((await bridge.next()) as McpMessage, "modern")[0], "active");
    bridge.send({ id: "legacy", method: "events/stream", params: asked(["a"]) });
    assert.equal(told((await bridge.next()) as McpMessage, "legacy")[0], "active");
    const { id } = await server.publish("a", 1);
    for (const found: unknown[] = []; found.length < 2;) {
      const { method, params } = await bridge.next();
      // The session is also told of the new channel.
      if (method === "notifications/events/event") assert.equal(found.push(params?.["eventId"]) && found.at(-1), id);
    }
    for (const requestId of ["modern", "legacy"]) {
      bridge.send({ method: "notifications/cancelled", params: { requestId } });
    }
    // The session has a stream of its own.
    await until("only that is open", async () => (await openStreams(server)) === 1);
  });
});

/** A stream whose client takes what is written when the test says so. */
class SlowStream implements NotificationStream {
  readonly messages: McpMessage[] = [];
  readonly pending = 0;
  isLagging = false;
  isCut = false;
  #hasDrained = false;
  readonly #drained = Promise.withResolvers<void>();

  write(text: string): void {
    const message = JSON.parse(text) as McpMessage;
    // It has no room for more than its first event, until it is drained.
    if (message.method === "notifications/events/event" && !this.#hasDrained) this.isLagging = true;
    this.messages.push(message);
  }

  keepAlive(): void {}

  drained(): Promise<void> {
    return this.#drained.promise;
  }

  drain(): void {
    this.#hasDrained = true;
    this.isLagging = false;
    this.#drained.resolve();
  }

  cut(): void {
    this.isCut = true;
  }
}

function callOf(
  hub: Awaited<ReturnType<typeof openHub>>,
  out: NotificationStream,
): { readonly call: McpRequestContext; readonly end: AbortController } {
  const end = new AbortController();
  const call = {
    id: ID,
    hub,
    participants: new Participants("test"),
    limits: { channels: 100, message: 1000 },
    principal: ANYONE,
    signal: end.signal,
    openDedicated: () => out,
  };
  return { call: call as unknown as McpRequestContext, end };
}
