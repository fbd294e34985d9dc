import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { lenient } from "../../src/tools/index.ts";
import { startServer, type TestServer, type ToolAnswer } from "../support/server.ts";

const SCHEMA = z.strictObject({
  name: z.string(),
  any: z.unknown().optional(),
  list: z.array(z.string()).optional(),
  count: z.int().default(1),
  flag: z.boolean().optional(),
  inner: z.looseObject({ text: z.string().optional() }).optional(),
});

describe("what is meant by values", () => {
  it("leaves alone what a schema takes as it is", () => {
    for (const values of [{ name: "", any: { a: null } }, { name: "5", list: ["[1]"], count: 2, flag: false }, {}]) {
      assert.equal(lenient(SCHEMA, values), values);
    }
  });

  it("[TOOL-10] is none, where an optional field is null or an empty text; a required one stays", () => {
    for (const none of [null, ""]) {
      const values = { name: none, any: none, list: none, count: none, flag: none, inner: none };
      assert.deepEqual(lenient(SCHEMA, values), { name: none });
    }
    assert.deepEqual(lenient(SCHEMA, { inner: { text: "", other: "" } }), { inner: { other: "" } });
  });

  it("[TOOL-11] is what a text says in JSON, where that is of the asked type, and one item where a list is asked for", () => {
    const meant = lenient(SCHEMA, { list: '["a","b"]', count: " 5", flag: "true" });
    assert.deepEqual(meant, { list: ["a", "b"], count: 5, flag: true });
    assert.deepEqual(lenient(SCHEMA, { list: "default" }), { list: ["default"] });
    assert.deepEqual(lenient(SCHEMA, { list: '{"a":1}' }), { list: ['{"a":1}'] });
  });

  it("is left to the schema where it is anything else", () => {
    assert.deepEqual(lenient(SCHEMA, { count: "1e400" }), { count: "1e400" });
    const values = { name: 5, count: "five", flag: "yes", inner: '{"text":"x"}', unknown: null, list: { a: 1 } };
    assert.deepEqual(lenient(SCHEMA, values), values);
  });

  it("[TOOL-14] is not looked into where it is a list of more than anyone can mean", () => {
    for (const list of [Array(10_001).fill(0), JSON.stringify(Array(10_001).fill(0))]) {
      assert.throws(() => lenient(SCHEMA, { list }), /list names 10001 channels; no reader may name more than 10000/);
    }
  });
});

/** Calls a tool at each door with the same words; resolves with the results. */
async function everywhere(server: TestServer, name: string, input: unknown): Promise<readonly ToolAnswer[]> {
  const body = JSON.stringify({ params: { name, arguments: input } });
  const answer = await server.request("/mcp/tools/call", { method: "POST", body });
  const { result } = answer.json() as { result: ToolAnswer };
  using frames = await server.frames("?channel=");
  await frames.next();
  const frame = await frames.ask({ type: "mcp_call", tool: name, arguments: input });
  return [result, frame["result"] as ToolAnswer];
}

