import { messageMembers, type MessageFields } from "./message.ts";
import type { Signal } from "./signal.ts";

/** What a client may send over `/ws`, once it has been read as JSON. */
export type ClientFrame =
  | ({
      readonly type: "mcp_call";
      readonly tool: string;
      readonly arguments?: unknown;
      readonly id?: FrameId;
    } & TraceFields)
  | {
      readonly type: "subscribe" | "unsubscribe";
      readonly channels: readonly string[];
      readonly last_event_id?: string;
      readonly id?: FrameId;
    }
  | ({
      readonly type: "publish";
      readonly channel: string;
      readonly data: unknown;
      readonly event?: string;
      readonly sender?: string;
      readonly ephemeral?: boolean;
      readonly at?: string;
      readonly delaySeconds?: number;
      readonly id?: FrameId;
    } & TraceFields)
  | { readonly type: "auth"; readonly token: string; readonly id?: FrameId }
  | { readonly type: "ping"; readonly id?: FrameId };

/** Where its client is in a trace, as the headers of W3C Trace Context say it; not checked. */
interface TraceFields {
  readonly traceparent?: unknown;
  readonly tracestate?: unknown;
}

/** What a client names its frame with; the answer carries it back. */
type FrameId = string | number | null;

/** A message as the text of a WebSocket frame. */
export function messageFrame(message: MessageFields, id: string | undefined): string {
  return `{"type":"message",${messageMembers(message, id)}}`;
}

/** A signal as the text of a WebSocket frame. */
export function signalFrame(signal: Signal): string {
  const { kind, ...rest } = signal.kind === "beat" ? { kind: signal.kind, id: signal.id } : signal;
  return JSON.stringify({ type: kind, ...rest });
}

/**
 * Close codes of `/ws`: 40xx mean "come back, with your last id", 41xx "do not come back like this"
 * (RFC 6455 section 7.4.2 leaves 4000–4999 to applications).
 */
export const CLOSE_CODES = {
  /** The log could not be read. */
  unavailable: 4001,
  /** The server stops. */
  shutdown: 4002,
  /** It was open as long as one may be. */
  aged: 4003,
  /** An admin ended it. */
  ended: 4004,
  /** Three frames in a row were not JSON objects. */
  not_json: 4100,
  /** A binary frame came. */
  binary: 4101,
  /** No credential came in time. */
  unauthenticated: 4102,
  /** The credential expired. */
  expired: 4103,
  /** The credential was revoked. */
  revoked: 4104,
  /** The credential may not read the channels asked for. */
  forbidden: 4105,
} as const;
