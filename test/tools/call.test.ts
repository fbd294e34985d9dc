import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

describe("get_server_info", () => {
  it("[RPC-6] says in one readable line, and as data, what the process is and does", async () => {
    await using server = await startServer({ maxConnections: 7 });
    await server.publish("a", 1);
    using reader = await server.events();
    using other = await server.frames();
    await other.next();
    const { content, structuredContent: info } = await server.call("get_server_info");
    assert.match(
      content[0]?.text ?? "",
      /^sse-mcp-server \d\S+, up \d+ \S+: 2 readers \(1 SSE, 1 WebSocket, 0 MCP\), 1 published, 0 delivered, 1 kept, CPU [\d.]+ %, memory \d+ MiB$/,
    );
    assert.deepEqual(info["connections"], { sse: 1, websocket: 1, mcp: 0, waiting: 0, total: 2 });
    const { kept, published, delivered } = info["messages"] as Record<string, number>;
    assert.deepEqual([kept, published, delivered, info["channels"]], [1, 1, 0, 1]);
    assert.equal((info["limits"] as { connections: number }).connections, 7);
    const keys = [
      "name",
      "version",
      "node",
      "nodes",
      "uptimeSeconds",
      "protocolVersions",
      "connections",
      "messages",
      "channels",
      "delivery",
      "cpu",
      "memory",
      "eventLoop",
      "limits",
    ];
    assert.deepEqual(Object.keys(info).sort(), keys.sort());
    for (const part of ["cpu", "memory", "eventLoop", "messages"]) {
      for (const value of Object.values(info[part] as object)) assert.ok(Number.isFinite(value), part);
    }
    reader.close();
  });

  it("names the node that answers, and lists it with its own figures", async () => {
    await using server = await startServer();
    using _ = await server.events("?channel=a");
    const { node, nodes, version } = (await server.call("get_server_info")).structuredContent;
    const [own, ...others] = nodes as Record<string, unknown>[];
    assert.match(String(node), /^[a-z\d]{10}$/);
    assert.deepEqual([own?.["id"], own?.["version"], own?.["draining"], others], [node, version, false, []]);
    assert.equal(own?.["connections"], 1);
    assert.ok(String(own?.["address"]).endsWith(`:${server.port}`));
    assert.ok(Math.abs(Date.parse(String(own?.["started"])) - Date.now()) < 60_000);
  });

  it("tells the names of machines to admins only", async () => {
    await using server = await startServer({ anonymousSubscribe: ["*"] });
    const { nodes } = (await server.call("get_server_info")).structuredContent;
    assert.equal("address" in ((nodes as object[])[0] ?? {}), false);
  });

  it("is computed at most once a second, however many ask", async () => {
    await using server = await startServer();
    const infos = await Promise.all(Array.from({ length: 20 }, () => server.call("get_server_info")));
    assert.equal(new Set(infos.map(({ content }) => content[0]?.text)).size, 1);
  });

  it("takes no input", async () => {
    await using server = await startServer();
    const result = await server.call("get_server_info", { verbose: true });
    assert.deepEqual(
      [result.isError, result.content[0]?.text],
      [true, 'get_server_info: unknown property "verbose"; none is taken'],
    );
  });
});

describe("send_sse_message", () => {
  it("sends to the default channel or the one that is named, and says to how many", async () => {
    await using server = await startServer();
    using reader = await server.events("?channel=default,orders.eu&format=json");
    const { content, structuredContent } = await server.call("send_sse_message", { message: "Hello" });
    assert.equal(content[0]?.text, `Sent to 1 reader on "default" (id ${String(structuredContent["id"])})`);
    const first = JSON.parse((await reader.next()).data) as Record<string, unknown>;
    assert.deepEqual(
      [first["data"], first["sender"], first["event"], first["id"]],
      ["Hello", "anyone", "message", structuredContent["id"]],
    );
    await server.call("send_sse_message", { message: "{}", channel: "orders.eu", event: "order", sender: "shop" });
    const second = JSON.parse((await reader.next()).data) as Record<string, unknown>;
    assert.deepEqual(
      [second["data"], second["channel"], second["sender"], second["event"]],
      ["{}", "orders.eu", "shop", "order"],
    );
  });

  it("takes any string as it is: empty, of many lines, in any script", async () => {
    await using server = await startServer();
    using reader = await server.events("?format=json");
    for (const message of ["", "a\r\nb\n", "\0\u2028\ufeff", "🌊 é"]) {
      await server.call("send_sse_message", { message });
      assert.equal((JSON.parse((await reader.next()).data) as { data: string }).data, message);
    }
  });
});

describe("which way a message came", () => {
  it("[MSG-4] is in messages of tools, called at any door, and in no other, for every kind of reader", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    using events = await server.events("?format=json");
    using frames = await server.frames();
    await frames.next();
    const call = { tool: "send_sse_message", arguments: { message: "agent", sender: "ada" } };
    await server.call(call.tool, call.arguments);
    frames.send({ type: "mcp_call", ...call });
    frames.send({ type: "publish", channel: "default", data: "person", sender: "ada", via: "tool" });
    const post = { method: "POST", body: '"person"', headers: { "content-type": "application/json" } };
    assert.equal((await server.request("/channels/default/messages?via=tool", post)).status, 400);
    await server.request("/channels/default/messages?sender=ada", post);
    const check = (messages: readonly unknown[]): void => {
      const seen = (messages as readonly { readonly data: string; readonly via?: string }[]).map(
        (message) => `${message.data}, ${message.via}`,
      );
      assert.deepEqual(seen.toSorted(), ["agent, tool", "agent, tool", "person, undefined", "person, undefined"]);
    };
    await until("all are kept", () => server.hub.log.size().messages === 4);
    const { structuredContent } = await server.call("read_messages", { channel: "default" });
    check(structuredContent["messages"] as unknown[]);
    for (const query of ["after=earliest", "before=latest"]) {
      const page = (await server.request(`/channels/default/messages?${query}`)).json() as { messages: unknown[] };
      check(page.messages);
    }
    const live = await events.data(4);
    check(live.map((text) => JSON.parse(text) as unknown));
    const framed: unknown[] = [];
    while (framed.length < 4) framed.push(await frames.nextOf("message"));
    check(framed);
  });
});

