import { checkLeast } from "./backoff.ts";
import { compareCursors, isLost } from "./cursor.ts";
import { HubClientError } from "./errors.ts";
import type { Feed, FeedEvent, StreamEvent } from "./transport.ts";
import type { Gap, Message } from "./message.ts";
import { covers, coverAll } from "./pattern.ts";
import type { SubscribeOptions, Subscription } from "./subscription.ts";

/** What a reader needs of the hub. */
export interface ReaderEvents {
  /** It has been given all that waited, and wants to read on from its position. */
  resumed(reader: Reader): void;
  /** It has taken no more messages than it may keep, and wants no more. */
  paused(reader: Reader): void;
  ended(reader: Reader): void;
}

const BUFFER = 1000;

/**
 * One subscription and its place. Feeds may bring a message twice, and change under it: it takes from one feed at a
 * time, beginning where that feed says that it covers everything behind the reader's position, and only what lies
 * behind that position. That is all there is to "once, and in order".
 */
export class Reader implements Subscription {
  readonly patterns: readonly string[];
  readonly ready: Promise<void>;
  /** Everything up to here has been given, or was not wanted; undefined until a reader from now on knows when that is. */
  position: string | undefined;
  /** The feed it takes messages from. */
  source: Feed | undefined;
  closed = false;
  paused = false;
  /** The feed that will be its source when it is live: the reader wants nothing that was published before. */
  #starting: Feed | undefined;
  /** The feed that led it to its position; undefined where that is only what it was given. */
  #leader: Feed | undefined;
  /** The last place of the feed that it had passed already. */
  #passed: string | undefined;
  /** Whether the source has passed the position, so that a message without an id is new. */
  #settled = false;
  readonly #options: SubscribeOptions;
  readonly #events: ReaderEvents;
  readonly #waiting: (Message | Gap)[] = [];
  #taken: string | undefined;
  #error: HubClientError | undefined;
  /** Ends the waits of all that iterate. */
  readonly #waits: (() => void)[] = [];
  readonly #abort = (): void => this.end();
  #beReady: () => void = () => {};
  #failReady: (error: unknown) => void = () => {};

