import type { HubClientError } from "./errors.ts";
import type { Gap, Message } from "./message.ts";

export interface SubscribeOptions<Data = unknown> {
  /**
   * The id of a message, to begin behind it; `earliest`, to begin with all that is kept. Default, also where it is
   * empty: from now on.
   */
  readonly after?: string | null | undefined;
  /** Called with each message. Without it, the subscription is iterated over. */
  readonly onMessage?: (message: Message<Data>) => void;
  /** Called where messages are missing, in its place among them. */
  readonly onGap?: (gap: Gap) => void;
  /** Called once when it has ended, with the error where one ended it. */
  readonly onEnd?: (error?: HubClientError) => void;
  /** Messages that may wait to be iterated over. Default: 1000. */
  readonly buffer?: number;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

/**
 * What is published on some channels, each message once and in order.
 *
 * Whoever iterates over it may be slow: when `buffer` messages wait, it stops reading, and when they have been taken
 * it reads on in the log from where it stopped. What is not kept, ephemeral messages and what expires meanwhile, is
 * missing then; the latter is told by `onGap`.
 */
export interface Subscription<Data = unknown> extends AsyncIterable<Message<Data>> {
  readonly patterns: readonly string[];
  /** Resolves when it is live for the first time: what is published from then on comes. Rejects where it ends before. */
  readonly ready: Promise<void>;
  /** What to give as `after`, to go on behind the last message that was taken. Undefined until it has a place. */
  readonly cursor: string | undefined;
  close(): void;
  [Symbol.dispose](): void;
}
