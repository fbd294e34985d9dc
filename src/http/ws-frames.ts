import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { lenient, problems } from "../tools/index.ts";
import type { ClientFrame } from "../wire/frames.ts";
import { isRounded, WRONG_ID } from "../wire/jsonrpc.ts";
import { quoted } from "../wire/one-line.ts";

const id = z.union([z.string().max(256), z.number(), z.null()]).optional();
const channels = z.array(z.string()).min(1);

const LONGEST_SHOWN = 64;

const FRAMES = {
  mcp_call: z.looseObject({ type: z.literal("mcp_call"), tool: z.string(), arguments: z.unknown().optional(), id }),
  subscribe: z.looseObject({ type: z.literal("subscribe"), channels, last_event_id: z.string().optional(), id }),
  unsubscribe: z.looseObject({ type: z.literal("unsubscribe"), channels, id }),
  publish: z.looseObject({
    type: z.literal("publish"),
    channel: z.string(),
    data: z.unknown(),
    event: z.string().optional(),
    sender: z.string().optional(),
    ephemeral: z.boolean().optional(),
    id,
  }),
  ping: z.looseObject({ type: z.literal("ping"), id }),
} as const;

/** Every frame a client may send, for the API documentation. */
export const clientFrame: z.ZodType = z.discriminatedUnion("type", [
  FRAMES.mcp_call,
  FRAMES.subscribe,
  FRAMES.unsubscribe,
  FRAMES.publish,
  FRAMES.ping,
]);

/** A frame as a JSON object; undefined where it is none. */
export function frameObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Checks a frame. Throws `INVALID_REQUEST`, naming the field. */
export function checkedFrame(json: Readonly<Record<string, unknown>>): ClientFrame {
  const { type, id: given } = json;
  if (isRounded(given)) throw new HubError("INVALID_REQUEST", WRONG_ID);
  if (typeof type !== "string" || !Object.hasOwn(FRAMES, type)) {
    const shown = typeof type === "string" ? quoted(type.slice(0, LONGEST_SHOWN)) : "missing or no string";
    throw new HubError("INVALID_REQUEST", `type is ${shown}; use ${Object.keys(FRAMES).join(", ")}`);
  }
  const schema = FRAMES[type as keyof typeof FRAMES];
  const meant = lenient(schema, json);
  const result = schema.safeParse(meant);
  if (!result.success) throw new HubError("INVALID_REQUEST", `${type}: ${problems(result.error, meant, [])}`);
  return result.data;
}
