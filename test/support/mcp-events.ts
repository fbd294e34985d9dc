import { LegacyClient } from "./legacy-client.ts";
import { mcp, type McpOptions } from "./mcp.ts";
import type { McpErrorObject } from "./mcp-schema.ts";
import type { TestServer } from "./server.ts";

/** An answer of either era. */
export interface EventAnswer {
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly error: McpErrorObject | undefined;
}

/** An occurrence as clients get it. */
export interface Occurrence {
  readonly eventId: string;
  readonly name: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly cursor?: string;
}

/** The answer to `events/poll`. */
export interface Poll {
  readonly events: readonly Occurrence[];
  readonly cursor: string;
  readonly truncated: boolean;
  readonly hasMore: boolean;
  readonly nextPollMs: number;
  readonly resultType: string;
}

/** Asks for a method in one of the eras. */
export type Ask = (method: string, params?: object) => Promise<EventAnswer>;

export const ERAS = ["2026-07-28", "a session"] as const;
export type Era = (typeof ERAS)[number];

/** A client of one era. */
export async function clientOf(era: Era, server: TestServer): Promise<Ask> {
  if (era === "2026-07-28") return (method, params = {}) => mcp(server, method, params);
  const client = await LegacyClient.open(server);
  return async (method, params = {}) => (await client.ask(method, params)) as EventAnswer;
}

/** Polls for messages of some channels; throws if that is refused. */
export async function poll(ask: Ask, channels: readonly string[], more: object = {}, args: object = {}): Promise<Poll> {
  const asked = { name: "message.published", arguments: { channels, ...args }, ...more };
  const { result, error } = await ask("events/poll", asked);
  if (result === undefined) throw new Error(`refused: ${JSON.stringify(error)}`);
  return result as unknown as Poll;
}

/** A client of the modern era with a key. */
export function asHolder(server: { readonly url: string }, key: string): Ask {
  const options: McpOptions = { headers: { authorization: `Bearer ${key}` } };
  return (method, params = {}) => mcp(server, method, params, options);
}
