import { Participants } from "../../src/core/participants.ts";
import { ANYONE } from "../../src/core/principal.ts";
import { ToolSet } from "../../src/tools/index.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { McpRequestContext, NotificationStream } from "../../src/mcp/request-context.ts";
import { hubCatalog } from "../../src/mcp/catalog.ts";
import { listen as listenMethod } from "../../src/mcp/listen.ts";
import { Changes, type ResourceDefinition } from "../../src/mcp/definitions.ts";
import { listen, mcp, mcpRequest, McpStream, resultOf, SERVER_INFO, SUBSCRIPTION_ID } from "../support/mcp.ts";
import type { McpMessage } from "../support/mcp-schema.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const OPEN = 'sse_mcp_connections{door="mcp"}';

function told({ method = "", params }: McpMessage): string {
  const uri = params?.["uri"] as string | undefined;
  return uri === undefined ? method : `${method} ${uri}`;
}

function updated(uri: string): string {
  return `notifications/resources/updated ${uri}`;
}

function subscriptionOf(message: McpMessage): unknown {
  const meta = (message.params ?? message.result)?.["_meta"] as Record<string, unknown> | undefined;
  return meta?.[SUBSCRIPTION_ID];
}

/** A request as it goes over the wire. */
function lines(method: string, params: object): { readonly head: readonly string[]; readonly body: string } {
  const { headers, body } = mcpRequest(method, params);
  const all = Object.entries({ ...headers, host: "localhost", "content-length": Buffer.byteLength(body) });
  return { head: ["POST /mcp HTTP/1.1", ...all.map(([name, value]) => `${name}: ${String(value)}`)], body };
}

async function nothingOpen(server: TestServer): Promise<void> {
  await until("nothing is open any more", async () => server.hub.size === 0 && (await server.metric(OPEN)) === 0);
}

