import type { Lag } from "./backlog.ts";
import { BEGINNING } from "../protocol/cursor.ts";
import { covers, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import type { Message } from "./message.ts";
import type { LiveReader, ReaderGroup } from "./reader-group.ts";
import type { Sink } from "./sink.ts";

export interface SubscribeRequest {
  readonly channels: readonly ChannelPattern[];
  /** A cursor as text, or `earliest`; what is not a cursor of this log is answered with a gap. Absent: from now on. */
  readonly after?: string | undefined;
  /** It only looks on: it gets everything and does not count as a reader. Fixed when it subscribes. */
  readonly watch?: boolean | undefined;
}

/** Messages that may pass by a reader before it is told another id to come back with. */
const FAR = 1000;
const MAX_HEARTBEATS_WAITED = 3;

/**
 * One reader's place in the log, and the sink that gets what follows. Either it is live, in a group that is given what
 * is published; or it replays, reading pages from `position` until it has passed what the hub delivered.
 */
export class Subscription implements LiveReader {
  readonly sink: Sink;
  /** Counts up from 0 over the hub's life; spreads the heartbeats. */
  readonly number: number;
  readonly watches: boolean;
  /** Each channel or pattern it reads, with the offset after which it wants messages while it replays. */
  readonly wants: Map<ChannelPattern, number> = new Map();
  /** While it replays: everything up to here has been given to the sink, or was not wanted. */
  position: number;
  told: number;
  given = 0;
  lag: Lag | undefined;
  group: ReaderGroup | undefined;
  closed = false;
  /** Changes when what it reads changes, so that a page asked for before is thrown away. */
  revision = 0;
  /** Set while pages are read for it: once at a time, however often its channels change. */
  replaying = false;
  /** While it replays: heartbeats since its socket last took a whole page. */
  heartbeatsWaited = 0;
  readonly #cut: (subscription: Subscription) => void;

  /** `cut` is to end a reader that leaves too much untaken. */
  constructor(
    sink: Sink,
    number: number,
    position: number,
    cut: (subscription: Subscription) => void,
    watches = false,
  ) {
    this.sink = sink;
    this.number = number;
    this.watches = watches;
    this.position = position;
    this.told = position;
    this.#cut = cut;
  }

  get pending(): number {
    return this.sink.pending;
  }

  get channels(): readonly ChannelPattern[] {
    return [...this.wants.keys()];
  }

  cut(): void {
    this.#cut(this);
  }

  /** Whether its socket has taken no page of its replay for too many heartbeats; to be asked once a heartbeat. */
  isStalled(): boolean {
    return this.group === undefined && ++this.heartbeatsWaited > MAX_HEARTBEATS_WAITED;
  }

  /** Tells its reader how far it has got, which is to all that was `delivered` if it is live. */
  heartbeat(delivered: number, cursor: (offset: number) => string): void {
    const offset = this.group === undefined ? this.position : delivered;
    // A reader that asked for the earliest has got nowhere before its first page, not even to the beginning.
    if (offset <= BEGINNING && this.group === undefined) return;
    const moves = offset - this.told >= FAR;
    if (moves) this.told = offset;
    this.sink.signal({ kind: "beat", id: cursor(offset), moves });
  }

  /** What it reads next: the channels it reads from its position on, and the offset at which it reads others, too. */
  get next(): { readonly after: number; readonly channels: readonly ChannelPattern[]; readonly until: number } {
    const channels: ChannelPattern[] = [];
    let until = Infinity;
    for (const [pattern, since] of this.wants) {
      if (since <= this.position) channels.push(pattern);
      else until = Math.min(until, since);
    }
    return { after: this.position, channels: uncovered(channels), until };
  }

  /** Moves on over a page, up to `end`; returns what of it was asked for: each channel counts from where it was asked from. */
  take(messages: readonly Message[], end: number): readonly Message[] {
    const wants = [...this.wants];
    this.position = Math.max(this.position, end);
    return messages.filter(
      ({ channel, offset }) =>
        offset <= end && wants.some(([pattern, since]) => offset > since && covers(pattern, channel)),
    );
  }

  /** Reads these channels after `since`, and what it read before from where it is. */
  add(channels: readonly ChannelPattern[], since: number): void {
    this.revision++;
    for (const [pattern, wanted] of this.wants) this.wants.set(pattern, Math.max(wanted, this.position));
    // Asking again for what is being read must not leave out what is still to come of it.
    for (const pattern of channels) this.wants.set(pattern, Math.min(this.wants.get(pattern) ?? since, since));
    this.position = Math.min(this.position, since);
    this.told = Math.min(this.told, since);
    this.#advance();
  }

  remove(channels: readonly ChannelPattern[]): void {
    this.revision++;
    for (const channel of channels) this.wants.delete(channel);
  }

  /** Wants nothing up to `offset`. */
  skipTo(offset: number): void {
    for (const [pattern, since] of this.wants) if (since < offset) this.wants.set(pattern, offset);
    this.#advance();
  }

  /** Everything up to `offset` has been given to the sink. */
  advanceTo(offset: number): void {
    this.position = offset;
    this.skipTo(offset);
  }

  #advance(): void {
    if (this.wants.size > 0) this.position = Math.max(this.position, Math.min(...this.wants.values()));
  }
}
