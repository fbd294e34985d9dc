// What agents publish of the tools they use: a call, and later its result.
import type { Message } from "../../client/index.ts";
import { identityOf } from "./relation.ts";

/** A call of a tool as a message says it; `rest` is whatever else it has. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: unknown;
  readonly rest: object;
}

export interface ToolResult {
  readonly result: unknown;
  readonly isError: boolean;
  readonly durationMs: number | undefined;
  readonly rest: object;
}

/** The messages of one call; without a call, its result came alone. */
export interface Call {
  readonly call: Message | undefined;
  readonly result: Message | undefined;
}

/** Characters of a name or an id: what is longer would not be seen whole. */
const MAX_NAME = 200;

/** The call that a message is about; undefined if it is about no call, or has another shape. */
export function toolCallOf({ event, data }: Message): ToolCall | undefined {
  if (event !== "tool_call" || typeof data !== "object" || data === null) return undefined;
  const { name, arguments: given, callId, ...rest } = data as Readonly<Record<string, unknown>>;
  return isName(name) && (callId === undefined || isName(callId)) ? { name, arguments: given, rest } : undefined;
}

/** The result that a message brings; undefined if it brings none, or has another shape. */
export function toolResultOf({ event, data }: Message): ToolResult | undefined {
  if (event !== "tool_result" || typeof data !== "object" || data === null) return undefined;
  const { callId, result, isError = false, durationMs, ...rest } = data as Readonly<Record<string, unknown>>;
  const isDuration = durationMs === undefined || (typeof durationMs === "number" && durationMs >= 0);
  return isName(callId) && isDuration && typeof isError === "boolean"
    ? { result, isError, durationMs, rest }
    : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_NAME;
}

/** Joins results to the calls of the same sender before them: by the id that both give, or by that of the message. */
export class Calls {
  readonly #open = new Map<string, Message>();
  readonly #results = new Map<Message, Message>();
  readonly #joined = new Set<Message>();

  constructor(messages: Iterable<Message>) {
    for (const message of messages) {
      const { callId } = (message.data ?? {}) as { readonly callId?: unknown };
      if (toolCallOf(message) !== undefined) {
        const id = typeof callId === "string" && callId !== "" ? callId : message.id;
        if (id !== null) this.#open.set(keyOf(message, id), message);
      } else if (toolResultOf(message) !== undefined) {
        const key = keyOf(message, callId as string);
        const call = this.#open.get(key);
        if (call === undefined) continue;
        this.#open.delete(key);
        this.#results.set(call, message);
        this.#joined.add(message);
      }
    }
  }

  /** What a message shows as a call: undefined if it is about no call; null if it is shown at its call. */
  of(message: Message): Call | null | undefined {
    if (toolCallOf(message) !== undefined) return { call: message, result: this.#results.get(message) };
    if (this.#joined.has(message)) return null;
    return toolResultOf(message) === undefined ? undefined : { call: undefined, result: message };
  }
}

/** A text that is the JSON of an object or a list as that; anything else as it is. */
export function recognised(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function keyOf(message: Message, callId: string): string {
  return `${identityOf(message)} ${callId}`;
}
