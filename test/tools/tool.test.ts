import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ToolSet } from "../../src/tools/index.ts";

const { all, listings: toolListings } = new ToolSet();

interface InputSchema {
  readonly type: string;
  readonly properties: Readonly<Record<string, { readonly description?: string }>>;
  readonly required: readonly string[];
  readonly additionalProperties: boolean;
}

describe("the tools, as they are listed", () => {
  it("cost a model less than 1,000 tokens, at four characters each, and what they answer as much again at most", () => {
    const answers = toolListings.map(({ outputSchema }) => outputSchema);
    // What clients give to a model: titles and annotations are for people and for the client itself.
    const shown = toolListings.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
    const characters = JSON.stringify(shown).length;
    assert.ok(characters < 4000, `${characters} characters`);
    assert.ok(JSON.stringify(answers).length < 4000, `${JSON.stringify(answers).length} characters`);
  });

  it("[TOOL-1] are all there in their order, described in a line, and say whether they change anything", () => {
    assert.deepEqual(
      toolListings.map(({ name, annotations }) => [name, annotations.readOnlyHint]),
      [
        ["get_server_info", true],
        ["send_sse_message", false],
        ["list_channels", true],
        ["read_messages", true],
        ["wait_for_messages", true],
        ["ask_person", false],
        ["await_answer", true],
        ["list_participants", true],
      ],
    );
    for (const { name, title, description } of toolListings) {
      assert.ok(title !== "" && description.length > 10 && !description.includes("\n"), name);
    }
  });

  it("take an object of known properties, each described, and list what is required even where nothing is", () => {
    for (const { name, inputSchema } of toolListings) {
      const { type, properties, required, additionalProperties } = inputSchema as unknown as InputSchema;
      assert.deepEqual([type, additionalProperties], ["object", false], name);
      assert.ok(Array.isArray(required));
      for (const [property, { description }] of Object.entries(properties))
        assert.ok(description, `${name} ${property}`);
      assert.ok(required.every((property) => property in properties));
      assert.equal("$schema" in inputSchema, false);
    }
  });

  it("describe the tools that run", () => {
    assert.deepEqual(
      all.map(({ tool: { name, input } }) => [name, Object.keys(input.shape)]),
      toolListings.map(({ name, inputSchema }) => [
        name,
        Object.keys((inputSchema as unknown as InputSchema).properties),
      ]),
    );
  });
});
