import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mcp, resultOf, type McpAnswer } from "../support/mcp.ts";
import { startServer, type TestServer } from "../support/server.ts";

const PROMPT = { type: "ref/prompt", name: "catch_up" };
const TEMPLATE = { type: "ref/resource", uri: "hub://channels/{channel}" };

function complete(server: TestServer, ref: unknown, argument: unknown, more: object = {}): Promise<McpAnswer> {
  return mcp(server, "completion/complete", { ref, argument, ...more });
}

async function values(server: TestServer, value: string, ref: object = PROMPT): Promise<unknown> {
  return resultOf(await complete(server, ref, { name: "channel", value }))["completion"];
}

describe("completion/complete", { concurrency: true }, () => {
  it("finds channels by what they begin with, then by what they have in them, whatever the case", async () => {
    await using server = await startServer();
    for (const name of ["orders.eu", "Orders.us", "reorders", "news", "borders"]) await server.publish(name, 1);
    for (const ref of [PROMPT, TEMPLATE, { type: "ref/prompt", name: "join_channel" }]) {
      assert.deepEqual(await values(server, "ord", ref), {
        values: ["Orders.us", "orders.eu", "borders", "reorders"],
        total: 4,
        hasMore: false,
      });
      assert.deepEqual(await values(server, "ORDERS.E", ref), { values: ["orders.eu"], total: 1, hasMore: false });
      assert.deepEqual(await values(server, "nothing", ref), { values: [], total: 0, hasMore: false });
    }
    assert.deepEqual(((await values(server, "")) as { values: unknown }).values, [
      "Orders.us",
      "borders",
      "news",
      "orders.eu",
      "reorders",
    ]);
  });

  it("gives a hundred at most, and says how many there are", async () => {
    await using server = await startServer();
    for (let n = 0; n < 150; n++) await server.publish(`c${n}`, 1);
    const {
      values: found,
      total,
      hasMore,
    } = (await values(server, "c")) as { values: string[]; total: number; hasMore: boolean };
    assert.deepEqual([found.length, new Set(found).size, total, hasMore], [100, 100, 150, true]);
  });

  it("does not say how many there are where it did not look at all channels", async () => {
    await using server = await startServer();
    await Promise.all(
      Array.from({ length: 1100 }, (_, n) =>
        server.hub.publish({ channel: `c${n}` as never, event: "message", data: "1", sender: "s" }),
      ),
    );
    assert.deepEqual(await values(server, "nothing"), { values: [], hasMore: true });
  });

  it("finds by its beginning any channel of however many", async () => {
    await using server = await startServer();
    const names = [...Array.from({ length: 2100 }, (_, n) => `a.c${n}`), "noise", "Noisy", "NOISIER"];
    await Promise.all(
      names.map((channel) =>
        server.hub.publish({ channel: channel as never, event: "message", data: "1", sender: "s" }),
      ),
    );
    assert.deepEqual(await values(server, "noi"), { values: ["NOISIER", "Noisy", "noise"], hasMore: true });
    assert.deepEqual(await values(server, "a.c209"), {
      values: ["a.c209", ...Array.from({ length: 10 }, (_, n) => `a.c209${n}`)],
      hasMore: true,
    });
  });

  it("has nothing to say about an argument that is no channel", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    const answer = await complete(server, { type: "ref/prompt", name: "join_channel" }, { name: "name", value: "a" });
    assert.deepEqual(resultOf(answer)["completion"], { values: [], total: 0, hasMore: false });
  });

  it("takes what was completed before, and makes nothing of it", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    for (const context of [{ arguments: { name: "x" } }, {}, null, 5]) {
      const answer = await complete(server, PROMPT, { name: "channel", value: "a" }, { context });
      assert.deepEqual((resultOf(answer)["completion"] as { values: unknown }).values, ["a"]);
    }
  });

  it("looks for text, not for patterns of it", async () => {
    await using server = await startServer();
    await server.publish("a", 1);
    for (const value of [".*", "(", "[a-z]", "*", "\\", "\u0000", "%", "😀", "İ".repeat(500)]) {
      assert.deepEqual(await values(server, value), { values: [], total: 0, hasMore: false }, value);
    }
  });

  it("refuses what it cannot complete", async () => {
    await using server = await startServer();
    const argument = { name: "channel", value: "" };
    for (const ref of [
      undefined,
      null,
      "catch_up",
      [],
      {},
      { type: "ref/prompt" },
      { type: "ref/prompt", name: "nobody" },
      { type: "ref/prompt", name: 5 },
      { type: "ref/prompt", uri: "hub://channels/{channel}" },
      { type: "ref/resource" },
      { type: "ref/resource", uri: "hub://channels" },
      { type: "ref/resource", uri: "x".repeat(10_000) },
      { type: "ref/tool", name: "read_messages" },
      { type: "__proto__", name: "catch_up" },
    ]) {
      const answer = await complete(server, ref, argument);
      assert.deepEqual([answer.status, answer.error?.code], [200, -32602], JSON.stringify(ref));
      assert.ok(answer.text.length < 300);
    }
    for (const wrong of [
      undefined,
      null,
      "channel",
      [],
      {},
      { name: "channel" },
      { value: "" },
      { name: 5, value: "" },
      { name: "channel", value: 5 },
      { name: "channel", value: null },
      { name: "channel", value: "x".repeat(1025) },
      { name: "channel", value: "x".repeat(500_000) },
      { name: "other", value: "" },
      { name: "Channel", value: "" },
      { name: "x".repeat(10_000), value: "" },
      { name: "length", value: "" },
    ]) {
      for (const ref of [PROMPT, TEMPLATE]) {
        const answer = await complete(server, ref, wrong);
        assert.deepEqual([answer.status, answer.error?.code], [200, -32602], JSON.stringify(wrong)?.slice(0, 100));
        assert.ok(answer.text.length < 400);
      }
    }
  });
});
