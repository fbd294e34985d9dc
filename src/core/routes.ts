import { Audience, type Member } from "./audience.ts";
import { patternsOver, type ChannelName, type ChannelPattern } from "./channel.ts";
import type { Format } from "./message.ts";

/** Which audiences a channel reaches: an index by pattern, asked once for each pattern that could cover the channel. */
export class Routes {
  readonly #byFormat = new Map<Format, Map<string, Audience>>();
  readonly #byPattern = new Map<ChannelPattern, Set<Audience>>();

  /** The audience of these channels in this format, made where there is none; `watches`: of those that only look on. */
  audience(patterns: Iterable<ChannelPattern>, format: Format, watches = false): Audience {
    const sorted = [...patterns].sort();
    const key = keyOf(sorted, watches);
    let byKey = this.#byFormat.get(format);
    if (byKey === undefined) this.#byFormat.set(format, (byKey = new Map()));
    let audience = byKey.get(key);
    if (audience === undefined) {
      audience = new Audience(sorted, format, watches);
      byKey.set(key, audience);
      for (const pattern of sorted) {
        const audiences = this.#byPattern.get(pattern);
        if (audiences === undefined) this.#byPattern.set(pattern, new Set([audience]));
        else audiences.add(audience);
      }
    }
    return audience;
  }

  /** Takes a member out; an audience without members is forgotten. */
  leave(audience: Audience, member: Member): void {
    audience.leave(member);
    if (audience.size > 0) return;
    this.#byFormat.get(member.sink.format)?.delete(keyOf(audience.patterns, audience.watches));
    for (const pattern of audience.patterns) {
      const audiences = this.#byPattern.get(pattern);
      audiences?.delete(audience);
      if (audiences?.size === 0) this.#byPattern.delete(pattern);
    }
  }

  /** Calls back for each audience of a channel; one that several of its patterns bring may come more than once. */
  each(channel: ChannelName, call: (audience: Audience) => void): void {
    for (const pattern of patternsOver(channel)) {
      const audiences = this.#byPattern.get(pattern);
      if (audiences !== undefined) for (const audience of audiences) call(audience);
    }
  }

  /** Live readers of a channel, but those that are only told that something came; and, without `all`, that only look on. */
  readers(channel: ChannelName, all = false): number {
    const audiences = new Set<Audience>();
    this.each(channel, (audience) => audiences.add(audience));
    let readers = 0;
    for (const audience of audiences) readers += all && !audience.isSilent ? audience.size : audience.receivers;
    return readers;
  }

  /** The channels and patterns that live readers have asked for. */
  *patterns(): Iterable<ChannelPattern> {
    for (const [pattern, audiences] of this.#byPattern) {
      for (const { receivers } of audiences) {
        if (receivers === 0) continue;
        yield pattern;
        break;
      }
    }
  }
}

function keyOf(patterns: readonly ChannelPattern[], watches: boolean): string {
  return `${watches ? "watch:" : ""}${patterns.join(",")}`;
}
