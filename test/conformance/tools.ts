import { setTimeout as wait } from "node:timers/promises";
import type { McpRequestContext } from "../../src/mcp/request-context.ts";
import type { Changes, ContentResult, ToolDefinition } from "../../src/mcp/definitions.ts";
import type { JsonObject } from "../../src/mcp/errors.ts";
import { AUDIO, content, IMAGE, resource, text } from "./content.ts";

/** Milliseconds between the steps of a tool that takes time, as the suite asks for. */
const STEP = 50;
/** Milliseconds in which a client that was sent away is back. */
const AWAY = 100;

/** A schema whose every keyword must come out of `tools/list` as it went in. */
const EVERY_KEYWORD: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // A keyword of JSON Schema; nobody awaits this.
  // oxlint-disable-next-line unicorn/no-thenable
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

/** Tools that answer with each kind of content. */
export const contentTools: readonly ToolDefinition[] = [
  simple("test_simple_text", "Answers with a text", () => content(text("This is a simple text response for testing."))),
  simple("test_image_content", "Answers with an image", () => content(IMAGE)),
  simple("test_audio_content", "Answers with a sound", () => content(AUDIO)),
  simple("test_embedded_resource", "Answers with a resource", () =>
    content(resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
  ),
  simple("test_multiple_content_types", "Answers with a text, an image and a resource", () =>
    content(
      text("Multiple content types test:"),
      IMAGE,
      resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ),
  ),
  simple("test_error_handling", "Fails, always", () => ({
    ...content(text("This tool intentionally returns an error for testing")),
    isError: true,
  })),
];

/** Tools that tell something before they answer, or go away and come back. */
export const slowTools: readonly ToolDefinition[] = [
  simple("test_tool_with_logging", "Logs three messages", async (call) => {
    call.log("info", "Tool execution started");
    await wait(STEP);
    call.log("info", "Tool processing data");
    await wait(STEP);
    call.log("info", "Tool execution completed");
    return content(text("three messages logged"));
  }),
  simple("test_tool_with_progress", "Tells of its progress three times", async ({ progress }) => {
    progress?.(0, 100);
    await wait(STEP);
    progress?.(50, 100);
    await wait(STEP);
    progress?.(100, 100);
    return content(text("done"));
  }),
  simple("test_reconnection", "Ends its stream before it answers", async ({ pause }) => {
    pause?.();
    await wait(AWAY);
    return content(text("welcome back"));
  }),
  simple("test_logging_tool", "Logs a message", (call) => {
    call.log("info", "for those who asked for it");
    return content(text("logged"));
  }),
  simple("test_streaming_elicitation", "Answers without asking anything", () => content(text("nothing to ask"))),
];

/** Tools that announce a change of the lists. */
export function changingTools(changes: Changes): readonly ToolDefinition[] {
  const changing = (name: string, list: "tools" | "prompts"): ToolDefinition =>
    simple(name, `Announces that the list of ${list} has changed`, () => {
      changes.announce(list);
      return content(text("announced"));
    });
  return [changing("test_trigger_tool_change", "tools"), changing("test_trigger_prompt_change", "prompts")];
}

/** Tools whose schemas are what matters. */
export const schemaTools: readonly ToolDefinition[] = [
  {
    listing: { name: "json_schema_2020_12_tool", description: "Has a rich schema", inputSchema: EVERY_KEYWORD },
    call: async (input) => content(text(JSON.stringify(input))),
  },
  {
    listing: {
      name: "test_header_param",
      description: "Has an argument that a header repeats",
      inputSchema: {
        type: "object",
        properties: { region: { type: "string", "x-mcp-header": "Region" }, level: { type: "integer" } },
      },
    },
    call: async (input) => content(text(JSON.stringify(input))),
  },
];

/** A tool without arguments. */
function simple(
  name: string,
  description: string,
  call: (call: McpRequestContext) => ContentResult | Promise<ContentResult>,
): ToolDefinition {
  return {
    listing: { name, description, inputSchema: { type: "object", properties: {} } },
    call: async (_, context) => call(context),
  };
}
