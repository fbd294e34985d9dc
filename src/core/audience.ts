import type { ChannelPattern } from "./channel.ts";
import type { Envelope, Format } from "./message.ts";
import type { Sink } from "./sink.ts";
import type { Stats } from "./stats.ts";

/** A live reader, as its audience sees it. */
export interface Member {
  readonly sink: Sink;
  /** How many of the messages ever offered to its audience it has been given, or came too late for. */
  given: number;
}

/**
 * The live readers with the same channels and the same format. What is published is queued here once, and written to
 * the members in rounds: each gets all it has not been given yet in one piece, the same bytes for all who lack the same.
 */
export class Audience {
  readonly patterns: readonly ChannelPattern[];
  readonly #format: Format;
  readonly #members = new Set<Member>();
  #queue: Envelope[] = [];
  /** How many messages were offered before the first in the queue. */
  #before = 0;
  /** The members that this round has still to visit. */
  #round: Iterator<Member> | undefined;
  /** Everyone will have been given this much when the round is over. */
  #roundGives = 0;
  #piece: { readonly from: number; readonly to: number; readonly bytes: Uint8Array } | undefined;

  constructor(patterns: readonly ChannelPattern[], format: Format) {
    this.patterns = patterns;
    this.#format = format;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Whether its members are only told that something came. */
  get isSilent(): boolean {
    return this.#format.silent === true;
  }

  /** Members that are given the messages themselves. */
  get receivers(): number {
    return this.isSilent ? 0 : this.#members.size;
  }

  /** Whether anyone lacks anything. */
  get isBehind(): boolean {
    return this.#queue.length > 0 && this.#members.size > 0;
  }

  /** A new member is given what is offered from now on. */
  join(member: Member): void {
    member.given = this.#end;
    this.#members.add(member);
  }

  leave(member: Member): void {
    this.#members.delete(member);
  }

  /** Queues a message for everyone; false where it is queued already. */
  offer(envelope: Envelope): boolean {
    if (this.#queue.at(-1) === envelope) return false;
    this.#queue.push(envelope);
    return true;
  }

  /**
   * Goes on with the round: writes to at most `most` members what each lacks, and returns to how many it did. Calls
   * back for each whose socket lags behind; that one may leave. And with what every member has been given now.
   */
  write(
    most: number,
    stats: Stats,
    onLag: (member: Member) => void,
    onGiven: (envelopes: readonly Envelope[]) => void,
  ): number {
    let written = 0;
    while (written < most && this.isBehind) {
      if (this.#round === undefined) {
        this.#round = this.#members.values();
        this.#roundGives = this.#end;
      }
      const { value: member, done } = this.#round.next();
      if (done) {
        if (!this.isSilent) onGiven(this.#queue.slice(0, this.#roundGives - this.#before));
        this.#endRound();
      } else if (this.give(member, stats, onLag)) written++;
    }
    if (this.#members.size === 0) this.#endRound();
    return written;
  }

  /** Writes to one member what it lacks; false where it lacks nothing. */
  give(member: Member, stats: Stats, onLag: (member: Member) => void): boolean {
    const { given } = member;
    const end = this.#end;
    if (given === end) return false;
    member.given = end;
    const bytes = this.#bytes(given, end);
    if (!this.isSilent) {
      stats.delivered += end - given;
      stats.bytes += bytes.length;
    }
    if (!member.sink.write(bytes)) onLag(member);
    return true;
  }

  get #end(): number {
    return this.#before + this.#queue.length;
  }

  /** Members are visited one after the other, so most of them lack what the one before lacked. */
  #bytes(from: number, to: number): Uint8Array {
    if (this.#piece?.from === from && this.#piece.to === to) return this.#piece.bytes;
    const bytes = joined(this.#queue.slice(from - this.#before), this.#format);
    this.#piece = { from, to, bytes };
    return bytes;
  }

  #endRound(): void {
    this.#round = undefined;
    this.#piece = undefined;
    const told = this.#members.size === 0 ? this.#end : this.#roundGives;
    this.#queue = told === this.#end ? [] : this.#queue.slice(told - this.#before);
    this.#before = told;
  }
}

/** The bytes of several messages in one format. */
export function joined(envelopes: readonly Envelope[], format: Format): Uint8Array {
  const [first] = envelopes;
  if (first !== undefined && envelopes.length === 1) return first.encodedBy(format);
  return format.join(envelopes.map((envelope) => envelope.encodedBy(format)));
}
