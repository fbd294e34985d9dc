import type { Message } from "../protocol/message.ts";
import type { Gap } from "../protocol/signal.ts";
import { HubClientError } from "./errors.ts";

/** How the connection is. */
export type HubState =
  /** Nothing is subscribed, so there is none. */
  | { readonly kind: "idle" }
  /** It is being opened, or brings what was missed. */
  | { readonly kind: "connecting" }
  /** What is published comes at once. */
  | { readonly kind: "live" }
  /** It failed, and is tried again at `until` (milliseconds since 1970). */
  | { readonly kind: "waiting"; readonly until: number; readonly error: HubClientError }
  /** For good: by `close()`, or by an error that trying again does not mend. */
  | { readonly kind: "closed"; readonly error?: HubClientError };

/** What a stream brings. */
export type StreamEvent =
  /** From here on comes every message on these patterns after `from`; without it, every one from now on. */
  | { readonly kind: "cover"; readonly patterns: readonly string[]; readonly from: string | undefined }
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "gap"; readonly gap: Gap }
  /** Everything up to here has come. */
  | { readonly kind: "reached"; readonly id: string }
  /** The same, and from now on messages come as they are published. */
  | { readonly kind: "live"; readonly id: string };

/** What a source brings over all its streams. */
export type SourceEvent =
  | StreamEvent
  /** It starts over and has forgotten what it was asked for. */
  | { readonly kind: "restart" }
  /** What it was asked for last cannot be had; it reads nothing any more. */
  | { readonly kind: "refused"; readonly error: HubClientError }
  | { readonly kind: "state"; readonly state: HubState };

/** A frame of either side of a WebSocket. */
export type Frame = Readonly<Record<string, unknown>>;

/**
 * Where the subscriptions of a hub get their messages: a connection of its own, or the one that tabs share. It may
 * bring a message twice, and patterns that were not asked for: each subscription takes what lies after its position.
 */
export interface Source {
  /** Reads these patterns, from `from` on if that lies before the place it has reached. None: it rests. */
  read(patterns: readonly string[], from: string | undefined): void;
  /** Tries again, and checks whether the connection is alive; `suspect` if it probably is not. */
  wake(suspect: boolean): void;
  /** Sends a frame if there is a live WebSocket, else returns undefined. Its answer is ignored once `signal` aborts. */
  request(frame: Frame, signal: AbortSignal): Promise<Frame> | undefined;
  /** Reads nothing any more until it is asked to again, from wherever that says. */
  close(): void;
}

/** One stream of messages, open or being opened. */
export interface Stream {
  /** Resolves with why it ended; with undefined if `close` ended it. */
  readonly ended: Promise<HubClientError | undefined>;
  /** Reads other patterns; missing if that takes a new stream. */
  readonly change?: (patterns: readonly string[], after: string) => void;
  readonly request?: Source["request"];
  close(): void;
}

export interface StreamListener {
  /** Something came, whatever it was. */
  active(): void;
  /** What the server wishes, in milliseconds: when to come back, how often it sends a heartbeat. */
  advised(wish: { readonly retry?: number; readonly heartbeat?: number }): void;
  event(event: StreamEvent): void;
}

/** Opens a stream that reads these patterns after a cursor; without one, from now on. */
export type Transport = (patterns: readonly string[], after: string | undefined, listener: StreamListener) => Stream;

/** Characters of a message, with its fields, unless another limit is given. */
export const MAX_MESSAGE: number = 32 * 1024 * 1024;

/** Throws if it is not a message. */
export function messageIn(fields: Frame): Message {
  const { id, channel, event, data, sender, time, via, verified } = fields as Partial<Message>;
  const isPlaced = id === null || typeof id === "string";
  if (!isPlaced || typeof channel !== "string" || typeof event !== "string") throw new TypeError("no message");
  return {
    id,
    channel,
    event,
    data,
    sender,
    time,
    ...(via !== undefined && { via }),
    ...(verified === true && { verified }),
  } as Message;
}

/** Throws if it is not a gap. */
export function gapIn(fields: Frame): Gap {
  const { reason, after, resumed } = fields as Partial<Gap>;
  if (![reason, after, resumed].every((text) => typeof text === "string")) throw new TypeError("no gap");
  return { reason, after, resumed } as Gap;
}

/** A message that is passed over because it is too large: reading can only go on after it. */
export function tooLargeGap(id: string): StreamEvent {
  return { kind: "gap", gap: { reason: "too_large", after: id, resumed: id } };
}

/** Final without an id, since there is then no place after it to go on from, and until a hub has answered there. */
export function tooLarge(base: string, id?: string): HubClientError {
  const what = id === undefined ? "something" : `the message ${id}, which is passed over:`;
  return new HubClientError("TOO_LARGE", `${base} sends ${what} larger than messageMost allows`, {
    final: id === undefined,
  });
}
