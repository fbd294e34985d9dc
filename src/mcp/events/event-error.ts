import { HubError } from "../../core/errors.ts";
import { EVENT_CODES, type EventDialect, type EventFault } from "../../protocol/event-dialect.ts";
import { asMcpError, McpError, type JsonObject } from "../errors.ts";

/** An error that MCP Events defines, with its number in a dialect. */
export function eventError(dialect: EventDialect, fault: EventFault, sentence: string, data: JsonObject): McpError {
  return new McpError(EVENT_CODES[dialect][fault], sentence, { data });
}

/**
 * What the hub refuses, as MCP Events says it: a missing right is Forbidden, and no room is ResourceExhausted. HTTP says
 * it as for every other method, so that clients ask for another credential.
 */
export function asEventError(error: unknown, dialect: EventDialect): unknown {
  if (!(error instanceof HubError)) return error;
  const { message, data, challenge, retryAfter, rateLimit, status } = asMcpError(error);
  const codes = EVENT_CODES[dialect];
  const more = { challenge, retryAfter, rateLimit, status };
  switch (error.code) {
    case "UNAUTHENTICATED":
    case "FORBIDDEN":
      return new McpError(codes.forbidden, message, { ...more, data: { ...data } });
    case "TOO_MANY_CONNECTIONS":
      return new McpError(codes.resourceExhausted, message, { ...more, data: { ...data, limit: "connections" } });
    default:
      return error;
  }
}

/** Runs a method of events, with its errors in the dialect. */
export async function inDialect<Result>(dialect: EventDialect, run: () => Promise<Result> | Result): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw asEventError(error, dialect);
  }
}
