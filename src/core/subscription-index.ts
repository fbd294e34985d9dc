import { Audience, type Member } from "./reader-group.ts";
import { covers, patternsOver, uncovered, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import type { Format } from "./message.ts";
import { NameIndex } from "./name-index.ts";

/** Which audiences a channel reaches: an index by pattern, asked once for each pattern that could cover the channel. */
export class Routes {
  readonly #byFormat = new Map<Format, Map<string, Audience>>();
  /** The audiences of each pattern; true under those that no other of theirs covers, so a channel leads to each once. */
  readonly #byPattern = new NameIndex<Map<Audience, boolean>>();

  /** The audience of these channels in this format, made if it is missing; `watches`: of those that only look on. */
  audience(patterns: Iterable<ChannelPattern>, format: Format, watches = false): Audience {
    const sorted = [...patterns].sort();
    const key = keyOf(sorted, watches);
    let byKey = this.#byFormat.get(format);
    if (byKey === undefined) this.#byFormat.set(format, (byKey = new Map()));
    let audience = byKey.get(key);
    if (audience === undefined) {
      audience = new Audience(sorted, format, watches);
      byKey.set(key, audience);
      const leading = new Set(uncovered(sorted));
      for (const pattern of sorted) {
        const audiences = this.#byPattern.get(pattern);
        if (audiences === undefined) this.#byPattern.set(pattern, new Map([[audience, leading.has(pattern)]]));
        else audiences.set(audience, leading.has(pattern));
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

  /** Calls back for each audience of a channel. */
  each(channel: ChannelName, call: (audience: Audience) => void): void {
    for (const pattern of patternsOver(channel)) {
      const audiences = this.#byPattern.get(pattern);
      if (audiences !== undefined) for (const [audience, leads] of audiences) if (leads) call(audience);
    }
  }

  /** Live readers of a channel, without those that are only told that something came and, unless `all`, those that only look on. */
  readers(channel: ChannelName, all = false): number {
    return this.counted(all)(channel);
  }

  /** Counts live readers of many channels: those of a pattern once, however many channels it covers. */
  counted(all = false): (channel: ChannelName) => number {
    const counts = new Map<ChannelPattern, number>();
    const count = (pattern: ChannelPattern): number => {
      const known = counts.get(pattern);
      if (known !== undefined) return known;
      let readers = 0;
      for (const [audience, leads] of this.#byPattern.get(pattern) ?? []) {
        if (leads) readers += all && !audience.isSilent ? audience.size : audience.receivers;
      }
      counts.set(pattern, readers);
      return readers;
    };
    return (channel) => patternsOver(channel).reduce((sum, pattern) => sum + count(pattern), 0);
  }

  /** The channels that live readers have asked for by name, of those a pattern covers and after `after`, in order. */
  *channels(pattern: ChannelPattern, after?: string): Iterable<ChannelName> {
    const isPrefix = pattern.endsWith("*");
    for (const [name, audiences] of this.#byPattern.entries(isPrefix ? pattern.slice(0, -1) : pattern, after)) {
      const asked = name as ChannelPattern;
      if (!isPrefix && asked !== pattern) return;
      if (asked.endsWith("*") || !covers(pattern, asked)) continue;
      for (const { receivers } of audiences.keys()) {
        if (receivers === 0) continue;
        yield asked as ChannelName;
        break;
      }
    }
  }
}

function keyOf(patterns: readonly ChannelPattern[], watches: boolean): string {
  return `${watches ? "watch:" : ""}${patterns.join(",")}`;
}
