import { isOfNode, isServerChannel, serverChannel, type ChannelPattern } from "../protocol/channel.ts";
import { cursorAt, learn, startOf } from "../protocol/cursor.ts";
import type { Backlog } from "./backlog.ts";
import { HubError } from "./errors.ts";
import { FanOut, type FanOutOptions } from "./fan-out.ts";
import { listChannels, readHistory, type ChannelListing, type History, type HistoryQuery } from "./history.ts";
import { KeptMessages } from "./kept-messages.ts";
import type { Appended, ChannelQuery, Log } from "./log.ts";
import type { Draft, Message, NewDraft, Published } from "./message.ts";
import { Publications } from "./publications.ts";
import type { RemoteReaders } from "./remote-readers.ts";
import { Replay, type ReplayOptions } from "./replay.ts";
import type { CloseReason, Sink } from "./sink.ts";
import { Stats } from "./stats.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";
import { Subscription, type SubscribeRequest } from "./subscription.ts";

export interface HubOptions extends FanOutOptions, ReplayOptions {
  /** Called with the milliseconds the log took for a message, or for several that were published together. */
  readonly onAppended?: (milliseconds: number) => void;
  /** Called with each message on the server's own channels. */
  readonly onOwn?: (message: Message) => void;
  /** Undefined if there are no other nodes. */
  readonly remoteReaders?: RemoteReaders | undefined;
}

const PROBE: Draft = { channel: serverChannel("probe"), event: "probe", data: "null", sender: "hub", ephemeral: true };

/** Publishes into a log, and delivers to readers what the log hands its follower. */
export class Hub {
  readonly stats: Stats = new Stats();
  readonly kept: KeptMessages;
  readonly #log: Log;
  readonly #options: HubOptions;
  readonly #fanOut: FanOut;
  readonly #replay: Replay;
  readonly #subscriptions = new Set<Subscription>();
  readonly #publications = new Publications();
  #subscribed = 0;
  #closed: Promise<void> | undefined;

  private constructor(log: Log, options: HubOptions) {
    this.#log = log;
    this.#options = options;
    this.#fanOut = new FanOut(options, this.stats);
    this.kept = new KeptMessages(log, () => this.#fanOut.delivered);
    this.#replay = new Replay(log, this.#fanOut, options, this.stats, (subscription) =>
      this.#end(subscription, "unavailable"),
    );
  }

  /** Follows the log; from here on the hub owns the log, and closes it. */
  static async open(log: Log, options: HubOptions): Promise<Hub> {
    const hub = new Hub(log, options);
    const start = await log.follow(
      (messages) => hub.#deliver(messages),
      (head, valid) => hub.#reset(head, valid),
    );
    // The first messages may have come while `follow` was resolving.
    hub.#fanOut.delivered = Math.max(hub.#fanOut.delivered, start);
    return hub;
  }

  /** Open subscriptions, live or replaying. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** The live readers of this node. */
  get index(): SubscriptionIndex {
    return this.#fanOut.index;
  }

  get log(): Pick<Log, "size" | "channels" | "epoch"> {
    return this.#log;
  }

  get backlog(): Backlog {
    return this.#fanOut.backlog;
  }