describe("a subscription", { concurrency: true }, () => {
  it("[MCP-9] begins with what of it was granted, as a stream that proxies leave alone", async () => {
    await using server = await startServer();
    const asked = {
      toolsListChanged: true,
      promptsListChanged: true,
      resourcesListChanged: true,
      resourceSubscriptions: ["hub://channels/a", "hub://channels"],
    };
    using listener = await listen(server, asked);
    // Neither tools nor prompts ever change here.
    assert.deepEqual(listener.granted, {
      resourcesListChanged: true,
      resourceSubscriptions: ["hub://channels/a", "hub://channels"],
    });
    const { status, headers } = listener.stream.reader;
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/event-stream; charset=utf-8");
    assert.equal(headers["x-accel-buffering"], "no");
    assert.equal(headers["cache-control"], "no-cache, no-transform");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(await server.metric(OPEN), 1);
  });

  it("may be to nothing at all", async () => {
    await using server = await startServer();
    for (const asked of [
      {},
      { resourcesListChanged: false, resourceSubscriptions: [] },
      { toolsListChanged: true },
      { more: 1 },
    ]) {
      using listener = await listen(server, asked);
      assert.deepEqual(listener.granted, {});
    }
  });

  it("leaves out what there is none of, and says a thing once", async () => {
    await using server = await startServer();
    const resourceSubscriptions = [
      "hub://channels/b",
      "hub://channels/a b",
      "hub://channels?",
      "hub://channels/a/b",
      "hub://channels/hub.stats",
      "hub://channels/orders.*",
      "file:///etc/passwd",
      "",
      "__proto__",
      `hub://channels/${"x".repeat(100_000)}`,
      "hub://channels/b",
      "hub://channels/a",
      "hub://channels/b",
    ];
    using listener = await listen(server, { resourceSubscriptions });
    assert.deepEqual(listener.granted, { resourceSubscriptions: ["hub://channels/b", "hub://channels/a"] });
    await server.publish("b", 1);
    assert.equal(told(await listener.stream.next()), updated("hub://channels/b"));
    await server.publish("a", 1);
    assert.equal(told(await listener.stream.next()), updated("hub://channels/a"));
    assert.deepEqual(listener.stream.waiting, []);
  });

  it("is refused where it is none", async () => {
    await using server = await startServer();
    for (const notifications of [
      undefined,
      null,
      [],
      "all",
      5,
      { resourceSubscriptions: {} },
      { resourceSubscriptions: [5] },
      { resourceSubscriptions: ["hub://channels", null] },
      { resourceSubscriptions: [["hub://channels"]] },
      { resourcesListChanged: 1 },
      { toolsListChanged: "yes" },
      { promptsListChanged: [] },
      { resourceSubscriptions: Array.from({ length: 101 }, (_, n) => `hub://channels/c${n}`) },
      { resourceSubscriptions: Array.from({ length: 10_000 }, (_, n) => `hub://channels/c${n}`) },
      { resourceSubscriptions: Array.from({ length: 10_000 }, () => "hub://channels") },
    ]) {
      const answer = await mcp(server, "subscriptions/listen", { notifications });
      assert.deepEqual(
        [answer.status, answer.error?.code],
        [200, -32602],
        JSON.stringify(notifications)?.slice(0, 100),
      );
      assert.match(answer.error?.message ?? "", /notifications|resourceSubscriptions/);
    }
    assert.deepEqual([server.hub.size, await server.metric(OPEN)], [0, 0]);
  });

  it("names itself, text or number, in everything it sends", async () => {
    const changes = new Changes();
    await using server = await startServer({}, { changes });
    const all = {
      toolsListChanged: true,
      promptsListChanged: true,
      resourcesListChanged: true,
      resourceSubscriptions: ["hub://channels"],
    };
    for (const id of [0, -1, 42, "", "listen-1", 'a"b\\c\u0000', "x".repeat(256)]) {
      using stream = await McpStream.open(server, "subscriptions/listen", { notifications: all }, { id });
      assert.equal(subscriptionOf(await stream.next()), id);
      changes.announce("tools");
      changes.announce("prompts");
      await server.publish(`new${server.hub.log.size().channels}`, 1);
      const messages = [await stream.next(), await stream.next(), await stream.next(), await stream.next()];
      assert.deepEqual(messages.map(subscriptionOf), [id, id, id, id]);
      assert.deepEqual(
        messages.map(told).sort(),
        [
          "notifications/prompts/list_changed",
          "notifications/resources/list_changed",
          updated("hub://channels"),
          "notifications/tools/list_changed",
        ].sort(),
      );
    }
    await nothingOpen(server);
  });

  it("is told of nothing else than what it asked for", async () => {
    const changes = new Changes();
    await using server = await startServer({}, { changes });
    using one = await listen(server, { toolsListChanged: true, resourceSubscriptions: ["hub://channels/a"] });
    using other = await listen(server, { promptsListChanged: true, resourcesListChanged: true });
    changes.announce("prompts");
    await server.publish("b", 1);
    await server.publish("a", 1);
    changes.announce("tools");
    assert.deepEqual([told(await one.stream.next()), told(await one.stream.next())].sort(), [
      updated("hub://channels/a"),
      "notifications/tools/list_changed",
    ]);
    assert.equal(told(await other.stream.next()), "notifications/prompts/list_changed");
    assert.equal(told(await other.stream.next()), "notifications/resources/list_changed");
    assert.deepEqual(one.stream.waiting, []);
  });

  it("[MCP-6] is told of the list of channels when one is new, and not when one has another message", async () => {
    await using server = await startServer();
    await server.publish("old", 1);
    using listener = await listen(server, { resourcesListChanged: true });
    using witness = await listen(server, { resourceSubscriptions: ["hub://channels/old"] });
    for (let n = 0; n < 3; n++) {
      await server.publish("old", n);
      assert.equal(told(await witness.stream.next()), updated("hub://channels/old"));
    }
    assert.deepEqual(listener.stream.waiting, []);
    await server.publish("new", 1);
    assert.equal(told(await listener.stream.next()), "notifications/resources/list_changed");
    const { resources } = resultOf(await mcp(server, "resources/list"));
    assert.deepEqual(
      (resources as { name: string }[]).map(({ name }) => name),
      ["channels", "new", "old"],
    );
    assert.deepEqual(listener.stream.waiting, []);
  });

  it("is told of a channel that takes the place of an empty one", async () => {
    await using server = await startServer({ maxChannels: 2, retentionMessages: 1 });
    await server.publish("a", 1);
    await server.publish("b", 1);
    using listener = await listen(server, { resourcesListChanged: true });
    await server.publish("c", 1);
    assert.equal(told(await listener.stream.next()), "notifications/resources/list_changed");
    assert.equal(server.hub.log.size().channels, 2);
  });

  it("is told of a resource that somebody else offers, where it can be watched", async () => {
    const resource = (uri: string, more: Partial<ResourceDefinition>): ResourceDefinition => ({
      listing: { uri, name: uri },
      read: () => Promise.resolve({ contents: [] }),
      ...more,
    });
    const watches = hubCatalog(new ToolSet()).resources[0]?.watches ?? [];
    await using server = await startServer(
      {},
      { resources: [resource("test://moving", { watches }), resource("test://fixed", {})] },
    );
    using listener = await listen(server, { resourceSubscriptions: ["test://fixed", "test://moving"] });
    assert.deepEqual(listener.granted, { resourceSubscriptions: ["test://moving"] });
    await server.publish("a", 1);
    assert.equal(told(await listener.stream.next()), updated("test://moving"));
  });

  it("hears of a burst at once, seldom while it lasts, and always after its end", async () => {
    await using server = await startServer();
    using listener = await listen(server, { resourceSubscriptions: ["hub://channels/a"] });
    const arrivals: number[] = [];
    const hearing = (async () => {
      for (;;) {
        assert.equal(told(await listener.stream.next()), updated("hub://channels/a"));
        arrivals.push(performance.now());
      }
    })();
    const start = performance.now();
    // Longer than a few times the pause between two notifications.
    while (performance.now() - start < 450) await server.publish("a", "x");
    const end = performance.now();
    await server.publish("a", "last");
    await until("the last is told", () => (arrivals.at(-1) ?? 0) > end);
    const took = performance.now() - start;
    assert.ok(arrivals.length >= 2 && arrivals.length <= 2 + took / 100, `${arrivals.length} in ${took} ms`);
    listener.stream.close();
    await assert.rejects(hearing, /the stream ended/);
  });

  it("[MCP-7] does not count as a receiver, nor as a reader of the channel", async () => {
    await using server = await startServer();
    using listener = await listen(server, {
      resourcesListChanged: true,
      resourceSubscriptions: ["hub://channels/a", "hub://channels"],
    });
    using reader = await server.events("?channel=a");
    await until("both are there", () => server.hub.size === 2);
    const sent = await mcp(server, "tools/call", {
      name: "send_sse_message",
      arguments: { message: "x", channel: "a" },
    });
    const { structuredContent } = resultOf(sent) as { structuredContent: { receivers: number } };
    assert.equal(structuredContent.receivers, 1);
    assert.equal((await server.publish("a", 1)).receivers, 1);
    reader.close();
    await until("the reader is gone", () => server.hub.size === 1);
    assert.equal((await server.publish("a", 1)).receivers, 0);
    const { channels } = (await server.call("list_channels")).structuredContent as { channels: { readers: number }[] };
    assert.deepEqual(
      channels.map(({ readers }) => readers),
      [0],
    );
    assert.equal(told(await listener.stream.next()), updated("hub://channels/a"));
  });

  it("is kept alive with comments while there is nothing to tell, as is a call that takes long", async () => {
    await using server = await startServer({ heartbeat: 0.15 });
    using listener = await listen(server, { resourceSubscriptions: ["hub://channels/a"] });
    const wait = { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 20 } };
    using call = await McpStream.open(server, "tools/call", wait, { meta: { progressToken: 1 } });
    await call.next();
    for (const { reader } of [listener.stream, call]) {
      await until("some comments", () => reader.comments.length >= 3);
      assert.deepEqual([...new Set(reader.comments)], ["heartbeat"]);
      assert.deepEqual(reader.ids, []);
      assert.ok(!reader.text.includes("event:"));
    }
  });
});

