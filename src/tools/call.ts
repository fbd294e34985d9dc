import { HubError } from "../core/errors.ts";
import { isObject } from "../protocol/json.ts";
import { lenient } from "./lenient.ts";
import { problems } from "./validation-message.ts";
import type { Tool, RequestContext, ToolResult } from "./tool.ts";

/**
 * Calls a tool, for any door. What the caller got wrong in the input is a result with `isError`, which names the field;
 * throws what the server cannot do right now.
 */
export async function callTool(tool: Tool, input: unknown, context: RequestContext): Promise<ToolResult> {
  try {
    const meant = meantBy(tool, input);
    // Only the schemas of others may have checks that wait.
    const parsed = tool.mayAsk ? await tool.input.safeParseAsync(meant) : tool.input.safeParse(meant);
    if (!parsed.success) return failed(`${tool.name}: ${problems(parsed.error, meant, Object.keys(tool.input.shape))}`);
    // What reads answers when the turn ends, as what is published does: callers that asked in one turn are woken together.
    if (tool.readOnly) await new Promise<void>((resolve) => setImmediate(resolve));
    const { text, structured } = await tool.run(parsed.data, context);
    return {
      content: [{ type: "text", text }],
      ...(structured === undefined ? {} : { structuredContent: structured }),
    };
  } catch (error) {
    if (error instanceof HubError && !error.retry && error.status < 500)
      return failed(`${tool.name}: ${error.message}`);
    throw error;
  }
}

function meantBy(tool: Tool, input: unknown): unknown {
  if (input === undefined || input === null || input === "") return {};
  return isObject(input) ? lenient(tool.input, input) : input;
}

function failed(text: string): ToolResult {
  return { content: [{ type: "text", text }], isError: true };
}
