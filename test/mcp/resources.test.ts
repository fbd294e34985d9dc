import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mcp, resultOf } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";

interface ChannelResource {
  readonly channel: string;
  readonly messages: readonly { readonly id: string; readonly data: unknown; readonly sender: string }[];
  readonly next: string;
  readonly earlier: string | null;
}

async function read(server: TestServer, uri: string): Promise<unknown> {
  const { contents } = resultOf(await mcp(server, "resources/read", { uri })) as {
    contents: { uri: string; mimeType: string; text: string }[];
  };
  assert.equal(contents.length, 1);
  const [content] = contents;
  assert.deepEqual([content?.uri, content?.mimeType], [uri, "application/json"]);
  return JSON.parse(content?.text ?? "");
}

describe("a channel as a resource", { concurrency: true }, () => {
  it("[MCP-5] shows its last messages, oldest first, and the cursor to go on from", async () => {
    await using server = await startServer();
    for (let n = 0; n < 60; n++) await server.publish("orders.eu", n);
    await server.publish("orders.us", "other");
    const { channel, messages, next, earlier } = (await read(server, "hub://channels/orders.eu")) as ChannelResource;
    assert.equal(channel, "orders.eu");
    assert.deepEqual(
      messages.map(({ data }) => data),
      Array.from({ length: 50 }, (_, n) => n + 10),
    );
    assert.notEqual(earlier, null);
    await server.publish("orders.eu", "new");
    const page = await server.call("read_messages", { channel: "orders.eu", after: next });
    assert.deepEqual(
      (page.structuredContent["messages"] as { data: unknown }[]).map(({ data }) => data),
      ["new"],
    );
  });

  it("that nobody has used has no messages, and may be waited for all the same", async () => {
    await using server = await startServer();
    const { messages, next, earlier } = (await read(server, "hub://channels/nobody")) as ChannelResource;
    assert.deepEqual([messages, earlier], [[], null]);
    await server.publish("nobody", 1);
    const page = await server.call("read_messages", { channel: "nobody", after: next });
    assert.equal((page.structuredContent["messages"] as unknown[]).length, 1);
  });

  it("shows messages as they are, whatever is in them", async () => {
    await using server = await startServer();
    const nasty = '</script>\u2028\u0000\u001b[2J"\\\r\ndata: x\n\n';
    await server.publish("a", nasty);
    const { messages } = (await read(server, "hub://channels/a")) as ChannelResource;
    assert.equal(messages[0]?.data, nasty);
  });
});

it("all channels are one resource", async () => {
  await using server = await startServer();
  await server.publish("b", 1);
  await server.publish("a", 1);
  const { channels, more } = (await read(server, "hub://channels")) as {
    channels: { channel: string }[];
    more: boolean;
  };
  assert.deepEqual(
    channels.map(({ channel }) => channel),
    ["a", "b"],
  );
  assert.equal(more, false);
});

describe("a URI that names nothing", { concurrency: true }, () => {
  const wrong = [
    "",
    "hub",
    "hub:",
    "hub://",
    "hub://channel",
    "hub://channels?",
    "hub://channels//",
    "hub://channels/a/b",
    "hub://channels/a b",
    "hub://channels/a%20b",
    "hub://channels/a?x=1",
    "hub://channels/a#b",
    "hub://channels/../a",
    "hub://channels/a..b",
    "hub://channels/.a",
    "hub://channels/*",
    "hub://channels/orders.*",
    "hub://channels/hub",
    "hub://channels/hub.stats",
    "hub://channels/hub.log",
    "hub://channels/größe",
    "hub://channels/a\u0000",
    "hub://channels/a\n",
    "HUBS://channels",
    "hub://channelsx",
    "file:///etc/passwd",
    "http://localhost/mcp",
    "__proto__",
    "x".repeat(10_000),
    `hub://channels/${"x".repeat(129)}`,
    `hub://channels/${"x".repeat(10_000)}`,
    `hub://channels/${"\u0000".repeat(128)}`,
    `hub://channels/${"\u001b[2J\u202e".repeat(30)}`,
    // Cut after 200 characters it would end in half of one.
    `hub://channels/${"🙂".repeat(200)}`,
  ];

  it("is answered with -32602 and some of the URI", async () => {
    await using server = await startServer();
    for (const uri of wrong) {
      const answer = await mcp(server, "resources/read", { uri });
      assert.deepEqual([answer.status, answer.error?.code], [200, -32602], uri.slice(0, 100));
      assert.equal(answer.error?.data?.["uri"], uri.slice(0, 200).toWellFormed());
      assert.match(answer.error?.message ?? "", /^Resource not found: /);
    }
  });

  it("is named in part in the sentence, and nothing in it moves a cursor", async () => {
    await using server = await startServer();
    for (const uri of wrong) {
      const { error, text } = await mcp(server, "resources/read", { uri });
      // A control character of the URI is six characters of the sentence.
      assert.ok((error?.message.length ?? 0) < 1000 && text.length < 2500, `${text.length} for ${uri.length}`);
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(error?.message ?? "", /[\u0000-\u001f]/);
      assert.doesNotMatch(text, /\\ud[89a-f]/i);
    }
  });
});