describe("the end of a subscription", { concurrency: true }, () => {
  it("[MCP-9] is said by a server that stops: a result of its own, then the end of the stream", async () => {
    for (const drain of [0, 0.3]) {
      await using server = await startServer({ drain });
      const listeners = await Promise.all(
        Array.from({ length: 50 }, (_, n) => listen(server, { resourcesListChanged: true }, { id: `id-${n}` })),
      );
      const closing = server.close();
      for (const [n, { stream }] of listeners.entries()) {
        const { id, result } = await stream.next();
        assert.equal(id, `id-${n}`);
        assert.equal(result?.["resultType"], "complete");
        const meta = result?.["_meta"] as Record<string, unknown>;
        assert.equal(meta[SUBSCRIPTION_ID], `id-${n}`);
        assert.ok(SERVER_INFO in meta);
        assert.deepEqual(Object.keys(result ?? {}).sort(), ["_meta", "resultType"]);
        await stream.reader.ended;
        assert.deepEqual(stream.waiting, []);
      }
      await closing;
    }
  });

  it("comes at once where the hub has stopped already", async () => {
    await using server = await startServer();
    const said: string[] = [];
    const outlet: NotificationStream = {
      pending: 0,
      isLagging: false,
      write: (message) => said.push(message),
      keepAlive: () => {},
      drained: () => Promise.resolve(),
      cut: () => said.push("cut"),
    };
    const { hub } = server;
    await hub.close();
    const call = {
      id: 7,
      hub,
      participants: new Participants("test"),
      principal: ANYONE,
      limits: { channels: 10, message: 1 },
      signal: new AbortController().signal,
      openDedicated: () => outlet,
    };
    const params = { notifications: { resourcesListChanged: true } };
    const result = await listenMethod(
      params,
      call as Partial<McpRequestContext> as McpRequestContext,
      hubCatalog(new ToolSet()),
    );
    assert.deepEqual(result, { _meta: { [SUBSCRIPTION_ID]: 7 } });
    assert.equal(said.length, 1);
  });

  it("is refused a beginning by a server that stops", async () => {
    await using server = await startServer({ drain: 1 });
    using reader = await server.events();
    using other = await server.events();
    await until("both are there", () => server.hub.size === 2);
    const closing = server.close();
    const answer = await mcp(server, "subscriptions/listen", { notifications: {} });
    assert.deepEqual(answer.error?.data, { code: "SHUTTING_DOWN", retry: true });
    reader.close();
    other.close();
    await closing;
  });

  it("comes without a word when the listener goes, however it goes", async () => {
    await using server = await startServer();
    const { head, body } = lines("subscriptions/listen", {
      notifications: { resourceSubscriptions: ["hub://channels/a"] },
    });
    for (const leave of ["reset", "end", "destroy"] as const) {
      const wires = await Promise.all(Array.from({ length: 10 }, () => server.wire()));
      for (const wire of wires) wire.send(head, body);
      await until("all listen", () => server.hub.size === 10);
      await until("all have read", () => wires.every(({ text }) => text.includes("acknowledged")));
      for (const { socket } of wires) {
        if (leave === "reset") socket.resetAndDestroy();
        else if (leave === "end") socket.end();
        else socket.destroy();
      }
      await server.publish("a", 1);
      await nothingOpen(server);
      for (const wire of wires) wire[Symbol.dispose]();
    }
  });

  it("comes when something else is sent down its connection", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const { head, body } = lines("subscriptions/listen", { notifications: {} });
    wire.send(head, body);
    await until("it is acknowledged", () => wire.text.includes("acknowledged"));
    const more = lines("tools/call", { name: "send_sse_message", arguments: { message: "x" } });
    wire.send(more.head, more.body);
    await until("it has ended", () => wire.ended || wire.closed);
    assert.equal(wire.text.split("HTTP/1.1").length, 2);
    assert.equal(server.hub.stats.published, 0);
    await nothingOpen(server);
  });
});

