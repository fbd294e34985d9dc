import type { McpRequestContext } from "../../src/mcp/request-context.ts";
import type { ContentResult, InputRequired, ToolDefinition } from "../../src/mcp/definitions.ts";

/** A tool that does what a test says; its input is not checked. */
export function tool(
  name: string,
  call: (input: Readonly<Record<string, unknown>>, call: McpRequestContext) => Promise<ContentResult | InputRequired>,
): ToolDefinition {
  return {
    listing: { name, description: name, inputSchema: { type: "object" } },
    call: (input, context) => call(input ?? {}, context),
  };
}

/** A result with one text. */
export function said(text: string): ContentResult {
  return { content: [{ type: "text", text }] };
}

/** Calls of the tool `hold`, which are answered when a test says so, or are cancelled. */
export class Held {
  readonly calls: { readonly call: McpRequestContext; readonly answer: (text: string) => void }[] = [];
  cancelled = 0;

  get tool(): ToolDefinition {
    return tool(
      "hold",
      (_, call) =>
        new Promise((resolve) => {
          const entry = { call, answer: (text: string) => resolve(said(text)) };
          this.calls.push(entry);
          call.signal.addEventListener("abort", () => {
            this.cancelled++;
            resolve(said("cancelled"));
          });
        }),
    );
  }
}

/** A request that calls a tool. */
export function calling(id: string | number, name: string, input: object = {}): object {
  return { id, method: "tools/call", params: { name, arguments: input } };
}
