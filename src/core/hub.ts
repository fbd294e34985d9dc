import { joined } from "./reader-group.ts";
import type { Backlog } from "./backlog.ts";
import { isServerChannel, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import { cursorAt, startOf } from "../protocol/cursor.ts";
import { FanOut, type FanOutOptions } from "./fan-out.ts";
import { HubError } from "./errors.ts";
import {
  gap,
  listChannels,
  readHistory,
  readRecent,
  type ChannelListing,
  type History,
  type HistoryQuery,
  type RecentHistory,
  type RecentHistoryQuery,
} from "./history.ts";
import { isMissing, type ChannelQuery, type Log, type LogPage } from "./log.ts";
import { Envelope, type Draft, type Message, type Published } from "./message.ts";
import { Probes } from "./probe.ts";
import type { GapReason } from "../protocol/signal.ts";
import type { CloseReason, Sink } from "./sink.ts";
import { Stats } from "./stats.ts";
import { Subscription, type SubscribeRequest } from "./subscription.ts";

export interface HubOptions extends FanOutOptions {
  /** Messages in one page of replay. */
  readonly page: number;
  /** Called with the milliseconds the log took for each message. */
  readonly onAppended?: (milliseconds: number) => void;
  /** Called with the reason for which a reader that was catching up is ended. */
  readonly onReadFailed?: (error: unknown) => void;
}

/** Publishes into a log and delivers to readers what the log brings back. */
export class Hub {
  readonly stats: Stats = new Stats();
  readonly #log: Log;
  readonly #options: HubOptions;
  readonly #delivery: FanOut;
  readonly #subscriptions = new Set<Subscription>();
  readonly #offered = new WeakMap<Message, Envelope>();
  readonly #probes = new Probes();
  /** Called with the next delivery. */
  readonly #awaiting: (() => void)[] = [];
  #delivered = 0;
  #numbered = 0;
  #closed: Promise<void> | undefined;

  private constructor(log: Log, options: HubOptions) {
    this.#log = log;
    this.#options = options;
    this.#delivery = new FanOut(options, this.stats);
  }

  /** Follows the log; the hub has it to itself from here on, and closes it. */
  static async open(log: Log, options: HubOptions): Promise<Hub> {
    const hub = new Hub(log, options);
    const start = await log.follow((messages) => hub.#deliver(messages));
    // The first messages may have come while `follow` was resolving.
    hub.#delivered = Math.max(hub.#delivered, start);
    return hub;
  }

  /** Open subscriptions, live or catching up. */
  get size(): number {
    return this.#subscriptions.size;
  }

  get log(): Pick<Log, "size" | "channels" | "epoch"> {
    return this.#log;
  }

  get backlog(): Backlog {
    return this.#delivery.backlog;
  }

  /** Resolves once the message is kept and offered to everyone who is live. Rejects as the log does. */
  async publish(draft: Draft): Promise<Published> {
    if (this.#closed) throw new HubError("SHUTTING_DOWN", "The server is stopping; publish again in a few seconds");
    const start = performance.now();
    const message = await this.#log.append(draft);
    this.#options.onAppended?.(performance.now() - start);
    const envelope = this.#offered.get(message);
    this.#offered.delete(message);
    if (envelope !== undefined && !isServerChannel(message.channel)) envelope.since = start;
    return { id: this.idOf(message), message, receivers: envelope?.receivers ?? 0, repeated: envelope === undefined };
  }

  /** Returns at once; messages, and signals in their place among them, go to the sink until it is unsubscribed. */
  subscribe(request: SubscribeRequest, sink: Sink): Subscription {
    const subscription = new Subscription(sink, this.#numbered++, this.#delivered, this.#cut, request.watch === true);
    this.#subscriptions.add(subscription);
    if (this.#closed === undefined) this.add(subscription, request);
    else this.#end(subscription, "shutdown");
    return subscription;
  }

  /**
   * Makes a subscription read more channels: from now on, or everything after a cursor. With a cursor the whole
   * reader catches up before it is live again, so that the last id it saw always resumes all it reads. Without one, a
   * channel or pattern it reads already changes nothing.
   */
  add(subscription: Subscription, { channels, after }: SubscribeRequest): void {
    const fresh = subscription.revision === 0;
    const live = this.#leave(subscription);
    if (subscription.closed) return;
    if (live) subscription.advanceTo(this.#delivered);
    const start = after === undefined ? this.#delivered : startOf(after, this.#log);
    if (start === undefined) this.#tellGap(subscription, "unknown_cursor", after ?? "", this.#delivered);
    const more = after === undefined ? channels.filter((channel) => !subscription.wants.has(channel)) : channels;
    subscription.add(more, start ?? this.#delivered);
    if (after === undefined && (live || fresh)) this.#attach(subscription);
    else void this.#catchUp(subscription);
  }

  /** Hands over what a subscription was offered in this turn, so that what its socket is given next comes behind it. */
  flush(subscription: Subscription): void {
    this.#delivery.flush(subscription);
  }

  /** Makes a subscription read fewer channels; a pattern it does not have changes nothing. */
  remove(subscription: Subscription, channels: readonly ChannelPattern[]): void {
    const live = this.#leave(subscription);
    if (subscription.closed) return;
    for (const channel of channels) subscription.wants.delete(channel);
    subscription.revision++;
    if (live) this.#attach(subscription);
    else void this.#catchUp(subscription);
  }

  /** Ends a subscription; nothing more goes to its sink. */
  unsubscribe(subscription: Subscription): void {
    if (subscription.closed) return;
    subscription.closed = true;
    subscription.revision++;
    this.#subscriptions.delete(subscription);
    this.#delivery.detach(subscription);
    this.backlog.forget(subscription);
  }

  /** A page of what is kept on these channels after a cursor (`earliest` or none: from the beginning). */
  history(query: HistoryQuery): Promise<History> {
    return readHistory(this.#log, this.#delivered, query);
  }

  /** The last messages kept on these channels, or the last in front of a cursor. */
  recent(query: RecentHistoryQuery): Promise<RecentHistory> {
    return readRecent(this.#log, this.#delivered, query);
  }

  /** Channels that hold or held messages, or have live readers, by name. */
  channels(query: ChannelQuery): readonly ChannelListing[] {
    return listChannels(this.#log, this.#delivery.index, query);
  }

  /** Live readers of a channel, by its name or by a pattern; `all`: with those that only look on. */
  readers(channel: ChannelName, all = false): number {
    return this.#delivery.index.readers(channel, all);
  }

  /** The id of a message; undefined where it was not kept. */
  idOf(message: Message): string | undefined {
    return message.ephemeral ? undefined : cursorAt(this.#log, message.offset);
  }

  /** A place in the log as text; without an offset, that of the last message delivered. */
  cursor(offset: number = this.#delivered): string {
    return cursorAt(this.#log, offset);
  }

  /** Tells one of `parts` of the readers, in turn, how far they have got; and cuts those whose replay stands still. */
  heartbeat(part: number, parts: number): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.number % parts !== part) continue;
      // The id tells it that it has everything up to there.
      this.#delivery.flush(subscription);
      if (subscription.closed) continue;
      if (subscription.isStalled()) subscription.cut();
      else subscription.heartbeat(this.#delivered, this.#cursorOf);
    }
  }

  /** Proves delivery: resolves once a write reached the log and a message came back from it; rejects otherwise. */
  probe(): Promise<void> {
    return this.#probes.send(this.#log);
  }

  /** Refuses new messages and readers, ends the readers spread over `spread` milliseconds, then closes the log. */
  close(spread = 0): Promise<void> {
    return (this.#closed ??= this.#close(spread));
  }

  async #close(spread: number): Promise<void> {
    const start = performance.now();
    const count = this.#subscriptions.size;
    let ended = 0;
    for (const subscription of this.#subscriptions) {
      const wait = start + (spread * ended++) / count - performance.now();
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
      this.#leave(subscription);
      if (!subscription.closed) this.#end(subscription, "shutdown");
    }
    await this.#log.close();
  }

  #attach(subscription: Subscription): void {
    subscription.joins(this.#delivered);
    this.#delivery.attach(subscription);
  }

  /** Gives a live subscription all it was offered and takes it out; false where it was not live, or is closed by this. */
  #leave(subscription: Subscription): boolean {
    this.#delivery.flush(subscription);
    subscription.leaves();
    return this.#delivery.detach(subscription);
  }

  /** Reads page after page until a subscription has passed what was delivered, however its channels change meanwhile. */
  async #catchUp(subscription: Subscription): Promise<void> {
    if (subscription.catchingUp) return;
    subscription.catchingUp = true;
    const { sink } = subscription;
    try {
      while (!subscription.closed) {
        const { revision } = subscription;
        // First of all, so that a reader that keeps changing its channels is not sent page upon page either.
        await sink.drained();
        if (subscription.revision !== revision) continue;
        subscription.heartbeatsWaited = 0;
        const { after, channels, until } = subscription.next;
        const read = await this.backlog.room();
        const page = await this.#log.read({ after, channels, limit: this.#options.page }).finally(read);
        if (subscription.revision !== revision) continue;
        if (isMissing(page, after)) {
          subscription.skipTo(page.dropped);
          this.#tellGap(subscription, "expired", this.cursor(after), page.dropped);
        }
        this.#replay(subscription, page, until);
        if (subscription.revision !== revision || subscription.position < this.#delivered) continue;
        if (subscription.position === this.#delivered && subscription.next.until === Infinity) {
          // Nothing may be awaited between the look above and this, or what is published meanwhile is lost.
          this.#attach(subscription);
          sink.signal({ kind: "live", id: this.cursor() });
          subscription.tell(this.#delivered);
          return;
        }
        // It is further than what was delivered here: a log may be ahead of that.
        await new Promise<void>((resolve) => this.#awaiting.push(resolve));
      }
    } catch (error) {
      if (subscription.closed) return;
      this.#options.onReadFailed?.(error);
      this.#end(subscription, "unavailable");
    }
  }

  #replay(subscription: Subscription, page: LogPage, until: number): void {
    // What a log has beyond the last delivery will come live.
    const messages = subscription.take(page.messages, Math.min(page.end, until, this.#delivered));
    if (messages.length === 0) return;
    const due = messages.map((message) => new Envelope(message, this.idOf(message)));
    const bytes = joined(due, subscription.sink.format);
    if (!subscription.sink.write(bytes)) subscription.lagsWith(bytes, this.backlog);
    subscription.tell(messages.at(-1)?.offset ?? subscription.position);
    this.stats.replayed += due.length;
    this.stats.bytes += bytes.length;
  }

  #deliver(messages: readonly Message[]): void {
    for (const message of messages) {
      // An ephemeral message has its predecessor's offset, so it must not move ours back.
      if (!message.ephemeral) this.#delivered = message.offset;
      if (this.#probes.take(message)) continue;
      if (!isServerChannel(message.channel)) this.stats.published++;
      const envelope = new Envelope(message, this.idOf(message));
      envelope.receivers = this.#delivery.offer(envelope);
      this.#offered.set(message, envelope);
    }
    for (const resume of this.#awaiting.splice(0)) resume();
  }

  readonly #cursorOf = (offset: number): string => cursorAt(this.#log, offset);

  readonly #cut = (subscription: Subscription): void => {
    this.stats.slow++;
    this.#end(subscription, "slow");
  };

  #end(subscription: Subscription, reason: CloseReason): void {
    this.unsubscribe(subscription);
    subscription.sink.close(reason);
  }

  #tellGap(subscription: Subscription, reason: GapReason, after: string, resumed: number): void {
    this.stats.gaps++;
    subscription.tell(resumed);
    subscription.sink.signal({ kind: "gap", ...gap(reason, after, this.cursor(resumed)) });
  }
}