describe("a subscription that cannot have its connection to itself", { concurrency: true }, () => {
  it("is refused, and is not counted as open", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const wait = lines("tools/call", { name: "wait_for_messages", arguments: { channels: ["a"], timeoutSeconds: 20 } });
    const behind = lines("subscriptions/listen", { notifications: {} });
    wire.send(wait.head, wait.body);
    wire.send(behind.head, behind.body);
    await until("the first waits", () => server.hub.size === 1);
    await server.publish("a", 1);
    assert.equal((await wire.response()).status, 200);
    const { status, body } = await wire.response();
    assert.deepEqual([status, (JSON.parse(body) as { error: { code: number } }).error.code], [200, -32600]);
    assert.match(body, /takes its connection over/);
    await nothingOpen(server);
  });

  it("leaves the rest of what was sent with it unanswered, and the stream in one piece", async () => {
    await using server = await startServer();
    using wire = await server.wire();
    const first = lines("subscriptions/listen", { notifications: { resourceSubscriptions: ["hub://channels/a"] } });
    const second = lines("tools/list", {});
    wire.socket.write(
      `${first.head.join("\r\n")}\r\n\r\n${first.body}${second.head.join("\r\n")}\r\n\r\n${second.body}`,
    );
    await until("it listens", () => server.hub.size === 1);
    await server.publish("a", 1);
    await until("it is told", () => wire.text.includes("updated"));
    assert.equal(wire.text.split("HTTP/1.1").length, 2);
    assert.ok(!wire.text.includes("get_server_info"));
    wire.socket.destroy();
    await nothingOpen(server);
  });
});

describe("room for subscriptions", { concurrency: true }, () => {
  it("is that of all readers, and is there again when one goes", async () => {
    await using server = await startServer({ maxConnections: 3 });
    const listeners = [await listen(server, {}), await listen(server, {}), await listen(server, {})];
    const refused = await mcp(server, "subscriptions/listen", { notifications: {} });
    assert.deepEqual(refused.error?.data, { code: "TOO_MANY_CONNECTIONS", retry: true });
    assert.equal((await server.request("/events")).status, 503);
    // What does not stay is answered all the same.
    assert.equal((await mcp(server, "tools/list")).status, 200);
    listeners.pop()?.stream.close();
    await until("one is gone", () => server.hub.size === 2);
    listeners.push(await listen(server, {}));
    for (const { stream } of listeners) stream.close();
    await nothingOpen(server);
  });
});
