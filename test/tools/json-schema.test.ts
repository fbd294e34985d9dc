import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ToolSet } from "../../src/tools/index.ts";
import { LegacyClient } from "../support/legacy-client.ts";
import { mcp, resultOf } from "../support/mcp.ts";
import { faults, KEYWORDS, type Schema } from "../support/json-schema.ts";
import { startServer, type TestServer, type ToolAnswer } from "../support/server.ts";

const { listings: toolListings } = new ToolSet();

/** Every object in a schema that says which properties it has. */
function objectsIn(schema: Schema): Schema[] {
  const { properties = {}, items } = schema;
  const inner = [...Object.values(properties), ...(items === undefined ? [] : [items])].flatMap(objectsIn);
  return schema.properties === undefined ? inner : [schema, ...inner];
}

async function resultsOf(server: TestServer, name: string, input: object): Promise<readonly ToolAnswer[]> {
  using frames = await server.frames("?channel=");
  await frames.next();
  const client = await LegacyClient.open(server);
  const params = { name, arguments: input };
  return [
    await server.call(name, input),
    (await frames.ask({ type: "mcp_call", tool: name, arguments: input }))["result"],
    (await client.ask("tools/call", params)).result,
    resultOf(await mcp(server, "tools/call", params)),
  ] as ToolAnswer[];
}

describe("what the tools say that they answer", { concurrency: true }, () => {
  it("[TOOL-13] is all that they answer, at every door, and nothing else", async () => {
    await using server = await startServer({ retentionMessages: 3 });
    const { id } = await server.publish("orders.eu", { any: ["JSON", null] });
    for (const n of [1, 2]) await server.publish("orders.eu", n);
    await server.publish("large", "x".repeat(2000));
    using _ = await server.events("?channel=quiet");
    const calls: readonly (readonly [string, object])[] = [
      ["get_server_info", {}],
      ["send_sse_message", { message: "by a tool" }],
      ["list_channels", {}],
      ["list_participants", { channel: "quiet" }],
      ["read_messages", { channel: "*" }],
      ["read_messages", { channel: "orders.eu", after: id }],
      ["read_messages", { channel: "orders.eu", after: "nonsense" }],
      ["read_messages", { channel: "large", maxBytes: 1000 }],
      ["wait_for_messages", { channels: ["*"], timeoutSeconds: 0 }],
      ["wait_for_messages", { channels: ["*"], after: "earliest", timeoutSeconds: 0 }],
    ];
    for (const [name, input] of calls) {
      const schema = toolListings.find((listing) => listing.name === name)?.outputSchema as Schema;
      for (const { structuredContent } of await resultsOf(server, name, input)) {
        assert.deepEqual(faults(structuredContent, schema), [], `${name} ${JSON.stringify(input)}`);
      }
    }
  });

  it("[TOOL-13] names every property, which of them are always there, and leaves no room for others", () => {
    for (const { name, outputSchema } of toolListings) {
      for (const { additionalProperties, required = [], properties = {} } of objectsIn(outputSchema ?? {})) {
        assert.equal(additionalProperties, false, name);
        assert.deepEqual(
          Object.keys(properties).filter(
            (key) =>
              !required.includes(key) && !["via", "verified", "address", "cut", "untrusted", "note"].includes(key),
          ),
          [],
        );
      }
      for (const word of JSON.stringify(outputSchema ?? {}).matchAll(
        /"(type|properties|required|additionalProperties|items|const)":/g,
      ))
        assert.ok(KEYWORDS.has(word[1] as string));
    }
  });
});
