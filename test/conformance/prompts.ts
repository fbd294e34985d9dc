import type { PromptDefinition } from "../../src/mcp/definitions.ts";
import type { JsonObject } from "../../src/mcp/errors.ts";
import { IMAGE, resource, text } from "./content.ts";

export const prompts: readonly PromptDefinition[] = [
  {
    listing: { name: "test_simple_prompt", description: "Has no arguments" },
    get: async () => spoken(text("This is a simple prompt for testing.")),
  },
  {
    listing: {
      name: "test_prompt_with_arguments",
      description: "Has two arguments",
      arguments: [
        { name: "arg1", description: "The first", required: true },
        { name: "arg2", description: "The second", required: true },
      ],
    },
    get: async ({ arg1, arg2 }) => spoken(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  },
  {
    listing: {
      name: "test_prompt_with_embedded_resource",
      description: "Holds a resource",
      arguments: [{ name: "resourceUri", description: "Which", required: true }],
    },
    get: async ({ resourceUri = "" }) =>
      spoken(
        resource(resourceUri, "text/plain", "Embedded resource content for testing."),
        text("Please process the embedded resource above."),
      ),
  },
  {
    listing: { name: "test_prompt_with_image", description: "Holds an image" },
    get: async () => spoken(IMAGE, text("Please analyze the image above.")),
  },
];

function spoken(...blocks: readonly JsonObject[]): Awaited<ReturnType<PromptDefinition["get"]>> {
  return { messages: blocks.map((block) => ({ role: "user", content: block })) };
}
