import type { Lag } from "./backlog.ts";
import { BEGINNING } from "../protocol/cursor.ts";
import { covers, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import type { Message } from "./message.ts";
import type { LiveReader, ReaderGroup } from "./reader-group.ts";
import type { Sink } from "./sink.ts";

export interface SubscribeRequest {
  readonly channels: readonly ChannelPattern[];
  /** A cursor as text, or `earliest`; any other text is answered with a gap. Absent: from now on. */
  readonly after?: string | undefined;
  /** It receives everything but does not count as a reader. Fixed when it subscribes. */
  readonly watch?: boolean | undefined;
}

/** Messages of other channels after which a heartbeat moves the id that a reader resumes from. */
const FAR = 1000;
const MAX_HEARTBEATS_WAITED = 3;

/**
 * One reader's place in the log, and the sink that what follows is written to. Either it is live, as a member of a
 * group; or it replays, reading pages from `position` until it has all that the hub has delivered.
 */
export class Subscription implements LiveReader {
  readonly sink: Sink;
  /** Counts up from 0 over the hub's life; spreads the heartbeats. */
  readonly number: number;
  readonly watches: boolean;
  /** Each channel or pattern it reads, with the offset after which a replay sends its messages. */
  readonly wants: Map<ChannelPattern, number> = new Map();
  /** While it replays: everything up to here has been written to the sink, or was not asked for. */
  position: number;
  told: number;
  given = 0;
  lag: Lag | undefined;
  group: ReaderGroup | undefined;
  closed = false;
  /** A page that was requested at another revision is discarded. */
  revision = 0;
  /** Set while a replay runs, so that there is only one however often its channels change. */
  replaying = false;
  /** While it replays: heartbeats since its socket last accepted a whole page. */
  heartbeatsWaited = 0;
  readonly #cut: (subscription: Subscription) => void;

  /** `cut` must end a reader with too many pending bytes. */
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

  /** Whether its socket has not accepted a page for too many heartbeats; must be called once a heartbeat. */
  isStalled(): boolean {
    return this.group === undefined && ++this.heartbeatsWaited > MAX_HEARTBEATS_WAITED;
  }

  /** Sends its reader the cursor it has reached, which is that of `delivered` if it is live. */
  heartbeat(delivered: number, cursor: (offset: number) => string): void {
    const offset = this.group === undefined ? this.position : delivered;
    // Before its first page, a reader that asked for the earliest has no place to resume from.
    if (offset <= BEGINNING && this.group === undefined) return;
    const moves = offset - this.told >= FAR;
    if (moves) this.told = offset;
    this.sink.signal({ kind: "beat", id: cursor(offset), moves });
  }

  /** What to read next: the channels to read from its position on, and the offset at which others join them. */
  get next(): { readonly after: number; readonly channels: readonly ChannelPattern[]; readonly until: number } {
    const channels: ChannelPattern[] = [];
    let until = Infinity;
    for (const [pattern, since] of this.wants) {
      if (since <= this.position) channels.push(pattern);
      else until = Math.min(until, since);
    }
    return { after: this.position, channels: uncovered(channels), until };
  }

  /** Advances past a page, up to `end`; returns its messages that are after the offset in `wants` of their channel. */
  take(messages: readonly Message[], end: number): readonly Message[] {
    const wants = [...this.wants];
    this.position = Math.max(this.position, end);
    return messages.filter(
      ({ channel, offset }) =>
        offset <= end && wants.some(([pattern, since]) => offset > since && covers(pattern, channel)),
    );
  }

  /** Has its replay discard the pages that were requested before. */
  discardPages(): void {
    this.revision++;
  }

  /** Adds channels, to be read after `since`; those it reads already continue from its position. */
  add(channels: readonly ChannelPattern[], since: number): void {
    this.discardPages();
    for (const [pattern, wanted] of this.wants) this.wants.set(pattern, Math.max(wanted, this.position));
    // Adding a channel again must not skip messages that its replay has not reached yet.
    for (const pattern of channels) this.wants.set(pattern, Math.min(this.wants.get(pattern) ?? since, since));
    this.position = Math.min(this.position, since);
    this.told = Math.min(this.told, since);
    this.#advance();
  }

  remove(channels: readonly ChannelPattern[]): void {
    this.discardPages();
    for (const channel of channels) this.wants.delete(channel);
  }

  /** Skips everything up to `offset`. */
  skipTo(offset: number): void {
    for (const [pattern, since] of this.wants) if (since < offset) this.wants.set(pattern, offset);
    this.#advance();
  }

  /** Goes on from an earlier place: the log has nothing at the one that its reader named. */
  goBackTo(offset: number): void {
    for (const [pattern, since] of this.wants) if (since > offset) this.wants.set(pattern, offset);
    this.position = Math.min(this.position, offset);
    this.told = Math.min(this.told, offset);
  }

  /** Records that everything up to `offset` has been written to the sink. */
  advanceTo(offset: number): void {
    this.position = offset;
    this.skipTo(offset);
  }

  #advance(): void {
    if (this.wants.size > 0) this.position = Math.max(this.position, Math.min(...this.wants.values()));
  }
}