describe("list_channels", () => {
  it("lists channels with readers, messages kept and the last of them, all or below a prefix", async () => {
    await using server = await startServer();
    assert.equal((await server.call("list_channels")).content[0]?.text, "No channels yet");
    const { id, time } = await server.publish("orders.eu", 1);
    await server.publish("orders", 1);
    await server.publish("ordersx", 1);
    using _ = await server.events("?channel=quiet");
    const all = await server.call("list_channels");
    const names = (result: typeof all): string[] =>
      (result.structuredContent["channels"] as { channel: string }[]).map(({ channel }) => channel);
    assert.deepEqual(names(all), ["orders", "orders.eu", "ordersx", "quiet"]);
    assert.deepEqual((all.structuredContent["channels"] as object[])[1], {
      channel: "orders.eu",
      readers: 0,
      messages: 1,
      lastId: id,
      lastTime: time,
    });
    assert.match(all.content[0]?.text ?? "", new RegExp(`^orders\\.eu: 0 reading, 1 kept, last ${id}$`, "m"));
    assert.deepEqual(names(await server.call("list_channels", { prefix: "orders" })), ["orders", "orders.eu"]);
    const wrong = await server.call("list_channels", { prefix: "a.*.b" });
    assert.match(wrong.content[0]?.text ?? "", /^list_channels: Not a channel: "a\.\*\.b"/);
  });

  it("says that there are more than it lists", async () => {
    await using server = await startServer();
    await Promise.all(Array.from({ length: 201 }, (_, n) => server.publish(`c${n}`, 1)));
    const { structuredContent, content } = await server.call("list_channels");
    assert.deepEqual([(structuredContent["channels"] as object[]).length, structuredContent["more"]], [200, true]);
    assert.match(content[0]?.text ?? "", /… and more$/);
  });
});

describe("read_messages", () => {
  it("reads pages of what is kept, oldest first, with the cursor to go on", async () => {
    using folder = new TemporaryFolder();
    await using server = await startServer({ data: `file:${folder.file()}` });
    for (const n of [1, 2, 3]) await server.publish("a", n);
    const first = await server.call("read_messages", { channel: "a", limit: 2 });
    assert.deepEqual([data(first), first.structuredContent["more"]], [[1, 2], true]);
    const next = String(first.structuredContent["next"]);
    assert.match(first.content[0]?.text ?? "", new RegExp(`^\\S+ \\S+ a anyone: 1\n.*\nMore with after: ${next}$`));
    const second = await server.call("read_messages", { channel: "a", after: next });
    assert.deepEqual(
      [data(second), second.structuredContent["more"], second.structuredContent["gap"]],
      [[3], false, null],
    );
    const none = await server.call("read_messages", { channel: "a", after: String(second.structuredContent["next"]) });
    assert.match(none.content[0]?.text ?? "", /^No messages\nGo on with after: \S+$/);
  });

  it("says what is missing", async () => {
    await using server = await startServer({ retentionMessages: 1 });
    const { id } = await server.publish("a", 1);
    await server.publish("a", 2);
    await server.publish("a", 3);
    const { content, structuredContent } = await server.call("read_messages", { channel: "a", after: id });
    assert.match(content[0]?.text ?? "", /^Messages are missing \(expired\) between \S+ and \S+\n/);
    assert.equal((structuredContent["gap"] as { reason: string }).reason, "expired");
    const unknown = await server.call("read_messages", { channel: "a", after: "garbage" });
    assert.equal((unknown.structuredContent["gap"] as { reason: string }).reason, "unknown_cursor");
  });

  it("refuses wrong input, naming the field", async () => {
    await using server = await startServer();
    const bad: readonly (readonly [object, RegExp])[] = [
      [{}, /channel is missing; give a string/],
      [{ channel: "a", limit: 0 }, /limit/],
      [{ channel: "a", limit: 101 }, /limit/],
      [{ channel: "a", limit: 1.5 }, /limit must be a whole number/],
      [{ channel: "a", limit: "five" }, /limit must be a (?:whole )?number, not a string/],
      [{ channel: "a", after: 7 }, /after must be a string, not a number/],
      [{ channel: "a.*.b" }, /stands alone/],
      [{ channel: "hub.probe" }, /reserved/],
    ];
    for (const [input, sentence] of bad) {
      const { isError, content } = await server.call("read_messages", input);
      assert.equal(isError, true, JSON.stringify(input));
      assert.match(content[0]?.text ?? "", sentence);
    }
  });
});

function data({ structuredContent }: { structuredContent: Record<string, unknown> }): unknown[] {
  return (structuredContent["messages"] as { data: unknown }[]).map((message) => message.data);
}
