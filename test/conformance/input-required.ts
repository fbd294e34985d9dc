import type { McpRequestContext } from "../../src/mcp/request-context.ts";
import type {
  ContentResult,
  InputRequest,
  InputRequired,
  PromptDefinition,
  ToolDefinition,
} from "../../src/mcp/definitions.ts";
import { isObject } from "../../src/mcp/errors.ts";
import { content, text } from "./content.ts";

const ROOTS: InputRequest = { method: "roots/list", params: {} };

/** Tools that send the client away for input before they answer. */
export const inputRequiredTools: readonly ToolDefinition[] = [
  asking("test_input_required_result_elicitation", "Asks for a name", (call) => {
    const name = accepted(call, "user_name", "name");
    if (typeof name !== "string") return required({ user_name: form("What is your name?", "name") });
    return content(text(`Hello, ${name}!`));
  }),
  asking("test_input_required_result_sampling", "Has the client's model answer", (call) => {
    const said = sampled(call, "capital_question");
    if (said === undefined) return required({ capital_question: question("What is the capital of France?", 100) });
    return content(text(said));
  }),
  asking("test_missing_capability", "Has the client's model answer", (call) => {
    const said = sampled(call, "answer");
    if (said === undefined) return required({ answer: question("Say yes or no", 10) });
    return content(text(said));
  }),
  asking("test_input_required_result_list_roots", "Asks for the client's roots", (call) => {
    const roots = listed(call, "client_roots");
    if (roots === undefined) return required({ client_roots: ROOTS });
    return content(text(JSON.stringify(roots)));
  }),
  asking("test_input_required_result_request_state", "Remembers while a person confirms", confirmed),
  asking("test_input_required_result_tampered_state", "Remembers while a person confirms", confirmed),
  asking("test_input_required_result_multiple_inputs", "Asks for three things at once", async (call) => {
    const name = accepted(call, "user_name", "name");
    const greeting = sampled(call, "greeting");
    const roots = listed(call, "client_roots");
    if (typeof name !== "string" || greeting === undefined || roots === undefined) {
      return {
        ...required({
          user_name: form("What is your name?", "name"),
          greeting: question("Generate a greeting", 50),
          client_roots: ROOTS,
        }),
        requestState: await call.seal("asked"),
      };
    }
    return content(text(`${greeting} ${name}, with ${roots.length} roots`));
  }),
  asking("test_input_required_result_multi_round", "Asks twice, one after the other", async (call) => {
    const { state } = call.inputs;
    const before = isObject(state) ? state["name"] : undefined;
    const name = before ?? accepted(call, "step1", "name");
    if (typeof name !== "string") {
      const asked = required({ step1: form("Step 1: What is your name?", "name") });
      return { ...asked, requestState: await call.seal({}) };
    }
    const color = accepted(call, "step2", "color");
    if (typeof color !== "string") {
      const asked = required({ step2: form("Step 2: What is your favorite color?", "color") });
      return { ...asked, requestState: await call.seal({ name }) };
    }
    return content(text(`${name} likes ${color}`));
  }),
  asking("test_input_required_result_capabilities", "Asks for what the client says it can do", (call) => {
    const { capabilities, inputs } = call;
    const possible = {
      ...(isObject(capabilities["elicitation"]) ? { user_name: form("What is your name?", "name") } : {}),
      ...(isObject(capabilities["sampling"]) ? { greeting: question("Generate a greeting", 50) } : {}),
      ...(isObject(capabilities["roots"]) ? { client_roots: ROOTS } : {}),
    };
    const open = Object.entries(possible).filter(([name]) => !Object.hasOwn(inputs.responses, name));
    return open.length > 0 ? required(Object.fromEntries(open)) : content(text("nothing left to ask"));
  }),
];

/** A prompt that does the same. */
export const inputRequiredPrompt: PromptDefinition = {
  listing: { name: "test_input_required_result_prompt", description: "Asks for a context" },
  async get(_, call) {
    const context = accepted(call, "user_context", "context");
    if (typeof context !== "string") {
      return required({ user_context: form("What context should the prompt use?", "context") });
    }
    return { messages: [{ role: "user", content: text(`The context is ${context}`) }] };
  },
};

type Outcome = ContentResult | InputRequired;

function asking(
  name: string,
  description: string,
  answer: (call: McpRequestContext) => Outcome | Promise<Outcome>,
): ToolDefinition {
  return {
    listing: { name, description, inputSchema: { type: "object", properties: {} } },
    call: async (_, call) => answer(call),
  };
}

async function confirmed(call: McpRequestContext): Promise<Outcome> {
  if (call.inputs.state === "asked" && accepted(call, "confirm", "ok") === true) return content(text("state-ok"));
  const asked = required({ confirm: form("Please confirm", "ok", "boolean") });
  return { ...asked, requestState: await call.seal("asked") };
}

function required(inputRequests: Readonly<Record<string, InputRequest>>): InputRequired {
  return { resultType: "input_required", inputRequests };
}

/** Asks a person for one field. */
function form(message: string, field: string, type = "string"): InputRequest {
  const requestedSchema = { type: "object", properties: { [field]: { type } }, required: [field] };
  return { method: "elicitation/create", params: { message, requestedSchema } };
}

/** Asks the client's model. */
function question(said: string, maxTokens: number): InputRequest {
  const messages = [{ role: "user", content: text(said) }];
  return { method: "sampling/createMessage", params: { messages, maxTokens } };
}

/** What a person filled in; undefined where nobody did. */
function accepted({ inputs }: McpRequestContext, name: string, field: string): unknown {
  const response = inputs.responses[name];
  if (!isObject(response) || response["action"] !== "accept" || !isObject(response["content"])) return undefined;
  return response["content"][field];
}

/** What the client's model said; undefined where it was not asked. */
function sampled({ inputs }: McpRequestContext, name: string): string | undefined {
  const response = inputs.responses[name];
  if (!isObject(response) || !isObject(response["content"])) return undefined;
  const said = response["content"]["text"];
  return typeof said === "string" ? said : undefined;
}

/** The client's roots; undefined where it was not asked. */
function listed({ inputs }: McpRequestContext, name: string): readonly unknown[] | undefined {
  const response = inputs.responses[name];
  return isObject(response) && Array.isArray(response["roots"]) ? response["roots"] : undefined;
}
