import type { ChannelName } from "../protocol/channel.ts";
import { Backlog, type BacklogOptions } from "./backlog.ts";
import { Envelope, type Message } from "./message.ts";
import type { LiveReader, ReaderGroup } from "./reader-group.ts";
import type { Stats } from "./stats.ts";
import type { DeliveryTracer } from "./trace.ts";
import { SubscriptionIndex } from "./subscription-index.ts";

export interface FanOutOptions extends BacklogOptions {
  /**
   * Runs a function after the publishers of a turn have had their receipts, before the event loop reads more input;
   * `endOfTurn` by default. So a message is written to its readers in the turn that committed it, not in the next.
   */
  readonly afterReceipts?: (write: () => void) => void;
  /**
   * Readers written to in one turn, for each message published in it. The rest wait for the next turn, which leaves
   * time for other work. It is proportional so that publishers cannot outrun the readers.
   */
  readonly writesPerMessage: number;
  /**
   * Called with the milliseconds from appending a message to writing it to the last of its readers, once for each group
   * of readers of the same channels and format.
   */
  readonly onDelivered?: (milliseconds: number) => void;
  /** Absent if deliveries are not traced. */
  readonly tracer?: DeliveryTracer | undefined;
}

/** Delivers published messages to live readers. */
export class FanOut {
  readonly index: SubscriptionIndex = new SubscriptionIndex();
  /** Pending bytes of readers; doors add what else they buffer. */
  readonly backlog: Backlog;
  /** The offset of the last message delivered: live readers have been offered everything up to here. */
  delivered = 0;
  readonly #options: FanOutOptions;
  readonly #stats: Stats;
  /** Groups with members that lack messages. */
  readonly #behind = new Set<ReaderGroup>();
  readonly #afterReceipts: (write: () => void) => void;
  /** Messages offered since the last write. */
  #offered = 0;
  /** The last channel that was found to have no readers, until one is attached. */
  #unread: ChannelName | undefined;

  /** A reader with too many pending bytes is cut; its `cut` must detach it. */
  constructor(options: FanOutOptions, stats: Stats) {
    this.#options = options;
    this.#afterReceipts = options.afterReceipts ?? options.endOfTurn;
    this.#stats = stats;
    this.backlog = new Backlog(options);
  }

  /** Makes a reader live: it receives what is offered from now on. */
  attach(reader: LiveReader): void {
    this.#unread = undefined;
    reader.group = this.index.group(reader.channels, reader.sink.format, reader.watches);
    this.index.add(reader.group, reader);
  }

  /** Writes to a live reader everything it was offered so far. */
  flush(reader: LiveReader): void {
    reader.group?.flush(reader, this.backlog, this.#stats);
  }

  /** Removes a reader without flushing it; false if it was not live. */
  detach(reader: LiveReader): boolean {
    const { group } = reader;
    if (group === undefined) return false;
    this.index.remove(group, reader);
    reader.group = undefined;
    return true;
  }

  /**
   * Offers a message to every live reader of its channel; returns how many count as receivers. `since`: when this hub
   * appended it, in milliseconds of `performance.now()`; `idOf` gives its id.
   */
  offer(message: Message, since: number | undefined, idOf: (message: Message) => string | undefined): number {
    const { channel } = message;
    const isTraced = message.traceparent !== undefined;
    if (channel === this.#unread && !isTraced) return 0;
    let receivers = 0;
    let groups = 0;
    let isUnread = true;
    this.#offered++;
    // Made for the first reader: most messages may be on channels that no one reads now.
    let envelope: Envelope | undefined;
    if (isTraced) {
      envelope = new Envelope(message, idOf(message), since);
      envelope.delivery = this.#options.tracer?.deliver(message, envelope.id);
    }
    this.index.each(channel, (group) => {
      isUnread = false;
      envelope ??= new Envelope(message, idOf(message), since);
      if (!group.offer(envelope)) return;
      groups++;
      receivers += group.receivers;
      if (this.#behind.size === 0) this.#afterReceipts(this.#write);
      this.#behind.add(group);
    });
    envelope?.delivery?.offered(groups, receivers);
    if (isUnread) this.#unread = channel;
    return receivers;
  }

  /** Writes to as many readers as one turn may, group after group, and continues in the next turn. */
  readonly #write = (): void => {
    let left = this.#options.writesPerMessage * Math.max(this.#offered, 1);
    this.#offered = 0;
    for (const group of this.#behind) {
      left -= group.write(left, this.backlog, this.#stats, this.#onGiven);
      this.#behind.delete(group);
      // At the end, so that a busy group does not starve the others.
      if (group.isBehind) this.#behind.add(group);
      if (left <= 0 || this.backlog.isFull()) break;
    }
    if (this.#behind.size > 0) this.#options.endOfTurn(this.#write);
  };

  readonly #onGiven = (envelopes: readonly Envelope[]): void => {
    const { onDelivered } = this.#options;
    if (onDelivered === undefined) return;
    const now = performance.now();
    for (const { since } of envelopes) if (since !== undefined) onDelivered(now - since);
  };
}
