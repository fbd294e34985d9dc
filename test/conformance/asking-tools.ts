import type { McpRequestContext } from "../../src/mcp/request-context.ts";
import type { ToolDefinition } from "../../src/mcp/definitions.ts";
import { isObject, type JsonObject } from "../../src/mcp/errors.ts";
import { content, text } from "./content.ts";

/** Tools that ask the client something while their request is open, as sessions allow. */
export const askingTools: readonly ToolDefinition[] = [
  {
    listing: {
      name: "test_sampling",
      description: "Has the client's model answer",
      inputSchema: { type: "object", properties: { prompt: { type: "string" } }, required: ["prompt"] },
    },
    async call(input, call) {
      const messages = [{ role: "user", content: text(String(input?.["prompt"])) }];
      const answer = await asked(call, "sampling/createMessage", { messages, maxTokens: 100 });
      const said = isObject(answer["content"]) ? answer["content"]["text"] : undefined;
      return content(text(`LLM response: ${String(said)}`));
    },
  },
  {
    listing: {
      name: "test_elicitation",
      description: "Asks a person for a name and an address",
      inputSchema: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
    },
    call: (input, call) =>
      elicited(call, "User response", String(input?.["message"]), {
        properties: {
          username: { type: "string", description: "A name" },
          email: { type: "string", description: "An address" },
        },
        required: ["username", "email"],
      }),
  },
  {
    listing: {
      name: "test_elicitation_sep1034_defaults",
      description: "Asks a person, with a default for each type",
      inputSchema: { type: "object", properties: {} },
    },
    call: (_, call) =>
      elicited(call, "Elicitation completed", "Correct what is wrong", {
        properties: {
          name: { type: "string", default: "John Doe" },
          age: { type: "integer", default: 30 },
          score: { type: "number", default: 95.5 },
          status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
          verified: { type: "boolean", default: true },
        },
      }),
  },
  {
    listing: {
      name: "test_elicitation_sep1330_enums",
      description: "Asks a person to choose, in each form a choice can have",
      inputSchema: { type: "object", properties: {} },
    },
    call: (_, call) =>
      elicited(call, "Elicitation completed", "Choose", {
        properties: {
          untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
          titledSingle: { type: "string", oneOf: titled("value", "Option") },
          legacyEnum: {
            type: "string",
            enum: ["opt1", "opt2", "opt3"],
            enumNames: ["Option One", "Option Two", "Option Three"],
          },
          untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
          titledMulti: { type: "array", items: { anyOf: titled("value", "Choice") } },
        },
      }),
  },
];

async function elicited(
  call: McpRequestContext,
  word: string,
  message: string,
  schema: JsonObject,
): ReturnType<ToolDefinition["call"]> {
  const answer = await asked(call, "elicitation/create", { message, requestedSchema: { type: "object", ...schema } });
  const { action, content: given = {} } = answer;
  return content(text(`${word}: action=${String(action)}, content=${JSON.stringify(given)}`));
}

async function asked({ ask }: McpRequestContext, method: string, params: JsonObject): Promise<JsonObject> {
  if (ask === undefined) throw new Error("only a session can be asked");
  return (await ask(method, params)) as JsonObject;
}

function titled(value: string, title: string): readonly JsonObject[] {
  return ["First", "Second", "Third"].map((which, index) => ({
    const: `${value}${index + 1}`,
    title: `${which} ${title}`,
  }));
}
