import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv";

/** The specification's own schema of revision 2026-07-28, without its descriptions. */
const SPECIFICATION = JSON.parse(
  readFileSync(new URL("mcp-2026-07-28.schema.json", import.meta.url), "utf8"),
) as object;

/** What each method is answered with. */
const RESULTS: Readonly<Record<string, string>> = {
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

/** Errors that the schema says more about than that they are one. */
const ERRORS: Readonly<Record<number, string>> = {
  [-32020]: "HeaderMismatchError",
  [-32021]: "MissingRequiredClientCapabilityError",
  [-32022]: "UnsupportedProtocolVersionError",
};

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

/** Checks what a server sends in answer to a method; throws where the specification's schema does not have it so. */
export function checkMessage(method: string, message: McpMessage): McpMessage {
  if (message.method !== undefined) assertIs("ServerNotification", message);
  else if (message.error !== undefined) {
    assertIs("JSONRPCErrorResponse", message);
    const more = ERRORS[message.error.code];
    if (more !== undefined) assertIs(more, message);
  } else {
    assertIs("JSONRPCResultResponse", message);
    const isInterim = message.result?.["resultType"] === "input_required";
    assertIs(isInterim ? "InputRequiredResult" : (RESULTS[method] ?? "Result"), message.result);
  }
  return message;
}

/** Throws where a value is not what a JSON Schema says. */
export function assertMatches(schema: object, value: unknown, what: string): void {
  let check = checks.get(schema);
  if (check === undefined) checks.set(schema, (check = validator.getValidator(schema)));
  const { valid, errorMessage } = check(value);
  assert.ok(valid, `${what}: ${errorMessage}\n${JSON.stringify(value)}`);
}

const definitions = new Map<string, object>();

/** Throws where a value is not what the specification calls by this name. */
export function assertIs(name: string, value: unknown): void {
  let schema = definitions.get(name);
  if (schema === undefined) definitions.set(name, (schema = { ...SPECIFICATION, $ref: `#/$defs/${name}` }));
  assertMatches(schema, value, `not a ${name}`);
}