describe("the tools", { concurrency: true }, () => {
  it("[TOOL-10] take null and empty texts for what is left out, and miss no message by it", async () => {
    await using server = await startServer();
    for (const n of [1, 2, 3]) await server.publish("a", n);
    for (const none of [null, ""]) {
      for (const { structuredContent } of await everywhere(server, "read_messages", {
        channel: "a",
        after: none,
        limit: none,
      })) {
        assert.equal((structuredContent["messages"] as unknown[]).length, 3);
      }
      const wait = { channels: ["a"], after: none, timeoutSeconds: 0 };
      for (const { structuredContent } of await everywhere(server, "wait_for_messages", wait)) {
        assert.deepEqual([structuredContent["messages"], structuredContent["gap"]], [[], null]);
      }
      const sent = { message: "x", channel: none, event: none, sender: none };
      for (const result of await everywhere(server, "send_sse_message", sent)) {
        assert.equal(result.structuredContent["channel"], "default");
      }
      for (const result of await everywhere(server, "list_channels", { prefix: none })) {
        assert.equal((result.structuredContent["channels"] as unknown[]).length, 2);
      }
      for (const result of await everywhere(server, "get_server_info", none)) assert.equal(result.isError, undefined);
    }
  });

  it("[TOOL-11] take a list, a number and one channel as texts", async () => {
    await using server = await startServer();
    for (const input of [
      { channels: '["a","b"]', timeoutSeconds: "0" },
      { channels: "a", timeoutSeconds: "0.0" },
    ]) {
      for (const result of await everywhere(server, "wait_for_messages", input)) {
        assert.equal(result.isError, undefined, JSON.stringify(result));
      }
    }
  });

  it("refuse what changes the meaning, in a sentence", async () => {
    await using server = await startServer();
    const bad: readonly (readonly [string, unknown, RegExp])[] = [
      ["read_messages", { channel: "" }, /it is empty/],
      ["read_messages", { channel: null }, /channel must be a string, not null/],
      ["read_messages", { channel: "a", colour: null }, /unknown property "colour"/],
      ["read_messages", { channel: "a", limit: "many" }, /limit must be a number, not a string/],
      ["wait_for_messages", { channels: [null], timeoutSeconds: 0 }, /channels\.0 must be a string, not null/],
      ["wait_for_messages", { channels: [""], timeoutSeconds: 0 }, /it is empty/],
      ["send_sse_message", '{"message":"x"}', /it must be an object, not a string/],
    ];
    for (const [name, input, sentence] of bad) {
      // What is no object is refused as the request's by a door that checks requests.
      const results =
        typeof input === "string"
          ? [(await everywhere(server, name, input))[1]]
          : await everywhere(server, name, input);
      for (const result of results) {
        assert.equal(result?.isError, true, JSON.stringify(input));
        assert.match(result?.content[0]?.text ?? "", sentence);
      }
    }
  });

  it("[TOOL-14] refuse a megabyte of wrong items, and of unknown names, in a short sentence", async () => {
    await using server = await startServer();
    const zeros = Array<number>(500_000).fill(0);
    const unknown = Object.fromEntries(Array.from({ length: 80_000 }, (_, n) => [`k${n}`, 0]));
    for (const [name, input] of [
      ["wait_for_messages", { channels: zeros }],
      ["wait_for_messages", { channels: JSON.stringify(zeros) }],
      ["get_server_info", unknown],
      ["read_messages", { channel: "a", ...unknown }],
    ] as const) {
      const { isError, content } = await server.call(name, input);
      assert.equal(isError, true);
      assert.ok((content[0]?.text.length ?? 0) < 300);
    }
  });

  it("take orders, orders. and orders.* for the same prefix, and names as long as they may be", async () => {
    await using server = await startServer();
    const names = async (prefix: string): Promise<unknown> => {
      const { structuredContent, content } = await server.call("list_channels", { prefix });
      assert.ok(structuredContent !== undefined, content[0]?.text);
      return (structuredContent["channels"] as { channel: string }[]).map(({ channel }) => channel);
    };
    for (const channel of ["orders", "orders.eu", "other"]) await server.publish(channel, 1);
    for (const prefix of ["orders", "orders.", "orders.*"])
      assert.deepEqual(await names(prefix), ["orders", "orders.eu"]);
    assert.deepEqual(await names("*"), ["orders", "orders.eu", "other"]);
    const [a, b, c] = [126, 127, 128].map((length) => "p".repeat(length)) as [string, string, string];
    for (const channel of [a, `${a}.x`, b, c]) await server.publish(channel, 1);
    assert.deepEqual([await names(a), await names(b), await names(c)], [[a, `${a}.x`], [b], [c]]);
  });

  it("send any JSON as it is, and a text as a text", async () => {
    await using server = await startServer();
    for (const message of [{ order: 7, null: null }, [1, "two"], 3.5, true, null, "", '{"a":1}', "5"]) {
      for (const result of await everywhere(server, "send_sse_message", { message }))
        assert.equal(result.isError, undefined);
      const { structuredContent } = await server.call("read_messages", { channel: "default", limit: 100 });
      const sent = (structuredContent["messages"] as { data: unknown }[]).slice(-2).map(({ data }) => data);
      assert.deepEqual(sent, [message, message]);
    }
  });
});
