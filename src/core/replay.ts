import { cursorAt } from "../protocol/cursor.ts";
import type { GapReason } from "../protocol/signal.ts";
import type { FanOut } from "./fan-out.ts";
import { gap } from "./history.ts";
import { hasGap, gapReason, withGapLast, type Log, type LogPage } from "./log.ts";
import { Envelope } from "./message.ts";
import { joined } from "./reader-group.ts";
import type { Stats } from "./stats.ts";
import type { DeliveryTracer } from "./trace.ts";
import type { Subscription } from "./subscription.ts";

export interface ReplayOptions {
  /** Messages in one page of replay. */
  readonly page: number;
  /** Called with the error if a read fails, which ends the reader. */
  readonly onReadFailed?: (error: unknown) => void;
  /** Absent if deliveries are not traced. */
  readonly tracer?: DeliveryTracer | undefined;
}

/** Sends a subscription the pages from its cursor to the last message delivered, then attaches it as live. */
export class Replay {
  readonly #log: Log;
  readonly #fanOut: FanOut;
  readonly #options: ReplayOptions;
  readonly #stats: Stats;
  readonly #fail: (subscription: Subscription) => void;
  /** Called at the next delivery. */
  readonly #awaiting: (() => void)[] = [];

  /** `fail` must end a reader whose pages cannot be read. */
  constructor(
    log: Log,
    fanOut: FanOut,
    options: ReplayOptions,
    stats: Stats,
    fail: (subscription: Subscription) => void,
  ) {
    this.#log = log;
    this.#fanOut = fanOut;
    this.#options = options;
    this.#stats = stats;
    this.#fail = fail;
  }

  /** Reads page after page until a subscription has all that was delivered, even if its channels change meanwhile. */
  async run(subscription: Subscription): Promise<void> {
    if (subscription.replaying) return;
    subscription.replaying = true;
    try {
      while (!subscription.closed && !(await this.#step(subscription)));
    } catch (error) {
      if (subscription.closed) return;
      this.#options.onReadFailed?.(error);
      this.#fail(subscription);
    }
  }

  /** More was delivered: subscriptions that were ahead of it continue. */
  delivered(): void {
    for (const resume of this.#awaiting.splice(0)) resume();
  }

  /** Makes a subscription live: it has all that was delivered. */
  attach(subscription: Subscription): void {
    subscription.replaying = false;
    subscription.heartbeatsWaited = 0;
    this.#fanOut.attach(subscription);
  }

  /** Tells a reader that messages up to `resumed` are missing. */
  tellGap(subscription: Subscription, reason: GapReason, after: string, resumed: number): void {
    this.#stats.gaps++;
    subscription.told = resumed;
    subscription.sink.signal({ kind: "gap", ...gap(reason, after, cursorAt(this.#log, resumed)) });
  }

  /** Tells a reader that what it was given after an offset was lost, if it has come further, and reads on from there. */
  goBack(subscription: Subscription, offset: number): void {
    if (subscription.closed || subscription.position <= offset) return;
    subscription.discardPages();
    this.tellGap(subscription, "lost", cursorAt(this.#log, offset), offset);
    subscription.goBackTo(offset);
  }

  /** Reads one page; true once the subscription is live. */
  async #step(subscription: Subscription): Promise<boolean> {
    const { revision, sink } = subscription;
    // First, so that a reader that keeps changing its channels has to drain each page, too.
    await sink.drained();
    if (subscription.revision !== revision) return false;
    subscription.heartbeatsWaited = 0;
    const { after, channels, until } = subscription.next;
    const release = await this.#fanOut.backlog.room();
    const read = await this.#log.read({ after, channels, limit: this.#options.page }).finally(release);
    if (subscription.revision !== revision) return false;
    const page = withGapLast(read, after);
    if (page.end < after) {
      const end = Math.min(page.end, this.#fanOut.delivered);
      this.tellGap(subscription, "unknown_cursor", cursorAt(this.#log, after), end);
      subscription.goBackTo(end);
      return false;
    }
    if (hasGap(page, after)) {
      subscription.skipTo(page.dropped);
      this.tellGap(subscription, gapReason(page), cursorAt(this.#log, after), page.dropped);
    }
    this.#write(subscription, page, until);
    const { delivered } = this.#fanOut;
    if (subscription.revision !== revision || subscription.position < delivered) return false;
    if (subscription.position === delivered && subscription.next.until === Infinity) {
      // Nothing may be awaited between the check above and this, or what is published meanwhile is lost.
      this.attach(subscription);
      sink.signal({ kind: "live", id: cursorAt(this.#log, delivered) });
      subscription.told = delivered;
      return true;
    }
    // The log was ahead of what this hub has delivered: wait until that catches up.
    await new Promise<void>((resolve) => this.#awaiting.push(resolve));
    return false;
  }

  #write(subscription: Subscription, page: LogPage, until: number): void {
    // What the log has after the last delivery will be delivered live.
    const messages = subscription.take(page.messages, Math.min(page.end, until, this.#fanOut.delivered));
    if (messages.length === 0) return;
    const due = messages.map((message) => new Envelope(message, cursorAt(this.#log, message.offset)));
    const bytes = joined(due, subscription.sink.format);
    if (!subscription.sink.write(bytes)) {
      subscription.lag = this.#fanOut.backlog.add(subscription, bytes);
      // The pending bytes of a page do not count before the next one is written.
      subscription.lag.excused = bytes.length;
    }
    subscription.told = messages.at(-1)?.offset ?? subscription.position;
    this.#stats.replayed += due.length;
    this.#options.tracer?.replayed(messages);
    this.#stats.bytes += bytes.length;
  }
}
