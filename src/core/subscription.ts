import type { ReaderGroup, GroupMember } from "./reader-group.ts";
import type { Backlog, Lag } from "./backlog.ts";
import { BEGINNING } from "../protocol/cursor.ts";
import { covers, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import type { Message } from "./message.ts";
import type { Sink } from "./sink.ts";

export interface SubscribeRequest {
  readonly channels: readonly ChannelPattern[];
  /** A cursor as text, or `earliest`; what is not a cursor of this log is answered with a gap. Absent: from now on. */
  readonly after?: string | undefined;
  /** It only looks on: it gets everything and does not count as a reader. Fixed when it subscribes. */
  readonly watch?: boolean | undefined;
}

/** Messages that may pass by a reader before it is given another id to come back with. */
const FAR = 1000;
const MAX_BEATS_WAITED = 3;

/**
 * One reader's place in the log, and where to send what follows. Either it is live, in an group that gets what is
 * published; or it is catching up, reading pages from `position` until it has passed what the hub delivered.
 */
export class Subscription implements GroupMember {
  readonly sink: Sink;
  /** Counts up from 0 over the hub's life; spreads the heartbeats. */
  readonly number: number;
  readonly watches: boolean;
  /** Each channel or pattern it reads, with the offset behind which it wants messages while it is catching up. */
  readonly wants: Map<ChannelPattern, number> = new Map();
  /** While catching up: everything up to here has been given to the sink, or was not wanted. */
  position: number;
  given = 0;
  lag: Lag | undefined;
  /** Set exactly while it is live. */
  group: ReaderGroup | undefined;
  closed = false;
  /** Changes when what it reads changes, so that a page asked for before is thrown away. */
  revision = 0;
  /** Set while the hub reads pages for it: once at a time, however often its channels change. */
  catchingUp = false;
  /** While catching up: heartbeats that passed since its socket last took a whole page. */
  heartbeatsWaited = 0;
  /** The offset of the last id its reader was given before it joined its group. */
  #told: number;
  /** What had been delivered when it joined its group. */
  #joined = 0;
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
    this.#told = position;
    this.#cut = cut;
  }

  get pending(): number {
    return this.sink.pending;
  }

  cut(): void {
    this.#cut(this);
  }

  /** Its socket has not taken a page of replay, which does not count as left untaken before there is another. */
  lagsWith(page: Uint8Array, backlog: Backlog): void {
    this.lag = backlog.add(this, page);
    this.lag.excused = page.length;
  }

  /** Its reader was given the id of this offset. */
  tell(offset: number): void {
    this.#told = offset;
  }

  /** It joins an group, and has all that was `delivered`. */
  joins(delivered: number): void {
    this.#joined = delivered;
    this.catchingUp = false;
    this.heartbeatsWaited = 0;
  }

  /** It is about to leave its group. */
  leaves(): void {
    this.#told = this.#place;
  }

  /** Whether its socket has taken no page of its replay for too many beats; to be asked once a beat. */
  isStalled(): boolean {
    return this.group === undefined && ++this.heartbeatsWaited > MAX_BEATS_WAITED;
  }

  /** Tells its reader how far it has got, which is to all that was `delivered` if it is live. */
  heartbeat(delivered: number, cursor: (offset: number) => string): void {
    const offset = this.group === undefined ? this.position : delivered;
    // A reader that asked for the earliest has got nowhere before its first page, not even to the beginning.
    if (offset <= BEGINNING && this.group === undefined) return;
    const moves = offset - this.#place >= FAR;
    if (moves) this.#told = offset;
    this.sink.signal({ kind: "beat", id: cursor(offset), moves });
  }

  get channels(): readonly ChannelPattern[] {
    return [...this.wants.keys()];
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

  /** Reads these channels from behind `since` on, and what it read before from where it is. */
  add(channels: readonly ChannelPattern[], since: number): void {
    this.revision++;
    for (const [pattern, wanted] of this.wants) this.wants.set(pattern, Math.max(wanted, this.position));
    // Asking again for what is being read must not leave out what is still to come of it.
    for (const pattern of channels) this.wants.set(pattern, Math.min(this.wants.get(pattern) ?? since, since));
    this.position = Math.min(this.position, since);
    this.#told = Math.min(this.#told, since);
    this.#advance();
  }

  /** Wants nothing up to `offset` any more. */
  skipTo(offset: number): void {
    for (const [pattern, since] of this.wants) if (since < offset) this.wants.set(pattern, offset);
    this.#advance();
  }

  /** Everything up to `offset` has been given to the sink. */
  advanceTo(offset: number): void {
    this.position = offset;
    this.skipTo(offset);
  }

  /** The offset of the last id its reader was given. */
  get #place(): number {
    const last = this.group?.last ?? -1;
    return last > this.#joined ? Math.max(last, this.#told) : this.#told;
  }

  #advance(): void {
    if (this.wants.size > 0) this.position = Math.max(this.position, Math.min(...this.wants.values()));
  }
}
