import type { Backlog, LaggingHolder } from "./backlog.ts";
import { isServerChannel, type ChannelPattern } from "../protocol/channel.ts";
import type { Envelope, Format } from "./message.ts";
import type { Sink } from "./sink.ts";
import type { Stats } from "./stats.ts";

/** A reader that can be live, as its group sees it. */
export interface LiveReader extends LaggingHolder {
  readonly sink: Sink;
  readonly channels: readonly ChannelPattern[];
  /** It receives messages but does not count as a reader. */
  readonly watches: boolean;
  /** Set exactly while it is live. */
  group: ReaderGroup | undefined;
  /** How many of the messages ever offered to its group it has been given, or were offered before it joined. */
  given: number;
  /** The offset of the last id sent to it. */
  told: number;
}

/** The bytes for members that lack the same messages. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** How many of its messages are not on the server's own channels. */
  readonly counted: number;
  /** The offset of its last message that has an id; -1 if none has. */
  readonly last: number;
}

/**
 * The live readers with the same channels and the same format. Messages are queued here once and written to the members
 * in rounds: each gets all that it lacks in one write, and members that lack the same messages get the same bytes.
 */
export class ReaderGroup {
  readonly patterns: readonly ChannelPattern[];
  /** Whether its members receive messages but do not count as readers. */
  readonly watches: boolean;
  readonly #format: Format;
  readonly #members = new Set<LiveReader>();
  #queue: Envelope[] = [];
  /** How many messages were offered before the first in the queue. */
  #before = 0;
  /** The members that this round has not visited yet. */
  #round: Iterator<LiveReader> | undefined;
  /** The count of messages that every member will have been given when the round has ended. */
  #roundGives = 0;
  #piece: Piece | undefined;
  /** Whether the delivery of a message in the queue is traced. */
  #isTraced = false;

  constructor(patterns: readonly ChannelPattern[], format: Format, watches = false) {
    this.patterns = patterns;
    this.watches = watches;
    this.#format = format;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Whether its members are only notified that something was published. */
  get isSilent(): boolean {
    return this.#format.silent === true;
  }

  /** Members that count as readers. */
  get receivers(): number {
    return this.isSilent || this.watches ? 0 : this.#members.size;
  }

  /** Whether a member has not been given all that was offered. */
  get isBehind(): boolean {
    return this.#queue.length > 0 && this.#members.size > 0;
  }

  /** Adds a member; it is given what is offered from now on. */
  add(member: LiveReader): void {
    member.given = this.#end;
    this.#members.add(member);
  }

  remove(member: LiveReader): void {
    this.#members.delete(member);
  }

  /** Queues a message for all members; false if it is queued already. */
  offer(envelope: Envelope): boolean {
    if (this.#queue.at(-1) === envelope) return false;
    this.#queue.push(envelope);
    if (envelope.delivery !== undefined) this.#isTraced = true;
    return true;
  }

  /**
   * Continues the round: writes to at most `most` members what each lacks, and returns how many it wrote to. At the end
   * of a round, calls back with the messages that every member now has.
   */
  write(most: number, backlog: Backlog, stats: Stats, onGiven: (envelopes: readonly Envelope[]) => void): number {
    let written = 0;
    while (written < most && this.isBehind && !backlog.isFull()) {
      if (this.#round === undefined) {
        this.#round = this.#members.values();
        this.#roundGives = this.#end;
      }
      const { value: member, done } = this.#round.next();
      if (done) {
        if (!this.isSilent) onGiven(this.#queue.slice(0, this.#roundGives - this.#before));
        this.#endRound();
      } else if (this.flush(member, backlog, stats)) written++;
    }
    if (this.#members.size === 0) this.#endRound();
    return written;
  }

  /** Writes to one member what it lacks; false if it lacks nothing, or was cut because it lags too far. */
  flush(member: LiveReader, backlog: Backlog, stats: Stats): boolean {
    if (member.lag !== undefined && !backlog.mayGive(member)) return false;
    const { given } = member;
    const end = this.#end;
    if (given === end) return false;
    member.given = end;
    const { bytes, counted, last } = this.#pieceOf(given, end);
    if (last !== -1) member.told = last;
    if (!this.isSilent) {
      if (!this.watches) stats.delivered += counted;
      stats.bytes += bytes.length;
    }
    if (!member.sink.write(bytes)) member.lag = backlog.add(member, bytes, this);
    return true;
  }

  get #end(): number {
    return this.#before + this.#queue.length;
  }

  /** The last piece is reused: most members lack what the member before them lacked. */
  #pieceOf(from: number, to: number): Piece {
    if (this.#piece?.from === from && this.#piece.to === to) return this.#piece;
    const due = this.#queue.slice(from - this.#before);
    const counted = due.filter(({ message }) => !isServerChannel(message.channel)).length;
    const last = due.findLast(({ message }) => message.ephemeral !== true)?.message.offset ?? -1;
    this.#piece = { from, to, bytes: joined(due, this.#format), counted, last };
    return this.#piece;
  }

  #endRound(): void {
    this.#round = undefined;
    this.#piece = undefined;
    const told = this.#members.size === 0 ? this.#end : this.#roundGives;
    const left = told === this.#end ? [] : this.#queue.slice(told - this.#before);
    if (this.#isTraced) {
      for (const { delivery } of this.#queue.slice(0, told - this.#before)) delivery?.given();
      this.#isTraced = left.some(({ delivery }) => delivery !== undefined);
    }
    this.#queue = left;
    this.#before = told;
  }
}

/** The last joined and packed bytes in each format, by the first of their messages. */
const pieces = new WeakMap<Envelope, Map<Format, { readonly of: readonly Envelope[]; readonly bytes: Uint8Array }>>();

/** The bytes of several messages in one format; groups of other channels that lack the same messages share them. */
export function joined(envelopes: readonly Envelope[], format: Format): Uint8Array {
  const [first] = envelopes;
  if (first === undefined) return format.join([]);
  if (envelopes.length === 1 && format.compress === undefined) return first.encodedBy(format);
  let made = pieces.get(first);
  if (made === undefined) pieces.set(first, (made = new Map()));
  const known = made.get(format);
  if (known?.of.length === envelopes.length && known.of.every((envelope, at) => envelope === envelopes[at])) {
    return known.bytes;
  }
  const whole = format.join(envelopes.map((envelope) => envelope.encodedBy(format)));
  const bytes = format.compress?.(whole) ?? whole;
  made.set(format, { of: envelopes, bytes });
  return bytes;
}