  constructor(patterns: readonly string[], options: SubscribeOptions, events: ReaderEvents) {
    checkLeast("messages", { buffer: options.buffer });
    this.patterns = patterns;
    // Empty where storage kept none.
    this.position = options.after || undefined;
    this.#options = options;
    this.#events = events;
    this.ready = new Promise((resolve, reject) => {
      this.#beReady = resolve;
      this.#failReady = reject;
    });
    // Who does not wait for it is told in other ways.
    this.ready.catch(() => {});
    options.signal?.addEventListener("abort", this.#abort);
  }

  get cursor(): string | undefined {
    return this.#waiting.length === 0 ? this.position : this.#taken;
  }

  /** Takes from an event of a feed what is for this reader. */
  hear(feed: Feed, event: StreamEvent): void {
    if (this.paused || this.closed) return;
    if (event.kind === "cover") return this.#cover(feed, event);
    if (event.kind === "live" && this.#starting === feed) {
      this.#starting = undefined;
      this.source = feed;
    }
    if (this.source !== feed) return;
    if (event.kind === "message") this.#message(event.message);
    else if (event.kind === "gap") this.#gap(event.gap);
    else {
      if (event.kind === "live") this.#checkEnd(event.id);
      this.#reach(event.id);
      // Only now: an id may be one that it has passed already.
      this.#settled ||= !(compareCursors(event.id, this.position ?? event.id) < 0);
      if (event.kind === "live") this.#beReady();
    }
  }

  /** Takes nothing more from this feed. */
  leave(feed: Feed): void {
    if (this.source === feed) this.source = undefined;
    if (this.#starting === feed) this.#starting = undefined;
  }

  /** Ends it. What waits can still be taken where an error is the end. */
  end(error?: HubClientError): void {
    if (this.closed) return;
    this.closed = true;
    this.source = undefined;
    this.#error = error;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    if (error === undefined) this.#waiting.length = 0;
    this.#failReady(error ?? new HubClientError("CLOSED", "The subscription was closed", { final: true }));
    this.#events.ended(this);
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
          this.#tell(next);
        } else {
          this.#taken = next.id ?? this.#taken;
          yield next;
        }
        if (this.paused && this.#waiting.length === 0) {
          this.paused = false;
          this.#events.resumed(this);
        }
      }
    } finally {
      this.end();
    }
  }

  #cover(feed: Feed, { patterns, from }: FeedEvent & { kind: "cover" }): void {
    if (!coverAll(patterns, this.patterns)) return this.leave(feed);
    const { position } = this;
    const begins = position === undefined && from === undefined;
    const reaches = position !== undefined && from !== undefined && compareCursors(from, position) <= 0;
    if (begins || reaches) {
      this.#settled = this.source === feed ? this.#settled : begins;
      this.source = feed;
      this.#starting = undefined;
      this.#passed = from;
      return;
    }
    this.leave(feed);
    if (position === undefined) this.#starting = feed;
  }

  #message(message: Message): void {
    const { id, channel } = message;
    if (id === null) {
      if (this.#settled && this.patterns.some((pattern) => covers(pattern, channel))) this.#give(message);
      return;
    }
    const { position } = this;
    if (position !== undefined && compareCursors(id, position) <= 0) {
      this.#passed = id;
      return;
    }
    // Of another log than the position, the feed would have told a gap, so it comes after it; except if the log was
    // restored from a copy that has the place from which the feed was asked, and not this one.
    if (position !== undefined && isLost(position, id)) {
      this.#resume("unknown_cursor", position, this.#passed ?? position);
    }
    const before = this.position;
    this.#reach(id);
    this.#settled = true;
    if (this.patterns.some((pattern) => covers(pattern, channel))) this.#give(message, before);
  }

  #gap({ reason, after, resumed }: Gap): void {
    const { position } = this;
    if (position === undefined) return;
    // The log ends in front of what was asked for, so whoever is as far as that was led there by a log that is lost.
    const isBack = compareCursors(resumed, after) < 0 && compareCursors(after, position) <= 0;
    // One that joined behind what is missing misses nothing.
    if (isBack || !(compareCursors(resumed, position) <= 0)) this.#resume(reason, position, resumed);
  }

  /** A feed that is live has come to the end of the log, and nobody is led beyond that but by a log that is lost. */
  #checkEnd(end: string): void {
    const { position } = this;
    if (position === undefined) return;
    const isBeyond = this.#leader === this.source && compareCursors(end, position) < 0;
    if (isBeyond || isLost(position, end)) this.#resume("unknown_cursor", position, end);
  }

  /** Goes on from another place, which may be an earlier one, and tells that. */
  #resume(reason: string, after: string, resumed: string): void {
    this.position = resumed;
    this.#leader = this.source;
    this.#give({ reason, after, resumed }, after);
  }

  #reach(id: string): void {
    if (this.position !== undefined && compareCursors(id, this.position) < 0) return;
    this.position = id;
    this.#leader = this.source;
  }

  #give(item: Message | Gap, before: string | undefined = this.position): void {
    const { onMessage, buffer = BUFFER } = this.#options;
    if (onMessage !== undefined) {
      if ("reason" in item) this.#tell(item);
      else call(() => onMessage(item));
      return;
    }
    if (this.#waiting.length === 0) this.#taken = before;
    this.#waiting.push(item);
    this.#wake();
    if (this.#waiting.length < buffer) return;
    this.paused = true;
    this.source = undefined;
    this.#starting = undefined;
    this.#events.paused(this);
  }

  #wake(): void {
    for (const wake of this.#waits.splice(0)) wake();
  }

  #tell(gap: Gap): void {
    call(() => this.#options.onGap?.(gap));
  }
}

/** Calls back; what is thrown there is no failure of ours, and reaches whoever handles uncaught errors. */
export function call(back: () => void): void {
  try {
    back();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
