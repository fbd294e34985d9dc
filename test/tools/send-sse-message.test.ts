import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LegacyClient } from "../support/legacy-client.ts";
import { mcp } from "../support/mcp.ts";
import { startServer } from "../support/server.ts";

describe("send_sse_message", () => {
  it("[TOOL-20] takes any JSON as its message, in both eras and at every door, and text as it is", async () => {
    await using server = await startServer();
    const client = await LegacyClient.open(server);
    using frames = await server.frames("?channel=");
    const values = [{ deploy: { ok: true } }, [1, "two", null], 5, false, '{"a":1}', "[1]", "17"];
    for (const message of values) {
      const name = "send_sse_message";
      const input = { message, channel: "a" };
      assert.equal((await mcp(server, "tools/call", { name, arguments: input })).result?.["isError"], undefined);
      assert.equal((await client.ask("tools/call", { name, arguments: input })).result?.["isError"], undefined);
      assert.equal((await server.call(name, input)).isError, undefined);
      frames.ws.send(JSON.stringify({ type: "mcp_call", tool: name, arguments: input }));
      await frames.nextOf("mcp_result");
    }
    const { messages } = (await server.request("/channels/a/messages")).json() as {
      messages: readonly { data: unknown; via: string }[];
    };
    assert.deepEqual(
      messages.map(({ data }) => data),
      values.flatMap((value) => [value, value, value, value]),
    );
  });

  it("[TOOL-20] without a message, or with one that is too deep, says what is wrong with `message`", async () => {
    await using server = await startServer();
    let deep: unknown = 1;
    for (let level = 0; level < 101; level++) deep = [deep];
    for (const [input, sentence] of [
      [{}, /^send_sse_message: message is missing/],
      [{ message: deep }, /^send_sse_message: message is nested deeper than 100 levels/],
    ] as const) {
      const { isError, content } = await server.call("send_sse_message", input);
      assert.equal(isError, true);
      assert.match(content[0]?.text ?? "", sentence);
    }
  });
});
