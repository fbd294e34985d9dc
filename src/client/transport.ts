import type { HubClientError } from "./errors.ts";
import type { Gap, Message } from "./message.ts";

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

/** What one connection brings. */
export type StreamEvent =
  /** From here on comes every message on these patterns behind `from`; without it, every one from now on. */
  | { readonly kind: "cover"; readonly patterns: readonly string[]; readonly from: string | undefined }
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "gap"; readonly gap: Gap }
  /** Everything up to here has come. */
  | { readonly kind: "at"; readonly id: string }
  /** The same, and from now on messages come as they are published. */
  | { readonly kind: "live"; readonly id: string };

/** What a feed brings over all its connections. */
export type FeedEvent =
  | StreamEvent
  /** It begins anew, and knows no more what was wanted; `late` where a lot may have been missed. */
  | { readonly kind: "restart"; readonly late: boolean }
  /** What was wanted last cannot be had; nothing is wanted any more. */
  | { readonly kind: "refused"; readonly error: HubClientError }
  | { readonly kind: "state"; readonly state: HubState };

export type FeedListener = (event: FeedEvent) => void;

/**
 * Messages of changing patterns, in the order of the log. It may bring one twice, and patterns nobody here asked for:
 * each reader knows its place and takes what lies behind it.
 */
export interface Feed {
  /** Brings these patterns, from `from` on where that lies before the place it has reached. None: it rests. */
  want(patterns: readonly string[], from: string | undefined): void;
  /** Tries again, and looks whether the connection lives; `suspect` where it probably does not. */
  wake(suspect: boolean): void;
  /** Sends a frame if there is a live WebSocket, and returns undefined otherwise. The answer is forgotten once `signal` aborts. */
  ask(
    frame: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> | undefined;
  close(): void;
}

/** One connection, open or being opened. */
export interface Connection {
  /** Resolves with why it ended; with undefined where `close` ended it. */
  readonly ended: Promise<HubClientError | undefined>;
  /** Reads other patterns; undefined where that takes a new connection. */
  readonly change?: (patterns: readonly string[], after: string) => void;
  readonly ask?: Feed["ask"];
  close(): void;
}

export interface ConnectionListener {
  /** Something came, whatever it was. */
  heard(): void;
  /** What the server wishes, in milliseconds: when to come back, how often it beats. */
  told(wish: { readonly retry?: number; readonly heartbeat?: number }): void;
  event(event: StreamEvent): void;
}

/** Opens a connection that reads these patterns after a cursor; without one, from now on. */
export type Transport = (
  patterns: readonly string[],
  after: string | undefined,
  listener: ConnectionListener,
) => Connection;

/** A leading tab tells its state again to those who join; only another wait is news. */
export function isSame(one: HubState, other: HubState): boolean {
  return one.kind === other.kind && !(one.kind === "waiting" && other.kind === "waiting" && one.until !== other.until);
}
