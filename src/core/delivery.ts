import type { Audience, Member } from "./audience.ts";
import type { ChannelPattern } from "./channel.ts";
import type { Envelope } from "./message.ts";
import { Routes } from "./routes.ts";
import type { Stats } from "./stats.ts";

export interface DeliveryOptions {
  /** Bytes a live reader may leave untaken before it is cut. */
  readonly maxPending: number;
  /** Runs a function at the end of this turn of the event loop: what a turn publishes is written together. */
  readonly endOfTurn: (write: () => void) => void;
  /**
   * Readers written to in one turn, for each message published in it: other work comes between, and what that
   * publishes goes out with the rest. In proportion, so that publishers cannot outrun the readers.
   */
  readonly writesPerMessage: number;
  /**
   * Called with the milliseconds from the log being handed a message to the last of its readers having been written to,
   * once for each group of readers that read the same.
   */
  readonly onDelivered?: (milliseconds: number) => void;
}

/** A reader that can be live. */
export interface LiveReader extends Member {
  readonly channels: readonly ChannelPattern[];
  /** It only looks on, and counts as no reader. */
  readonly watches?: boolean;
  /** Set exactly while it is live. */
  audience: Audience | undefined;
}

/** Brings what is published to the readers that are live. */
export class Delivery<Reader extends LiveReader> {
  readonly routes: Routes = new Routes();
  readonly #options: DeliveryOptions;
  readonly #stats: Stats;
  readonly #onSlow: (reader: Reader) => void;
  /** Audiences that lack messages. */
  readonly #behind = new Set<Audience>();
  /** Messages offered since the last write. */
  #offered = 0;

  /** `onSlow` is called with a reader that leaves more untaken than it may; it is to drop it. */
  constructor(options: DeliveryOptions, stats: Stats, onSlow: (reader: Reader) => void) {
    this.#options = options;
    this.#stats = stats;
    this.#onSlow = onSlow;
  }

  /** Makes a reader live: it is given what is offered from now on. */
  join(reader: Reader): void {
    reader.audience = this.routes.audience(reader.channels, reader.sink.format, reader.watches);
    reader.audience.join(reader);
  }

  /** Gives a live reader all it was offered so far. */
  give(reader: Reader): void {
    reader.audience?.give(reader, this.#stats, this.#onLag);
  }

  /** Takes a reader out, whatever it was offered; false where it was not live. */
  drop(reader: Reader): boolean {
    const { audience } = reader;
    if (audience === undefined) return false;
    this.routes.leave(audience, reader);
    reader.audience = undefined;
    return true;
  }

  /** Offers a message to every live reader of its channel; returns to how many that receive it. */
  offer(envelope: Envelope): number {
    let receivers = 0;
    this.#offered++;
    this.routes.each(envelope.message.channel, (audience) => {
      if (!audience.offer(envelope)) return;
      receivers += audience.receivers;
      if (this.#behind.size === 0) this.#options.endOfTurn(this.#write);
      this.#behind.add(audience);
    });
    return receivers;
  }

  /** Writes to as many readers as this turn may, audience after audience, and goes on in the next turn. */
  readonly #write = (): void => {
    let left = this.#options.writesPerMessage * Math.max(this.#offered, 1);
    this.#offered = 0;
    for (const audience of this.#behind) {
      left -= audience.write(left, this.#stats, this.#onLag, this.#onGiven);
      this.#behind.delete(audience);
      // At the end, so that one that is never done keeps no other waiting.
      if (audience.isBehind) this.#behind.add(audience);
      if (left <= 0) break;
    }
    if (this.#behind.size > 0) this.#options.endOfTurn(this.#write);
  };

  readonly #onLag = (member: Member): void => {
    if (member.sink.pending > this.#options.maxPending) this.#onSlow(member as Reader);
  };

  readonly #onGiven = (envelopes: readonly Envelope[]): void => {
    const { onDelivered } = this.#options;
    if (onDelivered === undefined) return;
    const now = performance.now();
    for (const { since } of envelopes) if (since !== undefined) onDelivered(now - since);
  };
}
