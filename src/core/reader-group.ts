import type { Holder, Lag } from "./backlog.ts";
import { isServerChannel, type ChannelPattern } from "../protocol/channel.ts";
import type { Envelope, Format } from "./message.ts";
import type { Sink } from "./sink.ts";
import type { Stats } from "./stats.ts";

/** A live reader, as its group sees it. */
export interface GroupMember extends Holder {
  readonly sink: Sink;
  /** How many of the messages ever offered to its group it has been given, or came too late for. */
  given: number;
  /** Set while its socket has not taken what it was given. */
  lag: Lag | undefined;
}

/** Who looks after members whose sockets lag. */
export interface Lags {
  /** Whether a lagging member may be given more; if not, it has been cut. */
  mayHave(member: GroupMember): boolean;
  /** Its socket has not taken all of what it was just given. */
  add(member: GroupMember, bytes: Uint8Array, group: ReaderGroup): void;
  /** Whether no one should be given more in this turn. */
  isFull(): boolean;
}

/** What members that lack the same are given. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** How many of its messages are not on the server's own channels. */
  readonly counted: number;
}

/**
 * The live readers with the same channels and the same format. What is published is queued here once, and written to
 * the members in rounds: each gets all it has not been given yet in one piece, the same bytes for all who lack the same.
 */
export class ReaderGroup {
  readonly patterns: readonly ChannelPattern[];
  /** Whether its members only look on and do not count as readers. */
  readonly watches: boolean;
  readonly #format: Format;
  readonly #members = new Set<GroupMember>();
  #queue: Envelope[] = [];
  /** How many messages were offered before the first in the queue. */
  #before = 0;
  /** The members that this round has still to visit. */
  #round: Iterator<GroupMember> | undefined;
  /** Everyone will have been given this much when the round is over. */
  #roundGives = 0;
  /** The offset of the last message offered that has an id. */
  last = -1;
  #piece: Piece | undefined;

  constructor(patterns: readonly ChannelPattern[], format: Format, watches = false) {
    this.patterns = patterns;
    this.watches = watches;
    this.#format = format;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Whether its members are only told that something came. */
  get isSilent(): boolean {
    return this.#format.silent === true;
  }

  /** Members that count as readers: neither silent nor only looking on. */
  get receivers(): number {
    return this.isSilent || this.watches ? 0 : this.#members.size;
  }

  /** Whether anyone lacks anything. */
  get isBehind(): boolean {
    return this.#queue.length > 0 && this.#members.size > 0;
  }

  /** A new member is given what is offered from now on. */
  add(member: GroupMember): void {
    member.given = this.#end;
    this.#members.add(member);
  }

  remove(member: GroupMember): void {
    this.#members.delete(member);
  }

  /** Queues a message for everyone; false where it is queued already. */
  offer(envelope: Envelope): boolean {
    if (this.#queue.at(-1) === envelope) return false;
    this.#queue.push(envelope);
    if (envelope.message.ephemeral !== true) this.last = envelope.message.offset;
    return true;
  }

  /**
   * Goes on with the round: writes to at most `most` members what each lacks, and returns to how many it did. Calls
   * back with what every member has been given now.
   */
  write(most: number, stats: Stats, lags: Lags, onGiven: (envelopes: readonly Envelope[]) => void): number {
    let written = 0;
    while (written < most && this.isBehind && !lags.isFull()) {
      if (this.#round === undefined) {
        this.#round = this.#members.values();
        this.#roundGives = this.#end;
      }
      const { value: member, done } = this.#round.next();
      if (done) {
        if (!this.isSilent) onGiven(this.#queue.slice(0, this.#roundGives - this.#before));
        this.#endRound();
      } else if (this.flush(member, stats, lags)) written++;
    }
    if (this.#members.size === 0) this.#endRound();
    return written;
  }

  /** Writes to one member what it lacks; false if it lacks nothing, or was cut because it lags too far. */
  flush(member: GroupMember, stats: Stats, lags: Lags): boolean {
    if (member.lag !== undefined && !lags.mayHave(member)) return false;
    const { given } = member;
    const end = this.#end;
    if (given === end) return false;
    member.given = end;
    const { bytes, counted } = this.#pieceOf(given, end);
    if (!this.isSilent) {
      if (!this.watches) stats.delivered += counted;
      stats.bytes += bytes.length;
    }
    if (!member.sink.write(bytes)) lags.add(member, bytes, this);
    return true;
  }

  get #end(): number {
    return this.#before + this.#queue.length;
  }

  /** Members are visited one after the other, so most of them lack what the one before lacked. */
  #pieceOf(from: number, to: number): Piece {
    if (this.#piece?.from === from && this.#piece.to === to) return this.#piece;
    const due = this.#queue.slice(from - this.#before);
    const counted = due.filter(({ message }) => !isServerChannel(message.channel)).length;
    this.#piece = { from, to, bytes: joined(due, this.#format), counted };
    return this.#piece;
  }

  #endRound(): void {
    this.#round = undefined;
    this.#piece = undefined;
    const told = this.#members.size === 0 ? this.#end : this.#roundGives;
    this.#queue = told === this.#end ? [] : this.#queue.slice(told - this.#before);
    this.#before = told;
  }
}

/** What was made last of several messages in each format, by the first of them. */
const pieces = new WeakMap<Envelope, Map<Format, { readonly of: readonly Envelope[]; readonly bytes: Uint8Array }>>();

/** The bytes of several messages in one format; the same bytes for groups of other channels that lack the same. */
export function joined(envelopes: readonly Envelope[], format: Format): Uint8Array {
  const [first] = envelopes;
  if (first === undefined) return format.join([]);
  if (envelopes.length === 1) return first.encodedBy(format);
  let made = pieces.get(first);
  if (made === undefined) pieces.set(first, (made = new Map()));
  const known = made.get(format);
  if (known?.of.length === envelopes.length && known.of.every((envelope, at) => envelope === envelopes[at])) {
    return known.bytes;
  }
  const bytes = format.join(envelopes.map((envelope) => envelope.encodedBy(format)));
  made.set(format, { of: envelopes, bytes });
  return bytes;
}
