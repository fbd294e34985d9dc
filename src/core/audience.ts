import type { ChannelPattern } from "./channel.ts";
import type { Envelope, Format } from "./message.ts";
import type { Sink } from "./sink.ts";
import type { Stats } from "./stats.ts";

/** A live reader, as its audience sees it. */
export interface Member {
  readonly sink: Sink;
}

/**
 * The live readers with the same channels and the same format. What a turn publishes is collected here, joined once,
 * and written once to each.
 */
export class Audience {
  readonly patterns: readonly ChannelPattern[];
  readonly members: Set<Member> = new Set();
  readonly #format: Format;
  #waiting: Envelope[] = [];

  constructor(patterns: readonly ChannelPattern[], format: Format) {
    this.patterns = patterns;
    this.#format = format;
  }

  /** Adds a message to what the next `flush` writes; false where it is there already. */
  offer(envelope: Envelope): boolean {
    if (this.#waiting.at(-1) === envelope) return false;
    this.#waiting.push(envelope);
    return true;
  }

  /** Writes what was offered to every member, and counts it; false where there was nothing. */
  flush(stats: Stats): boolean {
    const waiting = this.#waiting;
    if (waiting.length === 0) return false;
    this.#waiting = [];
    const bytes = joined(waiting, this.#format);
    stats.delivered += waiting.length * this.members.size;
    stats.bytes += bytes.length * this.members.size;
    for (const member of this.members) member.sink.write(bytes);
    return true;
  }
}

/** The bytes of several messages in one format. */
export function joined(envelopes: readonly Envelope[], format: Format): Uint8Array {
  const [first] = envelopes;
  if (first !== undefined && envelopes.length === 1) return first.encodedBy(format);
  return format.join(envelopes.map((envelope) => envelope.encodedBy(format)));
}
