import { CODES, isObject, McpError } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";

/** The name of the extension in capabilities. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

/** Whether the client of a request takes a task as the answer to a call: only without a session. */
export function takesTasks({ capabilities, ask }: Pick<McpRequestContext, "capabilities" | "ask">): boolean {
  const { extensions } = capabilities;
  return ask === undefined && isObject(extensions) && isObject(extensions[TASKS_EXTENSION]);
}

/** Throws `-32021` unless the client has declared that it takes tasks. */
export function checkTakesTasks(call: Pick<McpRequestContext, "capabilities" | "ask">): void {
  if (takesTasks(call)) return;
  throw new McpError(CODES.missingCapability, `This needs a client that declares the extension ${TASKS_EXTENSION}`, {
    status: 400,
    data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
  });
}
