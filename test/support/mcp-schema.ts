import assert from "node:assert/strict";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv";
import { specTypeSchemas, type SpecTypeName } from "@modelcontextprotocol/server";

/** What each method is answered with. */
const RESULTS: Readonly<Record<string, SpecTypeName>> = {
  "server/discover": "DiscoverResult",
  "tools/list": "ListToolsResult",
  "tools/call": "CallToolResult",
  "resources/list": "ListResourcesResult",
  "resources/templates/list": "ListResourceTemplatesResult",
  "resources/read": "ReadResourceResult",
  "prompts/list": "ListPromptsResult",
  "prompts/get": "GetPromptResult",
  "completion/complete": "CompleteResult",
  "subscriptions/listen": "SubscriptionsListenResult",
};

/** Methods whose results say how long they may be kept (2026-07-28, "Caching"). */
const CACHEABLE: ReadonlySet<string> = new Set([
  "server/discover",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

/** A JSON-RPC message from the server. */
export interface McpMessage {
  readonly jsonrpc: string;
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: McpErrorObject;
}

export interface McpErrorObject {
  readonly code: number;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

const validator = new AjvJsonSchemaValidator();
const checks = new Map<object, ReturnType<typeof validator.getValidator>>();

/**
 * Checks what a server of revision 2026-07-28 sends in answer to a method, by the SDK's reading of the specification
 * and by what that revision requires beyond it.
 */
export function checkMessage(method: string, message: McpMessage): McpMessage {
  if (message.method !== undefined) {
    // Extensions have notifications that the specification itself does not know.
    if (/^notifications\/(events\/|tasks$)/.test(message.method)) assertIs("JSONRPCNotification", message);
    else if (message.method !== "notifications/subscriptions/acknowledged") assertIs("ServerNotification", message);
    else assertIs("SubscriptionsAcknowledgedNotification", message);
  } else if (message.error !== undefined) {
    assertIs("JSONRPCErrorResponse", message);
    checkError(message.error);
  } else {
    assertIs("JSONRPCResultResponse", message);
    checkResult(method, message.result ?? {});
  }
  return message;
}

function checkResult(method: string, result: Readonly<Record<string, unknown>>): void {
  const { resultType, ttlMs, cacheScope, inputRequests, requestState } = result;
  assert.equal(typeof resultType, "string", "a result has no resultType");
  const isInterim = resultType === "input_required";
  // The ttlMs of a task is how long it is kept.
  const isTask = resultType === "task" || method === "tasks/get";
  if (isTask) {
    assertIsTask(result);
  } else if (isInterim) {
    assert.ok(inputRequests !== undefined || requestState !== undefined, "nothing is asked for");
  } else {
    assertIs(RESULTS[method] ?? "Result", result);
  }
  if (CACHEABLE.has(method) && !isInterim) {
    assert.ok(Number.isInteger(ttlMs) && Number(ttlMs) >= 0, "ttlMs");
    assert.ok(cacheScope === "public" || cacheScope === "private", "cacheScope");
  } else if (!isTask) {
    assert.deepEqual([ttlMs, cacheScope], [undefined, undefined], `${method} may not be kept`);
  }
}

/** The members that every task has (Tasks extension, "Task"). */
function assertIsTask({ taskId, status, createdAt, lastUpdatedAt, ttlMs }: Readonly<Record<string, unknown>>): void {
  assert.deepEqual([typeof taskId, typeof status], ["string", "string"]);
  for (const time of [createdAt, lastUpdatedAt]) assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.ok(ttlMs === null || Number.isInteger(ttlMs), "ttlMs");
}

function checkError({ code, data = {} }: McpErrorObject): void {
  if (code === -32021) assert.equal(typeof data["requiredCapabilities"], "object");
  if (code === -32022) {
    assert.ok(Array.isArray(data["supported"]) && data["supported"].length > 0);
    assert.equal(typeof data["requested"], "string");
  }
}

/** Throws if a value is not what a JSON Schema says. */
export function assertMatches(schema: object, value: unknown, what: string): void {
  let check = checks.get(schema);
  if (check === undefined) checks.set(schema, (check = validator.getValidator(schema)));
  const { valid, errorMessage } = check(value);
  assert.ok(valid, `${what}: ${errorMessage}\n${JSON.stringify(value)}`);
}

/** Throws if a value is not what the specification calls by this name. */
export function assertIs(name: SpecTypeName, value: unknown): void {
  const result = specTypeSchemas[name]["~standard"].validate(value);
  assert.ok(!("then" in result), "checked at once");
  assert.equal(result.issues, undefined, `not a ${name}: ${JSON.stringify(value)}`);
}
