import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { hasGrants, type Principal } from "../../core/principal.ts";
import { lenient, problems } from "../../tools/index.ts";
import type { ClientFrame } from "../../protocol/ws-frames.ts";
import { isObject, JsonFault, parseJson } from "../../protocol/json.ts";
import { ID_RULE, MAX_ID } from "../../protocol/jsonrpc.ts";
import { quoted } from "../../protocol/text.ts";
import { resemblesCursor } from "../channel-query.ts";

const id = z.union([z.string().max(MAX_ID, ID_RULE), z.int(ID_RULE), z.null()], { error: ID_RULE }).optional();
const channels = z.array(z.string()).min(1);

/** Characters of a token, as in a header. */
const MAX_TOKEN = 16 * 1024;
const MAX_SHOWN = 64;

/** W3C Trace Context; what is not well formed counts as missing. */
const trace = { traceparent: z.unknown().optional(), tracestate: z.unknown().optional() };

const FRAMES = {
  mcp_call: z.looseObject({
    type: z.literal("mcp_call"),
    tool: z.string(),
    arguments: z.unknown().optional(),
    ...trace,
    id,
  }),
  subscribe: z.looseObject({ type: z.literal("subscribe"), channels, last_event_id: z.string().optional(), id }),
  unsubscribe: z.looseObject({ type: z.literal("unsubscribe"), channels, id }),
  publish: z.looseObject({
    type: z.literal("publish"),
    channel: z.string(),
    data: z.unknown(),
    event: z.string().optional(),
    sender: z.string().optional(),
    ephemeral: z.boolean().optional(),
    at: z.string().optional(),
    delaySeconds: z.number().optional(),
    ...trace,
    id,
  }),
  auth: z.looseObject({ type: z.literal("auth"), token: z.string().max(MAX_TOKEN), id }),
  ping: z.looseObject({ type: z.literal("ping"), id }),
} as const;

/** Every frame a client may send, for the API documentation. */
export const clientFrame: z.ZodType = z.discriminatedUnion("type", [
  FRAMES.mcp_call,
  FRAMES.subscribe,
  FRAMES.unsubscribe,
  FRAMES.publish,
  FRAMES.auth,
  FRAMES.ping,
]);

/** A frame as a JSON object, and why it is not taken as it is; undefined if it is not an object. */
export function frameObject(
  text: string,
): { readonly json: Readonly<Record<string, unknown>>; readonly fault?: HubError } | undefined {
  let json: unknown;
  let fault: HubError | undefined;
  try {
    json = parseJson(text, "The frame");
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    json = error.value;
    fault = new HubError("INVALID_REQUEST", error.message, { cause: error });
  }
  return isObject(json) ? { json, ...(fault !== undefined && { fault }) } : undefined;
}

/** Checks a frame. Throws `INVALID_REQUEST`, naming the field. */
export function checkedFrame(json: Readonly<Record<string, unknown>>): ClientFrame {
  const { type } = json;
  if (typeof type !== "string" || !Object.hasOwn(FRAMES, type)) {
    const shown = typeof type === "string" ? quoted(type.slice(0, MAX_SHOWN)) : "missing or no string";
    throw new HubError("INVALID_REQUEST", `type is ${shown}; use ${Object.keys(FRAMES).join(", ")}`);
  }
  const stray = type === "subscribe" ? strayCursor(json) : undefined;
  if (stray !== undefined) {
    const shown = quoted(stray.slice(0, MAX_SHOWN));
    throw new HubError("INVALID_REQUEST", `subscribe: unknown property ${shown}; a cursor is given as last_event_id`);
  }
  const schema = FRAMES[type as keyof typeof FRAMES];
  const meant = lenient(schema, json);
  const result = schema.safeParse(meant);
  if (!result.success) throw new HubError("INVALID_REQUEST", `${type}: ${problems(result.error, meant, [])}`);
  return result.data;
}

/** A property of a subscription that resembles `last_event_id` but is unknown. */
function strayCursor(json: Readonly<Record<string, unknown>>): string | undefined {
  return Object.keys(json).find((name) => !Object.hasOwn(FRAMES.subscribe.shape, name) && resemblesCursor(name));
}

/** Whether it is someone without a credential who may do nothing. */
export function needsCredential(principal: Principal): boolean {
  return principal.kind === "anonymous" && !hasGrants(principal);
}

export function credentialNeeded(): HubError {
  return new HubError("UNAUTHENTICATED", 'Send a credential first, as {"type": "auth", "token": "…"}');
}
