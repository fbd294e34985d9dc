import { oneLine } from "../../protocol/text.ts";
import type { McpContext } from "../catalog.ts";
import type { InputRequired } from "../definitions.ts";
import { beginning, CODES, invalidParams, LOG_LEVELS, McpError, type JsonObject } from "../errors.ts";
import { checkInputRequests } from "../input-requests.ts";
import { capabilities, isInputRequired, METHODS, type Result } from "../methods.ts";
import { McpRequestContext } from "../request-context.ts";
import { TASK_METHODS } from "../tasks/methods.ts";
import type { SessionRequest } from "./session-request.ts";
import { clientOf, type SessionState } from "./session-state.ts";
import { isSameResource } from "./session-subscriptions.ts";

/** Times that one request may ask for input. */
const MAX_ROUNDS = 100;
const MODERN_ONLY: ReadonlySet<string> = new Set([
  "server/discover",
  "subscriptions/listen",
  ...TASK_METHODS.map(([name]) => name),
]);

/** Runs the method of a request in a session: one that both eras share, or one of sessions. */
export async function performInSession(
  request: SessionRequest,
  state: SessionState,
  context: McpContext,
): Promise<Result> {
  const { method, params } = request;
  switch (method) {
    case "ping":
      return {};
    case "initialize":
      return initialize(params, state, context);
    case "resources/subscribe":
      return subscribe(params, state);
    case "resources/unsubscribe":
      return unsubscribe(params, state);
    case "logging/setLevel":
      return setLogLevel(params, state);
    default:
      return perform(request, context);
  }
}

async function subscribe(params: JsonObject, state: SessionState): Promise<Result> {
  const uri = state.subscriptions.add(params, state.principal);
  await state.store(({ uris, ...stored }) => ({ ...stored, uris: [...new Set([...uris, uri])] }));
  return {};
}

async function unsubscribe(params: JsonObject, state: SessionState): Promise<Result> {
  const uri = state.subscriptions.remove(params);
  await state.store(({ uris, ...stored }) => ({ ...stored, uris: uris.filter((one) => !isSameResource(one, uri)) }));
  return {};
}

async function perform(request: SessionRequest, context: McpContext): Promise<Result> {
  const { method, params } = request;
  const shared = MODERN_ONLY.has(method) ? undefined : METHODS.get(method);
  if (shared === undefined) throw new McpError(CODES.methodNotFound, `Method not found: ${oneLine(beginning(method))}`);
  const requestContext = new McpRequestContext(context, request);
  for (let round = 0; round <= MAX_ROUNDS; round++) {
    const result = await shared(params, requestContext, context.catalog);
    if (!isInputRequired(result)) return result;
    await askFor(result, requestContext);
  }
  throw new McpError(CODES.internal, `Input was asked for ${MAX_ROUNDS} times in a row`);
}

/** Requests the input from the client while its request is open, where the modern era would answer and be retried. */
async function askFor(result: InputRequired, context: McpRequestContext): Promise<void> {
  checkInputRequests(result, context);
  const answers = await Promise.all(
    Object.entries(result.inputRequests ?? {}).map(async ([name, { method, params = {} }]) => [
      name,
      await context.ask?.(method, params),
    ]),
  );
  await context.resume(Object.fromEntries(answers) as JsonObject, result.requestState);
}

function initialize(params: JsonObject, state: SessionState, { catalog, serverInfo }: McpContext): Result {
  state.client ??= clientOf(params);
  state.identify();
  return {
    protocolVersion: state.client.version,
    capabilities: { ...capabilities(catalog), logging: {} },
    serverInfo,
    instructions: catalog.instructions,
  };
}

async function setLogLevel({ level }: JsonObject, state: SessionState): Promise<Result> {
  const known = LOG_LEVELS.find((name) => name === level);
  if (known === undefined) throw invalidParams(`level must be one of ${LOG_LEVELS.join(", ")}`);
  state.logLevel = known;
  await state.store((stored) => ({ ...stored, logLevel: known }));
  return {};
}
