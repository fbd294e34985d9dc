import { HubError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { isObject } from "../protocol/json.ts";
import { lenient } from "./lenient.ts";
import { problems } from "./validation-message.ts";
import type { Tool, RequestContext, ToolResult } from "./tool.ts";

/**
 * Calls a tool, for any door. Wrong input gives a result with `isError`, which names the field; other failures are
 * thrown.
 */
export function callTool(tool: Tool, input: unknown, context: RequestContext): Promise<ToolResult> {
  const { correlation } = context;
  if (correlation?.trace === undefined) return call(tool, input, context);
  return correlation.trace.call(tool.name, (trace) => {
    context.correlation = { id: correlation.id, trace };
    return call(tool, input, context);
  });
}

async function call(tool: Tool, input: unknown, context: RequestContext): Promise<ToolResult> {
  try {
    const meant = meantBy(tool, input);
    // Only schemas of tools that were added may have asynchronous checks.
    const parsed = tool.mayAsk ? await tool.input.safeParseAsync(meant) : tool.input.safeParse(meant);
    if (!parsed.success) return failed(`${tool.name}: ${problems(parsed.error, meant, Object.keys(tool.input.shape))}`);
    tool.authorize(parsed.data, context.principal);
    // Tools that only read answer when the turn ends, so that the answers of one turn are written together.
    if (tool.readOnly) await new Promise<void>((resolve) => setImmediate(resolve));
    const { text, structured } = await tool.run(parsed.data, context);
    return {
      content: [{ type: "text", text }],
      ...(structured === undefined ? {} : { structuredContent: structured }),
    };
  } catch (error) {
    // Whoever could do it with another credential has to be told as HTTP tells it.
    if (error instanceof HubError && !error.retry && error.status < 500 && error.challenge === undefined)
      return failed(`${tool.name}: ${error.message}`);
    throw error;
  }
}

/**
 * Throws `UNAUTHENTICATED` or `FORBIDDEN` if someone may not call a tool with this input: for doors whose answer, once
 * it has begun, cannot say so as HTTP says it. Input that is wrong is for the call to refuse.
 */
export async function authorizeCall(tool: Tool, input: unknown, principal: Principal): Promise<void> {
  const parsed = await tool.input.safeParseAsync(meantBy(tool, input));
  if (parsed.success) tool.authorize(parsed.data, principal);
}

function meantBy(tool: Tool, input: unknown): unknown {
  if (input === undefined || input === null || input === "") return {};
  return isObject(input) ? lenient(tool.input, input) : input;
}

function failed(text: string): ToolResult {
  return { content: [{ type: "text", text }], isError: true };
}