  /** Resolves once the message is kept and offered to every live reader. Rejects as the log does. */
  async publish(draft: Draft): Promise<Published> {
    if (this.#closed) throw stopping();
    if (draft.ephemeral && isOfNode(draft.channel)) return this.#announce(draft);
    const publication = this.#publications.begin();
    try {
      const { message, repeated } = await this.#log.append({ ...draft, publication: publication.number });
      this.#options.onAppended?.(performance.now() - publication.since);
      return { id: this.idOf(message), message, receivers: publication.receivers ?? 0, repeated };
    } finally {
      this.#publications.end(publication);
    }
  }

  /** Publishes messages in order, and numbers the drafts; resolves, and never rejects, with what became of each. */
  async publishAll(drafts: readonly NewDraft[]): Promise<readonly (Appended | HubError)[]> {
    if (this.#closed) return drafts.map(stopping);
    // One number for all of them: no one asks how many readers each was offered to.
    const publication = this.#publications.begin();
    for (const draft of drafts) draft.publication = publication.number;
    const outcomes = await this.#log.appendAll(drafts);
    this.#publications.end(publication);
    if (outcomes.some((outcome) => !(outcome instanceof HubError)))
      this.#options.onAppended?.(performance.now() - publication.since);
    return outcomes;
  }

  /** Checks delivery: resolves once the log has made a write and delivered a message; rejects otherwise. */
  async probe(): Promise<void> {
    await this.#log.check();
    const publication = this.#publications.begin();
    const draft = { ...PROBE, publication: publication.number };
    await this.#log.append(draft).finally(() => this.#publications.end(publication));
    if (publication.receivers !== undefined) return;
    throw new HubError("LOG_UNAVAILABLE", "The log took a message and did not bring it back");
  }

  /** Returns at once; messages, and signals in their place among them, go to the sink until it is unsubscribed. */
  subscribe(request: SubscribeRequest, sink: Sink): Subscription {
    const subscription = new Subscription(sink, this.#subscribed++, this.#fanOut.delivered, this.#cut, request.watch);
    const learned = learn(request.after, this.#log);
    if (learned === undefined) this.#start(subscription, request);
    else void learned.then(() => this.#start(subscription, request));
    return subscription;
  }

  /** From here on, a subscription has a place in the log: heartbeats tell it, and a reset of the log changes it. */
  #start(subscription: Subscription, request: SubscribeRequest): void {
    if (subscription.closed) return;
    this.#subscriptions.add(subscription);
    if (this.#closed !== undefined) this.#end(subscription, "shutdown");
    else this.add(subscription, request);
  }

  /**
   * Makes a subscription read more channels: from now on, or everything after a cursor. With a cursor the whole
   * subscription replays before it is live again, so that the last id its reader saw always resumes all its channels.
   * Without one, a channel or pattern that it reads already changes nothing.
   */
  add(subscription: Subscription, { channels, after }: SubscribeRequest): void {
    const { delivered } = this.#fanOut;
    const isNew = subscription.revision === 0;
    const live = this.#detach(subscription);
    if (subscription.closed) return;
    if (live) subscription.advanceTo(delivered);
    const start = after === undefined ? delivered : startOf(after, this.#log);
    if (start === undefined) this.#replay.tellGap(subscription, "unknown_cursor", after ?? "", delivered);
    const more = after === undefined ? channels.filter((channel) => !subscription.wants.has(channel)) : channels;
    subscription.add(more, start ?? delivered);
    if (after === undefined && (live || isNew)) this.#replay.attach(subscription);
    else void this.#replay.run(subscription);
  }

  /** Makes a subscription read fewer channels; a pattern it does not have changes nothing. */
  remove(subscription: Subscription, channels: readonly ChannelPattern[]): void {
    const live = this.#detach(subscription);
    if (subscription.closed) return;
    subscription.remove(channels);
    if (live) this.#replay.attach(subscription);
    else void this.#replay.run(subscription);
  }

  /** Writes what a subscription was offered in this turn, so that what is written to its socket next comes after it. */
  flush(subscription: Subscription): void {
    this.#fanOut.flush(subscription);
  }

  /** Ends a subscription and says why to its sink, after what it was offered so far. */
  end(subscription: Subscription, reason: CloseReason): void {
    if (subscription.closed) return;
    this.#detach(subscription);
    if (!subscription.closed) this.#end(subscription, reason);
  }

  /** Ends a subscription; nothing more goes to its sink. */
  unsubscribe(subscription: Subscription): void {
    if (subscription.closed) return;
    subscription.closed = true;
    subscription.discardPages();
    this.#subscriptions.delete(subscription);
    this.#fanOut.detach(subscription);
    this.backlog.forget(subscription);
  }

  /** A page of what is kept on these channels after a cursor (`earliest` or none: from the beginning). */
  history(query: HistoryQuery): Promise<History> {
    return readHistory(this.#log, this.#fanOut.delivered, query);
  }

  /** Channels that hold or held messages, or have live readers, by name. */
  channels(query: ChannelQuery): readonly ChannelListing[] {
    return listChannels(this.#log, this.index, this.#options.remoteReaders, query);
  }

  /** The id of a message; undefined if it was not kept. */
  idOf(message: Message): string | undefined {
    return message.ephemeral ? undefined : cursorAt(this.#log, message.offset);
  }

  /** The cursor of an offset as text; by default, of the last message delivered. */
  cursor(offset: number = this.#fanOut.delivered): string {
    return cursorAt(this.#log, offset);
  }

  /** Sends a heartbeat to one of `parts` equal shares of the readers, and cuts those whose replay is stalled. */
  heartbeat(part: number, parts: number): void {
    const cursor = (offset: number): string => cursorAt(this.#log, offset);
    for (const subscription of this.#subscriptions) {
      if (subscription.number % parts !== part) continue;
      // The id tells it that it has everything up to there.
      this.#fanOut.flush(subscription);
      if (subscription.closed) continue;
      if (subscription.isStalled()) subscription.cut();
      else subscription.heartbeat(this.#fanOut.delivered, cursor);
    }
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
      this.end(subscription, "shutdown");
    }
    await this.#log.close();
  }

  #deliver(messages: readonly Message[]): void {
    for (const message of messages) {
      // An ephemeral message has its predecessor's offset, so it must not move ours back.
      if (!message.ephemeral) this.#fanOut.delivered = message.offset;
      const publication = this.#publications.of(message);
      const receivers = this.#offer(message, publication?.since);
      if (publication !== undefined)
        publication.receivers = receivers + (this.#options.remoteReaders?.readers(message.channel) ?? 0);
    }
    this.#replay.delivered();
  }

  /** The log goes on after `head`: every reader reads from it what there is up to there, or that it is lost. */
  #reset(head: number, valid = Infinity): void {
    const before = this.#fanOut.delivered;
    this.#fanOut.delivered = Math.max(before, head);
    for (const subscription of this.#subscriptions) {
      const isLive = this.#detach(subscription);
      if (isLive) subscription.advanceTo(before);
      this.#replay.goBack(subscription, valid);
      if (!isLive) continue;
      subscription.discardPages();
      void this.#replay.run(subscription);
    }
    this.#replay.delivered();
  }

  /** The server's own channels concern this node only, so their messages bypass the log. */
  #announce(draft: Draft): Published {
    const message = { ...draft, offset: this.#fanOut.delivered, time: Date.now() };
    return { id: undefined, message, receivers: this.#offer(message, undefined), repeated: false };
  }

  #offer(message: Message, since: number | undefined): number {
    const { channel } = message;
    if (channel === PROBE.channel) return 0;
    const isOwn = isServerChannel(channel);
    if (isOwn) this.#options.onOwn?.(message);
    if (isOwn) return this.#fanOut.offer(message, undefined, this.#idOf);
    if (since !== undefined) this.stats.published++;
    return this.#fanOut.offer(message, since, this.#idOf);
  }

  readonly #idOf = (message: Message): string | undefined => this.idOf(message);

  /** Flushes a live subscription and removes it; false if it was not live, or the flush cut it. */
  #detach(subscription: Subscription): boolean {
    this.#fanOut.flush(subscription);
    return this.#fanOut.detach(subscription);
  }

  readonly #cut = (subscription: Subscription): void => {
    this.stats.slow++;
    this.#end(subscription, "slow");
  };

  #end(subscription: Subscription, reason: CloseReason): void {
    this.unsubscribe(subscription);
    subscription.sink.close(reason);
  }
}

function stopping(): HubError {
  return new HubError("SHUTTING_DOWN", "The server is stopping; publish again in a few seconds");
}
