import type { Message } from "../protocol/message.ts";
import type { Gap } from "../protocol/signal.ts";
import { checkLeast } from "./backoff.ts";
import { finalError, type HubClientError } from "./errors.ts";
import { Position } from "./position.ts";
import type { StreamEvent } from "./transport.ts";

export interface SubscribeOptions<Data = unknown> {
  /**
   * The id of a message, to begin after it; `earliest`, to begin with all that is kept. Default, also if it is empty:
   * from now on.
   */
  readonly after?: string | null | undefined;
  /** Called with each message. Without it, the subscription is iterated over. */
  readonly onMessage?: (message: Message<Data>) => void;
  /** Called if messages are missing, in their place among the others. */
  readonly onGap?: (gap: Gap) => void;
  /** Called once when it has ended, with the error if one ended it. */
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
 * missing then; `onGap` tells of the latter.
 */
export interface Subscription<Data = unknown> extends AsyncIterable<Message<Data>> {
  readonly patterns: readonly string[];
  /** Resolves when it is live for the first time: what is published from then on comes. Rejects if it ends before. */
  readonly ready: Promise<void>;
  /** What to give as `after`, to go on after the last message that was taken. Undefined until it has a place. */
  readonly cursor: string | undefined;
  close(): void;
  [Symbol.dispose](): void;
}

/** What a subscription tells its hub. */
export interface SubscriptionListener {
  /** It reads on from its position, or stops reading for now. */
  changed(): void;
  ended(): void;
}

const BUFFER = 1000;

export class ChannelSubscription implements Subscription {
  readonly patterns: readonly string[];
  readonly ready: Promise<void>;
  readonly position: Position;
  /** Whether its source has covered it before, so that its hub knows that it is not refused. */
  accepted = false;
  /** Whether it has as many messages waiting as it may keep, and reads no more for now. */
  paused = false;
  closed = false;
  readonly #options: SubscribeOptions;
  readonly #listener: SubscriptionListener;
  readonly #waiting: (Message | Gap)[] = [];
  /** Where the item before those that wait was. */
  #taken: string | undefined;
  #error: HubClientError | undefined;
  /** Ends the waits of all that iterate. */
  readonly #waits: (() => void)[] = [];
  readonly #abort = (): void => this.end();
  #beReady: () => void = () => {};
  #failReady: (error: unknown) => void = () => {};

  constructor(patterns: readonly string[], options: SubscribeOptions, listener: SubscriptionListener) {
    checkLeast("messages", { buffer: options.buffer });
    this.patterns = patterns;
    // Empty if storage kept none.
    this.position = new Position(patterns, options.after || undefined);
    this.#options = options;
    this.#listener = listener;
    this.ready = new Promise((resolve, reject) => {
      this.#beReady = resolve;
      this.#failReady = reject;
    });
    // A caller that does not await it must not cause an unhandled rejection.
    this.ready.catch(() => {});
    options.signal?.addEventListener("abort", this.#abort);
  }

  get cursor(): string | undefined {
    return this.#waiting.length === 0 ? this.position.cursor : this.#taken;
  }

  /** Takes what is new from an event of the source. Returns whether the source has to be asked again for it. */
  hear(event: StreamEvent): boolean {
    if (this.paused || this.closed) return false;
    const { position } = this;
    const { covered, cursor } = position;
    for (const item of position.take(event)) this.#give(item, cursor);
    this.accepted ||= position.covered;
    if (event.kind === "live" && position.covered) this.#beReady();
    const isLeftOut = event.kind === "cover" || covered;
    return isLeftOut && !position.covered && !this.paused && position.cursor !== undefined;
  }

  /** Ends it. What waits can still be taken if an error is the end. */
  end(error?: HubClientError): void {
    if (this.closed) return;
    this.closed = true;
    this.#error = error;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    if (error === undefined) this.#waiting.length = 0;
    this.#failReady(error ?? finalError("CLOSED", "The subscription was closed"));
    this.#listener.ended();
    this.#wake();
    call(() => this.#options.onEnd?.(error));
  }

  close(): void {
    this.end();
  }

  [Symbol.dispose](): void {
    this.end();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    const messages = this.#messages();
    const leave = messages.return.bind(messages);
    // A generator that waits hears of it only when the wait is over.
    messages.return = (value) => {
      this.end();
      return leave(value);
    };
    return messages;
  }

  async *#messages(): AsyncGenerator<Message, void, undefined> {
    if (this.#options.onMessage !== undefined) {
      throw new TypeError("Its messages go to onMessage; leave that out to iterate over them");
    }
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next === undefined) {
          if (this.#error !== undefined) throw this.#error;
          if (this.closed) return;
          await new Promise<void>((resolve) => this.#waits.push(resolve));
        } else if ("reason" in next) {
          this.#taken = next.resumed;
          call(() => this.#options.onGap?.(next));
        } else {
          this.#taken = next.id ?? this.#taken;
          yield next;
        }
        if (this.paused && this.#waiting.length === 0) this.#pause(false);
      }
    } finally {
      this.end();
    }
  }

  #give(item: Message | Gap, before: string | undefined): void {
    const { onMessage, onGap, buffer = BUFFER } = this.#options;
    if (this.closed) return;
    if (onMessage !== undefined) {
      call(() => ("reason" in item ? onGap?.(item) : onMessage(item)));
      return;
    }
    if (this.#waiting.length === 0) this.#taken = before;
    this.#waiting.push(item);
    this.#wake();
    if (this.#waiting.length === buffer) this.#pause(true);
  }

  #pause(paused: boolean): void {
    this.paused = paused;
    this.position.covered = false;
    this.#listener.changed();
  }

  #wake(): void {
    for (const wake of this.#waits.splice(0)) wake();
  }
}

/** Calls back; what is thrown there is not a failure of ours, and reaches whoever handles uncaught errors. */
export function call(back: () => void): void {
  try {
    back();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
